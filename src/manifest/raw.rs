//! The manifest as typed: its keys, what each may hold, and the schema that follows from it.
//!
//! These types are the one place that lists the keys: the reader and `schemas/job.schema.json` both come from them.
//! What it does not do: fill in defaults, or check one key against another; `resolve` does.

mod conditions;
mod quality;
mod range;
mod scalar;
mod source;

use schemars::JsonSchema;
use serde::Deserialize;

use super::spanned::Typed;
pub(super) use conditions::{Condition, Conditions};
pub(super) use quality::Quality;
pub(super) use range::Range;
pub(super) use scalar::{
    Attempts, Bandwidth, BaseUrl, Component, Concurrency, Date, Day, Email, Harpnum, HeaderName, Host, Keyword, Mask,
    Noaa, Parameter, Pattern, Port, PositiveSpan, Rate, Reason, RemoteName, Seed, Sensitive, SeriesName, Span, Switch,
    Text, TimedName, TimedPath, TimedTemplate, Version, Wavelength, control,
};
pub(super) use source::{Basic, Export, Headers, Index, Method, Pick, Protocol, Reach, Source, Template, Tunnel};

/// A sunhaul job: which series over which dates go into which archive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "sunhaul job")]
pub(super) struct Job {
    /// The version of this form.
    #[schemars(example = 1)]
    pub(super) version: Typed<Version>,
    /// The job's name: part of the User-Agent and of every record.
    #[schemars(example = "sharp-december-2015")]
    pub(super) name: Typed<Component>,
    /// An e-mail address, sent as `From` to the sources. Needed for public archives. `${NAME}` is replaced.
    #[schemars(example = "jane@example.org")]
    #[serde(default)]
    pub(super) contact: Typed<Text>,
    /// Where the series are; a series may have its own.
    #[schemars(example = serde_json::json!({ "hmi": { "url": "http://localhost:8001" } }))]
    #[serde(default)]
    pub(super) source: Typed<Source>,
    /// The dates of all series; a series may have its own. Or active regions, in whose time it has records.
    #[schemars(example = serde_json::json!({ "start": "2015-12-11", "end": "2015-12-14" }))]
    #[schemars(example = serde_json::json!({ "noaa": 11158, "margin": "12h" }))]
    #[serde(default)]
    pub(super) range: Typed<Range>,
    /// The series to fetch.
    #[schemars(example = serde_json::json!([{ "name": "sharp_720s" }]), length(min = 1))]
    pub(super) series: Typed<Vec<Typed<Series>>>,
    /// Where the files go.
    #[schemars(example = serde_json::json!({ "root": "../data/sharp" }))]
    pub(super) archive: Typed<Archive>,
    /// Limits of this job. They lower what a host's preset allows; on private hosts they may raise it.
    #[schemars(example = serde_json::json!({ "requests": "4/s", "bandwidth": "20 MiB/s", "concurrency": 4 }))]
    #[serde(default)]
    pub(super) limits: Typed<Limits>,
    /// How a failed request is tried again.
    #[schemars(example = serde_json::json!({ "attempts": 6, "max_wait": "2m" }))]
    #[serde(default)]
    pub(super) retry: Typed<Retry>,
    /// How long a silent peer is waited for.
    #[schemars(example = serde_json::json!({ "connect": "10s", "stall": "30s" }))]
    #[serde(default)]
    pub(super) timeouts: Typed<Timeouts>,
    /// How old a day's end must be to count as final; a younger day is fetched and stays provisional.
    ///
    /// Default: what the data takes to come, by its name: 45d for definitive series of HMI and MDI (`hmi.*`, `mdi.*`,
    /// `sharp_*`), `aia.lev1*` and all else of `jsoc`; 14d for synoptic images of AIA; 3d for `*_nrt` and the rest. A day
    /// with no file at all is final after 90d, or after `settle` where that is longer.
    #[schemars(example = "3d")]
    #[serde(default)]
    pub(super) settle: Typed<Span>,
    /// Which checks a file must pass. Its length is always checked. Default: all of them.
    #[schemars(example = ["size", "fits", "magic"])]
    #[serde(default)]
    pub(super) verify: Typed<Vec<Typed<Check>>>,
    /// How much of the archive the job's lock names.
    #[schemars(example = serde_json::json!({ "detail": "files" }))]
    #[serde(default)]
    pub(super) lock: Typed<JobLock>,
    /// When two versions of a file count as the same one. Default: bytes.
    #[schemars(example = &"fits-data")]
    #[serde(default)]
    pub(super) identity: Typed<Identity>,
    /// Files that are bad at their source: where one fails for good, its day is sealed without it.
    #[schemars(example = serde_json::json!([
        { "series": "cea", "day": "2015-12-12", "file": "*.Bt.fits", "reason": "truncated at the source" }
    ]))]
    #[serde(default)]
    pub(super) accept: Typed<Vec<Typed<Accept>>>,
}

