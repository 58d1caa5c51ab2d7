//! A copy of a body that came, with the keywords of its record in the header: made here, and checked like any other body.

use std::io::{Read, Seek};

use super::verify::{BodyClaims, Verified, verify_body};
use super::writer::{Checks, Sink};
use super::{Ask, FailedFetch, Fetched, name_of, receive};
use crate::archive::{PartialFile, Staged, Validators};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fits::{self, Card};
use crate::manifest::{Identity, Verify};
use crate::source::HeaderCards;

/// Makes the copy of a body that passed its checks. `part` is where it is written.
pub(super) async fn body(
    ask: &Ask<'_>,
    came: Fetched,
    cards: &HeaderCards,
    part: &PartialFile,
) -> Result<Fetched, FailedFetch> {
    let origin = came.body.sha256;
    let cards = with_origin(cards, origin);
    let checks = Checks::new(name_of(ask.file, None), ask.verify, ask.identity);
    let (source, part) = (came.staged, part.clone());
    let copy = move || -> Result<(Sink, Staged), Failure> {
        let staged = match part.unnamed()? {
            Some(staged) => staged,
            None => part.create(&Validators::default())?,
        };
        let mut sink = Sink { staged, checks };
        fits::embed(source.file(), &cards, |piece| {
            sink.push(piece).map_err(|error| std::io::Error::other(error.message))
        })?;
        Ok((sink, source))
    };
    let made = tokio::task::spawn_blocking(copy).await;
    let (sink, source) = made.map_err(|error| Failure::new(Class::Internal, format!("a writer died: {error}")))??;
    let claims = BodyClaims { is_ended: true, is_vouched_for: true, locked: ask.locked, ..BodyClaims::default() };
    let made = receive::finish(sink, claims, came.validators, came.resumed_bytes);
    // The body that came is whole: whatever became of its copy, there is nothing of it to go on with.
    drop(source);
    ask.part.discard()?;
    let made = made?;
    Ok(Fetched { origin: Some(origin), redirected: came.redirected, restarted: came.restarted, ..made })
}

/// Looks at what the copy of a body would be, without making it.
pub(super) fn look(
    mut source: impl Read + Seek,
    origin: Digest,
    cards: &HeaderCards,
    name: String,
    verify: Verify,
    identity: Identity,
) -> Result<Verified, Failure> {
    let mut checks = Checks::new(name, verify, identity);
    fits::embed(&mut source, &with_origin(cards, origin), |piece| {
        checks.push(piece);
        Ok(())
    })?;
    verify_body(checks, &BodyClaims { is_ended: true, is_vouched_for: true, ..BodyClaims::default() })
}

/// The cards of a record, and where the rest of the file comes from.
fn with_origin(cards: &HeaderCards, origin: Digest) -> Vec<Card> {
    let history = [
        "keywords added by sunhaul from JSOC's listing; SHA-256 of the file as it came:".to_owned(),
        origin.to_string(),
    ];
    let history = history.iter().flat_map(|text| fits::commentary("HISTORY", text));
    cards.shared.iter().chain(&cards.own).copied().chain(history).collect()
}
