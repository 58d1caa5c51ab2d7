//! What a file's path tells of it, in the forms that solar archives use, and the instants that headers write.
//!
//! Known forms: JSOC's `hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits` and
//! `aia.lev1_euv_12s.2011-02-15T000013Z.171.image_lev1.fits`, and the HMI service's `sharp_720s_20151211_182208`. What
//! it does not do: open files.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::service::slot;

/// What a path tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The series: from the name, else from the first folder.
    pub(super) series: Option<String>,
    /// The time in the name, in UTC.
    pub(super) time: Option<NaiveDateTime>,
}

/// True for a name with an ending of FITS.
pub(super) fn is_fits(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or("");
    ["fits", "fts", "fit"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Reads a path below the folder.
pub(super) fn read(path: &str) -> Told {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = if is_fits(file) { file.rsplit_once('.').map_or(file, |(stem, _)| stem) } else { file };
    let (named, time) = dotted(stem).or_else(|| underscored(stem)).unzip();
    let first = folder.split('/').next().unwrap_or("");
    Told { series: named.as_deref().and_then(series).or_else(|| series(first)), time }
}

/// `SERIES.HARPNUM.TIME.SEGMENT`: the series is what stands before the time, without the numbers.
fn dotted(stem: &str) -> Option<(String, NaiveDateTime)> {
    let parts: Vec<&str> = stem.split('.').collect();
    let at = parts.iter().position(|part| instant(part).is_some())?;
    let named = parts[..at].iter().rposition(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((parts[..=named].join("."), instant(parts[at])?))
}

/// `SERIES_YYYYMMDD_HHMMSS`.
fn underscored(stem: &str) -> Option<(String, NaiveDateTime)> {
    let at = stem.len().checked_sub("_YYYYMMDD_HHMMSS".len())?;
    let (named, stamp) = stem.split_at_checked(at)?;
    Some((named.to_owned(), instant(stamp.strip_prefix('_')?)?))
}

/// A series name that can stand in a URL, or nothing.
pub(super) fn series(text: &str) -> Option<String> {
    let safe: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-+".contains(c) { c } else { '_' }).collect();
    (!safe.is_empty() && !safe.starts_with('.')).then_some(safe)
}

/// How instants are written, without their scale.
const FORMS: [&str; 5] =
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y.%m.%d_%H:%M:%S%.f", "%Y-%m-%dT%H%M%S", "%Y%m%d_%H%M%S", "%Y-%m-%d %H:%M:%S%.f"];

/// An instant as headers and names write it, as a UTC label: `2011-02-15T01:58:12.30`, `2011.02.15_02:00:00_TAI`,
/// `20110215_020000_TAI`, `2011-02-15T000013Z`, or a bare `2011-02-15`. What names no scale is UTC.
pub(super) fn instant(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let (label, is_tai) = match text.strip_suffix("_TAI") {
        Some(label) => (label, true),
        None => (text.strip_suffix("_UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text), false),
    };
    let time = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(label, form).ok()).or_else(|| {
        let date = NaiveDate::parse_from_str(label, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN))
    })?;
    Some(if is_tai { slot::utc(time) } else { time })
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
    fn other_names_leave_the_series_to_the_folder_and_the_time_to_the_header() {
        assert_eq!(read("cea/2015/12/11/5605571.Br.fits"), Told { series: Some("cea".into()), time: None });
        assert_eq!(read("Br.fits"), Told::default());
        assert_eq!(read("_20151211_182208.fits").series, None);
        assert_eq!(read("é_20151211_182208é").time, None);
    }

    #[test]
    fn instants_keep_their_scale_in_mind() {
        assert_eq!(instant("2011.02.15_02:00:00_TAI"), "2011-02-15T01:59:26".parse().ok());
        assert_eq!(instant("2011-02-15T01:58:12.30"), "2011-02-15T01:58:12.300".parse().ok());
        assert_eq!(instant("2011-02-15"), "2011-02-15T00:00:00".parse().ok());
        for text in ["15/02/11", "2015-02-30", "-4712-01-01_12:00:00_TAI", ""] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
