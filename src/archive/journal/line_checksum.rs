//! The checks that chain the lines of a journal: each is made of the line and of the check before it, so that a line
//! that was edited shows, and one that was taken out, put in or moved.
//!
//! What it does not do: keep anybody from making a whole journal by hand, checks and all.

use crate::digest::Hasher;

/// What stands before the check: it is the last key of a line.
const KEY: &[u8] = b",\"check\":\"";

/// What stands after it.
const END: &[u8] = b"\"}\n";

/// So many hex digits are enough against mistakes.
const DIGITS: usize = 16;

/// How far a journal goes: the check of its last line, and nothing before the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::archive) struct Chain(String);

impl Chain {
    /// The next line: an object of JSON, with its check.
    pub(super) fn line(&mut self, object: &[u8]) -> Vec<u8> {
        let open = object.strip_suffix(b"}").unwrap_or(object);
        self.0 = self.check(open);
        [open, KEY, self.0.as_bytes(), END].concat()
    }

    /// The object of the next line; `None` when its check is not that of this line after those before it.
    pub(super) fn object(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let rest = line.strip_suffix(END)?;
        let (rest, check) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let open = rest.strip_suffix(KEY)?;
        let due = self.check(open);
        if due.as_bytes() != check {
            return None;
        }
        self.0 = due;
        Some([open, b"}"].concat())
    }

    fn check(&self, open: &[u8]) -> String {
        let mut hasher = Hasher::default();
        hasher.update(self.0.as_bytes());
        hasher.update(open);
        let mut digits = hasher.finish().to_string();
        digits.truncate(DIGITS);
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these lines are believed.
    fn believed(lines: &[Vec<u8>]) -> usize {
        let mut chain = Chain::default();
        lines.iter().take_while(|line| chain.object(line).is_some()).count()
    }

    #[test]
    fn a_line_is_believed_when_it_and_all_before_it_are_as_they_were_written() {
        let mut chain = Chain::default();
        let objects: [&[u8]; 4] = [br#"{"a":{"n":1}}"#, br#"{"b":{}}"#, br#"{"b":{}}"#, br#"{"c":{"n":2}}"#];
        let lines = objects.map(|object| chain.line(object));
        let mut again = Chain::default();
        assert_eq!(lines.each_ref().map(|line| again.object(line).unwrap()), objects);
        assert_eq!(again, chain);
        assert_eq!(believed(&lines), 4);
        for nth in 0..lines.len() {
            for at in 0..lines[nth].len() {
                let mut edited = lines.clone();
                edited[nth][at] ^= 1;
                assert_eq!(believed(&edited), nth, "byte {at} of line {nth}");
            }
            let mut without = lines.to_vec();
            without.remove(nth);
            assert_eq!(believed(&without), nth, "line {nth} is gone");
            let mut twice = lines.to_vec();
            twice.insert(nth, lines[nth].clone());
            assert_eq!(believed(&twice), nth + 1, "line {nth} is there twice");
        }
        assert_eq!(believed(&[br#"{"a":{"n":1}}"#.to_vec(), b"\n".to_vec(), Vec::new()]), 0);
    }
}
