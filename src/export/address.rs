//! Where a file can be had again: the source's base and the record's own part of the URL.
//!
//! What it does not do: ask, or know a secret. Neither the base nor a record holds one.

use url::Url;

use super::{Error, Read};
use crate::archive::FileLine;
use crate::manifest::{Reach, SourceSpec};
use crate::source::from_base;
use crate::untrusted::escape;

/// The base of a source; none for one that is gone when sunhaul ends.
pub(super) fn base(source: &SourceSpec) -> Option<&Url> {
    source.reach().map(Reach::first)
}

/// The URL of one file, without blanks, userinfo or credentials.
///
/// # Errors
/// A source without an address that lasts, or a record whose URL leads elsewhere.
pub(super) fn of_file(read: &Read<'_>, file: &FileLine) -> Result<Url, Error> {
    let reach = read.series.source.reach().ok_or_else(|| Error::NoAddress { path: file.path.clone() })?;
    reach.elsewhere(&file.url).or_else(|| from_base(reach.first(), &file.url)).ok_or_else(|| Error::Astray {
        series: escape(&read.series.id.0).into_owned(),
        date: read.record.header.date,
        url: escape(&file.url).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_url_has_no_blank_and_stays_on_the_base_s_origin() {
        let base: Url = "https://h.example/p/".parse().unwrap();
        let on = |recorded: &str| from_base(&base, recorded).map(String::from);
        assert_eq!(on("/HMI/s/a%20b?x=1").as_deref(), Some("https://h.example/p/HMI/s/a%20b?x=1"));
        assert_eq!(on("/HMI/a b\n2").as_deref(), Some("https://h.example/p/HMI/a%20b2"), "no blank, no line break");
        assert_eq!(on("../pub/a b").as_deref(), Some("https://h.example/pub/a%20b"));
        for astray in ["", "HMI/x", "/../x", "/%2e%2e/x"] {
            assert_eq!(on(astray), None, "{astray}");
        }
    }
}
