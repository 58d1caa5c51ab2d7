//! The client of one source: one GET at a time through the host's pace, with every answer checked and classified.
//!
//! It does not retry, and does not interpret a body.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::header::{FROM, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::answer_check::{ExpectedResponse, IsStored, has_plain_body, objection};
use super::auth;
use super::auth::Keys;
use super::body::Response;
use super::classify::{self, failure};
use super::endpoint::Door;
use super::host_session::RequestSlot;
use super::origin::Origin;
use super::redirect::{Leads, Route, is_redirect};
use super::robots::{Robots, RobotsReader};
use super::{error_body, retry_after};
use crate::failure::{Class, Failure};
use crate::manifest::{Credentials, Timeouts};

/// What talks for one source of one job: to the source's origin, to the further hosts that its manifest names, and to
/// nothing else.
#[derive(Debug, Clone)]
pub struct Client {
    /// The source's own origin.
    pub(super) own: Arc<Door>,
    /// Where else its links and redirects may lead. No key, no contact and no tunnel is for these.
    pub(super) others: Arc<[Door]>,
    pub(super) identity: HeaderMap,
    /// What opens the source's door.
    pub(super) keys: Arc<Keys>,
    pub(super) timeouts: Timeouts,
    pub(super) base: Url,
    /// What the servers ask of programs, where the source's kind obeys it.
    pub(super) robots: Option<Arc<Robots>>,
}

impl Client {
    /// The same client with keys to its source. They go to the source's own origin, whatever a redirect says.
    ///
    /// # Errors
    /// `source-refused` when a secret was not read, or cannot be sent.
    pub fn with_credentials(self, credentials: Option<&Credentials>) -> Result<Client, Failure> {
        match (Origin::from_url(&self.base), credentials) {
            (Some(origin), Some(credentials)) => Ok(Client { keys: Arc::new(Keys::new(origin, credentials)?), ..self }),
            _ => Ok(self),
        }
    }

    /// The same client, which asks each origin for its `robots.txt` before anything else and obeys that.
    pub(super) fn within_robots(self) -> Client {
        Client { robots: Some(Arc::default()), ..self }
    }

    /// The same client without any `robots.txt`.
    #[must_use]
    pub fn beyond_robots(self) -> Client {
        Client { robots: None, ..self }
    }

    /// Checks that every one of `urls` may be asked for, where the source obeys `robots.txt`. Each request is checked by
    /// itself as well, and each redirect.
    ///
    /// # Errors
    /// `source-refused`, with the rule; or why there is no telling.
    pub async fn permit(&self, urls: &[&Url]) -> Result<(), Failure> {
        match &self.robots {
            Some(robots) => robots.permit(self, urls).await,
            None => Ok(()),
        }
    }

    /// One GET within the host's pace, redirects followed by hand. Only answers with status 200 come back as `Ok`, to a
    /// range also 206 and 416, to a condition also 304; everything else is a classified failure. One attempt: retrying
    /// is the caller's.
    ///
    /// # Errors
    /// A [`Failure`] with class, URL and reason; `retry_after` where the host named a wait.
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Response, Failure> {
        self.ask(Request { headers, ..Request::plain(url) }).await.map_err(|refused| refused.failure)
    }

