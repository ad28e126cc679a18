//! Rules that silence, what is expected, networks that are trusted, and verdicts that teach.
use cosmoguard::alert::rules::{Ruling, What};
use cosmoguard::server::tokens::{self, Role};
use cosmoguard::store::{decisions, keys};
use cosmoguard::time::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Running, Setup, line};

const RULES: &str = "/v1/suppressions";

/// Three alerts on two accounts.
fn alerts() -> Vec<(Vec<u8>, Vec<u8>)> {
    let of = |n: u64, account: &str| {
        let line = line(u128::from(n + 1) << 112, account, "Low", 0, &json!({}));
        (keys::alert(n), line)
    };
    vec![of(0, "contoso-a"), of(1, "contoso-a"), of(2, "fabrikam-b")]
}

fn running() -> Running {
    Setup { entries: alerts(), ..Setup::default() }.start()
}

fn rule(account: &str) -> Value {
    json!({
        "filter": {"kinds": ["CosmosDB_GeoAnomaly"], "account": account},
        "until": "2027-02-01T00:00Z", "reason": "the nightly export",
    })
}

fn send(running: &Running, method: &str, path: &str, body: &Value) -> Answer {
    running.ask(method, path, &[], Some(body.to_string().as_bytes()))
}

#[test]
fn a_rule_is_made_told_replaced_and_ended_and_all_of_it_is_written_down() {
    let running = running();
    let made = send(&running, "POST", RULES, &rule("contoso-a"));
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/suppressions/S1")));
    let made = made.json();
    assert_eq!(
        (&made["id"], &made["author"], &made["state"]),
        (&"S1".into(), &"local".into(), &"active".into())
    );
    assert_eq!((&made["notices"], &made["teaches"]), (&json!([]), &json!(false)));
    assert_eq!(made["filter"]["account"], "contoso-a");
    assert_eq!(running.json("/v1/suppressions/S1"), made);
    // In the store, where the next start finds it, and in the audit log.
    let ledger = decisions::load(running.shared.store.as_ref()).unwrap();
    assert!(matches!(ledger.iter().next().unwrap().what, What::Suppress(_)));
    let audit = std::fs::read_to_string(running.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("\"author\":\"local\"") && audit.contains("the nightly export"));
    let wide = json!({
        "filter": {"account": "contoso-*"}, "up_to": "Low",
        "until": "2028-01-01T00:00Z", "reason": "more of it",
    });
    let new = send(&running, "PUT", "/v1/suppressions/S1", &wide).json();
    assert_eq!(new["id"], "S3");
    assert_eq!(new["notices"], json!(["reaches beyond one account", "lasts longer than 90 days"]));
    assert_eq!(running.json("/v1/suppressions/S1")["state"], "ended");
    let ids = |path: &str| -> Vec<String> {
        let list = running.json(path);
        let items = list["items"].as_array().unwrap().iter();
        items.map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(RULES), ["S3"]);
    assert_eq!(ids("/v1/suppressions?all=true"), ["S3", "S1"]);
    let page = running.json("/v1/suppressions?all=true&limit=1");
    let next = page["next"].as_str().unwrap();
    assert_eq!(ids(&format!("/v1/suppressions?all=true&limit=1&cursor={next}")), ["S1"]);
    send(&running, "PUT", "/v1/suppressions/S1", &rule("contoso-a")).problem(409);
    let gone = running.ask("DELETE", "/v1/suppressions/S3?reason=over", &[], None);
    assert_eq!((gone.status, &gone.json()["state"]), (200, &json!("ended")));
    running.ask("DELETE", "/v1/suppressions/S3", &[], None).problem(409);
    assert_eq!(ids(RULES), [""; 0]);
    for id in ["S2", "S9", "E1", "V1", "x"] {
        running.get(&format!("/v1/suppressions/{id}")).problem(404);
    }
}

