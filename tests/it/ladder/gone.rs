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
