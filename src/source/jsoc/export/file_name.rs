//! The name of an exported file: which record and segment it belongs to.
//!
//! JSOC expands the `filenamefmt` of an order (`exputil.c`), `{segment}` to the name of the segment's file, `{T_REC:A}` to a
//! time without dots and colons, in whole seconds.

use chrono::{NaiveDateTime, TimeDelta};

use super::super::record::Ordered;
use super::super::slot;

/// The server cuts names in a buffer of 128 bytes (`exputil.c`).
const LONGEST_NAME: usize = 127;

/// The last part of a path.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// True when the name of an exported file ends with that of the segment's own file, or with the segment where that is not
/// known. A name that was cut may end within it.
pub(super) fn names_file(name: &str, ordered: &Ordered) -> bool {
    let segment = &ordered.segment;
    let Some(file) = &ordered.file else {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        return ends_with(name, segment) || stem == segment || stem.ends_with(&format!(".{segment}"));
    };
    ends_with(name, file)
}

/// True when the name of a file that a program made ends with its segment and the ending of the segment's own file.
///
/// A program writes a record of its own, and may name its files otherwise: of `image` in `aia.lev1_euv_12s`, whose file is
/// `image_lev1.fits`, both `...171.image_lev1.fits` and `...171.image.fits` are seen.
pub(super) fn names_processed_file(name: &str, ordered: &Ordered) -> bool {
    let ending = ordered.file.as_ref().and_then(|file| file.rsplit_once('.'));
    ending.is_some_and(|(_, ending)| ends_with(name, &format!("{}.{ending}", ordered.segment)))
}

/// True when the name of an exported file begins with that of its record: `SERIES.KEY.KEY.`, each key as the record's query
/// has it, without what JSOC takes out of it. A name that was cut may end within it.
pub(super) fn names_record(name: &str, ordered: &Ordered) -> bool {
    let (series, keys) = ordered.record.split_once('[').unwrap_or((&ordered.record, ""));
    let Some(mut rest) = after_series(name, series) else { return false };
    for key in keys.trim_end_matches(']').split("][").filter(|key| !key.is_empty()) {
        let time = slot::time(&key.to_ascii_uppercase());
        let after = time.and_then(|time| after_time(rest, time, ordered.time_slack)).or_else(|| after_text(rest, key));
        match after {
            Some(after) => rest = after,
            None => return name.len() >= LONGEST_NAME && !rest.contains('.'),
        }
    }
    true
}

/// True when the name of an exported file begins as those of our orders do.
pub(super) fn is_of_our_format(name: &str, ordered: &Ordered) -> bool {
    ordered.record.split('[').next().is_some_and(|series| after_series(name, series).is_some())
}

/// What follows the name of a series and a dot. A program writes its records to a series of its own, `SERIES_mod`
/// (`jsoc_export_clone.c`).
fn after_series<'n>(name: &'n str, series: &str) -> Option<&'n str> {
    let (start, rest) = name.split_at_checked(series.len())?;
    let rest = start.eq_ignore_ascii_case(series).then_some(rest)?;
    rest.strip_prefix("_mod").unwrap_or(rest).strip_prefix('.')
}

