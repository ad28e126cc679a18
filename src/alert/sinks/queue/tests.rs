use super::super::notice::{Digest, Event};
use super::*;

fn notice(key: &str, group: &str, due: i64) -> Notice {
    let event = Event::Digest(Digest { kinds: [("x".repeat(200), 1)].into(), ..Digest::default() });
    Notice { key: key.to_owned(), at: due, due, group: group.to_owned(), event }
}

fn keys(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|t| t.notice.key.as_str()).collect()
}

#[test]
fn what_was_put_in_is_there_after_a_restart_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    for key in ["a", "b", "c"] {
        assert!(queue.put(&notice(key, "", 5)).unwrap());
    }
    assert!(!queue.put(&notice("a", "", 9)).unwrap(), "it waits already");
    queue.sync().unwrap();
    let taken = queue.take(5, 1, false, false).unwrap();
    assert_eq!(keys(&taken), ["a"]);
    queue.done(&[taken[0].number]).unwrap();
    queue.dead(&[1], "refused").unwrap();
    drop(queue);
    // Torn by a power cut.
    let path = folder.path().join(FILE);
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"put\":[9,{\"ke");
    std::fs::write(&path, text).unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    assert_eq!(keys(&queue.take(5, 9, true, false).unwrap()), ["c"]);
    assert!(!queue.put(&notice("a", "", 9)).unwrap(), "it was delivered");
    assert_eq!((queue.waiting(), queue.dead_letters(), queue.last_dead()), (1, 1, Some("refused")));
    assert_eq!(queue.again().unwrap(), 1);
    assert_eq!(keys(&queue.take(5, 9, true, false).unwrap()), ["b", "c"]);
    assert_eq!(queue.counts().delivered, 1);
    assert!(queue.put(&notice("d", "", 5)).unwrap());
    assert_eq!(
        keys(&Queue::open(folder.path()).unwrap().take(5, 9, true, false).unwrap()),
        ["b", "c", "d"]
    );
}

#[test]
fn groups_travel_together_and_failures_let_others_pass() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    for (key, group, due) in [("a", "g", 10), ("b", "", 12), ("c", "g", 40)] {
        queue.put(&notice(key, group, due)).unwrap();
    }
    assert!(queue.take(9, 9, false, false).unwrap().is_empty());
    assert_eq!(keys(&queue.take(9, 9, false, true).unwrap()), ["a", "c"], "in a hurry");
    let taken = queue.take(10, 9, false, false).unwrap();
    assert_eq!(keys(&taken), ["a", "c"]);
    taken.iter().for_each(|t| queue.failed(t.number, 100));
    assert_eq!(keys(&queue.take(12, 9, false, true).unwrap()), ["b"]);
    assert_eq!(queue.next_due(), Some(12));
}

#[test]
fn a_long_log_is_written_anew_and_nothing_that_waits_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    queue.put(&notice("stays", "", 0)).unwrap();
    queue.put(&notice("dead", "", 0)).unwrap();
    queue.dead(&[1], "refused").unwrap();
    queue.failed(0, 77);
    for n in 0..6000 {
        queue.put(&notice(&n.to_string(), "", 0)).unwrap();
        queue.done(&[n + 2]).unwrap();
    }
    let size = std::fs::metadata(folder.path().join(FILE)).unwrap().len();
    assert!(size < 2 * COMPACT_BYTES_MIN, "{size}");
    assert_eq!(queue.next_due(), Some(77));
    let again = Queue::open(folder.path()).unwrap();
    for queue in [&queue, &again] {
        assert_eq!((queue.waiting(), queue.dead_letters()), (1, 1));
        assert_eq!(queue.counts().delivered, 6000);
    }
}

#[test]
fn garbage_in_the_middle_is_counted_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    queue.put(&notice("a", "", 0)).unwrap();
    let path = folder.path().join(FILE);
    let mut text = b"\xff\xfe garbage\n{\"put\":[1]}\n".to_vec();
    text.extend(std::fs::read(&path).unwrap());
    std::fs::write(&path, text).unwrap();
    let mut queue = Queue::open(folder.path()).unwrap();
    assert_eq!(queue.counts().damaged, 2);
    assert_eq!(keys(&queue.take(0, 9, true, false).unwrap()), ["a"]);
}
