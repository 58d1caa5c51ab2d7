//! What the title of a page says: that it is a listing, and of which folder.

use chrono::NaiveDate;
use percent_encoding::percent_decode_str;

use super::TEXT;
use crate::source::index::other_files::DATES;

/// How folders may tell a day, besides in one name.
const FOLDERS: [&str; 4] = ["%Y/%m/%d", "%Y/%j", "%Y/%b/%d", "%Y.%m.%d"];

/// What a listing's title says of the folder that the page lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Titled {
    /// The folder that was asked for, or none.
    Due,
    /// The root, as servers say that write one title for all folders.
    Root,
    /// Another folder.
    Other,
}

/// Holds a listing's title against `folder`, which is below the source's base. Before that the paths may differ: a proxy may
/// show an archive under another one, which may write the day, `date`, in another form. After it further words may stand.
pub(in super::super) fn titled(title: &str, folder: &str, date: NaiveDate) -> Titled {
    let title = percent_decode_str(title.trim()).decode_utf8_lossy();
    let folder = percent_decode_str(folder).decode_utf8_lossy();
    // The folders before it say what the words before the path mean; a long one is not kept whole.
    let is_judged = names_a_listing(&title) && title.len() < TEXT / 2;
    let Some(path) = title.find('/').map(|at| &title[at..]).filter(|_| is_judged) else { return Titled::Due };
    let parts =
        |path: &str| -> Vec<String> { path.rsplit('/').filter(|part| !part.is_empty()).map(str::to_owned).collect() };
    let due = parts(&folder);
    let spaces = path.match_indices(char::is_whitespace).map(|(at, _)| at);
    // Where the path ends, and words begin, is not known of a path that may hold spaces.
    let ends = spaces.chain([path.len()]).flat_map(|end| {
        let plain = path[..end].trim_end_matches([':', ',', ';', '|', ' ']);
        [plain.trim_end_matches([']', ')', '}', '>', '"', '\'', '`', '”', '’', '»', ' ']), plain]
    });
    let readings: Vec<Vec<String>> = ends.clone().map(parts).collect();
    let is_due =
        |titled: &Vec<String>| !titled.is_empty() && titled.iter().zip(&due).all(|(titled, due)| titled == due);
    match readings.first() {
        _ if due.is_empty() || readings.iter().any(is_due) => Titled::Due,
        _ if ends.clone().any(|path| is_of_day(path, &folder, date)) => Titled::Due,
        Some(first) if first.is_empty() => Titled::Root,
        _ => Titled::Other,
    }
}

/// True for a path that holds the date of its folder in whatever form, and behind it the same folders.
fn is_of_day(path: &str, folder: &str, date: NaiveDate) -> bool {
    let (path, folder) = (without_date(path, date), without_date(folder, date));
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let parts =
        |path: &str| -> Vec<String> { path.rsplit('/').filter(|part| !part.is_empty()).map(str::to_owned).collect() };
    let (titled, due) = (parts(&path), parts(&folder));
    let dated = |parts: &[String]| parts.iter().position(|part| part.contains('\0'));
    let (Some(at), Some(other)) = (dated(&titled), dated(&due)) else { return false };
    // What is beside the date may be a name, but no time of the day.
    at == other && titled[..at] == due[..at] && digits(&titled[at]) == digits(&due[at])
}

/// The path with NUL for the date.
fn without_date(path: &str, date: NaiveDate) -> String {
    let mut path = path.to_owned();
    for text in FOLDERS.iter().chain(&DATES).map(|format| date.format(format).to_string()) {
        let mut out = String::new();
        let mut rest = path.as_str();
        while let Some((before, after)) = rest.split_once(&*text) {
            let is_apart =
                !before.ends_with(|c: char| c.is_ascii_digit()) && !after.starts_with(|c: char| c.is_ascii_digit());
            out.extend([before, if is_apart { "\0" } else { &text }]);
            rest = after;
        }
        path = out + rest;
    }
    path
}

/// True for `Index of /data`, as Apache, nginx and lighttpd say it, `Directory listing for /data`, as others do,
/// `Directory: /data` (Jetty), `listing directory /data` and `Files within data` (Node), and for a path alone.
pub(in super::super) fn names_a_listing(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let starts = [
        "index of ",
        "directory listing ",
        "listing of ",
        "listing directory ",
        "directory: /",
        "listing: /",
        "files within ",
    ];
    let is_path = text.len() > 1 && text.starts_with('/') && text.ends_with('/') && !text.contains(char::is_whitespace);
    // Some write the path in a tag of its own, or not at all; h5ai writes one title for all folders.
    let is_bare = matches!(&*text, "index of" | "directory listing" | "directory list");
    is_path || is_bare || text.contains("powered by h5ai") || starts.iter().any(|start| text.starts_with(start))
}

/// True for a title that ends in the name of the folder `path`, as those of IIS (`host - /data/`) and Caddy do.
pub(in super::super) fn ends_in_folder(title: &str, path: &str) -> bool {
    let last = |text: &str| percent_decode_str(text.trim().trim_end_matches('/')).decode_utf8_lossy().into_owned();
    let (title, path) = (last(title), last(path));
    let name = path.rsplit('/').next().unwrap_or_default();
    let before = title.strip_suffix(name).filter(|_| !name.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', ' ']))
}

/// True for a title that has the folder `path` within it, as a path of two names or more.
pub(in super::super) fn has_folder(title: &str, path: &str) -> bool {
    let path = percent_decode_str(path.trim_end_matches('/')).decode_utf8_lossy().into_owned();
    let title = percent_decode_str(title).decode_utf8_lossy();
    let is_apart = |before: &str, after: &str| {
        let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '(' | ')' | '[' | ']' | ',');
        before.chars().next_back().is_none_or(is_end) && after.chars().next().is_none_or(is_end)
    };
    let mut found = title.match_indices(&*path);
    path.matches('/').count() > 1 && found.any(|(at, _)| is_apart(&title[..at], &title[at + path.len()..]))
}
