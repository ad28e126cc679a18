use serde_json::json;

use super::*;

fn line(id: u128, account: &str, severity: &str, at: i64, per_day: &str) -> Vec<u8> {
    let at = Timestamp(at).azure();
    json!({
        "name": format!("{id:032x}"),
        "properties": {
            "alertType": "CosmosDB_TorAnomaly", "alertDisplayName": "Access from a Tor exit node",
            "severity": severity, "compromisedEntity": account, "startTimeUtc": at, "endTimeUtc": at,
            "timeGeneratedUtc": at, "correlationKey": format!("account:public/{account}"),
            "extendedProperties": {
                "Nominal false alerts per account-day": per_day, "Verdict": "é".repeat(300),
                "Client IP": "203.0.113.9", "Principal": "Ann@contoso.example",
            },
        },
    })
    .to_string()
    .into_bytes()
}

fn page<'a>(
    book: &'a AlertBook,
    filter: &Filter,
    order: Order,
    cursor: Option<Cursor>,
) -> Page<'a> {
    book.page(&Query { filter, order, cursor, limit: 2, sees: ALL })
}

fn ids(page: &Page<'_>) -> Vec<u128> {
    page.items.iter().map(|item| item.entry.id.0).collect()
}

#[test]
fn a_line_again_and_lines_out_of_order_make_one_alert() {
    let lines = [line(1, "a", "Low", 5, "0.02"), line(1, "a", "High", 9, "0.001")];
    let mut books = [AlertBook::default(), AlertBook::default()];
    for n in [0, 1, 1, 0] {
        books[0].add(n, &lines[n as usize]);
        books[1].add(1 - n, &lines[1 - n as usize]);
    }
    for book in &books {
        assert_eq!((book.len(), book.lines()), (1, 2));
        let entry = book.get(AlertId(1)).unwrap();
        let severities = entry.revisions.iter().map(|r| r.severity);
        assert_eq!(severities.collect::<Vec<_>>(), [Severity::Low, Severity::High]);
        assert!(entry.why.len() <= 204 && entry.why.ends_with('…'));
    }
}

#[test]
fn what_is_no_alert_is_not_listed_but_counts_as_a_line() {
    let mut book = AlertBook::default();
    for bad in [&b""[..], b"{}", b"\xff", b"{\"name\":\"x\",\"properties\":{}}", b"[]"] {
        assert_eq!(book.add(7, bad), None);
    }
    assert_eq!((book.len(), book.lines()), (0, 8));
}

#[test]
fn cursors_read_back_and_others_do_not() {
    let mut book = AlertBook::default();
    for n in 0..5 {
        book.add(n, &line(u128::from(n) + 1, "a", "Low", -(n as i64) * 1000, "0.02"));
    }
    for order in [Order::Time, Order::Rank] {
        let next = page(&book, &Filter::default(), order, None).next.unwrap();
        assert_eq!(Cursor::parse(&next.to_string()), Some(next));
        assert_eq!(next.order(), order);
    }
    for bad in ["", "t", "t-1-2-3", "t-1-2-3-4-5", "x-1-2-3-4", "t-+1-2-3-4", "t-g-2-3-4"] {
        assert_eq!(Cursor::parse(bad), None, "{bad}");
    }
}

#[test]
fn times_before_the_epoch_sort_like_any_other() {
    let mut book = AlertBook::default();
    for (n, at) in [(0, -5000), (1, 3000), (2, -1)] {
        book.add(n, &line(u128::from(n) + 1, "a", "Low", at, "0.02"));
    }
    let first = page(&book, &Filter::default(), Order::Time, None);
    assert_eq!(ids(&first), [2, 3]);
    assert_eq!(ids(&page(&book, &Filter::default(), Order::Time, first.next)), [1]);
}

#[test]
fn a_page_shows_alerts_as_they_were_when_the_list_was_begun() {
    let mut book = AlertBook::default();
    for n in 0..4 {
        book.add(n, &line(u128::from(n) + 1, "a", "Low", n as i64, "0.02"));
    }
    let first = page(&book, &Filter::default(), Order::Rank, None);
    assert_eq!(ids(&first), [4, 3]);
    let next = first.next;
    book.add(4, &line(1, "a", "High", 9, "0.0001"));
    book.add(5, &line(9, "a", "High", 9, "0.0001"));
    let second = page(&book, &Filter::default(), Order::Rank, next);
    assert_eq!(ids(&second), [2, 1]);
    assert!(second.items.iter().all(|item| item.revision.severity == Severity::Low));
    assert_eq!((second.total, second.facets.severities), (4, [4, 0, 0]));
    let fresh = page(&book, &Filter::default(), Order::Rank, None);
    assert_eq!((ids(&fresh), fresh.total), (vec![9, 1], 5));
}

