//! A state that is gone, beside what it left: it is noticed, and no alert is written twice.
use super::*;

#[test]
fn a_state_that_is_gone_gives_way_to_a_snapshot_or_to_nothing_and_is_said_to_be_gone() {
    for snapshots in [true, false] {
        for emptied in [true, false] {
            let what = format!("snapshots {snapshots}, emptied {emptied}");
            let patient = Patient::new(snapshots);
            let before = fs::read(patient.data().join("alerts.jsonl")).unwrap();
            fs::remove_dir_all(patient.state()).unwrap();
            if emptied {
                fs::create_dir(patient.state()).unwrap();
            }
            let ran = patient.heals(&what);
            let report = patient.report().unwrap();
            assert_eq!(report["rung"], if snapshots { "snapshot" } else { "empty" }, "{report}");
            assert_eq!(report["is_gone"], true, "{report}");
            let word =
                if snapshots { "snapshot early.cgsnap took its place" } else { "learnt again" };
            assert!(ran.err.contains("state is gone: ") && ran.err.contains(word), "{}", ran.err);
            assert!(ran.err.contains("there is no state, but alerts.jsonl has "), "{}", ran.err);
            let kept = fs::read(patient.data().join("alerts.before-1.jsonl")).unwrap();
            assert!(kept == before, "{what}");
            assert!(!patient.data().join("state.damaged-1").exists(), "{what}");
            let again = patient.heals(&what);
            assert!(!again.err.contains("state is gone"), "{}", again.err);
        }
    }
}

#[test]
fn snapshots_alone_are_a_state_to_go_on_from() {
    let patient = Patient::new(true);
    fs::remove_dir_all(patient.state()).unwrap();
    fs::remove_file(patient.data().join("alerts.jsonl")).unwrap();
    let ran = patient.run(&replay("d"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("there is no state, but there is a snapshot"), "{}", ran.err);
    assert_eq!(patient.report().unwrap()["rung"], "snapshot");
    assert!(!patient.data().join("alerts.before-1.jsonl").exists());
}

#[test]
fn an_empty_directory_says_nothing() {
    let patient = Patient::new(false);
    fs::remove_dir_all(patient.data()).unwrap();
    let ran = patient.heals("new");
    assert!(!ran.err.contains("state"), "{}", ran.err);
    assert_eq!(patient.report(), None);
}

/// A log that lost all but its beginning opens, as a state from before the first alert: the alerts
/// that are in the file are raised again, and none of them comes to stand in it twice.
#[test]
fn a_state_of_before_all_alerts_begins_their_file_anew() {
    for snapshots in [true, false] {
        let patient = Patient::new(snapshots);
        let early = patient.run(&[&replay("early")[..], &["--until", "2026-09-18"]].concat());
        assert_eq!(early.code, Some(0), "{}", early.err);
        let raised = fs::read_to_string(patient.dir.path().join("early/alerts.jsonl")).unwrap();
        assert_eq!(raised, "", "alerts already");
        let before = fs::read(patient.data().join("alerts.jsonl")).unwrap();
        let mark = fs::read(patient.state().join("mark.json")).unwrap();
        fs::remove_dir_all(patient.state()).unwrap();
        copy(&patient.dir.path().join("early/state"), &patient.state());
        fs::write(patient.state().join("mark.json"), mark).unwrap();
        let ran = patient.heals(&format!("snapshots {snapshots}"));
        assert!(ran.err.contains("the log lost its end"), "{}", ran.err);
        let report = patient.report().unwrap();
        assert_eq!(report["rung"], if snapshots { "snapshot" } else { "kept" }, "{report}");
        let kept = fs::read(patient.data().join("alerts.before-1.jsonl")).unwrap();
        assert!(kept == before, "snapshots {snapshots}");
    }
}
