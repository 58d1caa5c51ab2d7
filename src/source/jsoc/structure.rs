//! What a series consists of, as `series_struct` tells: prime keys, keywords, segments, and where it begins.

use chrono::{NaiveDateTime, TimeDelta};
use serde::Deserialize;

use super::known_series;
use super::response::{Loose, accepted};
use super::slot;
use super::text::parse;
use crate::failure::{Class, Failure};
use crate::manifest::cadence;
use crate::manifest::suggest_word::nearest;
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// The key that the days of a series are cut by, where it has it.
const T_REC: &str = "T_REC";

/// Longer names are no segment's: JSOC's own limit is lower.
const LONGEST: usize = 100;

/// A series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure {
    /// The prime keys, in the order that a record set has them.
    pub(super) prime: Vec<String>,
    /// The one of them that is a time.
    pub(super) time: String,
    /// Seconds from one slot of it to the next; none where it has no slots, or no whole seconds.
    pub(super) step: Option<i64>,
    /// The keywords.
    pub(super) keywords: Vec<SeriesKeyword>,
    /// The names of the segments.
    pub(super) segments: Vec<String>,
    /// Those of them whose files are of a record of another series.
    pub(super) linked: Vec<String>,
    /// The first record, as it is asked for alone.
    pub(super) first: Option<String>,
}

