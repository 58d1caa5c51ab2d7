//! The SHA-256 that an answer states for its body. Each says it in its own words: `Repr-Digest` and `Content-Digest` (RFC
//! 9530), `Digest` (RFC 3230), `x-amz-checksum-sha256` (Amazon S3), `X-Checksum-Sha256` (Artifactory).
//!
//! What it does not do: other algorithms. They would have to be computed as well, while SHA-256 is there anyway.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;

/// A SHA-256 that an answer states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    /// The header that states it.
    pub(super) header: String,
    /// Its value.
    pub(super) sha256: Digest,
}

/// What the headers of a whole body state, by their names in lower case. What cannot be read states nothing.
pub(super) fn all(headers: &BTreeMap<String, String>) -> Vec<Stated> {
    headers
        .iter()
        .flat_map(|(header, value)| {
            let sums = read(header, value);
            sums.into_iter().map(|sha256| Stated { header: header.clone(), sha256 })
        })
        .collect()
}

fn read(header: &str, value: &str) -> Vec<Digest> {
    match header {
        // A dictionary of byte sequences, which stand between colons and may have parameters behind them (RFC 9651).
        "repr-digest" | "content-digest" => named(value, |sum| {
            let bytes = sum.split(';').next()?.trim_end();
            base64(bytes.strip_prefix(':')?.strip_suffix(':')?)
        }),
        "digest" => named(value, base64),
        // Of a file uploaded in pieces it is no SHA-256 of the file: `-` and their count stand behind it.
        "x-amz-checksum-sha256" => base64(value).into_iter().collect(),
        "x-checksum-sha256" => value.trim().to_ascii_lowercase().parse().ok().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The values of the members of a list that are of SHA-256.
fn named(list: &str, read: impl Fn(&str) -> Option<Digest>) -> Vec<Digest> {
    let members = list.split(',').filter_map(|member| member.split_once('='));
    let ours = members.filter(|(algorithm, _)| algorithm.trim().eq_ignore_ascii_case("sha-256"));
    ours.filter_map(|(_, sum)| read(sum.trim())).collect()
}

fn base64(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = STANDARD.decode(text.trim()).ok()?.try_into().ok()?;
    hex::encode(bytes).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha_256_is_read_from_each_header_that_states_one_and_from_nothing_else() {
        // Of `hello`.
        const SUM: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        const HEX: &str = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
        for (header, value, is_stated) in [
            ("repr-digest", format!("sha-256=:{SUM}:"), true),
            ("repr-digest", format!("sha-512=:AAAA:, sha-256=:{SUM}:;x=1"), true),
            ("repr-digest", format!("sha-256={SUM}"), false),
            ("repr-digest", "sha-256=:AAAA:".to_owned(), false),
            ("repr-digest", format!("sha-512=:{SUM}:"), false),
            ("content-digest", format!("sha-256=:{SUM}:"), true),
            ("digest", format!("SHA-256={SUM}"), true),
            ("digest", format!("md5=AAAA,sha-256={SUM}"), true),
            ("digest", format!("id-sha-256={SUM}"), false),
            ("digest", format!("sha-256={HEX}"), false),
            ("x-amz-checksum-sha256", SUM.to_owned(), true),
            ("x-amz-checksum-sha256", format!("{SUM}-3"), false),
            ("x-checksum-sha256", HEX.to_owned(), true),
            ("x-checksum-sha256", SUM.to_owned(), false),
            ("etag", SUM.to_owned(), false),
            ("digest", String::new(), false),
        ] {
            let expected = if is_stated { vec![Digest::of(b"hello")] } else { vec![] };
            assert_eq!(read(header, &value), expected, "{header}: {value}");
        }
    }
}
