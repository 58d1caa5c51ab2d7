//! `headers: embed`: files with the keywords of their record in the header.

use std::collections::BTreeMap;

use serde_json::Value;
use sunhaul::digest::Digest;

use super::{Fake, Record, SERIES};
use crate::lab::{Job, Lab, fits};

const EMBED: &str = "fetch: files, headers: embed";
const DAY: &str = "2015-12-11";

fn two() -> Fake {
    Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")])
}

fn lab(fake: &Fake, keys: &str) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", fake.job(keys).yaml());
    lab.report(0);
    lab
}

/// The lines of the day's record by key.
fn lines(lab: &Lab) -> BTreeMap<String, Value> {
    let files = lab.day("data", "one", DAY).files;
    files.into_iter().map(|line| (line["key"].as_str().expect("a key").to_owned(), line)).collect()
}

#[test]
fn a_file_has_its_record_s_keywords_right_sums_and_the_digest_of_what_came() {
    let fake = two();
    let lab = lab(&fake, EMBED);
    let lines = lines(&lab);
    assert_eq!(lines.keys().collect::<Vec<_>>(), ["8/Bp/headers", "8/Br/headers", "9/Bp/headers", "9/Br/headers"]);
    let line = &lines["9/Br/headers"];
    let came = Digest::sha256(&fits(9, 20, "2015-12-11T12:12:00"));
    assert_eq!(
        (line["origin"].as_str(), line["checked"].as_str()),
        (Some(came.to_string().as_str()), Some("checksum"))
    );
    assert_ne!(line["sha256"], line["origin"]);
    let keywords = "HARPNUM,T_REC,NOAA_ARS,QUALITY,USFLUX,CRVAL1,RECNUM,DRMS_ID,PRIMARYK";
    let csv =
        lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords", keywords]).stdout_has("").done().stdout;
    let row = csv.lines().find(|row| row.contains("121200_TAI.Br.fits")).expect("a row");
    let values = ",377,2015.12.11_12:12:00_TAI,11158,0,9.5e21,-12.25,9,hmi.sharp_cea_720s:9:Br,\"HARPNUM, T_REC\"";
    assert!(row.ends_with(values), "{row}");
    let text =
        String::from_utf8_lossy(&lab.read(&format!("data/{}", line["path"].as_str().expect("a path")))).into_owned();
    assert!(text.contains(&format!("HISTORY {came}")), "{text}");
    assert_eq!(lab.proved("data").len(), 4);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn a_file_has_the_keywords_of_its_own_segment_without_their_number() {
    let fake = two();
    fake.state().has_units = true;
    for (keys, units, is_linked) in [
        (EMBED, &[("Bp", "mT"), ("Br", "Gauss")][..], false),
        (EMBED, &[("Bp", "mT"), ("Br", "Gauss")][..], true),
        // The number is that of the series, whichever segments are asked for.
        ("fetch: files, headers: embed, segments: [Bp]", &[("Bp", "mT")], false),
    ] {
        fake.state().has_linked_units = is_linked;
        let lab = lab(&fake, keys);
        let all = lab.proved("data");
        assert_eq!(all.len(), 2 * units.len());
        for (segment, unit) in units {
            let paths: Vec<&String> = all.keys().filter(|path| path.ends_with(&format!(".{segment}.fits"))).collect();
            assert_eq!(paths.len(), 2, "{all:?}");
            for path in paths {
                let text = String::from_utf8_lossy(&lab.read(&format!("data/{path}"))).into_owned();
                let cards: Vec<&str> = text.split_inclusive("BUNIT").skip(1).collect();
                assert!(cards.len() == 1 && cards[0].starts_with(&format!("   = '{unit:<8}'")), "{path}: {cards:?}");
            }
        }
        let export = ["export", "job.yaml", "--format", "csv", "--keywords", "BUNIT"];
        let csv = lab.sunhaul(&export).stdout_has("").done().stdout;
        for (segment, unit) in units {
            let rows: Vec<&str> = csv.lines().filter(|row| row.contains(&format!(".{segment}.fits"))).collect();
            assert!(rows.len() == 2 && rows.iter().all(|row| row.ends_with(&format!(",{unit}"))), "{csv}");
        }
    }
}

#[test]
fn a_file_that_is_too_large_to_be_held_is_copied_as_well_and_leaves_no_part() {
    let fake = two();
    let large = fits(7, 900, "2015-12-11T00:00:00");
    fake.state().served = Some(large.clone());
    let lab = lab(&fake, "fetch: files, headers: embed, segments: [Br]");
    let came = Digest::sha256(&large).to_string();
    for line in lines(&lab).values() {
        assert_eq!(line["origin"].as_str(), Some(came.as_str()), "{line:#}");
        let copy = lab.read(&format!("data/{}", line["path"].as_str().expect("a path")));
        assert!(copy.len() > 1 << 20 && copy.ends_with(&large[large.len() - (1 << 20)..]));
    }
    let left = lab.tree("data/.sunhaul/work");
    assert!(!left.keys().any(|path| path.contains(".part")), "{left:?}");
}

#[test]
fn the_same_record_and_file_give_the_same_bytes_and_the_lock_holds_them() {
    let fake = two();
    let lab = lab(&fake, EMBED);
    let before = lab.proved("data");
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.report_with(&["--locked"], 0);
    assert_eq!(lab.proved("data"), before);
    let drift = ["update", "job.yaml", "--dry-run", "--sample", "100%", "--json"];
    let told = lab.sunhaul(&drift).chatty().stdout_has("{").done().json();
    assert_eq!((&told["changed"], &told["added"], &told["removed"]), (&0.into(), &0.into(), &0.into()), "{told:#}");
    // A file that is damaged later is made again, from JSOC's.
    let path = before.keys().next().expect("a file");
    lab.write(&format!("data/{path}"), b"damaged");
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).stdout_has("").chatty().done();
    assert_eq!(lab.proved("data"), before);
}

