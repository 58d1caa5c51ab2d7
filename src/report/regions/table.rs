//! The records that a day's table of keywords has, of days without other files of them.

use std::io::{self, Read};
use std::path::Path;

use chrono::NaiveDateTime;

use super::slots::{DaySlots, SlotStatus};
use crate::archive::{DayRecord, open_regular};
use crate::digest::{Digest, Hasher};
use crate::source::MADE;

/// The regions and times of the rows of a day's table, below the archive's root; none of a day without a table. Where rows say
/// which of the source's series they are of, those of `series` alone. `None` where it is not as its record says, or does not
/// tell them.
pub(super) fn records(root: &Path, record: &DayRecord, series: &str) -> Option<DaySlots> {
    let is_table = |key: &str| key.strip_prefix(MADE) == Some("keywords.csv");
    let Some(line) = record.files.iter().find(|line| is_table(&line.key)) else { return Some(DaySlots::new()) };
    let mut table = Hashed { file: open_regular(&root.join(&line.path)).ok()?, hasher: Hasher::default() };
    let slots = rows(&mut table, series)?;
    io::copy(&mut table, &mut io::sink()).ok()?;
    let found: Digest = table.hasher.finish();
    (Some(found) == line.sha256).then_some(slots)
}

fn rows(table: &mut impl Read, series: &str) -> Option<DaySlots> {
    let mut reader = csv::Reader::from_reader(table);
    let head = reader.headers().ok()?;
    let column = |name: &str| head.iter().position(|title| title.eq_ignore_ascii_case(name));
    let (time, harpnum, source_series) = (column("time")?, column("harpnum")?, column("source_series"));
    let mut slots = DaySlots::new();
    for row in reader.into_records() {
        let row = row.ok()?;
        let at: NaiveDateTime = row.get(time)?.parse().ok()?;
        if source_series.is_some_and(|place| row.get(place) != Some(series)) {
            continue;
        }
        // A record without a region belongs to no region.
        if let Ok(harpnum) = row.get(harpnum)?.parse() {
            slots.entry(harpnum).or_default().push((at, SlotStatus::Had));
        }
    }
    Some(slots)
}

/// A file that is hashed while it is read.
struct Hashed<R> {
    file: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_time_and_region_whatever_else_a_table_has() {
        let read = |table: &str| rows(&mut table.as_bytes(), "hmi.x");
        let at = |time: &str| (time.parse::<NaiveDateTime>().unwrap(), SlotStatus::Had);
        let table =
            "time,scale,recnum,HARPNUM,NOTE\n2011-02-15T00:00:00,TAI,8,377,\"a,\nb\"\n2011-02-15T00:12:00,TAI,9,,c\n";
        assert_eq!(read(table), Some(DaySlots::from([(377, vec![at("2011-02-15T00:00:00")])])));
        let table = "time,source_series,harpnum\n2011-02-15T00:00:00,hmi.x,377\n2011-02-15T00:12:00,hmi.x_nrt,377\n";
        assert_eq!(read(table), Some(DaySlots::from([(377, vec![at("2011-02-15T00:00:00")])])));
        assert_eq!(read("time,harpnum\n"), Some(DaySlots::new()));
        for none in
            ["", "time,recnum\n2011-02-15T00:00:00,8\n", "time,harpnum\nx,377\n", "time,harpnum\n2011-02-15T00:00:00\n"]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