#[test]
fn numbers_that_are_none_rank_last_of_their_severity() {
    let mut book = AlertBook::default();
    for (n, per_day) in [(0, "nan"), (1, "0.02"), (2, "-1"), (3, "1e-300")] {
        book.add(n, &line(u128::from(n) + 1, "a", "Low", 0, per_day));
    }
    let first = page(&book, &Filter::default(), Order::Rank, None);
    assert_eq!(ids(&first), [4, 2]);
    assert_eq!(ids(&page(&book, &Filter::default(), Order::Rank, first.next)), [3, 1]);
}

#[test]
fn decisions_set_the_status_and_the_newest_counts() {
    let mut book = AlertBook::default();
    book.add(0, &line(1, "a", "Low", 0, "0.02"));
    let decision = |number, status| Decision {
        number,
        at: Timestamp(0),
        by: "ann".into(),
        status,
        reason: String::new(),
        verdict: None,
        undoes: None,
    };
    book.decide(AlertId(1), decision(9, Status::Resolved));
    book.decide(AlertId(1), decision(4, Status::InProgress));
    book.decide(AlertId(2), decision(12, Status::Resolved));
    assert_eq!(book.get(AlertId(1)).unwrap().status(), Status::Resolved);
    assert_eq!(book.decided(), 12);
    let open = Filter { statuses: vec![Status::Active, Status::InProgress], ..Filter::default() };
    assert_eq!(page(&book, &open, Order::Time, None).total, 0);
    assert!(book.stories(true, 9, ALL).is_empty() && book.stories(false, 9, ALL).len() == 1);
}

#[test]
fn an_alert_that_names_an_account_out_of_sight_is_out_of_sight() {
    let mut book = AlertBook::default();
    let mut two: serde_json::Value =
        serde_json::from_slice(&line(1 << 120, "mine", "High", 0, "0.001")).unwrap();
    two["properties"]["resourceIdentifiers"] = json!([
        {"azureResourceId": "/subscriptions/s/databaseaccounts/Other"},
        {"azureResourceId": "mine"},
    ]);
    book.add(0, two.to_string().as_bytes());
    book.add(1, &line(2 << 120, "mine", "Low", 0, "0.02"));
    let mine = |account: &str| account == "mine";
    assert_eq!(book.find("0100", &mine), Found::None);
    assert_eq!(book.find("0200", &mine), Found::One(AlertId(2 << 120)));
    assert_eq!(book.find("0100", ALL), Found::One(AlertId(1 << 120)));
    assert_eq!(book.find("010", ALL), Found::None);
    let everything = Filter::default();
    assert_eq!(book.matching(&everything, &mine).count(), 1);
    assert_eq!(book.callers(&everything, &mine)[0].alerts, 1);
    let others = Filter { accounts: vec!["other".into()], ..Filter::default() };
    assert_eq!(book.matching(&others, ALL).count(), 1, "found under every account it names");
}

#[test]
fn the_heat_has_its_columns_whatever_the_span() {
    let mut book = AlertBook::default();
    for n in 0..100 {
        book.add(n, &line(u128::from(n) + 1, "a", "Low", n as i64 * 3_600_000, "0.02"));
    }
    for hours in [1, 24, 27, 28, 29, 100, 8784] {
        let to = Timestamp(hours * 3_600_000);
        let heat = book.heat((Timestamp(0), to), HeatBy::Kind, 9, ALL);
        assert!((1..=28).contains(&heat.columns), "{hours}: {}", heat.columns);
        let row = &heat.rows[0];
        let sum: u64 = row.cells.iter().flatten().map(|cell| cell.0).sum();
        assert_eq!((sum, row.cells.len()), (row.alerts, heat.columns));
        assert_eq!(row.alerts, hours.min(100) as u64);
    }
}

#[test]
fn what_was_told_before_its_incident_is_filed_with_it_in_any_order() {
    let alone = line(1, "a", "Low", 5, "0.02");
    let mut joined: serde_json::Value =
        serde_json::from_slice(&line(2, "a", "Medium", 9, "0.001")).unwrap();
    joined["properties"]["correlationKey"] = "incident:x".into();
    let extended = &mut joined["properties"]["extendedProperties"];
    extended["Incident severity"] = "High".into();
    extended["Incident alerts"] = format!("{:032x}, {:032x}", 1, 2).into();
    extended["Account key"] = "china/a".into();
    let lines = [alone, joined.to_string().into_bytes()];
    for order in [[0, 1], [1, 0]] {
        let mut book = AlertBook::default();
        for n in order {
            book.add(n as u64, &lines[n]);
        }
        let stories = book.stories(false, 10, ALL);
        let [story] = stories.as_slice() else { panic!("{stories:?}") };
        assert_eq!((story.key.as_str(), story.severity), ("incident:x", Severity::High));
        assert_eq!(story.alerts, [AlertId(1), AlertId(2)]);
        let second = book.get(AlertId(2)).unwrap();
        assert_eq!(book.account(second), "china/a", "its own cloud, whatever the key is");
    }
}