    /// The same for a file. `is_stored` decides by an answer's headers whether its Content-Encoding is that of the stored
    /// file, such as `gzip` for a `.fits.gz`, so that the bytes are wanted as they are; any other encoding is refused.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_file(&self, url: &Url, headers: HeaderMap, is_stored: IsStored<'_>) -> Result<Response, Failure> {
        let answer = self.ask(Request { headers, is_stored, ..Request::plain(url) }).await;
        answer.map_err(|refused| refused.failure)
    }

    /// The same for a listing. A redirect to another path leads to another listing, which says nothing of this one.
    ///
    /// # Errors
    /// As [`Client::get`]; `redirect` with the target.
    pub async fn get_listing(&self, url: &Url) -> Result<Response, Failure> {
        let answer = self.ask(Request { leads: Leads::SamePath, ..Request::plain(url) }).await;
        answer.map_err(|refused| refused.failure)
    }

    /// The same for a protocol that says in a refusal's body what its status does not.
    ///
    /// # Errors
    /// [`RefusedRequest`]: the same failure, and the start of that body.
    pub async fn get_told(&self, url: &Url) -> Result<Response, RefusedRequest> {
        self.ask(Request { leads: Leads::SamePath, explains_in_body: true, ..Request::plain(url) }).await
    }

    /// The same failure without the source's secrets: a server may repeat what it was sent.
    #[must_use]
    pub fn veiled(&self, failure: Failure) -> Failure {
        Failure { message: self.veil(failure.message), ..failure }
    }

    /// True when a text repeats one of the source's secrets, so that it may not be recorded.
    #[must_use]
    pub fn has_secret(&self, text: &str) -> bool {
        self.keys.are_in(text, auth::TELLING)
    }

    /// The same for a file's address, in which a short password such as `solar` may stand by chance.
    #[must_use]
    pub fn has_secret_in_address(&self, text: &str) -> bool {
        self.keys.are_in(text, auth::TELLING_PIECE)
    }

    /// A text for the log, the same way.
    #[must_use]
    pub fn veil(&self, text: String) -> String {
        self.keys.veiled(text)
    }

    /// The answer to a request; a refusal without the source's secrets.
    async fn ask(&self, request: Request<'_>) -> Result<Response, RefusedRequest> {
        let refused = |refused: RefusedRequest| RefusedRequest { failure: self.veiled(refused.failure), ..refused };
        self.send(request).await.map_err(refused)
    }

    async fn send(&self, request: Request<'_>) -> Result<Response, RefusedRequest> {
        let Request { url, headers, leads, is_stored, explains_in_body } = request;
        let mut door = self.door(url).ok_or_else(|| {
            let why = "not on the source's own host, nor on one of its `hosts`, so it is not asked";
            failure(Class::Redirect, url, why)
        })?;
        let asked = ExpectedResponse {
            a_range: headers.contains_key(RANGE),
            a_condition: headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE),
            is_stored,
        };
        let mut route = Route::new(url.clone(), leads);
        self.permit(&[url]).await?;
        let mut slot = door.host.slot().await?;
        loop {
            let mut open = door.open(&route.url).await.inspect_err(|why| door.host.failed(why))?;
            slot.turn().await?;
            if open.has_ended() {
                // The tunnel ended while this waited for its turn. No request was sent, so none has failed.
                open = door.open(&route.url).await.inspect_err(|why| door.host.failed(why))?;
            }
            let headers = self.with_identity(&route.url, headers.clone());
            let answer = open.get(&route.url, headers, self.timeouts).await;
            let answer = answer.inspect_err(|why| door.host.failed(why))?;
            let status = answer.status();
            door.host.answered(status.as_u16());
            if !is_redirect(status) {
                let judged = self.judge(answer, route.url.clone(), slot, asked, explains_in_body).await;
                return judged.map_err(|RefusedRequest { failure, body }| RefusedRequest {
                    failure: route.not_found_elsewhere(failure),
                    body,
                });
            }
            let next = route.follow(status, answer.headers(), |url| self.door(url));
            // The target may repeat a secret, and the host's last failure is logged.
            let next = next.map_err(|why| self.veiled(why)).inspect_err(|why| door.host.failed(why))?;
            let is_other_host = !Arc::ptr_eq(&door.host, &next.host);
            if is_other_host {
                // The redirect was a proper answer.
                door.host.succeeded();
            }
            if is_other_host || self.robots.is_some() {
                // Give this slot back before waiting for another host's slot or for a `robots.txt`.
                drop((answer, slot));
                self.permit(&[&route.url]).await?;
                slot = next.host.slot().await?;
            }
            door = next;
        }
    }

    /// The door to a URL, where there is one.
    fn door(&self, url: &Url) -> Option<&Door> {
        [&*self.own].into_iter().chain(self.others.iter()).find(|door| door.origin.holds(url))
    }

    /// Where the source is.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The source's host with its port, as a report names it.
    #[must_use]
    pub fn host_name(&self) -> String {
        match (self.base.host_str(), self.base.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        }
    }

    /// The calendar's time.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.own.host.wall()
    }

    /// Tells the host's figures that the next request is not the first try at its thing.
    pub fn note_retry(&self) {
        self.own.host.retried();
    }

    /// Tells the host of `url` whether its answer was good for what it was asked for. One that gives only web pages in
    /// place of files is given up.
    pub fn note_answer(&self, url: &Url, outcome: Result<(), &Failure>) {
        let Some(door) = self.door(url) else { return };
        match outcome {
            Ok(()) => door.host.gave_a_file(),
            Err(failure) if failure.class == Class::Html => door.host.gave_a_page(failure),
            Err(_) => {}
        }
    }

    /// Why the source's host gets no more requests in this run, when that is so.
    #[must_use]
    pub fn given_up(&self) -> Option<Failure> {
        self.own.host.check().err()
    }

    /// How many requests may be under way at once to this client's host group.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.own.host.concurrency()
    }

    /// What a request to `url` says of who asks, and what opens the door there, before what is its own.
    fn with_identity(&self, url: &Url, own: HeaderMap) -> HeaderMap {
        let mut headers = self.identity.clone();
        if !self.own.origin.holds(url) {
            headers.remove(FROM);
        }
        headers.extend(own);
        self.keys.attach(url, &mut headers);
        headers
    }

    async fn judge(
        &self,
        answer: reqwest::Response,
        url: Url,
        slot: RequestSlot,
        asked: ExpectedResponse<'_>,
        explains_in_body: bool,
    ) -> Result<Response, RefusedRequest> {
        let status = answer.status();
        let objection = objection(status, answer.headers(), asked);
        if let Some(why) = objection {
            let failed = Failure { status: Some(status.as_u16()), ..failure(Class::Protocol, &url, why) };
            slot.host().failed(&failed);
            return Err(failed.into());
        }
        let is_wanted = match status.as_u16() {
            200 | 206 | 304 => true,
            416 => asked.a_range,
            _ => false,
        };
        if is_wanted {
            return Ok(Response::new(answer, url, slot, self.timeouts.stall));
        }
        let wait = retry_after::of_refusal(status, answer.headers(), || slot.host().wall());
        let mut refused = classify::status(status, &url, wait);
        let is_too_long = wait.is_some_and(|wait| slot.host().is_too_long(wait)) && refused.class.is_retried();
        if (refused.class == Class::Throttled || is_too_long)
            && let Some(given_up) = slot.host().throttled(wait)
        {
            refused.class = given_up.class;
            refused.message += "; ";
            refused.message += &given_up.message;
        }
        slot.host().failed(&refused);
        let mut body = Vec::new();
        let is_explained =
            explains_in_body || refused.class == Class::SourceRefused || error_body::is_told(answer.headers());
        if is_explained && has_plain_body(answer.headers()) {
            let mut response = Response::new(answer, url, slot, self.timeouts.stall);
            body = error_body::body(&mut response).await;
            if let Some(words) = error_body::words(&body, |text| self.veil(text)) {
                refused.message += ": ";
                refused.message += &words;
            }
        }
        if status == StatusCode::UNAUTHORIZED {
            refused.message += self.keys.advice();
        }
        Err(RefusedRequest { failure: refused, body })
    }
}

