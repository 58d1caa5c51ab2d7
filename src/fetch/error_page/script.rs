//! Programs that failed while they wrote a text: their message stands in it, mostly at its end.

/// What PHP calls its messages.
const PHP: [&str; 7] = [
    "Fatal error",
    "Parse error",
    "Warning",
    "Notice",
    "Deprecated",
    "Catchable fatal error",
    "Recoverable fatal error",
];

/// True where a line of a text is the message of a program that failed: PHP, Python, or IDL.
pub(super) fn has_failed(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).any(|at| {
        let rest = &lines[at + 1..];
        is_php(lines[at], rest) || is_python(lines[at], rest) || lines[at].starts_with("% Execution halted at")
    })
}

fn is_php(line: &str, rest: &[&str]) -> bool {
    let plain = ["<b>", "</b>", "<br />", "<br>"].iter().fold(line.to_owned(), |line, tag| line.replace(tag, ""));
    let line = plain.trim();
    let line = line.strip_prefix("PHP ").unwrap_or(line);
    let Some(kind) = PHP.iter().find(|kind| line.strip_prefix(**kind).is_some_and(|rest| rest.starts_with(':'))) else {
        return false;
    };
    if kind.ends_with("error") {
        // The place may stand behind a stack trace.
        return has_place(line) || rest.iter().any(|line| has_place(line));
    }
    // Any text may warn of something; a file or a function of a script it does not name.
    line.contains("(): ") || (has_place(line) && line.contains(" in ") && line.contains(['/', '\\']))
}

fn has_place(line: &str) -> bool {
    let number = line.rsplit_once(" on line ").map(|(_, number)| number.trim_start_matches("<b>"));
    number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_python(line: &str, rest: &[&str]) -> bool {
    line.trim_end() == "Traceback (most recent call last):"
        && rest.first().is_some_and(|next| next.trim_start().starts_with("File \""))
}
