//! The imports of a source tree: which folder uses which, read from the tokens of its files.
//!
//! What it does not do: judge them, or expand macros.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One use of a folder by a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// The folder that the file belongs to.
    pub(super) from: String,
    /// The folder it names.
    pub(super) to: String,
    /// Where, counted from 1.
    pub(super) line: usize,
    /// In which file, relative to the tree.
    pub(super) file: PathBuf,
}

/// Every import of the tree at `src`; `main.rs` and `lib.rs` belong to no folder and are left out.
pub(super) fn imports_in(src: &Path) -> Vec<Import> {
    let files = rust_files(src);
    let tests: BTreeSet<PathBuf> = files.iter().flat_map(|file| test_modules(src, file)).collect();
    files.iter().filter(|file| !tests.contains(*file)).flat_map(|file| imports_of(src, file)).collect()
}

/// Every `.rs` file below `src`, relative to it, sorted.
pub(crate) fn rust_files(src: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, src: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if path.ends_with("target") {
                    continue; // a fuzz crate's build output
                }
                walk(&path, src, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path.strip_prefix(src).expect("below src").to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(src, src, &mut files);
    files.sort();
    files
}

/// The modules a file is in: `net/rate_limiter.rs` is `[net, rate_limiter]`, `net/mod.rs` is `[net]`, `lib.rs` is none.
pub(super) fn modules(file: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod")
        || (names.len() == 1 && matches!(names[0].as_str(), "lib" | "main"))
    {
        names.pop();
    }
    names
}

/// The files of modules that a file declares for tests alone.
pub(super) fn test_modules(src: &Path, file: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(src.join(file)).expect("UTF-8");
    let folder: PathBuf = modules(file).iter().collect();
    let tokens = tokens(&text);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if is_cfg_test(&tokens, at) {
            let item = skip_attributes(&tokens, at);
            let mut words = tokens[item..].iter().map(|token| token.text.as_str());
            if let (Some("mod"), Some(name), Some(";")) = (words.next(), words.next(), words.next()) {
                found.push(folder.join(format!("{name}.rs")));
                found.push(folder.join(name).join("mod.rs"));
            }
        }
    }
    found
}

fn imports_of(src: &Path, file: &Path) -> Vec<Import> {
    let modules = modules(file);
    let Some(from) = modules.first() else { return Vec::new() };
    let text = std::fs::read_to_string(src.join(file)).expect("UTF-8");
    let tokens = tokens(&text);
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut braces = 0usize;
    // Brace depths at which a module written inside this file begins: each makes `super` reach one less far.
    let mut inner: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if word(at) == "#" && word(at + 1) == "!" && is_cfg_test(&tokens, at + 1) {
            return Vec::new();
        }
        if is_cfg_test(&tokens, at) {
            at = skip_item(&tokens, skip_attributes(&tokens, at));
            continue;
        }
        match word(at) {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if inner.last() == Some(&braces) {
                    inner.pop();
                }
            }
            "mod" if word(at + 2) == "{" => inner.push(braces),
            // Only the first word of a path counts: `a::crate` is none.
            "crate" | "super" if at == 0 || word(at - 1) != "::" => {
                let mut end = at + 1;
                let mut supers = usize::from(word(at) == "super");
                while supers > 0 && word(end) == "::" && word(end + 1) == "super" {
                    supers += 1;
                    end += 2;
                }
                let at_root = word(at) == "crate" || supers == modules.len() + inner.len();
                if at_root && word(end) == "::" {
                    for (to, line) in heads(&tokens, end + 1) {
                        found.push(Import { from: from.clone(), to, line, file: file.to_owned() });
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first word of each path in what follows `crate::`: one word, or a group of paths.
fn heads(tokens: &[Token], at: usize) -> Vec<(String, usize)> {
    let Some(first) = tokens.get(at) else { return Vec::new() };
    if first.text != "{" {
        return vec![(first.text.clone(), first.line)];
    }
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut starts = false;
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                starts = depth == 1;
            }
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            "," => starts = depth == 1,
            head if starts => {
                if head != "self" {
                    found.push((head.to_owned(), token.line));
                }
                starts = false;
            }
            _ => {}
        }
    }
    found
}

/// True when `#[cfg(test)]` (or, from the `!` on, `#![cfg(test)]`) begins here.
pub(super) fn is_cfg_test(tokens: &[Token], at: usize) -> bool {
    let expected = ["[", "cfg", "(", "test", ")", "]"];
    matches!(tokens[at].text.as_str(), "#" | "!")
        && expected.iter().zip(tokens[at + 1..].iter()).filter(|(a, b)| **a == b.text).count() == expected.len()
}

/// The place after all attributes that begin here.
pub(super) fn skip_attributes(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() && tokens[at].text == "#" {
        at = after_pair(tokens, at + 1, "[", "]");
    }
    at
}

/// The place after the item that begins here: past its `;` or its block.
pub(super) fn skip_item(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return after_pair(tokens, at, "{", "}"),
            _ => at += 1,
        }
    }
    at
}

fn after_pair(tokens: &[Token], mut at: usize, open: &str, close: &str) -> usize {
    let mut depth = 0usize;
    while at < tokens.len() {
        if tokens[at].text == open {
            depth += 1;
        } else if tokens[at].text == close {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
        at += 1;
    }
    at
}

/// A word, a `::` or a sign.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// The tokens of Rust text without comments, texts, characters and lifetimes.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + text[at..].find('\n').unwrap_or(text.len() - at),
            b'/' if bytes[at..].starts_with(b"/*") => after_comment(bytes, at),
            b'"' => after_text(bytes, at),
            b'\'' => after_quote(text, at),
            b':' if bytes[at..].starts_with(b"::") => at + 2,
            b if b == b'_' || b.is_ascii_alphabetic() => {
                let word = at + bytes[at..].iter().take_while(|b| **b == b'_' || b.is_ascii_alphanumeric()).count();
                match raw_text(bytes, at, word) {
                    Some(end) => {
                        line += text[at..end].matches('\n').count();
                        at = end;
                        continue;
                    }
                    None => word,
                }
            }
            _ => at + text[at..].chars().next().map_or(1, char::len_utf8),
        };
        let token = &text[at..end];
        let is_skipped = token.starts_with(['"', '\'']) || token.starts_with("//") || token.starts_with("/*");
        if !is_skipped && !token.trim().is_empty() {
            found.push(Token { text: token.to_owned(), line });
        }
        line += token.matches('\n').count();
        at = end;
    }
    found
}

/// Block comments nest.
fn after_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(bytes.len())
}

fn after_text(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// The end of a raw text whose `r`, `br` or `cr` stands at `at..word`; nothing when there is none.
fn raw_text(bytes: &[u8], at: usize, word: usize) -> Option<usize> {
    if !matches!(&bytes[at..word], b"r" | b"br" | b"cr") {
        return None;
    }
    let hashes = bytes[word..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(word + hashes) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let start = word + hashes + 1;
    let length = bytes[start..].windows(closing.len()).position(|w| w == closing)?;
    Some(start + length + closing.len())
}

/// After a character such as `'}'` or `'\''`, or after the quote alone when it begins a lifetime.
fn after_quote(text: &str, at: usize) -> usize {
    let mut chars = text[at + 1..].char_indices();
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((next, c))) => {
            let from = at + 1 + next + c.len_utf8();
            text[from..].find('\'').map_or(text.len(), |length| from + length + 1)
        }
        (Some(_), Some((next, '\''))) => at + 1 + next + 1,
        _ => at + 1,
    }
}