/// A keyword of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SeriesKeyword {
    /// Its name; of one that each segment has, the part before the segment's number.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: String,
    /// Its unit.
    pub(super) unit: String,
    /// What a record has where nobody set a value.
    pub(super) default: String,
    /// What it means.
    pub(super) note: String,
    /// Each segment has its own: `CRPIX1_000` of `CRPIX1`.
    is_per_segment: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StructureBody {
    status: Option<Loose>,
    error: Option<Loose>,
    primekeys: Vec<Loose>,
    primekeysinfo: Vec<Option<Prime>>,
    keywords: Vec<KeywordBody>,
    segments: Vec<SegmentBody>,
    #[serde(rename = "Interval")]
    interval: Option<Interval>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prime {
    name: Loose,
    step: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeywordBody {
    name: Loose,
    #[serde(rename = "type")]
    kind: Loose,
    units: Loose,
    defval: Loose,
    note: Loose,
    recscope: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SegmentBody {
    name: Loose,
    protocol: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Interval {
    #[serde(rename = "FirstRecord")]
    first: Loose,
}

impl Structure {
    /// Reads the answer to `series_struct`, asked for the series of this name.
    ///
    /// # Errors
    /// `source-refused` with JSOC's own words, or for a series that no day can be cut from; `html` and `listing-malformed`
    /// for what is no answer.
    pub(super) fn of_series(name: &str, answer: &[u8]) -> Result<Structure, Failure> {
        let answer: StructureBody = parse(answer)?;
        accepted(answer.status.as_ref(), answer.error.as_ref()).map_err(|failure| match failure.class {
            // It describes every series that it has.
            Class::SourceRefused => {
                Failure { message: format!("{}; {}", failure.message, known_series::advice(name)), ..failure }
            }
            _ => failure,
        })?;
        let prime: Vec<String> = answer.primekeys.into_iter().map(|key| key.0).filter(|key| !key.is_empty()).collect();
        let keywords: Vec<SeriesKeyword> = answer.keywords.into_iter().map(SeriesKeyword::from).collect();
        let is_time = |key: &&String| keywords.iter().any(|known| known.name == **key && known.kind == "time");
        let time = prime.iter().find(|key| *key == T_REC).or_else(|| prime.iter().find(is_time)).cloned();
        let Some(time) = time else {
            let why = format!(
                "no day can be cut from a series without a time among its prime keys, which are {}",
                escape(&if prime.is_empty() { "none".to_owned() } else { prime.join(", ") })
            );
            return Err(Failure::new(Class::SourceRefused, why));
        };
        let step = answer.primekeysinfo.iter().flatten().find(|info| info.name.0 == time);
        // `jsoc_info.c:1766-1772`
        let linked = answer.segments.iter().filter(|segment| segment.protocol.0.starts_with("link via "));
        let linked = linked.map(|segment| segment.name.0.clone()).collect();
        let segments = answer.segments.into_iter().map(|segment| segment.name.0).filter(|name| !name.is_empty());
        let segments: Vec<String> = segments.collect();
        if segments.iter().any(|name| name.len() > LONGEST) {
            return Err(malformed(&format!("a segment's name is longer than {LONGEST} bytes")));
        }
        let first = answer.interval.map(|interval| interval.first.0).filter(|first| first.contains('['));
        Ok(Structure {
            step: step.and_then(|info| seconds(&info.step.0)),
            prime,
            time,
            keywords,
            segments,
            linked,
            first,
        })
    }

    #[cfg(test)]
    pub(super) fn read(answer: &[u8]) -> Result<Structure, Failure> {
        Structure::of_series("hmi.sharp_cea_720s", answer)
    }

    /// The keyword of this name, or of the name that a segment's own one has.
    pub(super) fn keyword(&self, name: &str) -> Option<&SeriesKeyword> {
        self.keywords.iter().find(|known| known.is(name))
    }

    /// True when the series has this keyword.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keyword(name).is_some()
    }

    /// True for a keyword whose values are times.
    pub(super) fn is_time(&self, name: &str) -> bool {
        name == self.time || self.keyword(name).is_some_and(|known| known.kind == "time")
    }

    /// The place of a keyword in the series; the last one for a name that it does not have.
    pub(super) fn place(&self, name: &str) -> usize {
        self.keywords.iter().position(|known| known.is(name)).unwrap_or(usize::MAX)
    }

    /// The number of the segment that a keyword is of by its own name alone, such as `BUNIT_000`: one that is linked to a
    /// keyword of each segment is not marked as such (`jsoc_info.c:1625`).
    pub(super) fn numbered_segment(&self, name: &str) -> Option<usize> {
        let (base, number) = name.rsplit_once('_')?;
        let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        let nth: usize = number.parse().ok().filter(|_| is_number && !base.is_empty())?;
        (nth < self.segments.len() && !self.has(base)).then_some(nth)
    }

    /// The keyword of this name.
    ///
    /// # Errors
    /// `source-refused`, with the nearest one that the series has.
    pub(super) fn require(&self, series: &str, name: &str) -> Result<&SeriesKeyword, Failure> {
        let known = self.keywords.iter().map(|known| known.name.as_str());
        self.keyword(name).ok_or_else(|| unknown(series, "keyword", name, known))
    }

    /// Checks that the series has a segment.
    ///
    /// # Errors
    /// `source-refused`, with the nearest one that it has.
    pub(super) fn require_segment(&self, series: &str, name: &str) -> Result<(), Failure> {
        if self.segments.iter().any(|segment| segment == name) {
            return Ok(());
        }
        Err(unknown(series, "segment", name, self.segments.iter().map(String::as_str)))
    }

    /// The prime keys of a record set, each with its value: `[377][2011.02.15_00:00:00_TAI/1d]`. Empty ones at the end are
    /// left out.
    pub(super) fn keys(&self, value: impl Fn(&str) -> String) -> String {
        let mut keys: Vec<String> = self.prime.iter().map(|key| value(key)).collect();
        while keys.last().is_some_and(String::is_empty) {
            keys.pop();
        }
        keys.iter().flat_map(|key| ["[", key.as_str(), "]"]).collect()
    }

    /// How far apart the records of a series are: by its slots, else by its name.
    pub(super) fn spacing(&self, series: &str) -> TimeDelta {
        let by_name = || i64::try_from(cadence::step(series)).unwrap_or(1);
        TimeDelta::seconds(self.step.unwrap_or_else(by_name))
    }

    /// When the series begins, as far as its first record tells.
    pub(super) fn begins(&self) -> Option<NaiveDateTime> {
        let first = self.first.as_deref()?;
        first.split(['[', ']']).find_map(slot::time)
    }
}

impl SeriesKeyword {
    /// The number of the segment whose own keyword of this name is.
    pub(super) fn segment_of(&self, name: &str) -> Option<usize> {
        let number =
            name.rsplit_once('_').map(|(_, number)| number).filter(|_| self.is_per_segment && self.name != name);
        number?.parse().ok()
    }

    fn is(&self, name: &str) -> bool {
        let own = || {
            let (base, number) = name.rsplit_once('_')?;
            let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && base == self.name).then_some(())
        };
        self.name == name || (self.is_per_segment && own().is_some())
    }
}

impl From<KeywordBody> for SeriesKeyword {
    fn from(keyword: KeywordBody) -> SeriesKeyword {
        let KeywordBody { name, kind, units, defval, note, recscope } = keyword;
        let is_per_segment = recscope.0 == "segment";
        SeriesKeyword { name: name.0, kind: kind.0, unit: units.0, default: defval.0, note: note.0, is_per_segment }
    }
}

/// A step such as `720.0` or `720.000000 secs`, in whole seconds.
fn seconds(step: &str) -> Option<i64> {
    let step: f64 = step.split_whitespace().next()?.parse().ok()?;
    let is_whole = step.fract() == 0.0 && (1.0..=31_536_000.0).contains(&step);
    #[expect(clippy::cast_possible_truncation, reason = "whole, and at most a year")]
    is_whole.then_some(step as i64)
}

fn unknown<'a>(series: &str, what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let near = nearest(name, known.clone()).map(|near| format!("; did you mean `{}`?", escape(near)));
    let near = near.unwrap_or_else(|| {
        let all = known.collect::<Vec<_>>().join(", ");
        format!("; it has {}", escape(if all.is_empty() { "none" } else { &all }))
    });
    let why = format!("by JSOC's `series_struct`, `{}` has no {what} `{}`{near}", escape(series), escape(name));
    Failure::new(Class::SourceRefused, why)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What JSOC tells of a series of patches, with a few of its keywords.
    pub(in crate::source::jsoc) const SHARP: &str = r#"{"note":"Spaceweather HMI Active Region Patch (SHARP): CEA","retention":10,"unitsize":1,"archive":1,
"tapegroup":1,"primekeys":["HARPNUM","T_REC"],"primekeysinfo":[{"name":"HARPNUM","slotted":0},{"name":"T_REC","slotted":1,"step":"720.0"}],
"dbindex":["HARPNUM","T_REC_index","NOAA_AR"],
"keywords":[{"name":"HARPNUM","type":"int","recscope":"variable","defval":"-2147483648","units":"none","note":"HMI Active Region Patch number"},
{"name":"T_REC","type":"time","recscope":"variable","defval":"1993.01.01_00:00:00_TAI","units":"TAI","note":"Slot time"},
{"name":"QUALITY","type":"int","recscope":"variable","defval":"0x80000000","units":"none","note":"Quality"},
{"name":"NOAA_AR","type":"int","recscope":"variable","defval":"0","units":"none","note":"NOAA number"},
{"name":"NOAA_ARS","type":"string","recscope":"variable","defval":"MISSING","units":"none","note":"NOAA numbers"},
{"name":"USFLUX","type":"double","recscope":"variable","defval":"nan","units":"Mx","note":"Total unsigned flux"},
{"name":"LON_FWT","type":"float","recscope":"variable","defval":"nan","units":"degree","note":"Stonyhurst longitude"},
{"name":"CAMERA","type":"string","recscope":"link","linkinfo":"MHARP->CAMERA","defval":"","units":"","note":""},
{"name":"T_OBS","type":"time","recscope":"variable","defval":"","units":"TAI","note":""},
{"name":"DATAMEAN","type":"float","recscope":"segment","defval":"nan","units":"","note":"of each segment"}],
"segments":[{"name":"magnetogram","type":"int","units":"Gauss","protocol":"fits","dims":"VARxVAR","note":""},
{"name":"Bp","type":"int","units":"Gauss","protocol":"fits","dims":"VARxVAR","note":""},
{"name":"Bt","type":"int","units":"Gauss","protocol":"fits","dims":"VARxVAR","note":""},
{"name":"Br","type":"int","units":"Gauss","protocol":"fits","dims":"VARxVAR","note":""}],"links":[],
"Interval":{"FirstRecord":"hmi.sharp_cea_720s[1][2010.05.01_00:12:00_TAI]","FirstRecnum":1,"LastRecord":"x","LastRecnum":9,"MaxRecnum":9},
"runtime":0.07,"status":0}"#;

    /// A series of full disks by wavelength, as JSOC tells it.
    pub(in crate::source::jsoc) const DISKS: &str = r#"{"primekeys":["T_REC","WAVELNTH"],
"primekeysinfo":[{"name":"T_REC","slotted":1,"step":"12.0"},{"name":"WAVELNTH","slotted":0}],
"keywords":[{"name":"T_REC","type":"time"},{"name":"WAVELNTH","type":"int"},{"name":"QUALITY","type":"int"}],
"segments":[{"name":"image","units":null}],"links":[],"status":0}"#;

    #[test]
    fn a_series_is_read_as_told() {
        let sharp = Structure::read(SHARP.as_bytes()).unwrap();
        assert_eq!((sharp.prime.join(","), sharp.time.as_str()), ("HARPNUM,T_REC".to_owned(), "T_REC"));
        assert_eq!(sharp.step, Some(720));
        assert_eq!(sharp.segments, ["magnetogram", "Bp", "Bt", "Br"]);
        assert_eq!(sharp.begins(), "2010-05-01T00:12:00".parse().ok());
        assert_eq!(sharp.keyword("USFLUX").unwrap().unit, "Mx");
        assert_eq!(sharp.keyword("DATAMEAN_003").unwrap().name, "DATAMEAN");
        assert!(!sharp.has("USFLUX_003") && !sharp.has("DATAMEAN_x"));
        let numbered = ["BUNIT_000", "BUNIT_003", "BUNIT_004", "BUNIT_03", "USFLUX_003", "_000", "BUNIT"];
        let numbered = numbered.map(|name| sharp.numbered_segment(name));
        assert_eq!(numbered, [Some(0), Some(3), None, None, None, None, None]);
        assert_eq!(Structure::read(DISKS.as_bytes()).unwrap().time, "T_REC");
    }

    #[test]
    fn what_a_series_does_not_have_is_told_with_what_is_near() {
        let sharp = Structure::read(SHARP.as_bytes()).unwrap();
        let message = sharp.require("hmi.sharp", "USFLX").unwrap_err().message;
        assert_eq!(message, "by JSOC's `series_struct`, `hmi.sharp` has no keyword `USFLX`; did you mean `USFLUX`?");
        let message = sharp.require_segment("hmi.sharp", "zenith").unwrap_err().message;
        assert!(message.ends_with("no segment `zenith`; it has magnetogram, Bp, Bt, Br"), "{message}");
    }

    #[test]
    fn a_series_without_a_time_is_refused() {
        let answer =
            r#"{"primekeys":["CAR_ROT"],"keywords":[{"name":"CAR_ROT","type":"int"}],"segments":[],"status":0}"#;
        let failure = Structure::read(answer.as_bytes()).unwrap_err();
        assert_eq!(failure.class, Class::SourceRefused);
        assert!(failure.message.contains("prime keys, which are CAR_ROT"), "{failure}");
        let none = Structure::read(br#"{"primekeys":[null],"primekeysinfo":[null],"status":0}"#).unwrap_err();
        assert!(none.message.contains("which are none"), "{none}");
        let own = r#"{"primekeys":["T_OBS","FSN"],"keywords":[{"name":"T_OBS","type":"time"}],"status":0}"#;
        assert_eq!(Structure::read(own.as_bytes()).unwrap().time, "T_OBS");
        let long = DISKS.replace("image", &"x".repeat(101));
        assert_eq!(Structure::read(long.as_bytes()).unwrap_err().class, Class::ListingMalformed);
    }
}
