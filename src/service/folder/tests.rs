//! A folder's index: what it takes, what it skips, and what links may do.

use std::os::unix::fs::symlink;

use fitsio_pure::header::{Card, serialize_header};
use fitsio_pure::primary::build_primary_header;
use fitsio_pure::value::Value;

use super::*;
use crate::service::backend::FileFacts;

/// A FITS file that is a header alone.
fn header(keywords: &[(&str, &str)]) -> Vec<u8> {
    let mut cards = build_primary_header(8, &[]).expect("a header");
    cards.extend(keywords.iter().map(|(k, v)| Card::new(k, Value::String((*v).into())).expect("a card")));
    serialize_header(&cards).expect("a header")
}

#[test]
fn files_are_found_by_header_name_and_place_and_the_rest_is_told() {
    let outside = tempfile::tempdir().expect("a folder");
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("own series");
    std::fs::create_dir_all(root.join("cea/2015")).expect("a folder");
    std::fs::create_dir_all(root.join(".sunhaul")).expect("a folder");
    let put = |path: &str, bytes: &[u8]| std::fs::write(root.join(path), bytes).expect("a file");
    put("cea/2015/77.Br.fits", &header(&[("DATE-OBS", "2015-12-11T18:22:08.80")]));
    put("cea/2015/78.Br.fits", &header(&[("T_REC", "2015.12.11_18:36:00_TAI")]));
    put("sharp_720s_20151211_182208.fits", b"<html>a page in a file's place</html>");
    put("plain", &header(&[("DATE-OBS", "2015-12-11")]));
    put("timeless.fits", &header(&[]));
    put("README.md", b"# not data");
    put(".sunhaul/x_20151211_182208.fits", &header(&[]));
    std::fs::write(outside.path().join("secret.fits"), header(&[("DATE-OBS", "2015-12-11")])).expect("a file");
    symlink(outside.path().join("secret.fits"), root.join("secret.fits")).expect("a link");
    symlink(outside.path(), root.join("cea/out")).expect("a link");
    symlink(root.join("plain"), root.join("cea/again.fits")).expect("a link");
    symlink(root.join("nothing"), root.join("dangling.fits")).expect("a link");

    let (folder, skipped) = ServedFolder::scan(&root).expect("a folder");
    let found: Vec<String> = folder
        .series
        .iter()
        .flat_map(|(series, files)| files.values().map(move |e| format!("{series} {} {}", e.date_obs, e.path)))
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    cea 2015-12-11 18:22:08.800 cea/2015/77.Br.fits
    cea 2015-12-11 18:35:24 cea/2015/78.Br.fits
    cea 2015-12-11 00:00:00 cea/again.fits
    own_series 2015-12-11 00:00:00 plain
    sharp_720s 2015-12-11 18:22:08 sharp_720s_20151211_182208.fits
    ");
    let told: Vec<String> = skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.reason)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    cea/out: a link that leads out of the folder
    dangling.fits: no plain file
    secret.fits: a link that leads out of the folder
    timeless.fits: neither its header (DATE-OBS, T_OBS, T_REC) nor its name contains a time
    ");
    insta::assert_snapshot!(folder.about(), @"5 files of 3 series");
}

#[test]
fn of_a_record_the_headers_are_the_better_witness_and_of_a_segment_the_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |path: &str, bytes: &[u8]| std::fs::write(dir.path().join(path), bytes).expect("a file");
    let slot = ("T_REC", "2015.12.11_18:24:00_TAI");
    put("hmi.sharp_720s.377.20151211_182400_TAI.Br.fits", &header(&[slot, ("EXTNAME", "COMPRESSED_IMAGE")]));
    put("hmi.m_45s.20151211_182415_TAI.fits", &header(&[("EXTNAME", "COMPRESSED_IMAGE")]));
    put("sharp_720s_20151211_182208.fits", &header(&[slot, ("EXTNAME", "magnetogram")]));
    let (folder, _) = ServedFolder::scan(dir.path()).expect("a folder");
    let known = |series: &str| folder.series[series].values().next().expect("a file").known.clone();
    let of = |harpnum, t_rec_index, segment: Option<&str>| FileFacts {
        harpnum,
        t_rec_index,
        segment: segment.map(str::to_owned),
        ..FileFacts::default()
    };
    assert_eq!(known("hmi.sharp_720s"), of(Some(377), Some(1_005_572), Some("Br")));
    assert_eq!(known("hmi.m_45s"), of(None, None, None), "18:24:15 is no slot of 45 s");
    assert_eq!(known("sharp_720s"), of(None, Some(1_005_572), Some("magnetogram")));
}

#[test]
fn a_file_whose_time_is_missing_is_told_and_one_of_an_older_convention_is_listed_at_its_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |path: &str, keywords: &[(&str, &str)]| {
        std::fs::write(dir.path().join(path), header(keywords)).expect("a file");
    };
    put("missing.fits", &[("T_REC", "-4712.01.01_11:59:28_TAI")]);
    put("mdi.fits", &[("T_REC", "-4712.01.01_11:59:28_TAI"), ("T_OBS", "2010.07.27_00:09:05_TAI")]);
    put("eit.fits", &[("DATE-OBS", "11-DEC-96"), ("DATE_OBS", "1996-12-11T19:00:14.254Z")]);
    put("gong.fits", &[("DATE-OBS", "2023-09-30"), ("TIME-OBS", "06:44")]);
    let (folder, skipped) = ServedFolder::scan(dir.path()).expect("a folder");
    let mut times: Vec<String> =
        folder.series.values().flat_map(BTreeMap::values).map(|e| e.date_obs.to_string()).collect();
    times.sort();
    assert_eq!(times, ["1996-12-11 19:00:14.254", "2010-07-27 00:08:31", "2023-09-30 06:44:00"]);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].path, "missing.fits");
}

#[test]
fn a_changed_file_has_another_tag_and_a_removed_one_is_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s_20151211_182208.fits");
    std::fs::write(&path, header(&[])).expect("a file");
    let (folder, skipped) = ServedFolder::scan(dir.path()).expect("a folder");
    assert_eq!(skipped, []);
    let open = || folder.open("s", "s_20151211_182208.fits").expect("no failure");
    let first = open().expect("a file");
    assert_eq!((first.length, first.name.as_str()), (2880, "s_20151211_182208.fits"));
    assert_eq!(open().expect("a file").etag, first.etag);
    std::fs::write(&path, [header(&[]), header(&[])].concat()).expect("a file");
    assert_ne!(open().expect("a file").etag, first.etag);
    std::fs::remove_file(&path).expect("to remove");
    assert!(open().is_none());
    std::fs::create_dir(&path).expect("a folder in its place");
    assert!(open().is_none());
}
