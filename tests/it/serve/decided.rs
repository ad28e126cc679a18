//! What is decided while the service runs is in effect at once, and after a restart.
use std::sync::Arc;

use cosmoguard::alert::rules::{Filter, FilterText, Rule, What};
use cosmoguard::live::ask::Decide;
use cosmoguard::simulate;
use cosmoguard::store::decisions::{self, Draft};
use cosmoguard::store::layout::DataDir;
use cosmoguard::time::Timestamp;

use super::world::{Service, Start, options, records, write_lines};
use super::{NEVER, SEGMENT_BYTES};

#[test]
fn a_rule_that_is_made_while_it_runs_marks_what_comes_after_and_still_does_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (live, data_dir) = (dir.path().join("live"), dir.path().join("guard"));
    std::fs::create_dir_all(&live).unwrap();
    let fleet = simulate::plan(options());
    let all: Vec<Vec<u8>> = records(&fleet).into_iter().map(|(_, record)| record).collect();
    let (first, second) = (all.len() * 6 / 10, all.len() * 8 / 10);
    let start = || {
        Service::start(Start {
            fleet: &fleet,
            data_dir: &data_dir,
            watch: vec![live.clone()],
            warm_up: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            quiet_ms: NEVER,
        })
    };
    let service = start();
    write_lines(&live.join("a.jsonl"), &all[..first]);
    service.wait_records(first as u64);
    let text = FilterText { account: Some("*".to_owned()), ..FilterText::default() };
    let rule = Rule { filter: Filter::parse(&text).unwrap(), up_to: None, until: Timestamp::MAX };
    let wish = |what: What| Decide {
        dir: DataDir::new(&data_dir),
        store: Arc::clone(&service.running.store),
        drafts: vec![Draft { what, from: None, author: "ann".into(), reason: "known".into() }],
        made: Timestamp(0),
    };
    let waits = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let decide = |what| waits.block_on(service.running.desk.decide(wish(what))).unwrap();
    assert!(decide(What::Suppress(rule.clone())).is_err(), "it would last for ever");
    let newest = service.running.board.read().newest.unwrap();
    let until = newest.plus_ms(365 * cosmoguard::time::DAY_MS);
    let taken = decide(What::Suppress(Rule { until, ..rule })).unwrap().remove(0);
    assert!(taken.from > newest);
    write_lines(&live.join("b.jsonl"), &all[first..second]);
    service.wait_records(second as u64);
    service.stop();
    let service = start();
    let ledger = decisions::load(service.running.store.as_ref()).unwrap();
    assert_eq!(ledger.iter().collect::<Vec<_>>(), [&taken]);
    write_lines(&live.join("c.jsonl"), &all[second..]);
    service.wait_records((all.len() - second) as u64);
    service.stop();
    let text = std::fs::read_to_string(data_dir.join("alerts.jsonl")).unwrap();
    let (mut before, mut after) = (0, 0);
    for line in text.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let properties = &alert["properties"];
        let raised = properties["timeGeneratedUtc"].as_str().and_then(Timestamp::parse).unwrap();
        let marked = &properties["extendedProperties"]["Suppressed by"];
        if raised < taken.from {
            before += 1;
            assert!(marked.is_null(), "{line}");
        } else {
            after += 1;
            assert_eq!(marked, "S1", "{line}");
        }
    }
    assert!(before > 0 && after > 1, "{before} {after}");
}
