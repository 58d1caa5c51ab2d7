//! Names and places as typed: of files, series, keywords and hosts, each checked for where it goes.
//!
//! What it does not do: look anything up.

use url::Url;

use super::yaml_tree::Wrong;
use crate::untrusted::escape;

/// Longer names are no names, in bytes: with dates and endings a path still fits every filesystem.
const LONGEST_NAME: usize = 100;

/// Checks a name that becomes a file or folder name: a safe path component on every system.
pub(super) fn component(text: &str) -> Result<String, Wrong> {
    const HINT: &str = "use letters, digits, `.`, `_` and `-`, and begin with a letter, a digit or `_`";
    let wrong = |why: &str| Err(Wrong::new(format!("`{}` {why}", escape(text))).hint(HINT));
    if text.is_empty() {
        return Err(Wrong::new("an empty name").hint(HINT));
    }
    if text.len() > LONGEST_NAME {
        return Err(
            Wrong::new(format!("a name of {} characters; {LONGEST_NAME} is the most", text.len())).hint("shorten it")
        );
    }
    if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        return wrong(&format!("holds `{}`, which a name cannot hold", escape(&odd.to_string())));
    }
    if text.starts_with(['.', '-']) || text.ends_with('.') {
        return wrong("begins with a dot or a dash, or ends with a dot");
    }
    if is_device(text) {
        return Err(Wrong::new(format!("`{text}` names a device on Windows")).hint("choose another name"));
    }
    Ok(text.to_owned())
}

/// True for a name that Windows takes for a device, whatever follows the first dot, and spaces before it.
pub(crate) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || ["com", "lpt"].iter().any(|port| {
            stem.strip_prefix(port).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
        })
}

/// Checks a source's name for a series, or a segment's name: it goes into URLs and messages.
pub(super) fn remote_name(text: &str) -> Result<String, Wrong> {
    const HINT: &str = "names such as `hmi.sharp_cea_720s` or `Br` hold letters, digits, `.`, `_` and `-`";
    let odd = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if text.is_empty() || text.len() > LONGEST_NAME {
        return Err(Wrong::new(format!("a name of {} characters; it has 1 to {LONGEST_NAME}", text.len())).hint(HINT));
    }
    match text.chars().find(odd) {
        Some(odd) => Err(Wrong::new(format!("`{}` is not allowed in a name", escape(&odd.to_string()))).hint(HINT)),
        None if text.starts_with(['.', '-']) => Err(Wrong::new("a name cannot begin with a dot or a dash").hint(HINT)),
        None => Ok(text.to_owned()),
    }
}

/// Checks a source's name for a series or a parameter where it may hold more: HAPI's `AC_H2_MFI@0`.
pub(super) fn series_name(text: &str) -> Result<String, Wrong> {
    let plain: String = text.chars().filter(|c| !matches!(c, '/' | '@' | ':' | '+')).collect();
    if text.starts_with(['/', '@', ':', '+']) {
        return Err(Wrong::new("a name begins with a letter, a digit or `_`").hint("such as `hmi.sharp_cea_720s`"));
    }
    // What is wrong with the rest is told as for any name.
    remote_name(&plain).map(|_| text.to_owned())
}

/// Checks the name of a keyword.
pub(super) fn keyword(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if (1..=40).contains(&text.len()) && text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    let wrong = Wrong::new(format!("`{}` names no keyword", escape(text)));
    Err(wrong.hint("a keyword such as `USFLUX` has 1 to 40 letters, digits and `_`"))
}

/// Checks where `ssh` is to go: `host` or `user@host`, with `takes_list` also several with ports, as `ssh -J` takes them.
pub(super) fn destination(text: &str, takes_list: bool) -> Result<String, Wrong> {
    const HINT: &str =
        "write `host` or `user@host`; a host's name that `ssh` knows from its own configuration works too";
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c) || (takes_list && ",:[]".contains(c));
    if text.is_empty() || text.len() > 255 || !text.chars().all(is_plain) {
        return Err(Wrong::new("no host for `ssh`").hint(HINT));
    }
    for hop in text.split(',') {
        let host = hop.rsplit('@').next().unwrap_or(hop);
        // `ssh` would take it for an option.
        if host.is_empty() || hop.starts_with(['-', '@']) || host.starts_with('-') || hop.matches('@').count() > 1 {
            return Err(Wrong::new("no host for `ssh`: it is missing, or begins with a dash").hint(HINT));
        }
    }
    Ok(text.to_owned())
}

