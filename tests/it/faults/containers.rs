//! Containers whose first bytes say little: they are held to what they state further on.

use super::body::one_file;
use crate::lab::Answer;

/// An archive as tar wrote it before POSIX: no mark, and numbers with blanks.
fn old_tar(bytes: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    for (at, text) in [(0, "a.dat"), (100, "   644 "), (108, "     0 "), (116, "     0 "), (136, " 2227510777 ")] {
        block[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    block[124..136].copy_from_slice(format!("{:>11o} ", bytes.len()).as_bytes());
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:>6o}\0 ").as_bytes());
    [&block[..], bytes, &vec![0; bytes.len().next_multiple_of(512) - bytes.len() + 1024]].concat()
}

/// An archive without members, behind other bytes.
fn zip_behind(before: &[u8]) -> Vec<u8> {
    let start = u32::try_from(before.len()).expect("short").to_le_bytes();
    [before, b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0", &start, &[0, 0]].concat()
}

#[test]
fn b_13_an_archive_that_is_cut_is_found_though_its_start_has_no_mark_or_is_a_program() {
    let (tar, zip) = (old_tar(&[7; 3000]), zip_behind(b"MZ\x90\0a program that unpacks"));
    for (name, body, class) in [
        ("a.tar", &tar[..2000], "file-structure"),
        ("a", &tar[..2000], "file-structure"),
        ("a.zip", &zip[..zip.len() - 3], "file-structure"),
        ("a.zip", b"any bytes", "magic"),
    ] {
        let (lab, _server) = one_file(name, Answer::file(body.to_vec()));
        let report = lab.report(1);
        assert_eq!(report["failures"][0]["class"], class, "{name}: {report:#}");
        assert!(lab.files("data").is_empty(), "{name}");
    }
    for (name, body) in [("a.tar", &tar), ("a.zip", &zip), ("a.exe", &zip)] {
        let (lab, _server) = one_file(name, Answer::file(body.clone()));
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 1, "{name}");
    }
}
