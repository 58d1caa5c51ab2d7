//! Where files are: on the source's own base, and by an address that still means the same next year.

use std::borrow::Cow;

use url::Url;

use super::query::{INFO, below};
use crate::manifest::{Export, Series, SourceSpec};
use crate::net::is_below;

/// Where orders go, below the source's base.
pub(super) const FETCH: &str = "cgi-bin/ajax/jsoc_fetch";

/// Longer paths are no file's.
const LONGEST: usize = 500;

/// A question that is an address: path and query, below the base.
pub(super) struct LastingAddress {
    path: &'static str,
    pairs: Vec<(&'static str, String)>,
}

impl LastingAddress {
    /// The address on a base, and relative to it.
    pub(super) fn on(&self, base: &Url) -> (Url, String) {
        let mut url = below(base, self.path);
        url.query_pairs_mut().extend_pairs(&self.pairs);
        let relative = format!("/{}?{}", self.path, url.query().unwrap_or_default());
        (url, relative)
    }
}

/// What to order to get a file: never where an order lies, which is gone in a week.
pub(super) fn lasting(series: &Series, named: &str) -> LastingAddress {
    let mut pairs = vec![("ds", named.to_owned())];
    if let SourceSpec::Jsoc(jsoc) = &*series.source
        && let Some(Export { protocol, process, .. }) = &jsoc.export
    {
        pairs.push(("protocol", protocol.word().to_owned()));
        pairs.extend(process.iter().map(|process| ("process", process.clone())));
    }
    LastingAddress { path: FETCH, pairs }
}

/// How to see that there is no file.
pub(super) fn unordered(series: &Series, recnum: i64, segment: &str) -> LastingAddress {
    let record = format!("{}[:#{recnum}]", series.name);
    let pairs = vec![("op", "rs_list".to_owned()), ("ds", record), ("seg", segment.to_owned())];
    LastingAddress { path: INFO, pairs }
}

/// What is to be done with the data, as the `drms` client sends it under the name `process=n`: how many records at most
/// (0 for all), then the programs that they go through.
pub(super) fn as_given(process: Option<&str>) -> Cow<'_, str> {
    match process {
        None => Cow::Borrowed("0"),
        Some(process) => match process.strip_prefix("n=") {
            Some(process) => Cow::Borrowed(process),
            None => Cow::Owned(format!("0|{process}")),
        },
    }
}

/// Moves a path such as `/SUM58/D803708321/S00008/Br.fits` onto the base. Gives it relative to the base as well.
///
/// # Errors
/// What is wrong with the path, in a few words.
pub(super) fn on_base(base: &Url, path: &str) -> Result<(Url, String), &'static str> {
    let below_root = path.strip_prefix('/').ok_or("which is no path")?;
    if path.len() > LONGEST {
        return Err("which is longer than 500 bytes");
    }
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\\?#%".contains(c);
    if path.contains(is_odd) || path.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
        return Err("which holds what no path of JSOC's does");
    }
    let url = below(base, below_root);
    if !is_below(base, &url) {
        return Err("which leads elsewhere");
    }
    let relative = format!("/{}", &url.path()[base.path().len()..]);
    Ok((url, relative))
}

/// A question for records, by its path and query, as it is for these of its segments alone. `None` where it asks for none of
/// them, or is no such question.
#[must_use]
pub fn with_segments(path: &str, wanted: Option<&[String]>) -> Option<String> {
    let Some(wanted) = wanted else { return Some(path.to_owned()) };
    let (place, query) = path.split_once('?')?;
    let mut asks_for_one = false;
    let pairs = url::form_urlencoded::parse(query.as_bytes()).map(|(key, value)| {
        if key != "seg" {
            return (key, value);
        }
        let left: Vec<&str> = value.split(',').filter(|own| wanted.iter().any(|wanted| wanted == own)).collect();
        asks_for_one |= !left.is_empty();
        (key, Cow::Owned(left.join(",")))
    });
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    asks_for_one.then(|| format!("{place}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_fewer_segments_keeps_their_order_and_all_else() {
        let asked = "/cgi-bin/ajax/jsoc_info?op=rs_list&ds=x%5B%5D%5B2015.12.11%5D&key=**ALL**&seg=Bp%2CBr%2CBt&R=1";
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        for (wanted, seg) in [(&["Br"][..], "Br"), (&["Bt", "Bp"], "Bp%2CBt"), (&["Bt", "Bz"], "Bt")] {
            let due = asked.replace("Bp%2CBr%2CBt", seg);
            assert_eq!(with_segments(asked, Some(&words(wanted))), Some(due), "{wanted:?}");
        }
        assert_eq!(with_segments(asked, None).as_deref(), Some(asked));
        for strange in ["/x", "/x?op=rs_list", &asked.replace("Bp%2CBr%2CBt", "**NONE**")] {
            assert_eq!(with_segments(strange, Some(&words(&["Br"]))), None, "{strange}");
        }
    }

    #[test]
    fn a_process_is_sent_with_its_number_of_records() {
        let given = [None, Some("n=0"), Some("n=0|im_patch,t_start=x"), Some("rebin,scale=0.5")].map(as_given);
        assert_eq!(given, ["0", "0", "0|im_patch,t_start=x", "0|rebin,scale=0.5"]);
    }

    #[test]
    fn l_10_f_02_a_path_stays_below_the_base() {
        let base: Url = "http://h.example:81/jsoc/".parse().unwrap();
        let (url, path) = on_base(&base, "/SUM58/D1/S00008/Br.fits").unwrap();
        assert_eq!(url.as_str(), "http://h.example:81/jsoc/SUM58/D1/S00008/Br.fits");
        assert_eq!(path, "/SUM58/D1/S00008/Br.fits");
        for bad in [
            "//evil.example/x",
            "/../x",
            "/a/../../x",
            "/a/./x",
            "/a//x",
            "/a?x",
            "/a#x",
            "/a/%2e%2e/%2e%2e/x",
            "/a\\..\\x",
            "/a b",
            "/a\nb",
            "x",
            "",
        ] {
            assert!(on_base(&base, bad).is_err(), "{bad:?}");
        }
        assert!(on_base(&base, &format!("/{}", "x".repeat(500))).is_err());
    }
}
