//! Signs that a page is one of several of the same listing.

use url::Url;

use super::{Link, Page, TEXT, within};

/// Parameters of a query that count pages or entries.
const NUMBERS: [&str; 12] = [
    "page",
    "p",
    "pg",
    "paged",
    "pagenum",
    "pageno",
    "pagenumber",
    "start",
    "offset",
    "skip",
    "startindex",
    "startrow",
];

/// Parameters of a query that name the entry where a page begins.
const MARKERS: [&str; 7] =
    ["marker", "cursor", "pagetoken", "nexttoken", "continuationtoken", "continuation", "startafter"];

/// A number from here on is a date.
const DATE: u64 = 10_000_000;

impl Page {
    /// The link to the next page of the same listing, which came from `url`. One to another folder leads to another listing.
    pub(in super::super) fn next_page(&self, url: &Url) -> Option<&str> {
        let is_other = |target: &Url| {
            target.path() != url.path() || target.query().is_some_and(|query| url.query() != Some(query))
        };
        let next = self.next.iter().find(|href| within(url, href).as_ref().is_some_and(is_other));
        next.map(String::as_str).or_else(|| numbered(&self.links, url))
    }
}

/// A link to another page by its number or by where it begins. Pages count from 0 or from 1, so 1 may be the page itself, and
/// is another one only beside 0.
fn numbered<'l>(links: &'l [Link], url: &Url) -> Option<&'l str> {
    let (mut has_first, mut second) = (false, None);
    for Link { href, .. } in links.iter().filter(|link| link.href.contains('?')) {
        let Some(target) = within(url, href).filter(|target| is_same_folder(url, target)) else { continue };
        for (name, value) in target.query_pairs() {
            let name = name.to_ascii_lowercase().replace(['-', '_'], "");
            if MARKERS.contains(&&*name) && !value.is_empty() {
                return Some(href);
            }
            match value.parse::<u64>() {
                Ok(0) if NUMBERS.contains(&&*name) => has_first = true,
                Ok(1) if NUMBERS.contains(&&*name) => second = Some(&**href),
                Ok(number) if NUMBERS.contains(&&*name) && number < DATE => return Some(href),
                _ => {}
            }
        }
    }
    second.filter(|_| has_first)
}

/// True for the folder itself, or the index page in it.
fn is_same_folder(url: &Url, target: &Url) -> bool {
    let rest = target.path().strip_prefix(url.path());
    target.query() != url.query() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("index."))
}

/// True for what a link to the next page of a listing says.
pub(super) fn leads_to_next(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let words = text.trim_matches(|c: char| !c.is_alphanumeric());
    words.len() < TEXT / 4 && ["next", "next page", "more", "show more", "load more", "more files"].contains(&words)
}

/// True for `page 1 of 3` and for `showing 1-100 of 250`, in lower case.
pub(super) fn counts_a_part(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '-' || c == '–').collect();
    let number = |at: usize| -> Option<u64> {
        let word = words.get(at)?.trim_matches(|c: char| !c.is_ascii_digit());
        word.replace(',', "").parse().ok()
    };
    let is = |at: usize, word: &str| words.get(at) == Some(&word);
    let counts = |at: usize| {
        let is_page = at >= 2 && is(at - 2, "page");
        let is_shown = words[..at].iter().any(|word| matches!(*word, "showing" | "displaying"));
        let shown = at.checked_sub(1).and_then(number);
        (is_page || is_shown)
            && shown.zip(number(at + 1)).is_some_and(|(shown, all)| shown < all || (is_page && all > 1))
    };
    (0..words.len()).any(|at| is(at, "of") && counts(at))
}

/// The addresses that a `Link` header (RFC 8288) gives of the next page.
pub(in super::super) fn next_in_header(value: &str) -> Vec<String> {
    let mut next = Vec::new();
    let mut rest = value;
    while let Some((_, link)) = rest.split_once('<') {
        let Some((href, after)) = link.split_once('>') else { break };
        let parameters = after.split('<').next().unwrap_or_default();
        let is_next =
            parameters.split([';', ',']).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel")
                    && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
            });
        next.extend(is_next.then(|| href.trim().to_owned()));
        rest = after;
    }
    next
}