/// What follows the text of a key and a dot: letters and digits are compared alone, in either case.
fn after_text<'n>(name: &'n str, key: &str) -> Option<&'n str> {
    let mut due = key.chars().filter(char::is_ascii_alphanumeric).peekable();
    let mut at = 0;
    for c in name.chars() {
        match due.peek() {
            None if c == '.' => return name.get(at + 1..),
            Some(next) if next.eq_ignore_ascii_case(&c) => drop(due.next()),
            _ if c.is_alphanumeric() => return None,
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}

/// What follows a time, as near to the due one as the slack allows, and a dot.
fn after_time(name: &str, due: NaiveDateTime, slack: TimeDelta) -> Option<&str> {
    let (stamp, rest) = name.split_once('.')?;
    let digits: String = stamp.chars().filter(char::is_ascii_digit).collect();
    let scale = if stamp.ends_with("TAI") { "_TAI" } else { "_UTC" };
    let is_utc = stamp.ends_with('Z') || stamp.ends_with("UTC");
    let time = NaiveDateTime::parse_from_str(&digits, "%Y%m%d%H%M%S").ok().filter(|_| is_utc || scale == "_TAI")?;
    let time = slot::time(&format!("{}{scale}", time.format("%Y.%m.%d_%H:%M:%S")))?;
    ((time - due).abs() <= slack).then_some(rest)
}

/// True when a name is `end`, or ends with it after a dot. One that was cut ends with a part of it.
fn ends_with(name: &str, end: &str) -> bool {
    let has = |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    let is_cut = || name.len() >= LONGEST_NAME && end.char_indices().skip(1).any(|(at, _)| has(&end[..at]));
    has(end) || is_cut()
}

#[cfg(test)]
mod tests {
    use super::super::join::tests::ordered;
    use super::*;

    #[test]
    fn a_name_says_which_segment_it_belongs_to_even_when_it_was_cut() {
        let long = "x".repeat(LONGEST_NAME - 3);
        for (name, file, segment, is_it) in [
            ("s.377.20110215_000000_TAI.Br.fits", Some("Br.fits"), "Br", true),
            ("s.377.20110215_000000_TAI.Br_err.fits", Some("Br.fits"), "Br", false),
            ("s.377.xBr.fits", Some("Br.fits"), "Br", false),
            ("Br.fits", Some("Br.fits"), "Br", true),
            ("s.1.V.fits", Some("V.fits"), "Dopplergram", true),
            ("s.1.image.fits", Some("image_lev1.fits"), "image", false),
            // On tape alone: the file's name is not listed.
            ("s.1.Br.fits", None, "Br", true),
            ("s.1.Br", None, "Br", true),
            ("s.1.Bp.fits", None, "Br", false),
            (&format!("{long}.Br"), Some("Br.fits"), "Br", true),
            (&format!("{long}.Bp"), Some("Br.fits"), "Br", false),
            ("s.1.Br", Some("Br.fits"), "Br", false),
        ] {
            assert_eq!(names_file(name, &ordered(segment, file)), is_it, "{name} {file:?}");
        }
    }

    #[test]
    fn a_name_begins_with_that_of_its_record() {
        let sharp = "hmi.sharp_cea_720s[377][2011.02.15_06:00:00_TAI]";
        let aia = "aia.lev1_euv_12s[2011-02-15T06:00:02Z][171]";
        let camera = "hmi.X[front 2][-1.50][2011.02.15_06:00:00.25_TAI]";
        let long = format!("hmi.{}[377][2011.02.15_06:00:00_TAI]", "x".repeat(112));
        let cut = |tail: &str| format!("hmi.{}.{tail}", "x".repeat(112));
        for (record, name, is_it) in [
            (sharp, "hmi.sharp_cea_720s.377.20110215_060000_TAI.Br.fits", true),
            (sharp, "HMI.sharp_cea_720s.377.20110215_060000_TAI.Br.fits", true),
            (sharp, "hmi.sharp_cea_720s.377.20110215_060001_TAI.Br.fits", true),
            (sharp, "hmi.sharp_cea_720s.377.20110215_000000_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s.377.20110215_061200_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s.37.20110215_060000_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s.3777.20110215_060000_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s_nrt.377.20110215_060000_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s.377.20110215_060000_TAI", false),
            (sharp, "hmi.sharp_cea_720s_mod.377.20110215_060000_TAI.Br.fits", true),
            (sharp, "hmi.sharp_cea_720s_mod.37.20110215_060000_TAI.Br.fits", false),
            (sharp, "hmi.sharp_cea_720s_model.377.20110215_060000_TAI.Br.fits", false),
            (sharp, "Br.fits", false),
            (aia, "aia.lev1_euv_12s.2011-02-15T060002Z.171.image_lev1.fits", true),
            (aia, "aia.lev1_euv_12s.20110215_060036_TAI.171.image_lev1.fits", true),
            (aia, "aia.lev1_euv_12s.2011-02-15T060002Z.193.image_lev1.fits", false),
            (aia, "aia.lev1_euv_12s.2011-02-15T060014Z.171.image_lev1.fits", false),
            (camera, "hmi.X.front 2.-1.50.20110215_060000_TAI.Br.fits", true),
            (camera, "hmi.X.front_2.-1.50.20110215_060000.25_TAI.Br.fits", true),
            (camera, "hmi.X.front3.-1.50.20110215_060000_TAI.Br.fits", false),
            (&long, &cut("377.201102"), true),
            (&long, &cut("377.20110215_060000_TAI.B"), true),
            (&long, &cut("378.20110215"), false),
        ] {
            let own = Ordered { record: record.to_owned(), ..ordered("Br", None) };
            assert_eq!(names_record(name, &own), is_it, "{record} {name}");
        }
        // The time of a linked file is that of the record that it belongs to, which has slots of its own.
        let linked = Ordered { record: aia.to_owned(), time_slack: TimeDelta::seconds(13), ..ordered("image", None) };
        assert!(names_record("aia.lev1_euv_12s.2011-02-15T055957Z.171.image_lev1.fits", &linked));
        assert!(!names_record("aia.lev1_euv_12s.2011-02-15T061202Z.171.image_lev1.fits", &linked));
    }

    #[test]
    fn what_a_program_makes_may_have_the_name_of_its_segment() {
        let image = ordered("image", Some("image_lev1.fits"));
        for (name, is_it) in [
            ("aia.171.image.fits", true),
            ("aia.171.image.fit", false),
            ("aia.171.spikes.fits", false),
            ("aia.171.image_lev1.fits", false),
            ("aia.171.err_image.fits", false),
        ] {
            assert_eq!(names_processed_file(name, &image), is_it, "{name}");
        }
        assert!(!names_processed_file("aia.171.image.fits", &ordered("image", None)));
    }
}