#[test]
fn what_is_no_rule_names_its_field_and_leaves_no_trace() {
    let running = running();
    let but = |name: &str, value: Value| {
        let mut body = rule("contoso-a");
        body[name] = value;
        body
    };
    for (body, field) in [
        (json!([]), "body"),
        (but("colour", json!("red")), "colour"),
        (but("filter", json!({})), "filter"),
        (but("filter", json!(7)), "filter"),
        (but("filter", json!({"kinds": ["Nothing"]})), "filter.kinds"),
        (but("filter", json!({"networks": ["203.0.113.7/24"]})), "filter.networks"),
        (but("filter", json!({"asn": -1})), "filter.asn"),
        (but("filter", json!({"country": "Utopia"})), "filter.country"),
        (but("filter", json!({"colour": "red"})), "filter.colour"),
        (but("up_to", json!("Fatal")), "up_to"),
        (but("until", Value::Null), "until"),
        (but("until", json!("tomorrow")), "until"),
        (but("reason", json!("  ")), "reason"),
        (but("reason", json!("x".repeat(1001))), "reason"),
        (but("reason", Value::Null), "reason"),
    ] {
        assert_eq!(send(&running, "POST", RULES, &body).problem(400), field, "{body}");
    }
    let expected = json!({
        "filter": {"principal": "svc-*"}, "start": "2026-11-01", "end": "2026-11-02",
        "ticket": "CHG-1", "reason": "migration",
    });
    let but = |name: &str, value: Value| {
        let mut body = expected.clone();
        body[name] = value;
        body
    };
    for (body, field) in [
        (but("teaches", json!(true)), "teaches"),
        (but("end", json!("2026-10-01")), "end"),
        (but("start", Value::Null), "start"),
        (but("ticket", json!(" ")), "ticket"),
        (but("filter", json!({"account": "contoso-a"})), "filter"),
        (but("volume_bytes", json!(0)), "volume_bytes"),
        (but("reason", Value::Null), "reason"),
    ] {
        let answer = send(&running, "POST", "/v1/expectations", &body);
        assert_eq!(answer.problem(400), field, "{body}");
    }
    for (network, until, field) in [
        ("0.0.0.0/0", "2027-01-01", "network"),
        ("here", "2027-01-01", "network"),
        ("203.0.113.0/24", "", "until"),
    ] {
        let body = json!({"network": network, "until": until, "reason": "office"});
        let answer = send(&running, "POST", "/v1/trusted-networks", &body);
        assert_eq!(answer.problem(400), field, "{body}");
    }
    for query in ["all=yes", "limit=0", "cursor=x", "colour=red"] {
        running.get(&format!("{RULES}?{query}")).problem(400);
    }
    assert!(!running.path().join("audit.jsonl").exists());
}

#[test]
fn a_simulation_counts_what_a_rule_would_silence_and_stores_nothing() {
    let running = running();
    let path = "/v1/suppressions:simulate";
    let told = send(&running, "POST", path, &json!({"filter": {"account": "contoso-a"}})).json();
    assert_eq!((&told["of"], &told["alerts"]), (&json!(3), &json!(2)));
    assert_eq!(told["kinds"], json!({"CosmosDB_GeoAnomaly": 2}));
    assert_eq!(told["accounts"], json!({"contoso-a": 2}));
    let ids = told["ids"].as_array().unwrap();
    assert!(ids.len() == 2 && ids[0].as_str().unwrap().starts_with("0001"), "{ids:?}");
    let wide = send(&running, "POST", path, &json!({"filter": {"account": "*"}})).json();
    assert_eq!(
        (&wide["alerts"], &wide["notices"][0]),
        (&json!(3), &json!("reaches beyond one account"))
    );
    assert_eq!(send(&running, "POST", path, &json!({})).problem(400), "filter");
    assert_eq!(running.json(RULES)["items"], json!([]));
    assert!(!running.path().join("audit.jsonl").exists());
}

#[test]
fn roles_and_scopes_hold_for_rules() {
    let running = running();
    let token = |name: &str, role: Role, accounts: &[&str]| {
        let accounts: Vec<String> = accounts.iter().map(|a| (*a).to_owned()).collect();
        let made = tokens::create(running.path(), name, role, &accounts, (Timestamp(0), None));
        format!("Bearer {}", made.unwrap())
    };
    let [admin, analyst, reader] =
        [Role::Admin, Role::Analyst, Role::Reader].map(|role| token(role.as_str(), role, &[]));
    let team = token("team", Role::Admin, &["contoso-*"]);
    let ask = |secret: &str, method: &str, path: &str, body: Option<&Value>| {
        let body = body.map(Value::to_string);
        let headers = [("Authorization", secret)];
        running.ask(method, path, &headers, body.as_deref().map(str::as_bytes))
    };
    ask(&reader, "POST", RULES, Some(&rule("contoso-a"))).problem(403);
    assert_eq!(ask(&reader, "POST", "/v1/suppressions:simulate", Some(&rule("*"))).status, 200);
    let narrow = ask(&analyst, "POST", RULES, Some(&rule("fabrikam-b"))).json();
    assert_eq!(narrow["author"], "analyst");
    let wide = ask(&analyst, "POST", RULES, Some(&rule("*"))).json();
    assert_eq!((&narrow["id"], &wide["id"]), (&json!("S1"), &json!("S2")));
    assert_eq!(ask(&reader, "GET", RULES, None).json()["items"].as_array().unwrap().len(), 2);
    // Those of others neither see nor touch them, nor make any that reach them.
    assert_eq!(ask(&team, "GET", RULES, None).json()["items"], json!([]));
    for id in ["S1", "S2"] {
        let path = format!("{RULES}/{id}");
        ask(&team, "GET", &path, None).problem(404);
        ask(&team, "DELETE", &path, None).problem(404);
        ask(&team, "PUT", &path, Some(&rule("contoso-a"))).problem(404);
    }
    for account in ["fabrikam-b", "*", "contoso*", "c?ntoso-a", "*contoso-a"] {
        ask(&team, "POST", RULES, Some(&rule(account))).problem(403);
        ask(&team, "POST", "/v1/suppressions:simulate", Some(&rule(account))).problem(403);
    }
    let unnamed = json!({"filter": {"asn": 1}, "until": "2027-01-01", "reason": "x"});
    ask(&team, "POST", RULES, Some(&unnamed)).problem(403);
    let trust = json!({"network": "203.0.113.0/24", "until": "2027-01-01", "reason": "x"});
    ask(&team, "POST", "/v1/trusted-networks", Some(&trust)).problem(403);
    ask(&team, "GET", "/v1/trusted-networks", None).problem(403);
    let own = ask(&team, "POST", RULES, Some(&rule("contoso-*"))).json();
    assert_eq!(own["author"], "team");
    let seen = ask(&team, "POST", "/v1/suppressions:simulate", Some(&rule("contoso-*"))).json();
    assert_eq!((&seen["of"], &seen["alerts"]), (&json!(2), &json!(2)));
    // What reaches beyond one account is an admin's to end.
    ask(&analyst, "DELETE", &format!("{RULES}/S2"), None).problem(403);
    ask(&analyst, "PUT", &format!("{RULES}/S2"), Some(&rule("contoso-a"))).problem(403);
    assert_eq!(ask(&analyst, "DELETE", &format!("{RULES}/S1"), None).status, 200);
    assert_eq!(ask(&admin, "DELETE", &format!("{RULES}/S2"), None).status, 200);
}