/// One series.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline, extend("oneOf" = [{ "required": ["name"] }, { "required": ["prefer"] }]))]
pub(super) struct Series {
    /// The source's name for the series.
    #[schemars(example = "hmi.sharp_cea_720s")]
    #[serde(default)]
    pub(super) name: Typed<SeriesName>,
    /// Several series in order of preference, in place of `name`: each slot (`T_REC`) that a series has no record for is taken
    /// from the next one. JSOC alone, without `export` and `harpnum`.
    #[schemars(example = ["hmi.sharp_cea_720s", "hmi.sharp_cea_720s_nrt"], length(min = 2))]
    #[serde(default)]
    pub(super) prefer: Typed<Vec<Typed<SeriesName>>>,
    /// The id under which its files and records are kept, when the name is taken already. Default: the name.
    #[schemars(example = &"cea")]
    #[serde(rename = "as", default)]
    pub(super) id: Typed<Component>,
    /// Where this series is, when it is not where the others are.
    #[schemars(example = serde_json::json!({ "embedded": {} }))]
    #[serde(default)]
    pub(super) source: Typed<Source>,
    /// The dates of this series, when they are not those of the others.
    #[schemars(example = serde_json::json!({ "start": "2015-12-11", "end": "today-3d" }))]
    #[serde(default)]
    pub(super) range: Typed<Range>,
    /// Where the files of this series go, when not where `archive.layout` says.
    #[schemars(example = "{series}/{date:%Y/%m}/{file}")]
    #[serde(default)]
    pub(super) layout: Typed<Text>,
    /// Only these segments.
    #[schemars(example = ["Br", "Bp", "Bt"], length(min = 1))]
    #[serde(default)]
    pub(super) segments: Typed<Vec<Typed<RemoteName>>>,
    /// Only these active regions (HARP numbers).
    #[schemars(example = [377], length(min = 1))]
    #[serde(default)]
    pub(super) harpnum: Typed<Vec<Typed<Harpnum>>>,
    /// Only these active regions (NOAA numbers). JSOC alone.
    #[schemars(example = [11158], length(min = 1))]
    #[serde(default)]
    pub(super) noaa: Typed<Vec<Typed<Noaa>>>,
    /// Only these wavelengths, in Angstrom.
    #[schemars(example = [171, 193], length(min = 1))]
    #[serde(default)]
    pub(super) wavelength: Typed<Vec<Typed<Wavelength>>>,
    /// Only records of this QUALITY: `good`, which is below 65536; a mask of bits that must not be set; or `any`, the default.
    ///
    /// Of HMI's records, bits up to 0x8000 are remarks, 0x10000 says that they were made in poor conditions, and those from
    /// 0x20000 on that there is no data. `good` is what papers use: it leaves out the last two kinds.
    #[schemars(example = &"good", example = serde_json::json!({ "none_of": 0xffff_0000_u32 }))]
    #[serde(default)]
    pub(super) quality: Typed<Quality>,
    /// Only records whose slot is a multiple of this; nothing is interpolated.
    #[schemars(example = "1h")]
    #[serde(default)]
    pub(super) cadence: Typed<PositiveSpan>,
    /// Only records whose keywords match: a value, a range `a..b` with both ends, or `none_of` with a mask of bits; or one
    /// text, `[? ... ?]`, in JSOC's own words. To its database a number that is missing is greater than all others, so that
    /// `[? USFLUX > 1e22 ?]` has the records that lack it as well; a range `a..b` has not. JSOC alone.
    #[schemars(example = serde_json::json!({ "USFLUX": "1e21..1e23", "LON_FWT": "-70..70" }))]
    #[serde(rename = "where", default)]
    pub(super) conditions: Typed<Conditions>,
    /// What is kept of each record: its files, a table of its keywords a day, or both. Default: files; of JSOC both, since
    /// its files hold hardly any keywords.
    #[schemars(example = &"both")]
    #[serde(default)]
    pub(super) fetch: Typed<Fetch>,
    /// What the files have in their headers: what they come with, or the keywords of their record as well. Default: as-is. JSOC
    /// alone, whose files hold hardly any keywords: `embed` makes files that need no table beside them.
    #[schemars(example = &"embed")]
    #[serde(default)]
    pub(super) headers: Typed<HeadersForm>,
    /// The keywords of that table. Default: all that the source tells.
    #[schemars(example = ["USFLUX", "TOTUSJH", "AREA_ACR"], length(min = 1))]
    #[serde(default)]
    pub(super) keywords: Typed<Vec<Typed<Keyword>>>,
}

