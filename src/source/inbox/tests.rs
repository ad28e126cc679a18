use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

mod reading;

/// A file, and how much of it would survive a power cut.
#[derive(Clone, Default)]
struct Kept {
    written: Vec<u8>,
    synced: usize,
}

/// Holds every sync until it is opened.
#[derive(Default)]
struct Gate {
    waiting: AtomicUsize,
    open: AtomicBool,
}

/// A disk in memory that can be full, refuse a sync, or lose power.
#[derive(Clone, Default)]
struct TestDisk {
    files: Arc<Mutex<BTreeMap<u64, Kept>>>,
    room: Arc<Mutex<Option<usize>>>,
    syncs_fail: Arc<AtomicBool>,
    cuts_fail: Arc<AtomicBool>,
    gate: Option<Arc<Gate>>,
}

struct TestFile {
    disk: TestDisk,
    number: u64,
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl TestDisk {
    fn inbox(&self) -> Inbox {
        self.open(Options::default()).0
    }

    fn open(&self, options: Options) -> (Inbox, Found) {
        Inbox::on(Box::new(self.clone()), options, Timestamp(7)).unwrap()
    }

    fn with_file(bytes: &[u8]) -> TestDisk {
        let disk = TestDisk::default();
        let kept = Kept { written: bytes.to_vec(), synced: bytes.len() };
        disk.files.lock().unwrap().insert(1, kept);
        disk
    }

    fn bytes(&self, number: u64) -> Vec<u8> {
        self.files.lock().unwrap()[&number].written.clone()
    }

    /// The disk after the power is back: of what was not synced, `beyond` bytes were written.
    fn after_power_cut(&self, beyond: usize) -> TestDisk {
        let mut files = self.files.lock().unwrap().clone();
        for kept in files.values_mut() {
            kept.written.truncate(kept.synced + beyond);
            kept.synced = kept.written.len();
        }
        TestDisk { files: Arc::new(Mutex::new(files)), ..TestDisk::default() }
    }

    /// All batches that a reader gives, and the places that it names.
    fn contents(&self) -> (Vec<String>, Vec<u64>) {
        let (mut batches, mut lost) = (Vec::new(), Vec::new());
        for kept in self.files.lock().unwrap().values() {
            let (found, places) = contents(&kept.written);
            batches.extend(found.into_iter().map(|(_, batch)| batch));
            lost.extend(places);
        }
        (batches, lost)
    }
}

impl Disk for TestDisk {
    fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        let files = self.files.lock().unwrap();
        Ok(files.iter().map(|(n, kept)| (*n, kept.written.len() as u64)).collect())
    }
    fn create(&self, number: u64) -> io::Result<Box<dyn SegmentFile>> {
        let before = self.files.lock().unwrap().insert(number, Kept::default());
        assert!(before.is_none(), "segment {number} is there already");
        Ok(Box::new(TestFile { disk: self.clone(), number }))
    }
    fn read(&self, number: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes(number))))
    }
    fn cut(&self, number: u64, bytes: u64) -> io::Result<()> {
        if self.cuts_fail.load(Ordering::SeqCst) {
            return Err(full());
        }
        let mut files = self.files.lock().unwrap();
        let kept = files.get_mut(&number).unwrap();
        kept.written.truncate(bytes as usize);
        kept.synced = kept.written.len();
        Ok(())
    }
    fn remove(&self, number: u64) -> io::Result<()> {
        self.files.lock().unwrap().remove(&number).map(|_| ()).ok_or_else(full)
    }
}

impl SegmentFile for TestFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut room = self.disk.room.lock().unwrap();
        let fits = room.unwrap_or(usize::MAX).min(bytes.len());
        if let Some(left) = room.as_mut() {
            *left -= fits;
        }
        let mut files = self.disk.files.lock().unwrap();
        files.get_mut(&self.number).unwrap().written.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(full()) } else { Ok(()) }
    }
    fn sync(&mut self) -> io::Result<()> {
        if let Some(gate) = &self.disk.gate {
            gate.waiting.fetch_add(1, Ordering::SeqCst);
            while !gate.open.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
        if self.disk.syncs_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        let mut files = self.disk.files.lock().unwrap();
        let kept = files.get_mut(&self.number).unwrap();
        kept.synced = kept.written.len();
        Ok(())
    }
}

