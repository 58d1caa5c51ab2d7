//! The messages with which programs in Java, .NET, JavaScript, Perl and Python end, and those of databases, by their lines.

use crate::fetch::magic::extension;

/// How many lines a message may have before the first frame of its trace.
const MESSAGE_LINES: usize = 5;

/// What the further lines of a message begin with: of `SQLAlchemy`, of `PostgreSQL`, of Oracle.
const FURTHER: [&str; 11] =
    ["[", "(", " ", "\t", "DETAIL:", "HINT:", "LINE ", "CONTEXT:", "ORA-", "Process ID:", "Session ID:"];

/// How many lines the trace or message takes that these lines begin with.
pub(super) fn length(lines: &[String]) -> Option<usize> {
    python(lines).or_else(|| frames(lines)).or_else(|| perl(lines)).or_else(|| database(lines))
}

/// True where a message at this place of a line is the program's own, at the start or within a row that it broke off. Behind
/// a time and a blank it is the entry of a log.
fn is_own(line: &str, at: usize) -> bool {
    let before = &line[..at];
    !before.contains(|c: char| c.is_ascii_digit()) || !before.ends_with(char::is_whitespace)
}

fn python(lines: &[String]) -> Option<usize> {
    let first = lines.first()?;
    let at = first.strip_suffix("Traceback (most recent call last):")?.len();
    if !is_own(first, at) || !lines.get(1)?.trim_start().starts_with("File \"") {
        return None;
    }
    let Some(frames) = lines[1..].iter().position(|line| !line.starts_with([' ', '\t'])) else {
        return Some(lines.len());
    };
    is_exception(&lines[1 + frames]).then(|| 2 + frames + further(&lines[2 + frames..]))
}

/// How many lines continue a message.
fn further(lines: &[String]) -> usize {
    lines.iter().take_while(|line| FURTHER.iter().any(|start| line.starts_with(start))).count()
}

/// True for the last line of a traceback, such as `KeyError: 'day'`.
fn is_exception(line: &str) -> bool {
    let (name, is_explained) = line.split_once(':').map_or((line, false), |(name, _)| (name, true));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let endings = ["Error", "Exception", "Interrupt", "Exit", "Iteration"];
    is_name && (is_explained || endings.iter().any(|ending| name.ends_with(ending)))
}

/// The stack trace of Java, .NET or JavaScript: an exception, then frames.
fn frames(lines: &[String]) -> Option<usize> {
    let first = lines.first()?;
    let is_thrown = exception(first).is_some_and(|at| is_own(first, at)) || first.starts_with("Caused by: ");
    if !is_thrown {
        return None;
    }
    let begin = lines.iter().skip(1).take(MESSAGE_LINES).position(|line| is_frame(line))? + 1;
    let is_part = |line: &&String| {
        let line = line.trim_start();
        let joints = ["... ", "Caused by: ", "Suppressed: ", "--- End of "];
        is_frame(line) || joints.iter().any(|joint| line.starts_with(joint))
    };
    Some(begin + lines[begin..].iter().take_while(is_part).count())
}

/// Where the name of an exception stands in a line.
fn exception(line: &str) -> Option<usize> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$');
    let ends = ["Exception", "Error", "Throwable"].iter().flat_map(|kind| line.match_indices(kind));
    let ends = ends.map(|(at, kind)| (at, at + kind.len())).filter(|(_, end)| !line[*end..].starts_with(is_name));
    // A row that breaks off ends in digits, which no class begins with.
    let name = ends.map(|(at, _)| line[..at].trim_end_matches(is_name).len()).min()?;
    let start = line[name..].find(|c: char| c.is_ascii_alphabetic())?;
    Some(name + start)
}

/// True for a frame, such as `at a.B.c(B.java:1)` or `at f (/a.js:3:9)`.
fn is_frame(line: &str) -> bool {
    let Some(call) = line.trim_start().strip_prefix("at ") else { return false };
    let is_named = call.split_once('(').is_some_and(|(name, _)| name.contains('.') && !name.ends_with(' '));
    let place = call.trim_end().trim_end_matches(')');
    let numbers = place.rsplitn(3, ':').take(2).filter(|number| number.parse::<u32>().is_ok()).count();
    is_named || numbers == 2
}

/// A message that Perl ends with its place: ` at /x.pl line 3.`
fn perl(lines: &[String]) -> Option<usize> {
    let first = lines.first()?;
    let begins = first.trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '[');
    (begins && has_perl_place(first)).then(|| {
        // The callers that Carp lists.
        let is_caller = |line: &&String| line.starts_with('\t') && line.contains(" called at ");
        1 + lines[1..].iter().take_while(is_caller).count()
    })
}

fn has_perl_place(line: &str) -> bool {
    let Some((before, place)) = line.strip_suffix('.').and_then(|line| line.rsplit_once(" line ")) else {
        return false;
    };
    // Perl adds the handle that was read last, and its line.
    let (before, place) = match before.rsplit_once(" line ") {
        Some((before, number)) if number.contains(", <") => (before, number.split(',').next().unwrap_or_default()),
        _ => (before, place),
    };
    let is_script = |path: &str| {
        (path.starts_with('/') && extension(path).is_empty())
            || (path.starts_with("(eval ") && path.ends_with(')'))
            || matches!(extension(path).as_str(), "pl" | "pm" | "cgi" | "fcgi" | "plx")
    };
    place.parse::<u32>().is_ok() && before.rsplit_once(" at ").is_some_and(|(_, path)| is_script(path))
}

/// The message of a database, with its `SQLSTATE` or the number that its client prints.
fn database(lines: &[String]) -> Option<usize> {
    let first = lines.first()?;
    let has_state = first.match_indices("SQLSTATE").any(|(at, word)| {
        let state = first[at + word.len()..].strip_prefix(['[', ' ', ':', '=']).unwrap_or_default();
        let state = state.trim_start().get(..5).unwrap_or_default();
        is_own(first, at)
            && state.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            && !state.is_empty()
    });
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_mysql = || {
        let (number, rest) = first.strip_prefix("ERROR ")?.split_once(" (")?;
        Some(is_number(number) && rest.get(5..).is_some_and(|rest| rest.starts_with("):")))
    };
    let is_oracle =
        || first.strip_prefix("ORA-")?.split_once(':').map(|(number, _)| number.len() == 5 && is_number(number));
    (has_state || is_mysql() == Some(true) || is_oracle() == Some(true)).then(|| 1 + further(&lines[1..]))
}
