//! The netrc file: users and passwords by host, in `$NETRC` or `~/.netrc`.
//!
//! Macros are skipped, and so are accounts, which HTTP does not know.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::environment::variable;
use crate::manifest::NoLogin;
use crate::secret::Secret;
use crate::untrusted::escape;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The user and the password of `host`, else those of the file's `default`.
///
/// # Errors
/// When there is no such file, others may read it, it cannot be understood, or it names neither.
pub(super) fn login(host: &str) -> Result<(String, Secret), NoLogin> {
    let path = variable("NETRC").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(".netrc"));
    let path = path.or_else(home).ok_or_else(|| NoLogin {
        message: "there is no netrc file: neither `NETRC` nor `HOME` is set".to_owned(),
        hint: "set `NETRC` to the file's path".to_owned(),
    })?;
    let shown = escape(&path.to_string_lossy()).into_owned();
    let refuse = |why: String, hint: &str| NoLogin { message: format!("`{shown}` {why}"), hint: hint.to_owned() };
    let unreadable = |error: std::io::Error| refuse(format!("cannot be read: {error}"), "is it the right file?");
    let file = File::open(&path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let why = format!("can be read or written by others (mode {:03o})", mode & 0o777);
        return Err(refuse(why, &format!("make it your own: `chmod 600 {shown}`")));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    match find(&text, host) {
        Ok(Some(login)) => Ok(login),
        Ok(None) => Err(refuse(
            format!("has no login for `{}`", escape(host)),
            "add a line such as `machine HOST login USER password PASSWORD`",
        )),
        Err(why) => Err(refuse(format!("cannot be understood: {why}"), "see `man netrc` for its form")),
    }
}

/// One entry in the making.
#[derive(Default)]
struct NetrcEntry {
    is_meant: bool,
    user: Option<String>,
    password: Option<Secret>,
}

impl NetrcEntry {
    fn login(self) -> Option<(String, Secret)> {
        if self.is_meant { Some((self.user.unwrap_or_default(), self.password?)) } else { None }
    }
}

/// The first entry of `host` that has a password, or of `default`, whichever comes first, as every reader of the form
/// has it.
fn find(text: &str, host: &str) -> Result<Option<(String, Secret)>, &'static str> {
    let mut words = NetrcWords { rest: text };
    let mut entry = NetrcEntry::default();
    while let Some(word) = words.next()? {
        match word.as_str() {
            "machine" | "default" => {
                if let Some(login) = std::mem::take(&mut entry).login() {
                    return Ok(Some(login));
                }
                let is_default = word == "default";
                entry.is_meant = is_default || words.value()?.eq_ignore_ascii_case(host);
            }
            "login" => entry.user = Some(words.value()?),
            "password" => entry.password = Some(Secret::new(&words.value()?)),
            "account" => drop(words.value()?),
            "macdef" => words.skip_macro(),
            _ => return Err("a word that is none of `machine`, `default`, `login`, `password`, `account`, `macdef`"),
        }
    }
    Ok(entry.login())
}

/// The words of a file; `#` begins a comment where a word could begin.
struct NetrcWords<'a> {
    rest: &'a str,
}

impl NetrcWords<'_> {
    /// The next keyword; a comment before it is skipped.
    fn next(&mut self) -> Result<Option<String>, &'static str> {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                break;
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
        if self.rest.is_empty() { Ok(None) } else { self.word().map(Some) }
    }

    /// The value of the keyword before; a password may begin with `#`.
    fn value(&mut self) -> Result<String, &'static str> {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() { Err("it ends where a value is due") } else { self.word() }
    }

    fn word(&mut self) -> Result<String, &'static str> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(word.to_owned());
        };
        let mut word = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Ok(word);
                }
                '\\' => word.extend(chars.next().map(|(_, escaped)| match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                })),
                other => word.push(other),
            }
        }
        Err("a quoted string that is not terminated")
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.find("\n\n").map_or("", |end| &self.rest[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(String, String)> {
        let login = find(text, "data.example.org").unwrap();
        login.map(|(user, password)| (user, password.reveal().unwrap().to_owned()))
    }

    #[test]
    fn the_entry_of_the_host_is_found_in_every_form() {
        for text in [
            "machine data.example.org login jane password hunter2",
            "machine other login x password y\nmachine DATA.example.org\n\tlogin jane\n\tpassword hunter2\n",
            "# login z\nmachine data.example.org password hunter2 account a login jane",
            "machine data.example.org login \"jane\" password \"hun\\ter2\" default login x password y"
                .replace("\\t", "t")
                .as_str(),
            "macdef init\nmachine data.example.org password no\n\nmachine data.example.org login jane password hunter2",
            "machine data.example.org login nobody machine data.example.org login jane password hunter2",
            "machine other login x password y default login jane password hunter2",
        ] {
            assert_eq!(found(text), Some(("jane".to_owned(), "hunter2".to_owned())), "{text}");
        }
        assert_eq!(
            found("machine data.example.org login a password #1\"2"),
            Some(("a".to_owned(), "#1\"2".to_owned()))
        );
        assert_eq!(
            found("machine data.example.org login a password \"b c\\\"d\\\\\""),
            Some(("a".to_owned(), "b c\"d\\".to_owned()))
        );
        assert_eq!(
            found("default login x password y machine data.example.org login a password b"),
            Some(("x".to_owned(), "y".to_owned()))
        );
    }

    #[test]
    fn another_host_has_no_part_in_it() {
        for text in ["", "#", "machine example.org login a password b", "machine data.example.org login a"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_its_words() {
        for text in ["<html>hunter2", "machine", "machine a login b password", "machine a password \"hunter2"] {
            let why = find(text, "a").unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(machine|default|login|password|macdef|[\"\\\\# \na]|\\PC){0,20}") {
            let _ = find(&text, "a");
        }
    }
}
