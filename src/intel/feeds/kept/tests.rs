use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;

type Served = (Vec<u8>, Option<String>);

/// A server in memory: body and `ETag` by URL, and what was asked of it.
#[derive(Default)]
struct Server {
    bodies: RefCell<BTreeMap<String, Served>>,
    asked: RefCell<Vec<(String, Option<String>)>>,
}

impl Server {
    fn serve(&self, url: &str, body: &str, etag: Option<&str>) {
        let body = (body.as_bytes().to_vec(), etag.map(str::to_owned));
        self.bodies.borrow_mut().insert(url.to_owned(), body);
    }
}

impl Fetch for Server {
    fn get(&self, url: &str, etag: Option<&str>, most: usize) -> Result<Fetched, String> {
        self.asked.borrow_mut().push((url.to_owned(), etag.map(str::to_owned)));
        let bodies = self.bodies.borrow();
        let (bytes, has) = bodies.get(url).ok_or("the server answered 404")?;
        assert!(bytes.len() <= most);
        if etag.is_some() && etag == has.as_deref() {
            return Ok(Fetched::Unchanged);
        }
        Ok(Fetched::Body { bytes: bytes.clone(), etag: has.clone() })
    }
}

const URL: &str = "https://lists.example/threat.txt";

fn source() -> FeedSource {
    FeedSource {
        name: "threat".to_owned(),
        kind: ListKind::Threat,
        from: From::parse(URL),
        checksum: None,
        every_hours: 6,
        stale_after_hours: 48,
    }
}

fn list(entries: std::ops::Range<u32>) -> String {
    entries.map(|n| format!("198.51.100.{n}\n")).collect()
}

fn hours(n: i64) -> Timestamp {
    Timestamp(1_790_000_000_000 + n * HOUR_MS)
}

#[test]
fn a_good_list_takes_the_place_and_a_bad_one_never_does() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, server) = (FeedFolder::new(&dir.path().join("intel")), Server::default());
    let refresh =
        |at: i64, force: bool| folder.refresh(&source(), false, force, hours(at), &server);
    assert!(folder.is_due(&source(), hours(0)));
    let error = refresh(0, false).unwrap_err().to_string();
    assert!(error.contains("404") && error.contains(URL), "{error}");
    server.serve(URL, &list(1..41), Some("a"));
    assert_eq!(refresh(1, false).unwrap(), Change::Replaced(0, 40));
    assert!(!folder.is_due(&source(), hours(2)) && folder.is_due(&source(), hours(7)));
    let good = fs::read(folder.list("threat")).unwrap();
    // The server knows that nothing has changed.
    assert_eq!(refresh(7, false).unwrap(), Change::Unchanged);
    assert_eq!(server.asked.borrow().last().unwrap().1.as_deref(), Some("a"));
    assert_eq!(folder.kept("threat").unwrap().age_hours(hours(8)), Some(1));
    for (bad, words) in [
        ("<html>sign in</html>", "broken at line 1"),
        ("", "is empty"),
        ("10.0.0.1\n", "lists nothing"),
        (&*list(1..4), "3 entries where it had 40"),
    ] {
        server.serve(URL, bad, Some("b"));
        let error = refresh(13, false).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(fs::read(folder.list("threat")).unwrap(), good);
        assert_eq!(folder.kept("threat").unwrap().error, Some(error));
    }
    // Tried again within the hour, old beyond two days.
    assert!(folder.is_due(&source(), hours(14)));
    let kept = folder.kept("threat").unwrap();
    assert!(!kept.is_stale(&source(), hours(7 + 47)) && kept.is_stale(&source(), hours(7 + 48)));
    assert_eq!(refresh(15, true).unwrap(), Change::Replaced(40, 3));
    assert_eq!(folder.kept("threat").unwrap().error, None);
}

#[test]
fn a_checksum_is_a_word_or_the_first_one_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, server) = (FeedFolder::new(dir.path()), Server::default());
    let text = list(1..9);
    let right = hexadecimal(&Sha256::digest(text.as_bytes()));
    server.serve(URL, &text, None);
    let sums = format!("{URL}.sha256");
    server.serve(&sums, &format!("{}  threat.txt\n", right.to_uppercase()), None);
    let with = |checksum: &str| {
        let source = FeedSource { checksum: Some(checksum.to_owned()), ..source() };
        folder.refresh(&source, false, false, hours(0), &server)
    };
    let error = with(&"0".repeat(64)).unwrap_err().to_string();
    assert!(error.contains(&right), "{error}");
    assert!(!folder.list("threat").exists());
    assert_eq!(with(&sums).unwrap(), Change::Replaced(0, 8));
    assert_eq!(with(&right).unwrap(), Change::Unchanged);
    server.serve(&sums, "nothing of the kind", None);
    assert!(with(&sums).unwrap_err().to_string().contains("no SHA-256"));
}

#[test]
fn names_are_file_names_and_urls_show_no_secrets() {
    for bad in ["", "..", "a/b", "A", "a.b", &"a".repeat(65)] {
        let source = FeedSource { name: bad.to_owned(), ..source() };
        let dir = tempfile::tempdir().unwrap();
        let refused =
            FeedFolder::new(dir.path()).refresh(&source, true, false, hours(0), &Server::default());
        assert!(matches!(refused, Err(RefreshError::Name(_))), "{bad}");
    }
    let url = From::parse("https://user:pass@lists.example/a/b.txt?key=k#f");
    assert_eq!(url.shown(), "https://lists.example/a/b.txt");
    assert_eq!(From::parse("lists/threat.txt"), From::File("lists/threat.txt".into()));
    assert_eq!(From::parse("ftp://x/y"), From::File("ftp://x/y".into()));
}

#[test]
fn what_is_kept_is_listed_and_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.txt");
    fs::write(&file, list(1..5)).unwrap();
    let folder = FeedFolder::new(&dir.path().join("intel"));
    let mine = FeedSource {
        name: "mine".to_owned(),
        kind: ListKind::TorExit,
        from: From::File(file.clone()),
        ..source()
    };
    folder.refresh(&mine, true, false, hours(0), &Server::default()).unwrap();
    fs::write(dir.path().join("intel/other.json"), "{").unwrap();
    let all = folder.all();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].entries, all[0].by_hand), (4, true));
    assert_eq!(all[0].list_kind(), Some(ListKind::TorExit));
    assert!(folder.remove("mine").unwrap() && !folder.remove("mine").unwrap());
    assert!(!folder.list("mine").exists());
}
