//! The command that resumes a run.

use std::ffi::OsString;
use std::path::Path;

use crate::untrusted::quoted;

/// The command line, ready to paste into a shell.
pub(in crate::cli) fn again(words: &[OsString]) -> String {
    let mut words = words.iter();
    let program = words.next().map_or("sunhaul".into(), |word| match Path::new(word).parent() {
        // Found by the search path: its name is enough.
        None => "sunhaul".into(),
        Some(folder) if folder.as_os_str().is_empty() => "sunhaul".into(),
        Some(_) => word.to_string_lossy(),
    });
    let words = words.map(|word| word.to_string_lossy());
    std::iter::once(program).chain(words).map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_go_on_with_can_be_pasted() {
        let of = |words: &[&str]| again(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["sunhaul", "run", "jobs/a b.yaml"]), "sunhaul run 'jobs/a b.yaml'");
        assert_eq!(of(&["./target/sunhaul", "run", "it's.yaml", ""]), r"./target/sunhaul run 'it'\''s.yaml' ''");
        assert_eq!(
            of(&["sunhaul", "run", "a.yaml", "--range", "2015-12-11..2015-12-14"]),
            "sunhaul run a.yaml --range 2015-12-11..2015-12-14"
        );
    }
}
