//! Programs that failed while they wrote a text: their message is all that stands at its start or at its end. Within a text
//! it is a quotation, as in logs.

use super::trace;
use crate::fetch::magic::extension;

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

/// How many last lines are looked at: more than a stack trace takes, which Java cuts after 1,024 frames.
const LAST_LINES: usize = 2000;

/// True where a text begins or ends with the message of a program that failed: in PHP, Python, Perl, Java or IDL, or
/// in a database.
pub(super) fn has_failed(start: &[u8], tail: &[u8]) -> bool {
    let (first, last) = (lines(start), lines(tail));
    let mut places = last.len().saturating_sub(LAST_LINES)..last.len();
    message(&first).is_some() || places.any(|at| message(&last[at..]) == Some(last.len() - at))
}

/// The lines with text, without the tags that PHP sets around its messages.
fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let plain = ["<b>", "</b>", "<br />", "<br>"].iter().fold(text.into_owned(), |text, tag| text.replace(tag, ""));
    plain.lines().filter(|line| !line.trim().is_empty()).map(|line| line.trim_end().to_owned()).collect()
}

/// How many lines the message takes that these lines begin with.
fn message(lines: &[String]) -> Option<usize> {
    php(lines).or_else(|| trace::length(lines)).or_else(|| idl(lines))
}

fn php(lines: &[String]) -> Option<usize> {
    let first = lines.first()?.trim_start();
    let first = first.strip_prefix("PHP ").unwrap_or(first);
    let kind = PHP.iter().find(|kind| first.strip_prefix(**kind).is_some_and(|rest| rest.starts_with(':')))?;
    if has_place(first) {
        return Some(1);
    }
    let has_trace = kind.ends_with("error") && lines.get(1)?.trim() == "Stack trace:";
    let is_end = |line: &String| line.trim_start().starts_with("thrown in ") && has_place(line);
    has_trace.then(|| lines.iter().position(is_end)).flatten().map(|at| at + 1)
}

/// True for a line that ends in the place of a script, as in ` in /a.php on line 3`.
fn has_place(line: &str) -> bool {
    let Some((before, number)) = line.rsplit_once(" on line ") else { return false };
    let is_script = |path: &str| path.contains(['/', '\\']) || extension(path) == "php" || path == "Unknown";
    number.parse::<u32>().is_ok() && before.rsplit_once(" in ").is_some_and(|(_, path)| is_script(path))
}

fn idl(lines: &[String]) -> Option<usize> {
    let length = lines.iter().take_while(|line| line.starts_with("% ")).count();
    lines[..length].iter().any(|line| line.starts_with("% Execution halted at:")).then_some(length)
}
