//! The bytes of a segment, read as every file is read: whole, damaged, of another version.
use super::*;

/// Records and refusals of a segment as every file is read.
fn read(bytes: Vec<u8>) -> (Vec<(u64, String)>, Vec<u64>, Identity) {
    let (input, identity) =
        input::wrap(Box::new(Cursor::new(bytes)), None, &Arc::default()).unwrap();
    let mut stream = Stream::new(0, input, READ_SMALL);
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    loop {
        match stream.next() {
            Item::Record { start, len, offset } => {
                let text = String::from_utf8_lossy(&stream.buffer()[start..start + len]);
                records.push((offset, text.into_owned()));
            }
            Item::Refused(r) => refused.push(r.offset),
            Item::End => return (records, refused, identity),
        }
    }
}

#[test]
fn a_batch_that_does_not_end_well_does_no_harm_to_the_next() {
    let huge = format!("{{\"a\": [{}", " ".repeat(5 << 20));
    let bad = [
        "[{\"a\": 1},",
        "{\"records\": [{\"a\": 1}], \"x\": [",
        "{\"records\": [{\"a\": 1}",
        "{\"a\": \"",
        "{\"a\": {",
        "[[[[[[",
        "\u{feff}",
        &huge,
        "}]}]",
        "no JSON",
    ];
    let disk = TestDisk::default();
    let inbox = disk.inbox();
    let mut good = Vec::new();
    // UTF-16, first of all: the rest of a file that begins like this is not looked at.
    inbox.submit(vec![0xFF, 0xFE, b'{', 0]).unwrap();
    good.push((submit(&inbox, 99).unwrap().offset, batch(99).trim_end().to_owned()));
    for (n, bad) in bad.iter().enumerate() {
        inbox.submit(bad.as_bytes().to_vec()).unwrap();
        good.push((submit(&inbox, n).unwrap().offset, batch(n).trim_end().to_owned()));
    }
    let (records, refused, _) = read(disk.bytes(1));
    let records: Vec<_> = records.into_iter().filter(|(_, r)| r.contains("time")).collect();
    assert_eq!(records, good);
    assert!(refused.len() >= 7, "{refused:?}");
}

#[test]
fn a_segment_is_the_same_file_however_far_it_is_written() {
    let (bytes, marks) = three();
    let whole = read(bytes.clone());
    for len in HEADER_BYTES..bytes.len() {
        let (records, _, identity) = read(bytes[..len].to_vec());
        assert_eq!(identity, whole.2);
        assert_eq!(records, whole.0[..records.len()]);
    }
    assert_eq!(whole.0.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), marks);
    let (other, _) =
        Inbox::on(Box::new(TestDisk::default()), Options::default(), Timestamp(8)).unwrap();
    submit(&other, 0).unwrap();
    let other = other.disk.read(1).unwrap();
    assert_ne!(
        input::wrap(other, None, &Arc::default()).unwrap().1,
        whole.2,
        "made at another time"
    );
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let (mut bytes, _) = three();
    bytes[4] = 2;
    let error = input::wrap(Box::new(Cursor::new(bytes)), None, &Arc::default()).err().unwrap();
    assert!(error.to_string().contains("version 2, this build reads up to 1"), "{error}");
}

proptest! {
    #[test]
    fn batches_beside_damage_are_read_where_they_were(
        batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let disk = TestDisk::default();
        let inbox = disk.inbox();
        let offsets: Vec<u64> =
            batches.iter().map(|b| inbox.submit(b.clone()).unwrap().offset).collect();
        let whole = disk.bytes(1);
        let mut bytes = whole.clone();
        for (at, value) in damage {
            // The first bytes say that it is an inbox at all.
            let at = HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES);
            bytes[at] = value;
        }
        let mut reader = SegmentReader::new(Box::new(Cursor::new(bytes.clone())));
        let mut read = BTreeMap::new();
        loop {
            match reader.next_part() {
                Part::Batch(offset) => {
                    let mut batch = Vec::new();
                    reader.read_to_end(&mut batch).unwrap();
                    read.insert(offset, batch);
                }
                Part::Lost { .. } => {}
                Part::End => break,
            }
        }
        for (batch, offset) in batches.iter().zip(&offsets) {
            let frame = *offset as usize - FRAME_BYTES..*offset as usize + batch.len();
            let untouched = bytes[frame.clone()] == whole[frame];
            prop_assert_eq!(read.contains_key(offset), untouched);
            prop_assert!(!untouched || read.get(offset) == Some(batch));
        }
        prop_assert!(read.keys().all(|offset| offsets.contains(offset)));
    }

    #[test]
    fn no_batch_does_harm_to_the_next(
        bad in prop::collection::vec(prop::sample::select(b"{}[]\",:\n\\ re\"records\":[".to_vec()), 1..40),
        odd in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        for bad in [bad, odd] {
            let disk = TestDisk::default();
            let inbox = disk.inbox();
            inbox.submit(bad).unwrap();
            let mark = submit(&inbox, 1).unwrap();
            let (records, _, _) = read(disk.bytes(1));
            let last = (mark.offset, batch(1).trim_end().to_owned());
            prop_assert_eq!(records.last(), Some(&last));
        }
    }

    #[test]
    fn any_bytes_end_and_lie_in_order(bytes in prop::collection::vec(any::<u8>(), 0..400), whole_head: bool) {
        let mut segment = if whole_head { frame::segment_header(1, Timestamp(7)) } else { Vec::new() };
        segment.extend(bytes);
        let (batches, lost) = contents(&segment);
        prop_assert!(batches.is_empty());
        prop_assert!(lost.is_sorted() && lost.len() <= segment.len());
        prop_assert!(lost.iter().all(|offset| *offset < segment.len() as u64));
    }
}
