//! sunhaul: manifests in git become verified, reproducible archives of solar data.
//!
//! # Glossary
//!
//! - *series*: what a source lists under one name; in a job it has an id. *Day*: one calendar day of a series, in the source's
//!   own time scale. It is the unit of planning, listing, downloading and sealing.
//! - *label*: a time as the source's own key tells it, in UTC or TAI. It is never converted. *Slot*: the nominal time of a
//!   record in a series of regular cadence.
//! - *key*: the name of a file at its source, within its day and without the host.
//! - *spec*: the digest of what the manifest asks of a day. A day whose record has another spec is *stale*.
//! - *day record*: the file in `.sunhaul/days` about a finished day. *Sealed*: final. *Provisional*: complete, but too recent to
//!   be final, so that the next run looks at it again.
//! - *journal*: the write-ahead log of a day in progress. Its file lock is the lock of the day.
//! - *partial file*: a body that has not arrived completely; the next attempt resumes it.
//! - *staged file*: a complete body that passed its checks and has no name yet. *To publish*: to give it its final name, in one
//!   step.
//! - *quarantine*: where bodies lie that failed a check. *Retired*: where files lie that left the archive.
//! - *preexisting*: a file that was at its path before sunhaul. It is the user's, and is neither moved nor deleted.
//! - *shared paths*: paths that a layout can give to more than one day.
//! - *lock*: `x.lock` beside `x.yaml`, what every file of the job must be. *Lock policy*: how a run holds to it: honour it, add
//!   nothing (`--locked`), or take it alone (`--frozen`).
//! - *host limits*: the requests, connections and bytes that the hosts of one operator get, all runs of a command together.
//! - *validator*: an `ETag` or `Last-Modified`. *Restamped*: a file written again with the same data.
//! - *absent*: listed or expected, and not to be had upstream. *Accepted*: absent because the manifest says so under `accept`.
//!
//! # Layout of the source
//!
//! ```text
//! manifest.yaml -> Manifest -> Plan (days still to do)
//!                                | for each day, several days at once
//!                                v
//!       Source.list(day) -> [RemoteFile] -> fetch each (rate limit, retry, resume, hash while writing, check)
//!                                |                         |
//!                                |                         v
//!                                |             journal line -> Archive publishes (atomic)
//!                                v
//!                  seal the day -> day record -> report
//! ```
//!
//! | folder | holds |
//! |---|---|
//! | [`cli`] | one file per command; the clock, the environment, standard output, exit codes, the pages of help |
//! | [`report`] | the report of a run, and the same facts for terminals, CI services and mail |
//! | [`export`] | checksums and catalogues from the day records: sums, `BagIt`, `RO-Crate`, CSV |
//! | [`service`] | a server of the HMI API: over a folder of FITS files, or with synthetic data |
//! | [`run`] | the scheduler, `run/day` for one day and its files, `run/import` for `adopt`, events |
//! | [`source`] | where files are: the trait, and one file or folder per kind. Sources list, and never download |
//! | [`lock`] | what every file of a job must be: read, compared, written |
//! | [`fetch`] | one remote file into one staged file: resume, receive, verify |
//! | [`net`] | the only way to the network: client, rate limits, redirects, retries, tunnels |
//! | [`archive`] | layout, partial files, publishing, journal and day record, audit. Nothing else writes under the root |
//! | [`plan`] | manifest, records and one instant -> days to do; pure |
//! | [`fits`] | structure, checksums, keywords and telling names of a FITS file |
//! | [`manifest`] | what a job asks for: raw form, model, diagnostics, schema |
//! | [`day`], [`digest`], [`untrusted`], [`secret`], [`failure`] | time labels, hashes, foreign text, secrets, failure classes |
//!
//! Imports go one way: cli -> report, export, service -> run -> source, fetch, lock -> net, archive, plan, fits ->
//! manifest -> day, digest, untrusted, secret, failure. A test reads them and fails on an import that goes up. `run` emits
//! events and knows no reporter.
//!
//! # Invariants
//!
//! 1. A file has its final name only when it is whole and has passed every check, in one atomic step. Nothing of the
//!    user's is ever deleted or replaced.
//! 2. The journal line of a file is written before the file gets its name.
//! 3. A day record gets its name only when the data and the names of its files are on stable storage.
//! 4. The same manifest against the same upstream gives the same bytes at the same paths and the same digests, whatever
//!    was interrupted and in whatever order.
//! 5. Every expected day and file is accounted for.
//! 6. What a server sends is data: no path until the layout has made it one, no text shown unescaped.
//! 7. No request leaves without passing its host's rate limiter; no secret goes to an origin it was not given for.
//! 8. Memory follows the days in progress, not the job.

pub mod archive;
pub mod cli;
pub mod day;
pub mod digest;
pub mod export;
pub mod failure;
pub mod fetch;
pub mod fits;
pub mod lock;
pub mod manifest;
pub mod net;
pub mod plan;
pub mod report;
pub mod run;
pub mod secret;
pub mod service;
pub mod source;
pub mod untrusted;
