use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cosmoguard.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn the_shipped_settings_resolve() {
    let resolved = resolve(None, &[]).unwrap();
    assert_eq!(resolved.config.replay.batch_records, 16_384);
    assert!(resolved.values.iter().all(|(_, _, origin)| *origin == Origin::Default));
}

#[test]
fn file_then_environment_and_each_value_knows_its_source() {
    let (_dir, path) =
        file("[replay]\nthreads = 4\nbatch_records = 7\n[profile.time]\nlateness_minutes = 30\n");
    let environment = [("COSMOGUARD_REPLAY__THREADS".to_owned(), "1".to_owned())];
    let resolved = resolve(Some(&path), &environment).unwrap();
    assert_eq!((resolved.config.replay.threads, resolved.config.replay.batch_records), (1, 7));
    assert_eq!(resolved.config.profile.time.lateness_minutes, 30);
    let origin = |key: &str| {
        resolved.values.iter().find(|(k, _, _)| k == key).map(|(_, _, o)| o.to_string())
    };
    assert_eq!(origin("replay.threads").as_deref(), Some("environment COSMOGUARD_REPLAY__THREADS"));
    assert_eq!(origin("replay.batch_records"), Some(format!("{}:3:1", path.display())));
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_a_guess() {
    let (_dir, path) = file("[alerts]\n\nformatt = \"cef\"\n");
    let error = resolve(Some(&path), &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}:3:1: unknown key `formatt` in [alerts]; did you mean `format`?",
            path.display()
        )
    );
    let (_dir, path) = file("[alarms]\nx = 1\n");
    assert!(
        resolve(Some(&path), &[])
            .unwrap_err()
            .to_string()
            .contains("unknown key `alarms` at the top")
    );
}

#[test]
fn a_wrong_type_and_broken_toml_name_their_place() {
    let (_dir, path) = file("[replay]\nthreads = \"two\"\n");
    let error = resolve(Some(&path), &[]).unwrap_err().to_string();
    assert!(
        error.contains(":2:1: `replay.threads` must be of type integer, not string"),
        "{error}"
    );
    let (_dir, path) = file("[replay\n");
    let error = resolve(Some(&path), &[]).unwrap_err().to_string();
    assert!(error.contains("cosmoguard.toml:1:"), "{error}");
}

#[test]
fn values_that_would_silence_a_detector_are_refused_with_their_place() {
    let refused = |text: &str| {
        let (_dir, path) = file(text);
        let error = resolve(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("cosmoguard.toml:2:1: `"), "{text}: {error}");
    };
    for text in [
        "[profile.severity.budget]\nlow = nan",
        "[profile.severity.budget]\nlow = -1.0",
        "[profile.severity.budget]\nhigh = 0.5",
        "[profile.severity]\nmode = \"defender-2023\"",
        "[profile.egress]\ncombination = nan",
        "[profile.egress]\nhalf_life_days = 0",
        "[profile.egress]\nweights = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]",
        "[profile.egress]\nlevel_bounds = [3.0, 1.0]",
        "[profile.location]\nhalf_life_days = -1",
        "[profile.location.novelty]\nlevel_weights = [nan, 1.0, 1.0]",
        "[profile.severity.kinds.CosmosDB_DataExfiltrationAnomaly]\nweight = nan",
        "[profile.severity.kinds.CosmosDB_TorAnomaly]\nfloor = \"High\"\ncap = \"Low\"",
        "[profile.severity.kinds.CosmosDB_TorAnomaly]\ncap = \"nothing\"",
        "[profile.time]\nlateness_minutes = 100000000",
        "[profile.time]\nlateness_minutes = -5",
        "[profile.keys]\nmature_runs = -3",
        "[replay]\nthreads = 100000",
        "[replay]\nthreads = -1",
        "[snapshots]\nkeep_last = 0",
        "[snapshots]\nevery_hours = 9000",
        "[alerts]\nformat = \"xml\"",
        "[intel]\ntrusted_asns = [-1]",
    ] {
        refused(text);
    }
    let low = "COSMOGUARD_PROFILE__SEVERITY__BUDGET__LOW".to_owned();
    let error = resolve(None, &[(low, "nan".to_owned())]).unwrap_err().to_string();
    assert!(error.starts_with("environment COSMOGUARD_PROFILE__"), "{error}");
}

#[test]
fn the_resolved_whole_reads_back_as_itself() {
    let weight = "COSMOGUARD_PROFILE__SEVERITY__KINDS__COSMOSDB_TORANOMALY__WEIGHT".to_owned();
    let resolved = resolve(None, &[(weight, "0.75".to_owned())]).unwrap();
    let mut text = String::new();
    for (key, value, _) in &resolved.values {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let header = format!("[{section}]\n");
        if !section.is_empty() && !text.contains(&header) {
            text.push_str(&header);
        }
        text.push_str(&format!("{name} = {value}\n"));
    }
    let (_dir, path) = file(&text);
    let again = resolve(Some(&path), &[]).unwrap();
    let plain =
        |r: &Resolved| r.values.iter().map(|(k, v, _)| (k.clone(), v.clone())).collect::<Vec<_>>();
    assert_eq!(plain(&again), plain(&resolved));
    let kind = &again.config.profile.severity.kinds["CosmosDB_TorAnomaly"];
    assert_eq!(kind.weight, 0.75);
}
