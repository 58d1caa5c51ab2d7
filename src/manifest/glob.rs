//! A pattern for the files of a day, such as `*.Bt.fits`.
//!
//! `*` stands for any characters of one name, `?` for one; neither stands for `/`. Letters count by case. What it does not
//! do: sets (`[abc]`), alternatives (`{a,b}`) or `**`; they are refused, so that nobody waits for them in vain.

use std::fmt;

use super::yaml_tree::Wrong;
use crate::untrusted::escape;

/// The longest pattern, in bytes.
const LONGEST: usize = 500;

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Result<Glob, Wrong> {
        const HINT: &str = "write a file's name, or a part of it with `*` or `?` for the rest, such as `*.Bt.fits`";
        let wrong = |what: &str| Err(Wrong::new(what).hint(HINT));
        if text.is_empty() || text.len() > LONGEST {
            return wrong("a pattern has 1 to 500 characters");
        }
        if let Some(odd) = text.chars().find(|c| matches!(c, '[' | ']' | '{' | '}' | '\\')) {
            return Err(Wrong::new(format!("`{odd}` means nothing in a pattern")).hint(HINT));
        }
        if text.contains("**") {
            return Err(Wrong::new("`**` means nothing in a pattern")
                .hint("write the name alone to find it in any folder, or one `*` for each folder"));
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Wrong::new(format!("`{}` is no path below the archive's root", escape(text)))
                .hint("write the path as the day's record has it, without a `/` at its ends"));
        }
        Ok(Glob(text.to_owned()))
    }

    /// True when it means a path: the whole of it where the pattern holds a `/`, else its last part.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        if self.0.contains('/') {
            let (mut patterns, mut parts) = (self.0.split('/'), path.split('/'));
            return loop {
                match (patterns.next(), parts.next()) {
                    (None, None) => break true,
                    (Some(pattern), Some(part)) if is_like(pattern, part) => {}
                    _ => break false,
                }
            };
        }
        is_like(&self.0, path.rsplit('/').next().unwrap_or(path))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compares one name. Only the last `*` is ever gone back to: the time is at most the product of both lengths.
fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and where what follows it is tried.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_meant(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn a_name_is_looked_for_in_any_folder_and_a_path_from_the_root() {
        assert!(is_meant("*.Bt.fits", "cea/2015/12/12/hmi.377.Bt.fits"));
        assert!(!is_meant("*.Bt.fits", "cea/2015/12/12/hmi.377.Br.fits"));
        assert!(!is_meant("Bt", "cea/2015/12/12/hmi.377.Bt.fits"), "a part of a name is not the name");
        assert!(is_meant("hmi.???.B?.fits", "hmi.377.Bt.fits"));
        assert!(!is_meant("hmi.?.fits", "hmi.377.fits"));
        assert!(is_meant("cea/2015/*/12/*", "cea/2015/12/12/a.fits"));
        assert!(!is_meant("cea/*", "cea/2015/12/12/a.fits"), "a star stays within its name");
        assert!(!is_meant("2015/12/12/a.fits", "cea/2015/12/12/a.fits"));
        assert!(!is_meant("*.FITS", "a.fits"));
        assert!(is_meant("*a*b*", "xxaxxbxx") && !is_meant("*a*b*", "xxbxxaxx"));
        assert!(is_meant("été?.fits", "été€.fits"));
    }

    #[test]
    fn what_would_be_waited_for_in_vain_is_refused() {
        for text in ["", "[ab].fits", "{a,b}.fits", "**/a.fits", "/a.fits", "a/", "../a", "a\\b", &"a".repeat(501)] {
            assert!(Glob::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_time() {
        assert!(!is_meant(&"*a".repeat(250), &format!("{}b", "a".repeat(5_000))));
    }

    proptest! {
        #[test]
        fn agrees_with_trying_everything(pattern in "[ab?*]{1,8}", name in "[ab]{0,8}") {
            fn slow(pattern: &[u8], name: &[u8]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some((b'*', rest)) => (0..=name.len()).any(|skip| slow(rest, &name[skip..])),
                    Some((c, rest)) => name.split_first().is_some_and(|(n, more)| (*c == b'?' || c == n) && slow(rest, more)),
                }
            }
            prop_assert_eq!(is_like(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