#[test]
fn expectations_and_trusted_networks_come_and_go() {
    let running = running();
    let body = json!({
        "filter": {"principal": "svc-*"}, "volume_bytes": 1_000_000, "teaches": false,
        "start": "2026-11-01", "end": "2027-11-02", "ticket": "CHG-1", "reason": "migration",
    });
    let made = send(&running, "POST", "/v1/expectations", &body);
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/expectations/E1")));
    let made = made.json();
    assert_eq!((&made["ticket"], &made["teaches"]), (&json!("CHG-1"), &json!(false)));
    assert_eq!(running.json("/v1/expectations")["items"][0], made);
    assert_eq!(running.ask("DELETE", "/v1/expectations/E1", &[], None).status, 200);
    assert_eq!(running.json("/v1/expectations")["items"], json!([]));
    let body = json!({"network": "203.0.113.0/24", "until": "2027-01-01", "reason": "office"});
    let made = send(&running, "POST", "/v1/trusted-networks", &body).json();
    assert_eq!((&made["id"], &made["about"]), (&json!("T3"), &json!("203.0.113.0/24")));
    assert_eq!(made["teaches"], true);
    assert_eq!(running.json("/v1/trusted-networks/T3"), made);
    running.get("/v1/expectations/T3").problem(404);
    assert_eq!(running.ask("DELETE", "/v1/trusted-networks/T3", &[], None).status, 200);
    assert_eq!(running.json("/v1/trusted-networks")["items"], json!([]));
}

/// What the ledger says of the first alert.
fn ruled(running: &Running) -> Option<Ruling> {
    let ledger = decisions::load(running.shared.store.as_ref()).unwrap();
    let id = cosmoguard::alert::AlertId(1 << 112);
    ledger.verdict(id).map(|(_, ruling)| ruling)
}

#[test]
fn a_verdict_teaches_as_its_scope_says_and_undo_restores_what_was_said_before() {
    let running = running();
    let path = "/v1/alerts/0001/status";
    let say = |verdict: &str, scope: Option<&str>| {
        let body =
            json!({"status": "Dismissed", "reason": "known", "verdict": verdict, "scope": scope});
        let answer = send(&running, "POST", path, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    assert_eq!(ruled(&running), None);
    say("benign", None);
    assert_eq!(ruled(&running), Some(Ruling::BenignOnce));
    say("expected", Some("from now on"));
    assert_eq!(ruled(&running), Some(Ruling::Benign));
    let last = say("malicious", None);
    assert_eq!(ruled(&running), Some(Ruling::Malicious));
    let undo = json!({ "undo": last["undo"] });
    assert_eq!(send(&running, "POST", &format!("{path}:undo"), &undo).status, 200);
    assert_eq!(ruled(&running), Some(Ruling::Benign), "as it was said before");
    let alert = running.json("/v1/alerts/0001");
    assert_eq!(alert["history"].as_array().unwrap().last().unwrap()["verdict"], "expected");
    let old = line(0xee << 120, "contoso-a", "Low", 0, &json!({"Story key": null}));
    running.deliver(9, &old);
    for (at, body, field) in [
        (path, json!({"status": "Resolved", "scope": "once"}), "scope"),
        (
            path,
            json!({"status": "Resolved", "verdict": "benign", "scope": "ever", "reason": "x"}),
            "scope",
        ),
        (
            path,
            json!({"status": "Resolved", "verdict": "malicious", "scope": "once", "reason": "x"}),
            "scope",
        ),
        (path, json!({"status": "Resolved", "verdict": "malicious"}), "reason"),
    ] {
        assert_eq!(send(&running, "POST", at, &body).problem(400), field, "{body}");
    }
    let body = json!({"status": "Resolved", "verdict": "benign", "reason": "x"});
    send(&running, "POST", "/v1/alerts/ee00/status", &body).problem(409);
    assert_eq!(running.json("/v1/alerts/ee00")["summary"]["status"], "Active");
}
