//! The rules of a `robots.txt` for one program, and what they say of a URL: RFC 9309, section 2.

use std::borrow::Cow;

use url::Url;

/// How many steps the checks of one listing may take. An honest server's rules take a few dozen a URL; those of a hostile
/// one could take hours.
const STEPS: u64 = 200_000_000;

/// The rules that hold for this program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules {
    /// The longest first, and of two as long the one that allows.
    rules: Vec<RobotsRule>,
    delay: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RobotsRule {
    /// As it stands there.
    line: String,
    /// In the one form of percent-encoding that is compared.
    pattern: String,
    allows: bool,
}

/// Steps that are left for checks.
#[derive(Debug)]
pub(super) struct MatchBudget(u64);

impl Default for MatchBudget {
    fn default() -> MatchBudget {
        MatchBudget(STEPS)
    }
}

/// The budget is used up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsedUp;

/// What is being read: the groups for this product, and those for everybody.
#[derive(Debug, Default)]
struct GroupReader {
    own: Option<Rules>,
    everybody: Rules,
    /// The last line named a program: the next one that does names another one of the same group.
    is_head: bool,
    is_own: bool,
    is_everybody: bool,
}

impl Rules {
    /// The rules for `product` in a file: those of all groups that name it, else those for `*`.
    pub(super) fn read(text: &str, product: &str) -> Rules {
        let mut reading = GroupReader::default();
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some((key, value)) = line.split_once(':') {
                reading.take(line, &key.trim_end().to_ascii_lowercase(), value.trim(), product);
            }
        }
        let mut rules = reading.own.unwrap_or(reading.everybody);
        rules.rules.sort_by_key(|rule| (std::cmp::Reverse(rule.pattern.len()), !rule.allows));
        rules
    }

    /// The time between requests that the file asks for, which is no part of the RFC.
    pub(super) fn delay(&self) -> Option<&str> {
        self.delay.as_deref()
    }

    /// The line that forbids a URL: the longest that fits decides, and of two as long the one that allows.
    ///
    /// # Errors
    /// When the budget is used up.
    pub(super) fn objection(&self, url: &Url, budget: &mut MatchBudget) -> Result<Option<&str>, UsedUp> {
        if self.rules.is_empty() || url.path() == "/robots.txt" {
            return Ok(None);
        }
        let path = match url.query() {
            None => Cow::Borrowed(url.path()),
            Some(query) => Cow::Owned(format!("{}?{query}", url.path())),
        };
        let path = normal(&path);
        for rule in &self.rules {
            if fits(rule.pattern.as_bytes(), path.as_bytes(), budget)? {
                return Ok((!rule.allows).then_some(rule.line.as_str()));
            }
        }
        Ok(None)
    }
}

impl GroupReader {
    fn take(&mut self, line: &str, key: &str, value: &str, product: &str) {
        let allows = match key {
            "user-agent" => return self.head(value, product),
            "allow" => true,
            "disallow" => false,
            "crawl-delay" => {
                for rules in self.groups() {
                    rules.delay.get_or_insert_with(|| value.to_owned());
                }
                return;
            }
            // Other records have no part in the groups.
            _ => return,
        };
        self.is_head = false;
        if value.is_empty() {
            return;
        }
        for rules in self.groups() {
            rules.rules.push(RobotsRule { line: line.to_owned(), pattern: normal(value).into_owned(), allows });
        }
    }

    fn head(&mut self, value: &str, product: &str) {
        if !self.is_head {
            (self.is_head, self.is_own, self.is_everybody) = (true, false, false);
        }
        let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
        let name = value.split(|c| !is_name(c)).next().unwrap_or_default();
        if value.starts_with('*') {
            self.is_everybody = true;
        } else if name.eq_ignore_ascii_case(product) {
            self.is_own = true;
            // A group without rules is one all the same.
            self.own.get_or_insert_default();
        }
    }

    /// The rules that the group being read adds to.
    fn groups(&mut self) -> impl Iterator<Item = &mut Rules> {
        let own = self.own.as_mut().filter(|_| self.is_own);
        own.into_iter().chain(self.is_everybody.then_some(&mut self.everybody))
    }
}

/// True when a pattern fits the start of a path: `*` stands for anything, a `$` at the end for the path's end.
fn fits(pattern: &[u8], path: &[u8], budget: &mut MatchBudget) -> Result<bool, UsedUp> {
    let (pattern, is_anchored) = pattern.strip_suffix(b"$").map_or((pattern, false), |pattern| (pattern, true));
    let (mut nth, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        budget.0 = budget.0.checked_sub(1).ok_or(UsedUp)?;
        match pattern.get(nth) {
            None if !is_anchored || at == path.len() => return Ok(true),
            Some(b'*') => {
                nth += 1;
                star = Some((nth, at));
            }
            Some(byte) if path.get(at) == Some(byte) => (nth, at) = (nth + 1, at + 1),
            _ => match star {
                Some((after, reached)) if reached < path.len() => {
                    star = Some((after, reached + 1));
                    (nth, at) = (after, reached + 1);
                }
                _ => return Ok(false),
            },
        }
    }
}