impl RobotsReader for Client {
    // Boxed, since it is read within another request.
    fn read<'a>(&'a self, url: &'a Url, cap: usize) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let mut response = self.clone().beyond_robots().get(url, HeaderMap::new()).await?;
            let mut text = Vec::new();
            while text.len() < cap
                && let Some(bytes) = response.chunk().await?
            {
                text.extend_from_slice(&bytes[..bytes.len().min(cap - text.len())]);
            }
            Ok(text)
        })
    }

    fn redact(&self, text: String) -> String {
        self.veil(text)
    }
}

/// What is asked for, and which answers are taken for it.
struct Request<'a> {
    url: &'a Url,
    headers: HeaderMap,
    /// Where redirects may lead.
    leads: Leads,
    is_stored: IsStored<'a>,
    /// The body of a refusal says what its status does not.
    explains_in_body: bool,
}

impl<'a> Request<'a> {
    /// A plain request.
    fn plain(url: &'a Url) -> Request<'a> {
        Request {
            url,
            headers: HeaderMap::new(),
            leads: Leads::Anywhere,
            is_stored: &|_| false,
            explains_in_body: false,
        }
    }
}

/// A request that was refused.
#[derive(Debug, Clone)]
pub struct RefusedRequest {
    /// Why.
    pub failure: Failure,
    /// The first 8 KiB of the answer's body, as sent; empty when there was no answer.
    pub body: Vec<u8>,
}

impl From<Failure> for RefusedRequest {
    fn from(failure: Failure) -> RefusedRequest {
        RefusedRequest { failure, body: Vec::new() }
    }
}
