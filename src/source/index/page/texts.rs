//! What a page says in words of its own, beside what listings have: heads of columns, counts, dates, sizes, and the name of the
//! server.
//!
//! The page of a folder without files has nothing else to say. One that does may say that the files are elsewhere, that a
//! service is down or that one has to log in, in words that nobody can list.

/// No more texts of a page than these are kept.
const MOST: usize = 1_000;

/// How much is kept of each, in characters.
const LENGTH: usize = 200;

/// Words of which listings are made, in lower case: heads of columns, counts, types, and a note that nothing is there.
const COMMON: [&str; 142] = [
    "a",
    "and",
    "apr",
    "april",
    "archivos",
    "are",
    "asc",
    "ascending",
    "aucun",
    "aug",
    "august",
    "available",
    "back",
    "by",
    "byte",
    "bytes",
    "carpeta",
    "ce",
    "contains",
    "contents",
    "created",
    "currently",
    "date",
    "datei",
    "dateien",
    "dec",
    "december",
    "desc",
    "descending",
    "description",
    "dieser",
    "dieses",
    "dir",
    "directories",
    "directorio",
    "directory",
    "display",
    "dossier",
    "empty",
    "entries",
    "entry",
    "est",
    "esta",
    "este",
    "feb",
    "february",
    "fichier",
    "fichiers",
    "file",
    "filename",
    "files",
    "folder",
    "folders",
    "for",
    "found",
    "fri",
    "friday",
    "gb",
    "geändert",
    "gib",
    "größe",
    "here",
    "home",
    "in",
    "index",
    "is",
    "ist",
    "item",
    "items",
    "jan",
    "january",
    "jul",
    "july",
    "jun",
    "june",
    "kb",
    "keine",
    "kib",
    "kind",
    "last",
    "leer",
    "list",
    "listing",
    "mar",
    "march",
    "may",
    "mb",
    "mib",
    "mod",
    "modified",
    "mon",
    "monday",
    "name",
    "no",
    "nom",
    "nothing",
    "nov",
    "november",
    "number",
    "object",
    "objects",
    "oct",
    "october",
    "of",
    "order",
    "ordner",
    "owner",
    "parent",
    "path",
    "permissions",
    "result",
    "results",
    "sat",
    "saturday",
    "sep",
    "september",
    "size",
    "sort",
    "sorted",
    "sun",
    "sunday",
    "taille",
    "the",
    "theme",
    "there",
    "this",
    "thu",
    "thursday",
    "time",
    "to",
    "total",
    "tue",
    "tuesday",
    "type",
    "up",
    "vacía",
    "vacío",
    "verzeichnis",
    "vide",
    "wednesday",
    "were",
    "yet",
];

/// What a text begins with that names the program by which a page is made.
const MAKERS: [&str; 4] = ["powered by ", "served by ", "served with ", "proudly served by "];

/// Web servers and listing programs that name themselves on their pages, in lower case.
const PROGRAMS: [&str; 24] = [
    "apache",
    "apache-coyote",
    "apaxy",
    "caddy",
    "cherokee",
    "darkhttpd",
    "h5ai",
    "hiawatha",
    "jetty",
    "lighttpd",
    "litespeed",
    "microsoft-iis",
    "mini_httpd",
    "miniserve",
    "mongoose",
    "nginx",
    "node.js",
    "openresty",
    "python",
    "simplehttp",
    "thttpd",
    "tomcat",
    "webfs",
    "werkzeug",
];

/// Kinds of types that lighttpd writes beside names.
const TYPES: [&str; 6] = ["application", "audio", "httpd", "image", "text", "video"];

/// What a count of files is followed or led by.
const COUNTED: [&str; 11] =
    ["file", "files", "item", "items", "entry", "entries", "object", "objects", "result", "results", "fichiers"];

/// Keeps a text that is no part of a plain listing, once.
pub(super) fn keep(texts: &mut Vec<String>, text: &str) {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if texts.len() < MOST && !is_common(&words) {
        let start: String = words.chars().take(LENGTH).collect();
        if !texts.contains(&start) {
            texts.push(start);
        }
    }
}

/// True for a text that is made of what listings are made of, and of words of their `place`: its address.
pub(in super::super) fn is_of_listing(text: &str, place: &str) -> bool {
    let place = place.to_lowercase();
    let is_of_place = |word: &str| place.contains(word);
    !counts_files(text) && words(text).all(|word| is_common_word(&word) || is_of_place(&word))
}

/// True for a text of several words that is no part of a plain listing.
pub(super) fn is_sentence(text: &str) -> bool {
    text.split_whitespace().count() > 2 && !is_common(text)
}

fn is_common(text: &str) -> bool {
    let lower = text.to_lowercase();
    if counts_files(&lower) {
        // The page names files, and links to none of them.
        return false;
    }
    is_made_by(&lower) || is_signature(&lower) || words(text).all(|word| is_common_word(&word))
}