/// Checks a condition in JSOC's own words: one `[? ... ?]` or `[! ... !]`.
pub(super) fn raw_where(text: &str) -> Result<String, Wrong> {
    const HINT: &str = "write for example `\"[? QUALITY >= 0 AND LON_FWT > -70 ?]\"`";
    let inside = |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let Some(inside) = inside("[?", "?]").or_else(|| inside("[!", "!]")) else {
        return Err(Wrong::new("expected conditions by keyword, or one text `[? ... ?]`").hint(HINT));
    };
    // Whatever ended it would let the rest ask for something else.
    if text.len() > 1000 || inside.contains(['[', ']', '{', '}', ';']) || inside.chars().any(char::is_control) {
        return Err(
            Wrong::new("no single condition: longer than 1,000 bytes, or with `[`, `]`, `{`, `}` or `;`").hint(HINT)
        );
    }
    Ok(text.to_owned())
}

/// Checks a host with an optional port, such as `data.example.org:8080`. The answer is in lower case.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    const HINT: &str = "write a host alone, such as `data.example.org` or `data.example.org:8080`";
    let wrong = || Wrong::new(format!("`{}` is no host", escape(text))).hint(HINT);
    let url = Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
    let told = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(wrong()),
    };
    // Whatever the parser of URLs mended or cut off was no host.
    let is_same = text.eq_ignore_ascii_case(&told) || text.eq_ignore_ascii_case(&format!("{told}:80"));
    if is_same { Ok(text.to_ascii_lowercase()) } else { Err(wrong()) }
}

/// Reads the base URL of a service. The answer's path ends in `/`. A login is never repeated in the message.
pub(super) fn base_url(text: &str) -> Result<Url, Wrong> {
    const HINT: &str = "write for example `http://localhost:8001`";
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(Wrong::new("a URL holds no spaces, backslashes or control characters").hint(HINT));
    }
    let lower = text.to_ascii_lowercase();
    let scheme = lower.split(':').next().unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        return Err(match lower.split_once("://") {
            Some((scheme, _)) => {
                Wrong::new(format!("unsupported URL scheme `{}`", escape(scheme))).hint("only http and https URLs work")
            }
            None => Wrong::new("a URL without `http://` or `https://`").hint(HINT),
        });
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
    if authority.is_empty() || authority.starts_with(':') {
        return Err(Wrong::new("a URL without a host").hint(HINT));
    }
    if authority.contains('@') {
        return Err(Wrong::new("a URL with a login in it")
            .hint("take the part before `@` out, and treat the password as lost if the file was shared"));
    }
    let mut url = Url::parse(text).map_err(|error| Wrong::new(format!("no URL: {error}")).hint(HINT))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new("a base URL has no `?` or `#` part").hint("the source adds its own questions"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Checks an e-mail address that is sent as `From`. The message never repeats it: it may come from a variable.
pub(super) fn contact(text: &str) -> Result<String, Wrong> {
    let fine = text.len() <= 200
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b';' | b'"'))
        && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if fine {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("no e-mail address").hint("write a plain address such as `jane@example.org`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_names_are_safe_everywhere() {
        for good in ["cea", "hmi.sharp_cea_720s", "_x", "A-1", "console", "com10"] {
            assert!(component(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".", "..", ".x", "-x", "x.", "a/b", "a\\b", "a b", "é", "CON", "nul.txt", "com1", &"x".repeat(101)]
        {
            assert!(component(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_urls_are_plain_and_end_in_a_slash() {
        assert_eq!(base_url("http://localhost:8001").map(String::from), Ok("http://localhost:8001/".into()));
        assert_eq!(base_url("HTTPS://Example.org/hmi").map(String::from), Ok("https://example.org/hmi/".into()));
        for bad in [
            "",
            "localhost:8001",
            "ftp://host/",
            "http://",
            "http:///x",
            "http://:80/",
            "http://a b/",
            "http://x/?q=1",
            "http://x/#f",
            "http://u:p@h/",
            "http://u@h",
            "http:\\\\x",
            "http://x\n/",
            "file:///etc/passwd",
            "http:x",
            "http://h:99999/",
            "é",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        assert!(!base_url("http://jane:secret@h/").unwrap_err().to_string().contains("secret"));
    }
}
