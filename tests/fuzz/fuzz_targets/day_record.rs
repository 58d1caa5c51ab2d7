//! A day record: what is read is written as the very same bytes, and a record with one byte changed is none.
#![no_main]

use std::path::Path;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{ACCEPTED, DayRecord, FileLine, Lasting, State};
use sunhaul::day::Scale;
use sunhaul::digest::Digest;
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};

// Bytes that begin with `{` are read as they are; what follows a `#` are lines under a header that fits them; of others
// a record is made.
fuzz_target!(|data: &[u8]| match data {
    [b'{', ..] => read(data),
    [b'#', lines @ ..] => read(&under_a_header(lines)),
    _ => {
        let _ = make_and_damage(&mut Unstructured::new(data));
    }
});

/// Lines as they come, under a header that says of them what is so.
fn under_a_header(lines: &[u8]) -> Vec<u8> {
    let texts = lines.split_inclusive(|byte| *byte == b'\n');
    let files: Vec<FileLine> = texts.filter_map(|text| serde_json::from_slice(text).ok()).collect();
    let present: Vec<_> = files.iter().filter_map(|file| Some((file.sha256.as_ref()?, file.path.as_str()))).collect();
    let bytes = files.iter().filter_map(|file| file.bytes).fold(0, u64::saturating_add);
    let absent = files.iter().filter(|file| file.absent.is_some()).count();
    let mut record = format!(
        r#"{{"day":{{"format":"day/1","job":"j","series":"s","date":"2015-12-11","scale":"UTC","window":["a","b"],"spec":"{}","state":"sealed","files":{},"bytes":{bytes},"absent":{absent},"digest":"sha256:{}","body":{}"#,
        Digest::of(b"spec"),
        present.len(),
        sunhaul::digest::of_files(present.into_iter()),
        lines.len(),
    )
    .into_bytes();
    let check = Digest::of_two(&record, lines);
    record.extend(format!(",\"check\":\"{check}\"}}}}\n").into_bytes());
    record.extend(lines);
    record
}

fn read(bytes: &[u8]) {
    match DayRecord::parse(Path::new("r"), bytes) {
        Ok(record) => {
            assert_eq!(record.to_bytes(), bytes, "two spellings of one record");
            record.files.iter().for_each(|file| assert_stays_below_the_root(&file.path));
        }
        Err(error) => assert_safe_to_show(&error.to_string()),
    }
}

fn make_and_damage(from: &mut Unstructured<'_>) -> Result<()> {
    let record = made(from)?;
    let mut bytes = record.to_bytes();
    assert_eq!(DayRecord::parse(Path::new("r"), &bytes).expect("a record reads back"), record);
    let at = from.int_in_range(0..=bytes.len() - 1)?;
    let to = from.int_in_range(1..=255)?;
    bytes[at] ^= to;
    if let Ok(changed) = DayRecord::parse(Path::new("r"), &bytes) {
        panic!("byte {at} changed, and still read as {changed:?}");
    }
    bytes[at] ^= to;
    bytes.truncate(at);
    assert!(DayRecord::parse(Path::new("r"), &bytes).is_err(), "cut at {at}, and still read");
    Ok(())
}

fn made(from: &mut Unstructured<'_>) -> Result<DayRecord> {
    let lasting = Lasting {
        job: from.arbitrary()?,
        series: from.arbitrary()?,
        date: chrono::NaiveDate::from_ymd_opt(2015, 12, from.int_in_range(1..=31)?).expect("a date"),
        scale: *from.choose(&[Scale::Utc, Scale::Tai])?,
        window: [from.arbitrary()?, from.arbitrary()?],
        spec: Digest::of(from.bytes(1)?),
        state: *from.choose(&[State::Sealed, State::Provisional])?,
        records: None,
        left_out: None,
    };
    let mut files = Vec::new();
    for nth in 0..from.int_in_range(0..=3)? {
        let (has, accepted) = (from.arbitrary()?, from.arbitrary()?);
        files.push(FileLine {
            preexisting: false,
            series: from.arbitrary()?,
            path: format!("s/{}{nth}", char::from(from.int_in_range(b'a'..=b'e')?)),
            // Their sum must not overflow; no disk holds more.
            bytes: if has { Some(from.arbitrary::<u64>()? >> 3) } else { None },
            sha256: has.then(|| Digest::of(&[nth])),
            origin: None,
            cards: None,
            storage: None,
            redirected: None,
            time: from.arbitrary()?,
            instant: from.arbitrary()?,
            key: from.arbitrary()?,
            url: from.arbitrary()?,
            source_series: from.arbitrary()?,
            recnum: from.arbitrary()?,
            harpnum: from.arbitrary()?,
            segment: from.arbitrary()?,
            checked: from.arbitrary()?,
            absent: if has { None } else { Some(if accepted { ACCEPTED.to_owned() } else { format!("4{}", from.arbitrary::<String>()?) }) },
            reason: if !has && accepted { Some(from.arbitrary()?) } else { None },
            header: None,
            data: if has { Some(vec![Digest::of(&[nth]); from.int_in_range(0..=2)?]) } else { None },
            listed: None,
            etag: from.arbitrary()?,
            last_modified: from.arbitrary()?,
        });
    }
    Ok(DayRecord::new(lasting, files))
}
