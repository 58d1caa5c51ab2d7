//! What the words of a page say against it: that a service failed, or that it lists a part of its folder.

use super::paging::{Where, counts_a_part};

/// How much of a passage is looked at, in bytes.
pub(super) const PASSAGE: usize = 4096;

/// A passage longer than this is no message but a text, which may speak of anything.
const MESSAGE: usize = 200;

/// Something said against a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Objection {
    pub(in super::super) kind: Kind,
    /// The words.
    pub(in super::super) words: String,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// The program that writes the listing failed.
    Failed,
    /// The page lists a part.
    Part,
    /// It is an error's page, or one to log in. Beside files these words may mean anything.
    Error,
}

/// What a passage says against its page.
pub(super) fn objection(passage: &str, place: Where) -> Option<Objection> {
    let words = passage.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words.to_lowercase();
    let is_message = words.len() <= MESSAGE;
    let kind = match script(&text) {
        Some(kind) => kind,
        None if !is_message => return None,
        None if is_part(&text, place) => Kind::Part,
        None if place != Where::BehindLink && counts_a_part(&text, place) => Kind::Part,
        None if place == Where::Heading && heads_an_error(&text) => Kind::Error,
        None => return None,
    };
    let words = words.chars().take(MESSAGE).collect();
    Some(Objection { kind, words })
}

/// What PHP writes of itself into a page, with the place in its script.
fn script(text: &str) -> Option<Kind> {
    let (_, number) = text.rsplit_once(" on line ")?;
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let has = |words: &str| text.contains(words);
    let reads_folder = ["opendir(", "readdir(", "scandir("].into_iter().any(has);
    if has("fatal error:") || has("parse error:") || (has("warning:") && reads_folder) {
        return Some(Kind::Failed);
    }
    // A listing may be complete although a script printed a warning beside it.
    let warns = ["warning:", "notice:", "deprecated:"].into_iter().any(has) && text.contains(['/', '\\']);
    warns.then_some(Kind::Error)
}

/// True for words that say of the listing itself that it is a part: not of data, or of a list of something else.
fn is_part(text: &str, place: Where) -> bool {
    let words: Vec<&str> = text.split(' ').map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation())).collect();
    let cut = |at: usize| match *words.get(at)? {
        "truncated" if place == Where::BehindLink => Some(&["listing"][..]),
        "truncated" => Some(&["listing", "list", "output", "results", "entries", "items", "directory"][..]),
        "incomplete" => Some(&["listing", "list"][..]),
        _ => None,
    };
    // A list may be one of events: of those words it is that of files where nothing else stands before it.
    let is_files = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        words[at] != "list" || ["", "the", "this", "file", "files", "directory", "folder"].contains(&before)
    };
    let is_said = |at: usize| {
        let Some(subjects) = cut(at) else { return false };
        let is_subject = |at: usize| subjects.contains(&words[at]);
        let verbs = ["is", "are", "was", "were", "has", "have", "been"];
        let before = words[..at].iter().rposition(|word| !verbs.contains(word));
        before.is_some_and(|at| is_subject(at) && is_files(at)) || (at + 1 < words.len() && is_subject(at + 1))
    };
    let shows = ["list", "show", "display", "print", "index", "be"];
    let too_many = ["too many files to ", "too many entries to "]
        .iter()
        .any(|start| text.split(start).skip(1).any(|rest| shows.iter().any(|verb| rest.starts_with(verb))));
    let starts = text.starts_with("too many ") && !text.contains('?') && !text.contains("files to ");
    let of_list = || ["files", "entries", "results"].into_iter().any(|what| text.contains(what));
    // However long the sentence is: data are no listing, and are truncated as no output or result is.
    let has = |word: &str| words.contains(&word);
    let is_output = place != Where::BehindLink && has("truncated") && (has("output") || has("results"));
    let is_listing = has("listing") && (has("truncated") || has("incomplete"));
    is_listing || is_output || (0..words.len()).any(is_said) || too_many || (starts && of_list())
}

