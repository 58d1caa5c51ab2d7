//! A day's journal: no line of it leads out of the archive, and what a crash cut off changes nothing.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{journal_of, journal_paths};
use sunhaul::digest::Digest;
use sunhaul_fuzz::assert_stays_below_the_root;

// Lines get their checks, without which nothing would be read of them. Those that begin with one of `FKPVRDUELJ` stand for
// whole entries, so that runs of them are soon found; what follows a NUL goes in as it is, behind all others.
fuzz_target!(|data: &[u8]| {
    let spec = Digest::of(b"spec");
    let (data, raw) =
        data.iter().position(|byte| *byte == 0).map_or((data, &data[..0]), |at| (&data[..at], &data[at + 1..]));
    let lines = data.split(|byte| *byte == b'\n');
    let objects: Vec<Vec<u8>> =
        lines.map(|line| entry(line).map_or_else(|| line.to_vec(), String::into_bytes)).collect();
    let mut journal = journal_of(objects.iter().map(Vec::as_slice));
    let believed = journal_paths(Path::new("j"), &journal, spec);
    if let Some(first) = journal.first_mut() {
        // Nothing holds when the first line was edited.
        *first ^= 1;
        assert!(journal_paths(Path::new("j"), &journal, spec).is_empty());
        journal[0] ^= 1;
    }
    journal.extend(raw);
    // The head of a newer version is told apart whatever its check is, and refuses all.
    let paths = journal_paths(Path::new("j"), &journal, spec);
    assert!(paths == believed || paths.is_empty(), "a line without a check tells something");
    for path in &paths {
        assert_stays_below_the_root(path);
    }
    assert!(paths.len() <= journal.len() / 16 + 1, "more paths than there is text for");
    assert_eq!(journal_paths(Path::new("j"), &journal, spec), paths);
    // A torn line at the end takes nothing away and adds nothing.
    let whole = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = [&journal[..whole], b"{\"file\":{\"series\":\"s\",\"pa"].concat();
    assert_eq!(journal_paths(Path::new("j"), &torn, spec), journal_paths(Path::new("j"), &journal[..whole], spec));
});

fn entry(line: &[u8]) -> Option<String> {
    let [kind, rest @ ..] = line else { return None };
    let key = char::from(b'a' + rest.first()? % 4);
    let path = char::from(b'a' + rest.get(1)? % 4);
    let entry = match kind {
        b'F' => format!(
            r#"{{"file":{{"series":"s","path":"s/{path}","bytes":3,"sha256":"{}","time":"t","key":"{key}","url":"/"}}}}"#,
            Digest::of(b"abc")
        ),
        b'K' => format!(
            r#"{{"kept":{{"series":"s","path":"s/{path}","bytes":3,"sha256":"{}","time":"t","key":"{key}","url":"/"}}}}"#,
            Digest::of(b"abc")
        ),
        b'P' => format!(r#"{{"published":{{"keys":["{key}"]}}}}"#),
        b'D' => format!(r#"{{"retired":{{"path":"s/{path}"}}}}"#),
        b'V' => format!(r#"{{"void":{{"key":"{key}"}}}}"#),
        b'R' => format!(r#"{{"retire":{{"path":"s/{path}"}}}}"#),
        b'U' => r#"{"unsynced":{}}"#.to_owned(),
        b'E' => r#"{"empty":{"at":"2015-12-11T00:00:00Z"}}"#.to_owned(),
        b'L' => r#"{"listed":{}}"#.to_owned(),
        b'J' => {
            let spec = Digest::of(if key == 'a' { b"spec" } else { b"else" });
            format!(r#"{{"journal":{{"format":"journal/1","boot_id":"b","spec":"{spec}"}}}}"#)
        }
        _ => return None,
    };
    Some(entry)
}
