//! What a damaged day record still says.

use std::collections::HashSet;

use crate::archive::RelativePath;

/// The paths at which a damaged record says that files of ours are. Nothing is moved by its word; but one of them that
/// still holds the bytes that are due is not taken for the user's.
pub(in crate::archive) fn salvage(bytes: &[u8]) -> HashSet<String> {
    let (path, mark) = (&b"\"path\":"[..], &b"\"preexisting\":true"[..]);
    let find = |line: &[u8], what: &[u8]| line.windows(what.len()).position(|part| part == what);
    let ours = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = find(line, path)?;
        let text = serde_json::Deserializer::from_slice(&line[at + path.len()..]).into_iter::<String>().next()?;
        let path = text.ok().filter(|path| RelativePath::is_one(path))?;
        find(&line[..at], mark).is_none().then_some(path)
    });
    ours.collect()
}
