//! A body that came under the very strong `ETag` of the file that is here, and is another one: some servers have one for all
//! versions of a file.

use std::io::{Read as _, Seek as _};

use http::HeaderMap;

use super::{Ask, FailedFetch, Fetched, conditional_get, get, receive, tell_restart, whole};
use crate::archive::{Checked, FileLine};
use crate::digest::{Digest, Hasher};
use crate::failure::{Class, Failure};

/// Refuses a body that the validators of the file here say cannot be, unless something else shows that it is a new version,
/// and a second answer brings the same bytes.
pub(super) async fn consistent(ask: &Ask<'_>, first: Box<Fetched>) -> Result<Box<Fetched>, FailedFetch> {
    let Some(kept) = ask.kept else { return Ok(first) };
    let objection =
        |fetched: &Fetched| conditional_get::objection(kept, fetched.validators.etag.as_deref(), &fetched.body);
    let Some(why) = objection(&first) else { return Ok(first) };
    if !may_be_a_new_version(kept, &first).await? {
        return Err(refused(ask, *first, &why));
    }
    tell_restart(ask, &why);
    let (sha256, restarted) = (first.body.sha256, first.restarted);
    drop(first);
    ask.part.discard()?;
    let response = get(ask.client, ask.file, HeaderMap::new()).await?;
    whole(&response)?;
    let mut second = receive(ask, response).await?;
    second.restarted = restarted;
    match objection(&second) {
        Some(why) if second.body.sha256 != sha256 => Err(refused(ask, *second, &why)),
        _ => Ok(second),
    }
}

/// True for a body that a second answer may confirm: it came whole by its stated length, and is proved by its own structure or
/// goes on where the file here ends. Any other may be a cut one or a message of an error, which a server would send again. A
/// file that is listed with another length than here is not held against the one here at all.
async fn may_be_a_new_version(kept: &FileLine, fetched: &Fetched) -> Result<bool, FailedFetch> {
    if fetched.resumed_bytes > 0 || fetched.validators.total != Some(fetched.body.bytes) {
        return Ok(false);
    }
    let is_proved = matches!(fetched.body.checked, Checked::Structure | Checked::Checksum);
    Ok(is_proved || goes_on_after(kept, fetched).await?)
}

/// True for a body that begins with all bytes of the file here.
async fn goes_on_after(kept: &FileLine, fetched: &Fetched) -> Result<bool, FailedFetch> {
    let (Some(here), Some(sha256)) = (kept.bytes, kept.sha256) else { return Ok(false) };
    if fetched.body.bytes <= here {
        return Ok(false);
    }
    let file = fetched.staged.file().try_clone();
    let first = move || -> std::io::Result<Digest> {
        let (mut file, mut hasher) = (file?, Hasher::default());
        file.rewind()?;
        let (mut left, mut buffer) = (file.take(here), vec![0; 256 * 1024]);
        loop {
            match left.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(&buffer[..read]),
            }
        }
    };
    let found = tokio::task::spawn_blocking(first).await;
    let found = found.map_err(|e| Failure::new(Class::Storage, format!("a reader died: {e}")))?;
    let failed = |e| Failure::new(Class::Storage, format!("cannot read what came: {e}"));
    Ok(found.map_err(failed)? == sha256)
}

/// The failure of a body that contradicts the file here.
fn refused(ask: &Ask<'_>, fetched: Fetched, why: &str) -> FailedFetch {
    let message = format!("`{}`: {why}", crate::untrusted::escape(ask.file.url.path()));
    let Fetched { staged, restarted, .. } = fetched;
    FailedFetch { body: Some(staged), restarted, was_there: true, ..Failure::new(Class::Protocol, message).into() }
}
