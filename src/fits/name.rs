//! What a file's path tells of it, in the forms that solar archives use, and the instants that headers write.
//!
//! Known forms: JSOC's `hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits` and
//! `aia.lev1_euv_12s.2011-02-15T000013Z.171.image_lev1.fits`, and the HMI service's `sharp_720s_20151211_182208`. What
//! it does not do: open files.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};

use super::FileIdentity;
use crate::day::tai::utc;

/// True for a name with an ending of FITS.
#[must_use]
pub fn is_fits(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or("");
    ["fits", "fts", "fit"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// What a path below a folder tells of its file; the series is that of the name, else the first folder.
#[must_use]
pub fn read(path: &str) -> FileIdentity {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = if is_fits(file) { file.rsplit_once('.').map_or(file, |(stem, _)| stem) } else { file };
    let mut told = dotted(stem).or_else(|| underscored(stem)).unwrap_or_default();
    let first = folder.split('/').next().unwrap_or("");
    told.series = told.series.as_deref().and_then(series).or_else(|| series(first));
    if told.time.is_none() {
        let numbered = numbered(folder.rsplit('/').next().unwrap_or(""), stem).unwrap_or_default();
        told = FileIdentity { series: told.series, ..numbered };
    }
    told
}

/// `SERIES.HARPNUM.TIME.SEGMENT`: the series is what stands before the time, without the numbers.
fn dotted(stem: &str) -> Option<FileIdentity> {
    let parts: Vec<&str> = stem.split('.').collect();
    let at = parts.iter().position(|part| instant(part).is_some())?;
    let named = parts[..at].iter().rposition(|part| number(part).is_none())?;
    let series = parts[..=named].join(".");
    // Of the many numbers that stand before a time in such names, only a series of patches has the region's.
    let harpnum = parts[named + 1..at].last().and_then(|part| number(part)).filter(|_| series.contains("harp"));
    let segment = parts[at + 1..].last().and_then(|part| segment(part));
    Some(FileIdentity {
        series: Some(series),
        time: instant(parts[at]),
        t_rec: tai(parts[at]),
        harpnum,
        segment,
        ..FileIdentity::default()
    })
}

/// `SERIES_YYYYMMDD_HHMMSS`.
fn underscored(stem: &str) -> Option<FileIdentity> {
    let at = stem.len().checked_sub("_YYYYMMDD_HHMMSS".len())?;
    let (named, stamp) = stem.split_at_checked(at)?;
    let time = instant(stamp.strip_prefix('_')?)?;
    Some(FileIdentity { series: Some(named.to_owned()), time: Some(time), ..FileIdentity::default() })
}

/// The names of the HMI service's records: `RECNUM.SEGMENT`, `RECNUM_TIME_SEGMENT`, and `SEGMENT` in a folder `RECNUM`.
fn numbered(parent: &str, stem: &str) -> Option<FileIdentity> {
    let of = |recnum, part| {
        Some(FileIdentity { recnum: Some(recnum), segment: Some(segment(part)?), ..FileIdentity::default() })
    };
    let dotted = || {
        let (recnum, part) = stem.split_once('.')?;
        of(number(recnum)?, part)
    };
    let underscored = || {
        let mut words = stem.splitn(3, '_');
        let (recnum, time) = (number(words.next()?)?, words.next()?);
        number(time)?;
        of(recnum, words.next()?)
    };
    // Shorter numbers are days, months and years.
    let in_folder = || of(number(parent).filter(|_| parent.len() > 4)?, stem);
    dotted().or_else(underscored).or_else(in_folder)
}

/// A number without a sign.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A segment's name, or nothing: it holds letters, and what may stand in a URL beside them.
#[must_use]
pub fn segment(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    (is_plain && text.bytes().any(|byte| byte.is_ascii_alphabetic())).then(|| text.to_owned())
}

/// A series name that can stand in a URL, or nothing.
#[must_use]
pub fn series(text: &str) -> Option<String> {
    let safe: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-+".contains(c) { c } else { '_' }).collect();
    (!safe.is_empty() && !safe.starts_with('.')).then_some(safe)
}

/// How instants are written, without their scale.
const FORMS: [&str; 5] =
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y.%m.%d_%H:%M:%S%.f", "%Y-%m-%dT%H%M%S", "%Y%m%d_%H%M%S", "%Y-%m-%d %H:%M:%S%.f"];

/// An instant as headers and names write it, as a UTC label: `2011-02-15T01:58:12.30`, `2011.02.15_02:00:00_TAI`,
/// `20110215_020000_TAI`, `2011-02-15T000013Z`, or a bare `2011-02-15`. What names no scale is UTC.
#[must_use]
pub fn instant(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    match tai(text) {
        Some(time) => Some(utc(time)),
        None => label(text.strip_suffix("_UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text)),
    }
}

/// An instant that says it is TAI, as a TAI label.
#[must_use]
pub fn tai(text: &str) -> Option<NaiveDateTime> {
    label(text.trim().strip_suffix("_TAI")?)
}

fn label(text: &str) -> Option<NaiveDateTime> {
    let date = || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
    let label = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or_else(date);
    label.filter(|label| is_plausible(label.date()))
}

/// True for a date that an observation can have: of a year that manifests and queries take, too. JSOC writes -4712-01-01
/// for a time that is missing, others the first day of the Modified Julian Date (1858-11-17) or the last one of the calendar,
/// and a year of two digits is read as one of the first century.
#[must_use]
pub fn is_plausible(date: NaiveDate) -> bool {
    (1900..=2199).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_series_and_time() {
        for (path, series, time) in [
            ("hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits", "hmi.sharp_cea_720s", "2011-02-15T01:59:26"),
            ("hmi.m_720s.20110215_020000_TAI.1.magnetogram.fits", "hmi.m_720s", "2011-02-15T01:59:26"),
            ("x/aia.lev1_euv_12s.2011-02-15T000013Z.171.image_lev1.fits", "aia.lev1_euv_12s", "2011-02-15T00:00:13"),
            ("2015/12/11/sharp_720s_20151211_182208.fits", "sharp_720s", "2015-12-11T18:22:08"),
            ("sharp_720s_20151211_182208", "sharp_720s", "2015-12-11T18:22:08"),
            ("a b_20151211_182208.FTS", "a_b", "2015-12-11T18:22:08"),
        ] {
            let told = read(path);
            assert_eq!(told.series.as_deref(), Some(series), "{path}");
            assert_eq!(told.time, Some(time.parse().expect("a label")), "{path}");
        }
    }

    #[test]
    fn names_tell_record_region_and_segment() {
        for (path, recnum, harpnum, segment) in [
            ("hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits", None, Some(377), Some("Br")),
            ("hmi.sharp_cea_720s.377.20110215_020000_TAI.conf_disambig.fits", None, Some(377), Some("conf_disambig")),
            ("hmi.m_720s.20110215_020000_TAI.1.magnetogram.fits", None, None, Some("magnetogram")),
            ("aia.lev1_euv_12s.171.2011-02-15T000013Z.image_lev1.fits", None, None, Some("image_lev1")),
            ("hmi.m_720s.20110215_020000_TAI.1.fits", None, None, None),
            ("hmi.ic_45s.20110215_020000_TAI.fits", None, None, None),
            ("sharp_720s/5605571.Br.fits", Some(5_605_571), None, Some("Br")),
            ("1958485_20160119011008_Br_err.fits", Some(1_958_485), None, Some("Br_err")),
            ("hmi.sharp_720s/5605571/magnetogram.fits", Some(5_605_571), None, Some("magnetogram")),
            ("2015/12/11/magnetogram.fits", None, None, None),
            ("sharp_720s_20151211_182208.fits", None, None, None),
            ("5605571.fits", None, None, None),
            ("99999999999999999999.Br.fits", None, None, None),
        ] {
            let told = read(path);
            assert_eq!((told.recnum, told.harpnum, told.segment.as_deref()), (recnum, harpnum, segment), "{path}");
        }
        let slot = |path: &str| read(path).t_rec.map(|slot| slot.to_string());
        assert_eq!(slot("hmi.m_45s.20110215_020000_TAI.fits").as_deref(), Some("2011-02-15 02:00:00"));
        assert_eq!(slot("sharp_720s_20151211_182208.fits"), None);
    }

    #[test]
    fn other_names_leave_the_series_to_the_folder_and_the_time_to_the_header() {
        let told = read("cea/2015/12/11/5605571.Br.fits");
        assert_eq!((told.series.as_deref(), told.time), (Some("cea"), None));
        assert_eq!(read("Br.fits"), FileIdentity::default());
        assert_eq!(read("_20151211_182208.fits").series, None);
        assert_eq!(read("é_20151211_182208é").time, None);
    }

    #[test]
    fn instants_keep_their_scale_in_mind() {
        assert_eq!(instant("2011.02.15_02:00:00_TAI"), "2011-02-15T01:59:26".parse().ok());
        assert_eq!(instant("2011-02-15T01:58:12.30"), "2011-02-15T01:58:12.300".parse().ok());
        assert_eq!(instant("2011-02-15"), "2011-02-15T00:00:00".parse().ok());
        for text in ["15/02/11", "-4712.01.01_11:59:28_TAI", "2015-02-30", "-4712-01-01_12:00:00_TAI", ""] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