fn heads_an_error(text: &str) -> bool {
    // A word within a path is the name of a folder.
    let plain = text.split(' ').filter(|word| !word.contains('/'));
    let words: Vec<&str> = plain.map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation())).collect();
    let text = format!(" {} ", words.join(" "));
    let told = [
        "not found",
        "forbidden",
        "unauthorized",
        "bad gateway",
        "gateway timeout",
        "gateway time-out",
        "denied",
        "unavailable",
        "offline",
        "maintenance",
        "error",
        "sign in",
        "log in",
        "login",
    ];
    told.into_iter().any(|told| text.contains(&format!(" {told} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_passage_says_against_its_page() {
        for (passage, place, due) in [
            ("Fatal error:  Out of memory in /x.php on line 12", Where::BehindLink, Some(Kind::Failed)),
            (
                "4\n\nPHP Fatal error: no\nStack trace:\n#0 {main}\n thrown in /x.php on line 3",
                Where::BehindLink,
                Some(Kind::Failed),
            ),
            ("Warning: readdir(): Stale file handle in /x.php on line 3", Where::Elsewhere, Some(Kind::Failed)),
            ("Warning: filesize(): stat failed for a in /x.php on line 3", Where::Elsewhere, Some(Kind::Error)),
            ("Warning: gaps in data on line 3", Where::Elsewhere, None),
            ("Listing truncated: too many files", Where::Elsewhere, Some(Kind::Part)),
            ("Too many entries to show", Where::Elsewhere, Some(Kind::Part)),
            ("The listing of this folder is truncated", Where::Elsewhere, Some(Kind::Part)),
            ("Output has more than 1000 lines and was truncated", Where::Elsewhere, Some(Kind::Part)),
            ("The file list is incomplete", Where::Elsewhere, Some(Kind::Part)),
            ("The list has been truncated.", Where::Elsewhere, Some(Kind::Part)),
            ("2015-12-11 10:00 5760 Listing truncated", Where::BehindLink, Some(Kind::Part)),
            ("Results truncated", Where::Elsewhere, Some(Kind::Part)),
            ("Too many files: only the first 1000", Where::Elsewhere, Some(Kind::Part)),
            ("Some images were truncated by the downlink", Where::Elsewhere, None),
            ("Near real time data: results are preliminary and may be incomplete.", Where::Elsewhere, None),
            ("Pipeline output; days before 2010 are incomplete.", Where::Elsewhere, None),
            ("The event list is incomplete before 1996.", Where::Elsewhere, None),
            ("2015-12-11 10:00 1.0K incomplete results", Where::BehindLink, None),
            ("Too many files? Get the day as a tar.", Where::Elsewhere, None),
            ("Too many files to download? Get a tar.", Where::Elsewhere, None),
            ("See table 1, page 3 of 12 of the user guide.", Where::Elsewhere, None),
            ("See page 3 of 12", Where::Elsewhere, None),
            ("The quick look movie is displaying 24 of 120 frames.", Where::Elsewhere, None),
            ("Displaying 24 of 120 frames", Where::Elsewhere, None),
            ("1-2 of 3", Where::Elsewhere, Some(Kind::Part)),
            ("1 - 100 of 250 files", Where::Elsewhere, Some(Kind::Part)),
            ("1-3 of 3", Where::Elsewhere, None),
            ("1-2 of 3 spacecraft", Where::Elsewhere, None),
            ("Page 1 of 3 (250 files)", Where::Elsewhere, Some(Kind::Part)),
            ("250 files, page 1 of 3", Where::Elsewhere, Some(Kind::Part)),
            ("Index of /data (page 1 of 3)", Where::Heading, Some(Kind::Part)),
            ("Showing 1 - 100 of 250 images", Where::Elsewhere, Some(Kind::Part)),
            ("Now showing 100 of 250 entries", Where::Elsewhere, Some(Kind::Part)),
            ("Showing 100 of 250", Where::Elsewhere, Some(Kind::Part)),
            ("Please do not download too many files at once", Where::Elsewhere, None),
            ("404 Not Found", Where::Heading, Some(Kind::Error)),
            ("Sign in", Where::Heading, Some(Kind::Error)),
            ("Index of /data/error/login/", Where::Heading, None),
            ("Index of error_logs", Where::Heading, None),
            ("Sign in", Where::Elsewhere, None),
        ] {
            assert_eq!(objection(passage, place).map(|told| told.kind), due, "{passage} {place:?}");
        }
    }
}
