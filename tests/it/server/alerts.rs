//! Alerts are listed and told.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Running, Setup, line};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// All pages, with `between` called after each.
fn walk(running: &Running, query: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    let (mut all, mut cursor, mut n) = (Vec::new(), String::new(), 0);
    loop {
        let page = running.json(&format!("/v1/alerts?{query}{cursor}"));
        all.extend(ids(&page));
        between(n);
        n += 1;
        let Some(next) = page["next"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn filters_say_what_is_on_the_list_and_facets_count_it() {
    let running = Setup::demo().start();
    let all = running.json("/v1/alerts?limit=200");
    let total = all["total"].as_u64().unwrap();
    assert_eq!(ids(&all).len() as u64, total);
    for (facet, parameter) in
        [("severity", "severity"), ("kind", "kind"), ("account", "account"), ("status", "status")]
    {
        let counts = all["facets"][facet].as_array().unwrap();
        let sum: u64 = counts.iter().map(|c| c["count"].as_u64().unwrap()).sum();
        // An alert may name several accounts.
        assert!(sum == total || facet == "account" && sum > total, "{facet}");
        for count in counts {
            let value = count["value"].as_str().unwrap();
            let page = running.json(&format!("/v1/alerts?{parameter}={value}&limit=200"));
            assert_eq!(page["total"], count["count"], "{facet} {value}");
            for item in page["items"].as_array().unwrap() {
                let named = item["accounts"].as_array().unwrap().contains(&value.into());
                assert!(item[facet] == value || facet == "account" && named, "{item}");
            }
        }
    }
    let first = &all["items"][0];
    let (story, ip) = (first["story"].as_str().unwrap(), first["ip"].as_str().unwrap());
    let opened = first["opened"].as_str().unwrap();
    let story = story.replace('|', "%7C");
    for query in [format!("story={story}"), format!("ip={ip}"), format!("from={opened}")] {
        let page = running.json(&format!("/v1/alerts?{query}"));
        assert!(ids(&page).contains(&first["id"].as_str().unwrap().to_owned()), "{query}");
        assert!(page["total"].as_u64().unwrap() < total, "{query}");
    }
    let before = running.json(&format!("/v1/alerts?to={opened}&limit=200"));
    assert!(!ids(&before).contains(&first["id"].as_str().unwrap().to_owned()));
    assert_eq!(running.json("/v1/alerts?q=ELENA")["total"], 1);
    assert_eq!(running.json("/v1/alerts?q=nobody-is-called-so")["total"], 0);
    assert_eq!(running.json("/v1/alerts?principal=Elena.35@contoso.example")["total"], 1);
}

#[test]
fn rank_puts_the_gravest_first_and_time_the_latest() {
    let running = Setup::demo().start();
    let by_time = running.json("/v1/alerts?limit=200");
    let opened = by_time["items"].as_array().unwrap().iter().map(|i| i["opened"].to_string());
    assert!(opened.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
    let by_rank = running.json("/v1/alerts?limit=200&order=rank");
    let key = |item: &Value| {
        let band = ["High", "Medium", "Low"].iter().position(|s| item["severity"] == *s);
        (band.unwrap(), item["per_day"].as_f64().unwrap())
    };
    let keys: Vec<_> = by_rank["items"].as_array().unwrap().iter().map(key).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn pages_do_not_move_while_alerts_come_and_rise() {
    for query in ["limit=7", "limit=7&order=rank"] {
        let running = Setup::default().start();
        let severities = ["Low", "Medium", "High"];
        for n in 0..50_u64 {
            let severity = severities[n as usize % 3];
            let line = line(u128::from(n) + 1, "contoso", severity, n as i64 % 11, &json!({}));
            running.deliver(n, &line);
        }
        let still = walk(&running, query, |_| ());
        assert_eq!(still.len(), 50);
        assert_eq!(still.iter().collect::<BTreeSet<_>>().len(), 50, "none twice");
        let moved = walk(&running, query, |page| {
            let number = 50 + 2 * page as u64;
            running
                .deliver(number, &line(1000 + u128::from(number), "new", "High", 99, &json!({})));
            // One that is on a later page rises to the top.
            let risen = line(1 + page as u128, "contoso", "High", 50, &json!({"Revision": "2"}));
            running.deliver(number + 1, &risen);
        });
        assert_eq!(moved, still, "{query}");
        assert!(running.json("/v1/alerts")["total"].as_u64().unwrap() > 50);
    }
}

#[test]
fn an_alert_is_told_whole_by_its_first_digits() {
    let running = Setup::default().start();
    running.deliver(0, &line(0xabcd_0000 << 96, "contoso", "Low", 0, &json!({})));
    running.deliver(1, &line(0xabcd_0001 << 96, "contoso", "Low", 0, &json!({})));
    let risen = json!({"Revision": "2", "Client IP": "203.0.113.9"});
    running.deliver(2, &line(0xabcd_0001 << 96, "contoso", "High", 3, &risen));
    let told = running.json("/v1/alerts/ABCD0001");
    assert_eq!(told["summary"]["severity"], "High");
    assert_eq!(told["summary"]["revision"], 2);
    assert_eq!(told["alert"]["properties"]["extendedProperties"]["Revision"], "2");
    let severities = told["revisions"].as_array().unwrap().iter().map(|r| &r["severity"]);
    assert_eq!(severities.collect::<Vec<_>>(), ["Low", "High"]);
    assert_eq!(running.get("/v1/alerts/abcd").problem(400), "id");
    for id in ["abc", "abcd0002", "zzzz", "abcd0001000000000000000000000000ff", "%00%00%00%00"] {
        running.get(&format!("/v1/alerts/{id}")).problem(404);
    }
    let evidence = running.json("/v1/alerts/abcd0001/evidence");
    assert_eq!(evidence["frozen"]["v"], 1);
    assert_eq!(evidence["verdict"], "something was read");
}

#[test]
fn wrong_parameters_are_named() {
    let running = Setup::default().start();
    let long = format!("q={}", "x".repeat(300));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("severity=Extreme", "severity"),
        ("status=Open", "status"),
        ("order=size", "order"),
        ("cursor=nonsense", "cursor"),
        ("cursor=t-1-2-3", "cursor"),
        ("cursor=r-1-2-3-4&order=time", "cursor"),
        ("from=tomorrow", "from"),
        ("to=0", "to"),
        ("ip=here", "ip"),
        ("colour=red", "colour"),
        (long.as_str(), "q"),
    ] {
        assert_eq!(running.get(&format!("/v1/alerts?{query}")).problem(400), field, "{query}");
    }
}

#[test]
fn sums_over_alerts_agree_with_the_list() {
    let running = Setup::demo().start();
    let all = running.json("/v1/alerts?limit=200");
    let total = all["total"].as_u64().unwrap();
    let stories = running.json("/v1/stories?limit=200");
    let in_stories = stories["items"].as_array().unwrap().iter();
    assert_eq!(in_stories.map(|s| s["total"].as_u64().unwrap()).sum::<u64>(), total);
    let callers = running.json("/v1/fleet/callers?limit=200");
    let first = &callers["items"][0];
    let caller = running.json(&format!("/v1/callers/{}", first["ip"].as_str().unwrap()));
    assert_eq!(caller["total"], first["alerts"]);
    let heat = running.json("/v1/fleet/heat?from=2026-09-01&to=2026-11-30&limit=200");
    assert!(heat["columns"].as_u64().unwrap() <= 28);
    for row in heat["rows"].as_array().unwrap() {
        let cells = row["cells"].as_array().unwrap();
        assert_eq!(cells.len() as u64, heat["columns"].as_u64().unwrap());
        let sum: u64 = cells.iter().filter_map(|c| c["alerts"].as_u64()).sum();
        assert_eq!(sum, row["alerts"].as_u64().unwrap());
    }
    let principal = running.json("/v1/principals/bram.35@partner.example");
    assert!(principal["total"].as_u64().unwrap() >= 8);
    running.get("/v1/principals/nobody").problem(404);
    running.get("/v1/callers/203.0.113.200").problem(404);
    assert_eq!(running.get("/v1/callers/somewhere").problem(400), "ip");
    assert_eq!(running.get("/v1/fleet/heat?by=colour").problem(400), "by");
    assert_eq!(running.get("/v1/fleet/heat?from=2020-01-01&to=2026-01-01").problem(400), "from");
    let budget = running.json("/v1/budget");
    assert_eq!(budget["accounts"], 8);
    assert!(budget["opened"].as_array().unwrap().iter().any(|n| n.as_u64() > Some(0)));
}
