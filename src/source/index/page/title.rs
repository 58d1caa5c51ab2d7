//! What the title of a page says: that it is a listing, and of which folder.

use percent_encoding::percent_decode_str;

use super::TEXT;

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
/// show an archive under another one. After it further words may stand.
pub(in super::super) fn titled(title: &str, folder: &str) -> Titled {
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
    let readings = spaces.chain([path.len()]).map(|end| parts(path[..end].trim_end_matches([':', ',', ';', '|', ' '])));
    let readings: Vec<Vec<String>> = readings.collect();
    let is_due =
        |titled: &Vec<String>| !titled.is_empty() && titled.iter().zip(&due).all(|(titled, due)| titled == due);
    match readings.first() {
        _ if due.is_empty() || readings.iter().any(is_due) => Titled::Due,
        Some(first) if first.is_empty() => Titled::Root,
        _ => Titled::Other,
    }
}

/// True for `Index of /data`, as Apache, nginx and lighttpd say it, `Directory listing for /data`, as others do,
/// `Directory: /data` (Jetty), `listing directory /data` and `Files within data` (Node), and for a path alone.
pub(super) fn names_a_listing(text: &str) -> bool {
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