/// What is kept of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Fetch {
    /// Its files.
    Files,
    /// Its keywords.
    Keywords,
    /// Both.
    Both,
}

/// What files have in their headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum HeadersForm {
    /// What they come with.
    AsIs,
    /// The keywords of their record as well.
    Embed,
}

/// Where the files go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Archive {
    /// The archive's folder. A relative path starts at the manifest's folder. `${NAME}` is replaced.
    #[schemars(example = "../data/sharp")]
    pub(super) root: Typed<Text>,
    /// Where each file goes below the root. Default: `{series}/{date:%Y/%m/%d}/{file}`.
    #[schemars(example = "{series}/{date:%Y/%m/%d}/{file}")]
    #[serde(default)]
    pub(super) layout: Typed<Text>,
    /// How a day is locked against other processes: `none` for filesystems without locks. Default: flock.
    #[schemars(example = &"flock")]
    #[serde(default)]
    pub(super) lock: Typed<Lock>,
}

/// How a day is locked against other processes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Lock {
    /// A lock on the day's journal.
    Flock,
    /// No lock.
    None,
}

/// Limits of this job.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Limits {
    /// Requests per time to one host: `4/s`, `200/min` or `unlimited`.
    #[schemars(example = "4/s")]
    #[serde(default)]
    pub(super) requests: Typed<Rate>,
    /// Bytes per second from one host: `20 MiB/s` or `unlimited`.
    #[schemars(example = "20 MiB/s")]
    #[serde(default)]
    pub(super) bandwidth: Typed<Bandwidth>,
    /// Connections to one host, 1 to 256.
    #[schemars(example = 4)]
    #[serde(default)]
    pub(super) concurrency: Typed<Concurrency>,
    /// Who of a public host agreed to more than its preset, and when; goes into the report.
    #[schemars(example = "M. Example, 2026-01-08")]
    #[serde(default)]
    pub(super) agreed_with: Typed<Text>,
}

/// How a failed request is tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Retry {
    /// Attempts in all, 1 to 100. Default: 6.
    #[schemars(example = 6)]
    #[serde(default)]
    pub(super) attempts: Typed<Attempts>,
    /// The longest single wait, even when the host asks for more. Default: 2m.
    #[schemars(example = "2m")]
    #[serde(default)]
    pub(super) max_wait: Typed<PositiveSpan>,
}

/// How long a silent peer is waited for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Timeouts {
    /// For a connection. Default: 10s.
    #[schemars(example = "10s")]
    #[serde(default)]
    pub(super) connect: Typed<PositiveSpan>,
    /// For an answer to begin, and for each next piece of it. Default: 30s.
    #[schemars(example = "30s")]
    #[serde(default)]
    pub(super) stall: Typed<PositiveSpan>,
}

/// A check that a file must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Check {
    /// The exact length; always checked.
    Size,
    /// The structure and checksums of FITS files: of every file that begins as one, whatever its name, also within a
    /// compressed stream that is read; and files named `.fits .fts .fit` must be FITS.
    Fits,
    /// The first bytes of files whose ending is known: `.gz .tgz .z .bz2 .xz .zst .zip .fz .cdf .nc .h5 .hdf5 .hdf .sav .png
    /// .jpg .jpeg .jp2 .pdf`. Whatever its name, what begins as gzip, bzip2 or xz is read to the end of the stream, what
    /// begins as CDF, HDF5 or netCDF must be as long as it states, and what begins as ZIP or tar must not be cut.
    Magic,
}

/// The job's lock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct JobLock {
    /// What it names: every file, days alone, or files up to 50,000 of them and then days. Default: auto.
    #[schemars(example = &"day")]
    #[serde(default)]
    pub(super) detail: Typed<Detail>,
}

/// What a lock names.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Detail {
    /// Files up to 50,000 of them, then days alone.
    Auto,
    /// Every file.
    Files,
    /// Days alone.
    Day,
}

/// When two versions of a file count as the same one.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum Identity {
    /// When every byte is the same.
    Bytes,
    /// When they are the same record, and the data of each HDU and the header cards are the same but for those that tell when
    /// and how a file was written.
    FitsData,
}

/// Files of one day that may be missing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Accept {
    /// The id of their series.
    #[schemars(example = &"cea")]
    pub(super) series: Typed<Component>,
    /// Their day.
    #[schemars(example = &"2015-12-12")]
    pub(super) day: Typed<Day>,
    /// Their name, with `*` and `?`; with a `/` in it, their path below the archive's root.
    #[schemars(example = "*.Bt.fits")]
    pub(super) file: Typed<Pattern>,
    /// Why they may be missing; goes into the record and the lock.
    #[schemars(example = "truncated at the source, told 2026-01-08")]
    pub(super) reason: Typed<Reason>,
}
