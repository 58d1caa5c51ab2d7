//! What a server asks of programs: its `robots.txt`, read once and obeyed (RFC 9309).
//!
//! What it does not do: list, or slow anything down. The pace is the host's.

mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tokio::sync::OnceCell;
use url::Url;

pub(super) use rules::{Budget, Rules};

use super::read::start;
use crate::failure::{Class, Failure};
use crate::net::{Client, shown};
use crate::untrusted::escape;

/// The name of this program in a `robots.txt`; its User-Agent begins with it.
const PRODUCT: &str = "sunhaul";

/// What of a `robots.txt` is read; RFC 9309 asks for at least 500 KiB.
const CAP: usize = 512 * 1024;

/// The rules of every origin that one source asks.
#[derive(Debug)]
pub(super) struct Robots {
    client: Client,
    known: Mutex<BTreeMap<String, Arc<OnceCell<Arc<Rules>>>>>,
}

impl Robots {
    /// Nobody's rules yet.
    pub(super) fn new(client: Client) -> Robots {
        Robots { client, known: Mutex::default() }
    }

    /// The rules of the origin that `url` lies on; asked for once.
    ///
    /// A server that says that there are none (any 4xx but 429, or a redirect to where nobody may go) has none.
    ///
    /// # Errors
    /// When there is no telling, as RFC 9309 has it: an answer of 5xx or 429, or none at all.
    pub(super) async fn of(&self, url: &Url) -> Result<Arc<Rules>, Failure> {
        let origin = url.origin().ascii_serialization();
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(origin).or_default())
        };
        cell.get_or_try_init(|| self.ask(url)).await.cloned()
    }

    async fn ask(&self, url: &Url) -> Result<Arc<Rules>, Failure> {
        let mut place = url.clone();
        place.set_path("/robots.txt");
        place.set_query(None);
        let text = match self.client.get(&place, HeaderMap::new()).await {
            Ok(mut response) => start(&mut response, CAP).await?,
            Err(failure) if says_none(&failure) => {
                tracing::debug!(%failure, "no robots.txt");
                Vec::new()
            }
            Err(failure) => return Err(failure),
        };
        let rules = Rules::read(&String::from_utf8_lossy(whole_lines(&text)), PRODUCT);
        if let Some(delay) = rules.delay() {
            let delay = self.client.veil(escape(delay).into_owned());
            tracing::info!("{} asks for {delay} s between requests; the host's pace holds", shown(&place));
        }
        Ok(Arc::new(rules))
    }
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

/// Checks that every one of `urls`, which lie on one origin, may be asked for.
///
/// # Errors
/// `source-refused`, with the rule.
pub(super) fn permit<'u>(rules: &Rules, urls: impl IntoIterator<Item = &'u Url>) -> Result<(), Failure> {
    let mut budget = Budget::default();
    for url in urls {
        let why = match rules.objection(url, &mut budget) {
            Ok(None) => continue,
            Ok(Some(rule)) => format!("says `{}`", escape(rule)),
            Err(_) => "has rules that take too long to apply".to_owned(),
        };
        let mut place = url.clone();
        place.set_path("/robots.txt");
        place.set_query(None);
        let message = format!(
            "{}: not to be asked for by programs: {} {why}; ask whoever runs the server, or another source",
            shown(url),
            shown(&place)
        );
        return Err(Failure::new(Class::SourceRefused, message));
    }
    Ok(())
}
