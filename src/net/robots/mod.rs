//! What a server asks of programs: its `robots.txt`, read once and obeyed (RFC 9309).
//!
//! Nothing is slowed down by it: the pace is the host's.

mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use url::Url;

use rules::{MatchBudget, Rules};

use super::origin::shown;
use crate::failure::{Class, Failure};
use crate::untrusted::escape;

/// The name of this program in a `robots.txt`; its User-Agent begins with it.
const PRODUCT: &str = "sunhaul";

/// What of a `robots.txt` is read; RFC 9309 asks for at least 500 KiB.
const CAP: usize = 512 * 1024;

/// Who reads a `robots.txt`.
pub(super) trait RobotsReader {
    /// The first `cap` bytes of a `robots.txt`, which itself may be requested whatever it says.
    fn read<'a>(&'a self, url: &'a Url, cap: usize) -> BoxFuture<'a, Result<Vec<u8>, Failure>>;

    /// A text for the log without secrets.
    fn redact(&self, text: String) -> String;
}

/// The rules of every origin that one client asks.
#[derive(Debug, Default)]
pub(super) struct Robots {
    known: Mutex<BTreeMap<String, Arc<OnceCell<Arc<Rules>>>>>,
}

impl Robots {
    /// Checks that every one of `urls` may be asked for.
    ///
    /// # Errors
    /// `source-refused`, with the rule. When there is no telling, as RFC 9309 has it: an answer of 5xx or 429 for a
    /// `robots.txt`, or none at all.
    pub(super) async fn permit(&self, reader: &impl RobotsReader, urls: &[&Url]) -> Result<(), Failure> {
        let mut budget = MatchBudget::default();
        let mut held: Option<(&Url, Arc<Rules>)> = None;
        for url in urls {
            let rules = match held.take() {
                Some((known, rules)) if is_beside(known, url) => rules,
                _ => self.rules_for(reader, url).await?,
            };
            objection(&rules, url, &mut budget)?;
            held = Some((url, rules));
        }
        Ok(())
    }

    /// The rules of the origin that `url` lies on; asked for once.
    ///
    /// A server that says that there are none (any 4xx but 429, or a redirect to where nobody may go) has none.
    async fn rules_for(&self, reader: &impl RobotsReader, url: &Url) -> Result<Arc<Rules>, Failure> {
        let origin = url.origin().ascii_serialization();
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(origin).or_default())
        };
        cell.get_or_try_init(|| ask(reader, url)).await.cloned()
    }
}

async fn ask(reader: &impl RobotsReader, url: &Url) -> Result<Arc<Rules>, Failure> {
    let place = place(url);
    let text = match reader.read(&place, CAP).await {
        Ok(text) => text,
        Err(failure) if says_none(&failure) => {
            tracing::debug!(%failure, "no robots.txt");
            Vec::new()
        }
        Err(failure) => return Err(failure),
    };
    let rules = Rules::read(&String::from_utf8_lossy(whole_lines(&text)), PRODUCT);
    if let Some(delay) = rules.delay() {
        let delay = reader.redact(escape(delay).into_owned());
        tracing::info!("{} asks for {delay} s between requests; the host's pace holds", shown(&place));
    }
    Ok(Arc::new(rules))
}

/// Where the rules for a URL are.
fn place(url: &Url) -> Url {
    let mut place = url.clone();
    place.set_path("/robots.txt");
    place.set_query(None);
    place
}

/// True for two URLs on one origin; makes no copies, since it is asked of every file.
fn is_beside(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && one.host_str() == other.host_str() && one.port() == other.port()
}

/// Without a last line that the cap cut: half a rule is another rule.
fn whole_lines(text: &[u8]) -> &[u8] {
    let end = if text.len() < CAP { None } else { text.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) };
    &text[..end.unwrap_or(text.len())]
}

/// True when a failure is the server's word that it has no rules.
fn says_none(failure: &Failure) -> bool {
    let is_told = failure.status.is_some_and(|status| status < 500);
    is_told && !matches!(failure.class, Class::Throttled | Class::HostGivenUp | Class::Protocol)
}

/// Why a URL may not be asked for.
fn objection(rules: &Rules, url: &Url, budget: &mut MatchBudget) -> Result<(), Failure> {
    let why = match rules.objection(url, budget) {
        Ok(None) => return Ok(()),
        Ok(Some(rule)) => format!("says `{}`", escape(rule)),
        Err(_) => "has rules that take too long to apply".to_owned(),
    };
    let message = format!(
        "{}: programs may not request this: {} {why}; ask the operator of the server, or use another source",
        shown(url),
        shown(&place(url))
    );
    Err(Failure::new(Class::SourceRefused, message))
}
