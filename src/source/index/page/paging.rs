//! Signs that a page is one of several of the same listing.

use chrono::{Datelike, NaiveDate};
use url::Url;

use super::{FolderPage, Link, TEXT, within};

/// Parameters of a query that count pages or entries.
const NUMBERS: [&str; 13] = [
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
    "from",
];

/// Parameters of a query that name the entry where a page begins.
const MARKERS: [&str; 7] =
    ["marker", "cursor", "pagetoken", "nexttoken", "continuationtoken", "continuation", "startafter"];

/// A number from here on is a date.
const DATE: u64 = 10_000_000;

/// What entries of a listing are called.
const ENTRIES: [&str; 8] = ["files", "entries", "items", "results", "objects", "records", "rows", "folders"];

/// How a query may tell a day.
const DATES: [&str; 6] = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%Y_%m_%d", "%Y-%j"];

impl FolderPage {
    /// The link to the next page of the same listing, which came from `url` and is that of this day. One to another folder or
    /// day leads to another listing.
    pub(in super::super) fn next_page(&self, url: &Url, date: NaiveDate) -> Option<&str> {
        let is_other = |target: &Url| {
            target.path() != url.path() || target.query().is_some_and(|query| url.query() != Some(query))
        };
        let is_next = |target: Url| is_other(&target) && !is_of_another_day(&target, date);
        let next = self.next.iter().find(|href| within(url, href).is_some_and(is_next));
        // A link to the next page is not a file of the folder.
        let is_more = |target: Url| is_same_folder(url, &target) && !is_of_another_day(&target, date);
        let more = || self.more.iter().find(|href| within(url, href).is_some_and(is_more));
        next.or_else(more)
            .map(String::as_str)
            .or_else(|| numbered(&self.links, url).or_else(|| in_a_file(&self.links, url)))
    }
}

/// True where a query names another day.
fn is_of_another_day(target: &Url, date: NaiveDate) -> bool {
    let mut days = target.query_pairs().filter_map(|(_, value)| {
        DATES.iter().find_map(|format| NaiveDate::parse_from_str(&value, format).ok().filter(|day| is_year(day.year())))
    });
    days.any(|day| day != date)
}

fn is_year(number: i32) -> bool {
    (1950..=2040).contains(&number)
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
                // A round number is more likely a number of entries.
                Ok(year)
                    if matches!(&*name, "start" | "from")
                        && i32::try_from(year).is_ok_and(is_year)
                        && year % 50 != 0 => {}
                Ok(0) if NUMBERS.contains(&&*name) => has_first = true,
                Ok(1) if NUMBERS.contains(&&*name) => second = Some(&**href),
                Ok(number) if NUMBERS.contains(&&*name) && number < DATE => return Some(href),
                _ => {}
            }
        }
    }
    second.filter(|_| has_first)
}

/// A link to another page by the name of its file: `page2.html` or `index_2.html` in the folder.
fn in_a_file<'l>(links: &'l [Link], url: &Url) -> Option<&'l str> {
    let is_page = |link: &&Link| {
        let Some(target) = within(url, &link.href) else { return false };
        let name = target.path().strip_prefix(url.path()).unwrap_or_default().to_ascii_lowercase();
        let stem = [".html", ".htm", ".php"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or_default();
        let number = ["page", "index"].iter().find_map(|start| stem.strip_prefix(start));
        let number = number.map(|number| number.trim_start_matches(['-', '_']));
        number.is_some_and(|number| number.len() <= 4 && number.parse::<u32>().is_ok_and(|number| number > 1))
    };
    links.iter().find(is_page).map(|link| &*link.href)
}

/// True for the folder itself, or the index page in it.
fn is_same_folder(url: &Url, target: &Url) -> bool {
    let rest = target.path().strip_prefix(url.path());
    target.query() != url.query() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("index."))
}

/// True for what a link to the next page of a listing says.
pub(super) fn leads_to_next(text: &str) -> bool {
    says(text, &["next", "next page"])
}

/// True for what a link to more of a listing, or of something else, says.
pub(super) fn leads_to_more(text: &str) -> bool {
    says(text, &["more", "show more", "load more", "more files"])
}

fn says(text: &str, told: &[&str]) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let words = text.trim_matches(|c: char| !c.is_alphanumeric());
    words.len() < TEXT / 4 && told.contains(&words)
}

/// Where a passage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// In a title or a heading.
    Heading,
    /// Behind a link, which it may describe.
    BehindLink,
    Elsewhere,
}

/// True for `page 1 of 3`, as a text of its own or at the end of a heading, and for `showing 1-100 of 250`, in lower case.
pub(super) fn counts_a_part(text: &str, place: Where) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || c == '-' || c == '–').filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let plain = |at: usize| words.get(at).map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()));
    let number = |at: usize| -> Option<u64> {
        let word = words.get(at)?.trim_matches(|c: char| !c.is_ascii_digit());
        word.replace(',', "").parse().ok()
    };
    let is_entries = |at: usize| plain(at).is_none_or(|word| ENTRIES.contains(&word));
    let counts = |at: usize| {
        let is_alone = || (0..at - 2).all(|before| number(before).is_some() || is_entries(before));
        let is_page = at >= 2
            && plain(at - 2) == Some("page")
            && (place == Where::Heading || is_alone())
            && plain(at + 2).is_none_or(|word| !word.starts_with(char::is_alphabetic));
        // A range of anything is a page.
        let is_range = at >= 2 && number(at - 2).is_some();
        let is_shown = (is_range || is_entries(at + 2))
            && words[..at].iter().any(|word| matches!(*word, "showing" | "displaying"));
        // Nothing but `1-100 of 250 files`.
        let is_bare_range = is_range && at == 2 && is_entries(at + 2) && words.len() <= at + 3;
        let shown = at.checked_sub(1).and_then(number);
        (is_page || is_shown || is_bare_range)
            && shown.zip(number(at + 1)).is_some_and(|(shown, all)| shown < all || (is_page && all > 1))
    };
    (0..words.len()).any(|at| words[at] == "of" && counts(at))
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