/// Batches with their offsets, and the offsets of what is named as lost.
fn contents(bytes: &[u8]) -> (Vec<(u64, String)>, Vec<u64>) {
    let mut reader = SegmentReader::new(Box::new(Cursor::new(bytes.to_vec())));
    let (mut batches, mut lost) = (Vec::new(), Vec::new());
    loop {
        match reader.next_part() {
            Part::Batch(offset) => {
                let mut batch = String::new();
                reader.read_to_string(&mut batch).unwrap();
                batches.push((offset, batch));
            }
            Part::Lost { offset, .. } => lost.push(offset),
            Part::End => return (batches, lost),
        }
    }
}

fn batch(n: usize) -> String {
    format!("{{\"time\": \"2026-01-01T00:00:{:02}Z\", \"n\": \"{n}\"}}\n", n % 60)
}

fn submit(inbox: &Inbox, n: usize) -> Result<Mark, InboxError> {
    inbox.submit(batch(n).into_bytes())
}

/// A segment of three batches, and where each begins.
fn three() -> (Vec<u8>, [u64; 3]) {
    let disk = TestDisk::default();
    let inbox = disk.inbox();
    let marks = [0, 1, 2].map(|n| submit(&inbox, n).unwrap().offset);
    (disk.bytes(1), marks)
}

#[test]
fn one_sync_covers_all_that_came_meanwhile() {
    const MORE: usize = 20;
    let gate = Arc::new(Gate::default());
    let disk = TestDisk { gate: Some(Arc::clone(&gate)), ..TestDisk::default() };
    let inbox = disk.inbox();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| submit(&inbox, 0));
        while gate.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let inbox = &inbox;
        let handles: Vec<_> = (1..=MORE).map(|n| scope.spawn(move || submit(inbox, n))).collect();
        while inbox.status().waiting < MORE {
            std::thread::yield_now();
        }
        assert!(!first.is_finished(), "nothing is accepted before the sync");
        assert_eq!(inbox.status().accepted, 0);
        gate.open.store(true, Ordering::SeqCst);
        first.join().unwrap().unwrap();
        for handle in handles {
            handle.join().unwrap().unwrap();
        }
    });
    let status = inbox.status();
    assert_eq!((status.accepted, status.syncs), (1 + MORE as u64, 2));
    let (mut batches, lost) = disk.contents();
    let mut expected: Vec<String> = (0..=MORE).map(batch).collect();
    batches.sort();
    expected.sort();
    assert_eq!((batches, lost), (expected, vec![]));
}

