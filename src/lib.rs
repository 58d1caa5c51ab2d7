//! sunhaul: manifests in git become verified, reproducible archives of solar data.
//!
//! # The map of the house
//!
//! The day is the unit of everything: it is planned, listed, fetched, then sealed into one small file, its day record.
//!
//! ```text
//! manifest.yaml -> Manifest -> Plan (days still to do)
//!                                | for each day, several days in flight
//!                                v
//!       Source.list(day) -> [RemoteFile] -> fetch each (pace, retry, resume, hash while writing, check)
//!                                |                         |
//!                                |                         v
//!                                |             journal line -> Archive publishes (atomic)
//!                                v
//!                  seal the day -> day record -> report
//! ```
//!
//! | room | holds |
//! |---|---|
//! | [`cli`] | one file a command; the clock, the environment, standard output, exit codes |
//! | [`report`] | the report of a run, and the same facts on a terminal, for CI services and for a mail |
//! | [`export`] | proof and catalogue without sunhaul, from the day records: sums, a bag, a crate, a table |
//! | [`service`] | the HMI API served: over a folder of FITS files, or synthetic data |
//! | [`run`] | the scheduler, the life of a day and of a file, events |
//! | [`source`] | where files are: the trait, and one file per kind. Sources list, and never download |
//! | [`lock`] | what every file of a job must be: read, proved, moved on |
//! | [`fetch`] | one remote file into one staged body: resume, receive, check |
//! | [`net`] | the one door to the network: client, pace, redirects, retries |
//! | [`archive`] | layout, parts, publishing, journal and day record, their audit. Nothing else writes under the root |
//! | [`plan`] | manifest + records + instant -> days to do; pure |
//! | [`fits`] | structure, checksums, keywords and telling names of a FITS file |
//! | [`manifest`] | what a job asks for: form, model, diagnostics, schema |
//! | [`day`], [`digest`], [`untrusted`], [`secret`], [`failure`] | the ground: time labels, hashes, foreign text, secrets, classes of failure |
//!
//! Imports go one way: cli -> report, export, service -> run -> source, fetch, lock -> net, archive, plan, fits ->
//! manifest -> day, digest, untrusted, secret, failure. A test reads them and fails on an arrow that goes up. `run` emits
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
//! 7. No request leaves without passing its host's pace; no secret goes to an origin it was not given for.
//! 8. Memory follows the days in flight, not the job.

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