/// True for a count of files above zero, such as `24 files` and `Total files: 24`.
fn counts_files(text: &str) -> bool {
    let words: Vec<String> = words(text).collect();
    let is_counted = |word: &String| COUNTED.contains(&word.as_str());
    let is_some = |word: &String| word.replace([',', '.'], "").parse::<u64>().is_ok_and(|count| count > 0);
    let mut pairs = words.windows(2);
    let beside =
        pairs.any(|pair| (is_some(&pair[0]) && is_counted(&pair[1])) || (is_counted(&pair[0]) && is_some(&pair[1])));
    let is_total = words.first().is_some_and(|word| word == "total") && words.iter().any(is_counted);
    beside || (is_total && words.iter().any(is_some))
}

/// True for `powered by NAME VERSION`, and nothing more.
fn is_made_by(text: &str) -> bool {
    let rest = MAKERS.iter().find_map(|maker| text.strip_prefix(maker));
    rest.is_some_and(|rest| rest.split(' ').count() <= 2 && !rest.contains([':', ';', ',', '!']))
}

/// True for what a server writes of itself: `Apache/2.4.57 (Debian) OpenSSL/3.0.11 Server at h Port 80`.
fn is_signature(text: &str) -> bool {
    let mut words = text.split(' ').peekable();
    let is_version =
        |word: &str| word.split_once('/').is_some_and(|(name, version)| is_module(name) && is_number(version));
    let Some(first) = words.next() else { return false };
    if !PROGRAMS.contains(&first.split_once('/').map_or(first, |(name, _)| name)) {
        return false;
    }
    while let Some(word) = words.next() {
        match word {
            // A host, of whatever name.
            "at" => drop(words.next()),
            "server" | "port" | "tomcat" | "http" => {}
            word if is_number(word) || is_version(word) || (word.starts_with('(') && word.ends_with(')')) => {}
            word if PROGRAMS.contains(&word.split_once('/').map_or(word, |(name, _)| name)) => {}
            _ => return false,
        }
    }
    true
}

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The words of a text, in lower case and without what stands around them.
fn words(text: &str) -> impl Iterator<Item = String> {
    let bare = |word: &str| word.replace("(s)", "s").trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty())
}

fn is_common_word(word: &str) -> bool {
    // As lighttpd and Node's http-server write them.
    let is_type = || word.split_once('/').is_some_and(|(kind, _)| TYPES.contains(&kind));
    let is_mode = || word.len() >= 9 && word.bytes().all(|byte| b"drwxst-l".contains(&byte));
    is_number(word) || word.chars().count() == 1 || COMMON.binary_search(&word).is_ok() || is_type() || is_mode()
}

/// True for a number, a date, a time or a size: what begins with a digit and is no address.
fn is_number(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit()) && !word.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_in_order() {
        assert!(COMMON.is_sorted());
    }

    #[test]
    fn a_text_that_is_no_part_of_a_plain_listing_is_kept() {
        for (text, is_kept) in [
            ("Name Last modified Size Description", false),
            ("0 directories, 0 files", false),
            ("This folder is empty.", false),
            ("No files found", false),
            ("11-Dec-2015 10:00 5.6K", false),
            ("Fri, 11 Dec 2015 10:00:00", false),
            ("2015/12/11", true),
            ("Apache/2.4.57 (Debian) Server at h.example Port 80", false),
            ("Apache Tomcat/9.0.65", false),
            ("lighttpd/1.4.69", false),
            ("Powered by h5ai v0.30.0", false),
            ("application/octet-stream", false),
            ("- [ ] \u{2193} \u{a0}", false),
            ("", false),
            ("The files have been moved to the new server", true),
            ("Moved to tape", true),
            ("On tape", true),
            ("See http://h/2", true),
            ("404 Not Found", true),
            ("Please log in", true),
            ("We are offline", true),
            ("Solar archive", true),
            ("Apache Server at 127.0.0.1 Port 80", false),
            ("Apache/2.4.57 (Unix) OpenSSL/3.0.11 mod_fcgid/2.3.9 Server at h.example Port 443", false),
            ("There are no files in this directory", false),
            ("This directory is currently empty.", false),
            ("0 file(s) 0 bytes", false),
            ("Number of files: 0", false),
            ("Ce dossier est vide", false),
            ("Dieses Verzeichnis ist leer", false),
            ("(drwxr-xr-x)", false),
            ("24 files", true),
            ("Total: 24 files", true),
            ("24 files, 138240 bytes", true),
            ("Number of files: 24", true),
            ("HTTP/1.1 503 Service Unavailable", true),
            ("GPFS/5.1 stale handle", true),
            ("E/403 denied access to this data by policy", true),
            ("© 2015 NASA. The data server is down for maintenance", true),
            ("Powered by GPFS: file system not mounted", true),
            ("Generated by cache; origin not reachable", true),
            ("The directory is in data/tape", true),
            ("nginx is down", true),
        ] {
            let mut texts = Vec::new();
            keep(&mut texts, text);
            assert_eq!(!texts.is_empty(), is_kept, "{text}");
        }
    }

    #[test]
    fn a_text_may_name_the_place_of_its_page() {
        let place = "http://h.example/data/2015/12/11/";
        for (text, is_of_it) in [
            ("/data/2015/12/11/", true),
            ("Index of data / 2015 / 12 / 11", true),
            ("h.example - /data/2015/12/11/", true),
            ("data of 2015 are on tape", false),
            ("24 files of data", false),
            ("moved to /data2/2015/12/11/", false),
        ] {
            assert_eq!(is_of_listing(text, place), is_of_it, "{text}");
        }
    }
}
