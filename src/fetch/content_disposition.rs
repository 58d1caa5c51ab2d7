//! The file name in a Content-Disposition header (RFC 6266), and in the unquoted form that the HMI service sends.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The name that the header gives; foreign text, to be sanitised before it names anything.
///
/// `filename*` goes before `filename`. An unquoted name ends at `;` or at the end of the header. Of a path, the name is the
/// last component (RFC 6266, 4.3), whichever system's separators it has.
#[must_use]
pub fn file_name(header: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(header).map_or_else(|_| latin1(header), str::to_owned);
    let mut plain = None;
    for parameter in parameters(&text) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                if let Some(name) = extended(value).and_then(|path| last_component(&path)) {
                    return Some(name);
                }
            }
            "filename" => plain = plain.or_else(|| last_component(&unquote(value))),
            _ => {}
        }
    }
    plain
}

/// What stands after the last separator; `None` where that names nothing.
fn last_component(path: &str) -> Option<String> {
    let last = path.rsplit(['/', '\\']).next()?;
    (!last.is_empty() && !matches!(last, "." | "..")).then(|| last.to_owned())
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// The header's parts, cut at `;` outside quotes.
fn parameters(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let mut name = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // Servers that put a Windows path here do not escape it: only what needs a backslash is taken for escaped.
            '\\' => name.push(chars.next_if(|next| matches!(next, '"' | '\\')).unwrap_or(c)),
            '"' => break,
            _ => name.push(c),
        }
    }
    name
}

/// `UTF-8'lang'percent-encoded` (RFC 8187), or in ISO-8859-1, which RFC 5987 had as well and servers still send.
fn extended(value: &str) -> Option<String> {
    let mut fields = value.splitn(3, '\'');
    let charset = fields.next()?.trim().to_ascii_lowercase();
    let decoded = percent_decode_str(fields.nth(1)?);
    match charset.as_str() {
        "utf-8" => decoded.decode_utf8().ok().map(Cow::into_owned),
        "iso-8859-1" => Some(decoded.map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(header: &str) -> Option<String> {
        file_name(header.as_bytes())
    }

    #[test]
    fn reads_unquoted_quoted_and_extended_names() {
        assert_eq!(
            name("attachment; filename=sharp_720s_20151211_182208.fits").as_deref(),
            Some("sharp_720s_20151211_182208.fits")
        );
        assert_eq!(name(r#"attachment; filename="a;\"b.fits"; x=1"#).as_deref(), Some(r#"a;"b.fits"#));
        assert_eq!(name("attachment; filename=a.fits; filename*=UTF-8''%e2%82%ac.fits").as_deref(), Some("€.fits"));
        assert_eq!(name("attachment; FileName = a.fits ").as_deref(), Some("a.fits"));
    }

    #[test]
    fn of_a_path_the_last_component_is_the_name() {
        for (header, expected) in [
            ("attachment; filename=sub/dir/a.fits", Some("a.fits")),
            ("attachment; filename=\"/etc/a.fits\"", Some("a.fits")),
            (r#"attachment; filename="C:\data\a.fits""#, Some("a.fits")),
            (r#"attachment; filename="C:\\data\\a.fits""#, Some("a.fits")),
            (r"attachment; filename=..\a.fits", Some("a.fits")),
            ("attachment; filename*=UTF-8''sub%2Fa.fits", Some("a.fits")),
            ("attachment; filename*=UTF-8''sub%5Ca.fits; filename=b", Some("a.fits")),
            ("attachment; filename*=UTF-8''sub%2F; filename=b", Some("b")),
            ("attachment; filename=sub/", None),
            ("attachment; filename=sub/..", None),
            ("attachment; filename=.", None),
        ] {
            assert_eq!(name(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn latin_1_is_read_as_rfc_5987_has_it() {
        assert_eq!(name("attachment; filename*=iso-8859-1'de'st%E4r.fits").as_deref(), Some("stär.fits"));
        assert_eq!(name("attachment; filename*=ISO-8859-1''a%20b.fits; filename=c").as_deref(), Some("a b.fits"));
    }

    #[test]
    fn what_names_nothing_gives_nothing() {
        for header in ["", "attachment", "attachment; filename=", "attachment; filename*=UTF-16''a", "; ;="] {
            assert_eq!(name(header), None, "{header:?}");
        }
        assert_eq!(name("inline; filename*=UTF-8''%ff; filename=plain").as_deref(), Some("plain"));
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic_or_grow(header in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for header in [header.clone(), [&b"attachment; filename"[..], &header].concat()] {
                if let Some(name) = file_name(&header) {
                    proptest::prop_assert!(name.len() <= 2 * header.len());
                    if let Some(safe) = crate::archive::sanitise(&name) {
                        proptest::prop_assert!(crate::archive::RelativePath::from_record(&safe).is_some(), "{safe:?}");
                    }
                }
            }
        }

        #[test]
        fn a_name_that_is_quoted_or_encoded_reads_back(name in "(?s)[^/\\\\]{0,40}[^/\\\\.]") {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("attachment; filename=\"{quoted}\"");
            proptest::prop_assert_eq!(file_name(header.as_bytes()), Some(name.clone()));
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let header = format!("attachment; filename=x; filename*=UTF-8''{encoded}");
            proptest::prop_assert_eq!(file_name(header.as_bytes()), Some(name));
        }
    }
}