#[test]
fn a_job_that_embeds_them_later_replaces_the_files_as_they_came_and_the_reverse() {
    let fake = two();
    let lab = lab(&fake, "fetch: files");
    let as_they_came = lab.proved("data");
    lab.forget_the_lock();
    lab.write("job.yaml", fake.job(EMBED).yaml());
    lab.report(0);
    let embedded = lab.proved("data");
    assert!(as_they_came.keys().eq(embedded.keys()) && as_they_came.values().ne(embedded.values()));
    lab.forget_the_lock();
    lab.write("job.yaml", fake.job("fetch: files").yaml());
    lab.report(0);
    assert_eq!(lab.proved("data"), as_they_came);
}

#[test]
fn keywords_that_are_computed_anew_are_embedded_in_new_copies() {
    let fake = two();
    let lab = lab(&fake, EMBED);
    let before = lab.proved("data");
    fake.state().records.iter_mut().for_each(|record| record.recnum += 90_000);
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
    let now = lab.proved("data");
    assert!(before.keys().eq(now.keys()) && before.iter().all(|(path, digest)| now[path] != *digest));
    // The lock has the new ones, which another archive can have as well.
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.report_with(&["--locked"], 0);
    assert_eq!(lab.proved("data"), now);
}

#[test]
fn a_record_without_a_file_is_absent_and_a_damaged_file_is_never_copied() {
    let gone = Record { instead: Some("NoDataFile"), ..Record::new(9, "2015-12-11T12:12:00") };
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), gone]);
    let lab = lab(&fake, "segments: [Br], headers: embed");
    let lines = lines(&lab);
    assert_eq!(lines["9/Br/headers"]["absent"], "no-file");
    assert!(lines.contains_key("made:keywords.csv"), "the table is there as well: {lines:#?}");
    let mut damaged = fits(8, 20, "2015-12-11T00:00:00");
    let last = damaged.len() - 3000;
    damaged[last] ^= 1;
    let served = damaged.clone();
    let broken = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00")]);
    broken.state().served = Some(served);
    let lab = Lab::new();
    lab.write("job.yaml", broken.job("segments: [Br], fetch: files, headers: embed").yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "fits-checksum");
    assert!(lab.files("data").is_empty());
}

#[test]
fn keywords_are_embedded_only_in_files_of_jsoc_that_lack_them() {
    let lab = Lab::new();
    let jsoc = "{ jsoc: { url: \"http://localhost:1\" } }";
    let ordered = "{ jsoc: { url: \"http://localhost:1\", export: { email: you@example.org } } }";
    for (source, keys, told) in [
        (jsoc, "headers: embed, fetch: keywords", "no files are fetched"),
        (ordered, "headers: embed", "JSOC's export system makes the files"),
        ("{ embedded: {} }", "headers: embed", "`headers` cannot be asked of `embedded`"),
        (jsoc, "headers: full", "expected one of `as-is`, `embed`"),
    ] {
        let job = Job::from_source(source).series(&[&format!("{{ name: {SERIES}, as: one, {keys} }}")]);
        lab.write("job.yaml", job.yaml());
        lab.sunhaul(&["check", "job.yaml"]).status(2).stderr_has(told).done();
    }
}
