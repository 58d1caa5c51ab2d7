//! What of a manifest's own text is never shown: secrets that were typed where a variable should stand.
//!
//! An excerpt shows a whole line, so a mistake beside a password would show the password. What it does not do: find
//! out whether a text is a secret; it goes by the keys.

use super::diagnostic::Finding;
use super::yaml_tree::{Node, NodeValue};
use crate::secret::VEIL;
use crate::untrusted::escape;

/// A key that holds one of these words, in any case, holds a secret.
const WORDS: &[&str] =
    &["passw", "pwd", "secret", "token", "bearer", "authorization", "cookie", "apikey", "api-key", "api_key"];

/// Keys of sources that hold none.
const OPEN: &[&str] = &[
    "url",
    "user",
    "netrc",
    "tunnel",
    "export",
    "dataset",
    "path",
    "files",
    "pick",
    "cadence",
    "each",
    "parameters",
    "seed",
];

/// The text with each secret's characters hidden, every place where it was; takes them out of the findings' words, too.
pub(super) fn over(text: &str, root: &Node, findings: &mut [Finding]) -> String {
    let mut hidden = Vec::new();
    collect(root, ValuePosition::Open, &mut hidden);
    for node in &hidden {
        let Some(typed) = node.text().filter(|typed| !typed.is_empty()) else { continue };
        for quote in ['`', '"'] {
            let (shown, veiled) = (format!("{quote}{}{quote}", escape(typed)), format!("{quote}{VEIL}{quote}"));
            for finding in findings.iter_mut() {
                finding.message = finding.message.replace(&shown, &veiled);
                finding.hint = finding.hint.take().map(|hint| hint.replace(&shown, &veiled));
            }
        }
    }
    let mut out = text.to_owned();
    for span in hidden.iter().map(|node| node.span) {
        if let Some(typed) = text.get(span.start..span.end) {
            out.replace_range(span.start..span.end, &veiled(typed));
        }
    }
    out
}

/// The same for a text that is no YAML: whatever follows a key with a telling name on its line.
pub(super) fn over_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let lower = line.to_ascii_lowercase();
            let found = WORDS.iter().filter_map(|word| lower.find(word)).min();
            let colon = found.and_then(|at| Some(at + line.get(at..)?.find(':')? + 1));
            colon.map_or_else(|| line.to_owned(), |colon| [&line[..colon], &veiled(&line[colon..])].concat())
        })
        .collect()
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ValuePosition {
    /// Where there are no secrets.
    Open,
    /// Where the kind of a source stands.
    Kind,
    /// Among names of hosts.
    Hosts,
    /// Below it, under a key that may be a mistyped one: a text may be a secret, a number is none.
    Source,
    /// Under a key that says so.
    Secret,
}

/// The scalars that may be secrets.
fn collect<'a>(node: &'a Node, place: ValuePosition, hidden: &mut Vec<&'a Node>) {
    match &node.value {
        NodeValue::Map(entries) => {
            for (key, value) in entries {
                let key = key.text().unwrap_or_default();
                let lower = key.to_ascii_lowercase();
                let is_secret = WORDS.iter().any(|word| lower.contains(word));
                let within = match place {
                    _ if is_secret => ValuePosition::Secret,
                    ValuePosition::Source if OPEN.contains(&key) => continue,
                    // A host has no login; who writes one there means it.
                    ValuePosition::Source if key == "hosts" => ValuePosition::Hosts,
                    ValuePosition::Kind if value.text().is_some() => continue,
                    ValuePosition::Kind => ValuePosition::Source,
                    ValuePosition::Open if key == "source" => ValuePosition::Kind,
                    place => place,
                };
                collect(value, within, hidden);
            }
        }
        NodeValue::List(items) => items.iter().for_each(|item| collect(item, place, hidden)),
        NodeValue::Text(text) if place == ValuePosition::Hosts && text.contains('@') => hidden.push(node),
        NodeValue::Text(_) if place >= ValuePosition::Source => hidden.push(node),
        _ if place == ValuePosition::Secret => hidden.push(node),
        _ => {}
    }
}

/// Hides every character but those of `${NAME}`. The length in bytes stays, so that every place stays where it was.
fn veiled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let name = rest.strip_prefix("${").and_then(|after| after.split_once('}')).map(|(name, _)| name);
        let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let length = name.filter(is_name).map_or(c.len_utf8(), |name| name.len() + "${}".len());
        match c {
            _ if length > c.len_utf8() => out.push_str(&rest[..length]),
            c if c.is_ascii_whitespace() || matches!(c, '"' | '\'') => out.push(c),
            c => out.push(star(c.len_utf8())),
        }
        rest = &rest[length..];
    }
    out
}

/// A mark of so many bytes.
fn star(bytes: usize) -> char {
    match bytes {
        2 => '·',
        3 => '•',
        4 => '🞄',
        _ => '*',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veil_keeps_every_place_and_the_names_of_variables() {
        for (text, seen) in [
            ("hunter2", "*******"),
            ("\"é€🔑 x\"", "\"·•🞄 *\""),
            ("Bearer ${SUNHAUL_A} ${b", "****** ${SUNHAUL_A} ***"),
            ("${} $ {", "${} * *"),
        ] {
            assert_eq!(veiled(text), seen);
            assert_eq!(veiled(text).len(), text.len());
        }
    }

    #[test]
    fn broken_text_is_veiled_by_its_lines() {
        let text = "url: http://a\nPassword: *x }\n  X-API-Key : %y\nname: \"the token\"\n";
        let seen = "url: http://a\nPassword: ** *\n  X-API-Key : **\nname: \"the token\"\n";
        assert_eq!(over_lines(text), seen);
    }
}
