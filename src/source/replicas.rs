//! A source with its replicas: one is asked, and the next when it cannot be reached through all attempts.
//!
//! Keys, names and digests are the same from each. It does not retry; the caller does.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use url::Url;

use super::url_scope::{UP, from_base};
use super::{Listed, Listing, Memory, RegionLookup, RemoteFile, Source, open};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{Manifest, RegionNumber, Series};
use crate::net::{Client, Net, is_below, shown};

/// One series' source, opened at every place that has it.
pub struct Replicas {
    all: Vec<Replica>,
    /// The one that is asked now. It only ever moves on: who could not be reached is not asked again in this run.
    current: AtomicUsize,
}

/// The source at one place.
pub struct Replica {
    name: Arc<str>,
    client: Client,
    source: Box<dyn Source>,
}

impl Replicas {
    /// Opens the source of `series` at each of `bases`.
    ///
    /// # Errors
    /// `source-refused` when there is no place to ask, or one cannot be talked to as the manifest says.
    pub fn open(net: &Net, job: &Manifest, series: &Series, bases: &[Url], run: &str) -> Result<Replicas, Failure> {
        let replica = |base: &Url| {
            let client = net.open(job, &series.source, base, run)?;
            Ok(Replica { name: client.host_name().into(), source: open(series, base, client.clone()), client })
        };
        let all: Vec<Replica> = bases.iter().map(replica).collect::<Result<_, Failure>>()?;
        if all.is_empty() {
            return Err(Failure::new(Class::SourceRefused, format!("no address is known for `{}`", series.id)));
        }
        Ok(Replicas { all, current: AtomicUsize::new(0) })
    }

    /// The same for a run that asks for the very files of a lock: what was allowed when it was made is not asked again of any
    /// `robots.txt`.
    #[must_use]
    pub fn for_locked_files(self) -> Replicas {
        let all = self.all.into_iter();
        Replicas { all: all.map(|one| Replica { client: one.client.beyond_robots(), ..one }).collect(), ..self }
    }

    /// The replica that is asked now.
    #[must_use]
    pub fn current(&self) -> &Replica {
        let current = self.current.load(Ordering::Relaxed).min(self.all.len() - 1);
        &self.all[current]
    }

    /// Why no replica gets any more requests in this run, when that is so.
    #[must_use]
    pub fn given_up(&self) -> Option<Failure> {
        let current = self.current();
        // A day that finds its replica given up moves on from it.
        self.all.last().filter(|last| std::ptr::eq(*last, current))?.client.given_up()
    }

    /// True when a failure shows that a replica cannot be had, and another is left.
    #[must_use]
    pub fn may_leave(&self, replica: &Replica, failure: &Failure) -> bool {
        let is_gone = match failure.class {
            Class::Unreachable | Class::Stalled | Class::ServerError | Class::HostGivenUp => true,
            // With Retry-After a 503 is one as well; a host that asks for fewer requests (429) is there, unless for too long.
            Class::Throttled => failure.status.is_some_and(|status| status >= 500),
            _ => false,
        };
        is_gone && self.index_of(replica).is_some_and(|index| index + 1 < self.all.len())
    }

    /// Moves on from a replica that cannot be had. True when there is another to ask, which may be so because somebody
    /// else moved on already.
    pub fn leave(&self, replica: &Replica, failure: &Failure) -> bool {
        let Some(index) = self.index_of(replica).filter(|_| self.may_leave(replica, failure)) else { return false };
        let moved = self.current.compare_exchange(index, index + 1, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() {
            let (from, to) = (shown(replica.client.base()), shown(self.all[index + 1].client.base()));
            tracing::warn!("{from} is not available; using {to} from now on");
        }
        true
    }

    fn index_of(&self, replica: &Replica) -> Option<usize> {
        self.all.iter().position(|one| std::ptr::eq(one, replica))
    }

    /// A file as `replica` has it, whichever listed it.
    #[must_use]
    pub fn on<'f>(&self, replica: &Replica, file: &'f RemoteFile) -> Cow<'f, RemoteFile> {
        let own = replica.client.base();
        if self.all.len() == 1 {
            return Cow::Borrowed(file);
        }
        // The path below the base is the same at each replica.
        if file.path.starts_with(UP) {
            return from_base(own, &file.path).map_or(Cow::Borrowed(file), |mut url| {
                url.set_query(file.url.query());
                Cow::Owned(RemoteFile { url, ..file.clone() })
            });
        }
        if is_below(own, &file.url) {
            return Cow::Borrowed(file);
        }
        // A file on a further host has the same address from each replica.
        let Some(listed) = self.all.iter().map(|one| one.client.base()).find(|base| is_below(base, &file.url)) else {
            return Cow::Borrowed(file);
        };
        let mut url = own.clone();
        url.set_path(&format!("{}{}", own.path(), &file.url.path()[listed.path().len()..]));
        url.set_query(file.url.query());
        Cow::Owned(RemoteFile { url, ..file.clone() })
    }
}

impl Replica {
    /// Lists a day: a listing of other days alone is none. What a failure tells holds no secret, though the service may have repeated what it was sent.
    #[must_use]
    pub fn list<'a>(&'a self, series: &'a Series, day: &'a Day, memory: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(async move {
            let listed = self.source.list(series, day, memory).await.and_then(|listed| listed.of_its_day(day));
            listed.and_then(|listed| self.without_secrets(listed)).map_err(|failure| self.client.veiled(failure))
        })
    }

    /// What the source has of active regions. What a failure tells holds no secret.
    #[must_use]
    pub fn regions<'a>(
        &'a self,
        series: &'a Series,
        wanted: &'a [RegionNumber],
        with_windows: bool,
    ) -> RegionLookup<'a> {
        let found = self.source.regions(series, wanted, with_windows);
        Box::pin(async move { found.await.map_err(|failure| self.client.veiled(failure)) })
    }

    /// A listing none of whose files repeats a secret of this source where a record, a lock or a path would keep it.
    fn without_secrets(&self, listed: Listed) -> Result<Listed, Failure> {
        let repeats = |file: &&RemoteFile| {
            let kept = [Some(&file.key), Some(&file.path), file.name.as_ref(), file.segment.as_ref()];
            kept.into_iter().flatten().any(|text| self.client.has_secret_in_address(text))
        };
        if !listed.files.iter().any(|file| repeats(&file)) {
            return Ok(listed);
        }
        let why = "the listing repeats a secret of the source in the address of a file, and a record would keep it; give the \
                   source another secret, or ask those who run the service for addresses without it";
        Err(Failure::new(Class::SourceRefused, format!("{}: {why}", shown(self.client.base()))))
    }

    /// Its host and port, as a report names them.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}