#[test]
fn what_many_threads_hand_over_lies_where_they_were_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inbox");
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let (inbox, found) = Inbox::open(&path, options, Timestamp(7)).unwrap();
    assert_eq!(found, Found::default());
    let marks: Vec<(usize, Mark)> = std::thread::scope(|scope| {
        let inbox = &inbox;
        let each = |t: usize| (0..50).map(move |n| t * 50 + n);
        let threads: Vec<_> = (0..8)
            .map(|t| {
                scope.spawn(move || {
                    each(t).map(|n| (n, submit(inbox, n).unwrap())).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let segments: BTreeMap<u64, Vec<u8>> = Folder::open(&path)
        .unwrap()
        .list()
        .unwrap()
        .into_iter()
        .map(|(n, _)| (n, std::fs::read(path.join(format!("{n:012}.inbox"))).unwrap()))
        .collect();
    assert!(segments.len() > 3, "it rotates");
    for (n, mark) in marks {
        let expected = batch(n);
        let bytes = &segments[&mark.segment][mark.offset as usize..][..expected.len()];
        assert_eq!(bytes, expected.as_bytes());
    }
    let status = inbox.status();
    assert_eq!(status.accepted, 400);
    assert_eq!(status.bytes, segments.values().map(|s| s.len() as u64).sum::<u64>());
    assert!(matches!(inbox.submit(Vec::new()), Err(InboxError::Empty)));
    let long = inbox.submit(vec![b' '; INBOX_BATCH_BYTES_MAX + 1]);
    assert!(matches!(long, Err(InboxError::TooLong { .. })));
}

#[test]
fn a_tail_torn_anywhere_is_cut_and_what_was_whole_before_it_stays() {
    let (bytes, marks) = three();
    let ends = marks.map(|mark| mark as usize + batch(0).len());
    for len in 0..=bytes.len() {
        let disk = TestDisk::with_file(&bytes[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count();
        let at_end = len == 0 || len == HEADER_BYTES || ends.contains(&len);
        let (batches, lost) = disk.contents();
        assert_eq!(batches, (0..whole).map(batch).collect::<Vec<_>>(), "cut at {len}");
        assert_eq!(lost.len(), usize::from(!at_end), "cut at {len}");
        let (inbox, found) = disk.open(Options::default());
        assert_eq!((found.cut_bytes > 0, found.damaged), (!at_end, 0), "cut at {len}");
        let mark = submit(&inbox, 9).unwrap();
        assert_eq!(mark.segment, 2, "nothing is written behind what an earlier process left");
        let expected: Vec<_> = (0..whole).chain([9]).map(batch).collect();
        assert_eq!(disk.contents(), (expected, vec![]), "cut at {len}");
    }
}

#[test]
fn a_flipped_byte_costs_its_batch_and_no_other() {
    let (bytes, marks) = three();
    // The first bytes say that it is an inbox at all.
    for at in frame::MAGIC.len() + 2..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let (batches, lost) = contents(&damaged);
        let hit = marks.iter().rposition(|m| at + FRAME_BYTES >= *m as usize);
        let expected: Vec<(u64, String)> =
            (0..3).filter(|n| Some(*n) != hit).map(|n| (marks[n], batch(n))).collect();
        assert_eq!(batches, expected, "flipped at {at}");
        let place = hit.map_or(0, |n| marks[n] - FRAME_BYTES as u64);
        assert_eq!(lost, [place], "flipped at {at}");
    }
}

#[test]
fn a_power_cut_before_the_sync_loses_nothing_that_was_accepted() {
    let gate = Arc::new(Gate::default());
    gate.open.store(true, Ordering::SeqCst);
    let disk = TestDisk { gate: Some(Arc::clone(&gate)), ..TestDisk::default() };
    let inbox = disk.inbox();
    submit(&inbox, 0).unwrap();
    gate.open.store(false, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| submit(&inbox, 1));
        while gate.waiting.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        // Written and not synced: now the power goes.
        for beyond in 0..=FRAME_BYTES + batch(1).len() {
            let left = disk.after_power_cut(beyond);
            let (inbox, _) = left.open(Options::default());
            submit(&inbox, 2).unwrap();
            let (batches, lost) = left.contents();
            let whole = beyond == FRAME_BYTES + batch(1).len();
            let expected: Vec<_> = if whole { vec![0, 1, 2] } else { vec![0, 2] };
            assert_eq!(batches, expected.into_iter().map(batch).collect::<Vec<_>>());
            assert!(lost.is_empty());
        }
        gate.open.store(true, Ordering::SeqCst);
        second.join().unwrap().unwrap();
    });
}

#[test]
fn a_full_disk_refuses_and_leaves_nothing_half() {
    for (room, cuts_fail) in (0..120).flat_map(|room| [(room, false), (room, true)]) {
        let disk = TestDisk::default();
        let inbox = disk.inbox();
        submit(&inbox, 0).unwrap();
        *disk.room.lock().unwrap() = Some(room);
        disk.cuts_fail.store(cuts_fail, Ordering::SeqCst);
        let mut accepted = vec![0];
        accepted.extend((1..4).filter(|n| match submit(&inbox, *n) {
            Ok(_) => true,
            Err(InboxError::Disk { action: "written", .. }) => false,
            Err(other) => panic!("{other}"),
        }));
        assert!(accepted.len() < 4, "{room} bytes are not enough for all");
        *disk.room.lock().unwrap() = None;
        submit(&inbox, 4).unwrap();
        accepted.push(4);
        let expected: Vec<_> = accepted.into_iter().map(batch).collect();
        let (batches, lost) = disk.contents();
        assert_eq!(batches, expected, "{room} bytes of room");
        assert!(cuts_fail || lost.is_empty(), "{room} bytes of room");
        assert!(disk.files.lock().unwrap().len() <= 2, "failures leave no files behind");
    }
}

#[test]
fn after_a_failed_sync_nothing_is_written_behind_what_may_be_there() {
    let disk = TestDisk::default();
    let inbox = disk.inbox();
    let before = submit(&inbox, 0).unwrap();
    disk.syncs_fail.store(true, Ordering::SeqCst);
    assert!(submit(&inbox, 1).unwrap_err().to_string().contains("the disk is gone"));
    assert!(submit(&inbox, 2).is_err());
    assert_eq!(inbox.synced().segment, 1);
    disk.syncs_fail.store(false, Ordering::SeqCst);
    let after = submit(&inbox, 3).unwrap();
    assert!(after.segment > before.segment);
    assert_eq!(disk.contents(), (vec![batch(0), batch(3)], vec![]));
}

#[test]
fn a_full_inbox_refuses_until_what_is_applied_is_released() {
    let disk = TestDisk::default();
    let options = Options { bytes_max: 1000, ..Options::default() };
    let (inbox, _) = disk.open(options);
    let mut accepted = 0;
    let refused = loop {
        match submit(&inbox, accepted) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, InboxError::Full { limit: 1000, .. }), "{refused}");
    assert!(accepted > 5);
    let nothing = inbox.release(&mut |_, _| false).unwrap();
    assert_eq!(nothing, Released::default());
    let before = inbox.status();
    assert!(before.segments >= 3, "{before:?}");
    // Only the first segment is applied.
    let mut asked = Vec::new();
    let first = inbox.release(&mut |identity, last| {
        asked.push((identity.head, last));
        asked.len() == 1
    });
    assert_eq!(first.unwrap().segments, 1);
    let (kept, _) = disk.contents();
    assert_eq!(inbox.status().bytes, before.bytes - asked[0].1 - batch(0).len() as u64);
    submit(&inbox, accepted).unwrap();
    let rest = inbox.release(&mut |_, _| true).unwrap();
    assert!(rest.segments >= 2);
    let status = inbox.status();
    assert_eq!(status.segments, 1, "the newest stays, so that numbers go on");
    assert!(kept.len() < accepted && status.bytes < before.bytes);
    let (reopened, found) = disk.open(options);
    assert_eq!(found.segments, 1);
    assert!(submit(&reopened, 0).unwrap().segment > status.synced.segment);
}

#[test]
fn a_reader_is_told_when_there_is_more() {
    let disk = TestDisk::default();
    let inbox = disk.inbox();
    let seen = inbox.synced();
    assert_eq!(inbox.wait_past(seen, Duration::ZERO), seen);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| inbox.wait_past(seen, Duration::from_secs(600)));
        let mark = submit(&inbox, 0).unwrap();
        assert_eq!(waiting.join().unwrap().segment, mark.segment);
    });
}

#[test]
fn one_segment_that_fills_the_inbox_is_given_back_once_it_is_applied() {
    let large = || format!("{{\"a\":\"{}\"}}", "x".repeat(3500)).into_bytes();
    for reopened in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let options = Options { bytes_max: 4096, ..Options::default() };
            Inbox::open(&folder.path().join("inbox"), options, Timestamp(7)).unwrap().0
        };
        let mut inbox = open();
        inbox.submit(large()).unwrap();
        assert!(matches!(inbox.submit(large()), Err(InboxError::Full { .. })));
        if reopened {
            drop(inbox);
            inbox = open();
        }
        assert_eq!(inbox.release(&mut |_, _| false).unwrap().segments, 0, "not applied");
        assert_eq!(inbox.release(&mut |_, _| true).unwrap().segments, 1);
        let mark = inbox.submit(large()).unwrap();
        assert!(mark.segment > 1, "{mark:?}");
    }
}
