//! What a line is wrong in that the YAML parser stumbles over, in the words of who wrote it.

use serde_saphyr::granit_parser::ErrorKind;

use super::raw;
use crate::untrusted::escape;

/// What to do where nothing better is known.
pub(super) const QUOTES: &str = "mind the indentation, and put text with `: `, `#`, `{` or `*` in quotes";

/// What is wrong, and what to do. `line` is the one that the parser stopped in.
pub(super) fn explain_syntax_error(kind: &ErrorKind, line: &str) -> (String, &'static str) {
    let known = |message: &str, hint| (message.to_owned(), hint);
    match kind {
        ErrorKind::RecursionLimitExceeded => known("nested deeper than any manifest is", "is this a manifest?"),
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            known("a tab where YAML wants spaces", "indent with spaces")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => known(
            "a `:` or `-` where no key can stand",
            "one `key: value` a line, list entries on lines of their own, and text with `: ` in quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            let wrong = raw::control(*character);
            known(wrong.message(), "take it out: a manifest is plain text")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("`{}` cannot begin a value", escape(&character.to_string()));
            (message, "put the text in quotes")
        }
        ErrorKind::UnclosedQuotedScalar => known("a quoted string that is not terminated", "close it on the same line"),
        _ if begins_with_variable(line) => known(
            "text that begins with `{`, which YAML takes for a mapping",
            "put it in quotes, such as `layout: \"{series}/{date:%Y/%m/%d}/{file}\"`",
        ),
        ErrorKind::ExpectedBlockSequenceEntry => known(
            "this line belongs to no entry of the list above it, by its indentation",
            "the keys of one entry are written below each other: `- name: a`, and below it `segments: [b]`, two spaces further in than the `-`",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => known(
            "this line fits none of the keys above it, by its indentation",
            "keys of one mapping begin in the same column",
        ),
        ErrorKind::ExpectedFlowMappingSeparator => {
            known("a `{` without its `}`, or two entries without a `,` between them", "write `{ a: 1, b: 2 }`")
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            known("a `[` without its `]`, or two entries without a `,` between them", "write `[a, b]`")
        }
        other => (format!("not YAML: {}", escape(&other.to_string())), QUOTES),
    }
}

/// True where the value of a line begins with `{name}` or `{name:...}`, as that of a layout without quotes does.
fn begins_with_variable(line: &str) -> bool {
    let values = line.match_indices(": {").map(|(at, _)| &line[at + 3..]);
    values.filter_map(|rest| rest.split_once('}')).any(|(inside, after)| {
        let name = inside.split(':').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // A mapping has a space behind its colon, and nothing but the end of another behind itself.
        let goes_on = !after.trim_start().is_empty() && !after.trim_start().starts_with(['}', ',', ']', '#']);
        is_name && goes_on && !inside.contains(": ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_without_quotes_is_told_from_a_mapping() {
        for line in ["layout: {series}/{file}", "archive: { root: d, layout: {date:%Y}/{file} }"] {
            assert!(begins_with_variable(line), "{line}");
        }
        for line in ["range: { start: a, end: b", "archive: { root: { a }, b", "a: {b}, c", "a: {b} # c", "", "a: {"] {
            assert!(!begins_with_variable(line), "{line}");
        }
    }
}
