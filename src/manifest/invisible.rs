//! Characters that look like a space or like nothing, and are none of YAML's: pasted from a web page, as a rule.
//!
//! What it does not do: look into quotes, comments and what a value holds within. There they may be meant.

use super::diagnostic::{Finding, Span};

/// A finding for each such character that stands where YAML reads its own: before and after keys and values.
pub(super) fn findings(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let plain = &line[..comment(line)];
        for (at, found) in plain.char_indices().filter(|(_, c)| name(*c).is_some()) {
            let is_in_a_key = plain.find(':').is_some_and(|colon| at < colon);
            if is_in_a_key || !is_wide(found) || is_at_an_edge(plain, at, found) {
                let span = Span { start: start + at, end: start + at + found.len_utf8() };
                let what = name(found).unwrap_or_default();
                let message = format!("{what} (U+{:04X}), which YAML does not take for a space", u32::from(found));
                findings.push(Finding::new(span, message).hint("delete it, and type a plain space where one is due"));
            }
        }
        start += line.len();
    }
    findings
}

/// True for those that take room: within a value such a space may be meant.
fn is_wide(c: char) -> bool {
    c.is_whitespace()
}

/// True where nothing but spaces, or a sign of YAML, stands on one side: such a character is no part of a value.
fn is_at_an_edge(line: &str, at: usize, found: char) -> bool {
    let is_space = |c: char| c.is_whitespace() || name(c).is_some();
    let sign = |c: Option<char>| c.is_none_or(|c| matches!(c, ':' | '-' | ',' | '{' | '}' | '[' | ']'));
    let before = line[..at].trim_end_matches(is_space).chars().next_back();
    let after = line[at + found.len_utf8()..].trim_start_matches(is_space).chars().next();
    sign(before) || sign(after)
}

/// Where a line's comment begins, or what stands in quotes is left out of sight: the length of what is before.
fn comment(line: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return at,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        before = c;
    }
    line.len()
}

/// What such a character is called; none for any other.
fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' => "a no-break space",
        '\u{202f}' => "a narrow no-break space",
        '\u{3000}' => "an ideographic space",
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' => "a space of another width",
        '\u{200b}' => "a zero-width space",
        '\u{feff}' => "a zero-width no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{85}' | '\u{2028}' | '\u{2029}' => "a line separator",
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{180e}' => {
            "an invisible character"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<usize> {
        findings(text).into_iter().filter_map(|finding| finding.at).map(|span| span.start).collect()
    }

    #[test]
    fn what_looks_like_a_space_is_found_where_yaml_reads_it() {
        assert_eq!(places("archive:\n\u{a0}\u{a0}root: out\n"), [9, 11]);
        assert_eq!(places("name:\u{a0}job\n"), [5]);
        assert_eq!((places("ar\u{200b}chive: x\n"), places("name: sharp\u{200b}_720s\n")), (vec![2], vec![11]));
        assert_eq!(places("series:\n  -\u{3000}{ name: a,\u{200b}as: b }\u{feff}\n").len(), 3);
        let finding = findings("\u{202f}name: x").pop().unwrap();
        assert_eq!(finding.message, "a narrow no-break space (U+202F), which YAML does not take for a space");
    }

    #[test]
    fn what_a_value_holds_within_may_be_meant() {
        for text in [
            "reason: \"cut\u{a0}off\"\n",
            "reason: 5\u{a0}MiB lost\n",
            "name: x # kept\u{a0}short\n",
            "contact: Jos\u{e9}\n",
            "a: 'b'\n",
        ] {
            assert_eq!(places(text), [0usize; 0], "{text}");
        }
    }
}