/// A path in the form that is compared: what needs no encoding is decoded, the rest encoded in capitals.
fn normal(path: &str) -> Cow<'_, str> {
    if path.is_ascii() && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let rest = bytes.as_slice();
        let code = (byte == b'%').then(|| rest.get(..2).and_then(hex)).flatten();
        match code {
            Some(code) => {
                bytes.nth(1);
                if code.is_ascii_alphanumeric() || b"-._~".contains(&code) {
                    out.push(char::from(code));
                } else {
                    encode(code, &mut out);
                }
            }
            None if byte.is_ascii() => out.push(char::from(byte)),
            None => encode(byte, &mut out),
        }
    }
    Cow::Owned(out)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    u8::from_str_radix(digits?, 16).ok()
}

fn encode(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objection(text: &str, path: &str) -> Option<String> {
        let url = format!("http://h.example{path}").parse().unwrap();
        Rules::read(text, "sunhaul").objection(&url, &mut MatchBudget::default()).unwrap().map(str::to_owned)
    }

    fn allows(text: &str, path: &str) -> bool {
        objection(text, path).is_none()
    }

    #[test]
    fn the_groups_that_name_the_program_hold_together_and_else_those_for_all() {
        let text = "Disallow: /before\nUser-agent: *\nDisallow: /all\n\nUser-Agent: other\nUSER-AGENT: SunHaul/2.0\n\
                    Sitemap: /x\nDisallow: /own # why\r\nUser-agent: other\nDisallow: /other\n\nUser-agent: sunhaul\nDisallow:/too";
        assert_eq!(objection(text, "/own/x").unwrap(), "Disallow: /own");
        assert_eq!(objection(text, "/too").unwrap(), "Disallow:/too");
        for path in ["/all", "/other", "/before", "/"] {
            assert!(allows(text, path), "{path}");
        }
        let text = "\u{feff}User-agent: sunhauler\nDisallow: /a\nUser-agent: *\nDisallow: /all\n";
        assert!(allows(text, "/a") && !allows(text, "/all/x"));
        assert!(allows("User-agent: sunhaul\n\nUser-agent: *\nDisallow: /\n", "/robots.txt"));
        assert!(allows("", "/x") && allows("<html>Disallow: /</html>", "/x"));
        assert!(
            allows("User-agent: sunhaul\nDisallow:\n\nUser-agent: *\nDisallow: /\n", "/x"),
            "an empty rule forbids nothing"
        );
    }

    #[test]
    fn the_longest_rule_decides_and_allow_wins_a_tie() {
        let text = "User-agent: *\nAllow: /data/open\nDisallow: /data\nAllow: /tie\nDisallow: /tie\nDisallow: /*.gz$\n\
                    Disallow: /a*b\nDisallow: /$\n";
        for (path, is_allowed) in [
            ("/data/x", false),
            ("/data/open/x", true),
            ("/tie/x", true),
            ("/x.gz", false),
            ("/x.gz?y", true),
            ("/x.gzip", true),
            ("/a1b2", false),
            ("/a1c2", true),
            ("/", false),
            ("/index", true),
        ] {
            assert_eq!(allows(text, path), is_allowed, "{path}");
        }
    }

    #[test]
    fn however_a_path_is_encoded_it_is_the_same() {
        let text = "User-agent: *\nDisallow: /caf%C3%a9\nDisallow: /%7Ejane\nDisallow: /a%2fb\nDisallow: /ü%\n";
        for path in ["/café", "/caf%c3%A9", "/~jane/x", "/%7ejane", "/a%2Fb", "/%C3%BC%"] {
            assert!(!allows(text, path), "{path}");
        }
        assert!(allows(text, "/a/b"));
    }

    #[test]
    fn rules_that_would_take_for_ever_are_given_up() {
        let rules = (0..400).map(|nth| format!("Disallow: /*{}{nth}\n", "a".repeat(1000)));
        let text = format!("User-agent: *\n{}", rules.collect::<String>());
        let rules = Rules::read(&text, "sunhaul");
        let url: Url = format!("http://h.example/{}", "a".repeat(1900)).parse().unwrap();
        assert_eq!(rules.objection(&url, &mut MatchBudget::default()), Err(UsedUp));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_file_is_read(text in "((user-agent|allow|disallow|x): ?[*/$a%]{0,6}\n){0,8}|.{0,80}", path in "[a/%é]{0,12}") {
            let _ = objection(&text, &format!("/{path}"));
        }

        #[test]
        fn a_pattern_without_wildcards_is_a_prefix(pattern in "/[ab/]{0,4}", path in "/[ab/]{0,6}") {
            let text = format!("User-agent: *\nDisallow: {pattern}\n");
            // The URL's own parser leaves double slashes as they are.
            prop_assert_eq!(allows(&text, &path), !path.starts_with(&pattern));
        }
    }
}
