//! The file name in a Content-Disposition header (RFC 6266), and in the unquoted form that the HMI service sends.

/// The name that the header gives; foreign text, to be sanitised before it names anything.
///
/// `filename*` in UTF-8 goes before `filename`. An unquoted name ends at `;` or at the end of the header.
#[must_use]
pub fn file_name(header: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(header).map_or_else(|_| latin1(header), str::to_owned);
    let mut plain = None;
    for parameter in parameters(&text) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                if let Some(name) = extended(value).filter(|n| !n.is_empty()) {
                    return Some(name);
                }
            }
            "filename" => plain = plain.or_else(|| Some(unquote(value)).filter(|n| !n.is_empty())),
            _ => {}
        }
    }
    plain
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
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => {
                name.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => break,
            _ => name.push(c),
        }
    }
    name
}

/// `UTF-8'lang'percent-encoded` (RFC 8187).
fn extended(value: &str) -> Option<String> {
    let mut fields = value.splitn(3, '\'');
    let charset = fields.next()?;
    let encoded = fields.nth(1)?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    percent_encoding::percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
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
        fn a_name_that_is_quoted_or_encoded_reads_back(name in "(?s).{1,40}") {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("attachment; filename=\"{quoted}\"");
            proptest::prop_assert_eq!(file_name(header.as_bytes()), Some(name.clone()));
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let header = format!("attachment; filename=x; filename*=UTF-8''{encoded}");
            proptest::prop_assert_eq!(file_name(header.as_bytes()), Some(name));
        }
    }
}
