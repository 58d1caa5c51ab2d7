//! Files of orders, joined to those of listings.

use chrono::TimeDelta;

use super::super::by_record::NotHad;
use super::*;

const RECORD: &str = "hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]";
const STEM: &str = "hmi.v_sht_2drls.20240919_000000_TAI.";

/// A row of what is made anew has the record alone, and a file named after it.
fn listed_row((record, name): &(&str, &str)) -> ExportedFile {
    let stem = if record.contains('{') { "" } else { STEM };
    row(record, Some(&format!("/SUM9/D1/S00000/{stem}{name}")))
}

fn without_stem(file: &RemoteFile) -> String {
    let name = last_part(file.url.path());
    name.strip_prefix(STEM).unwrap_or(name).to_owned()
}

fn row(named: &str, path: Option<&str>) -> ExportedFile {
    let is_on_disk = named.contains('{');
    let path = path.map(str::to_owned);
    ExportedFile { named: plain(named), path, is_on_disk, is_offline: false, warning: None }
}

fn delivered(rows: Vec<ExportedFile>) -> Delivered {
    Delivered { rows, ..Delivered::default() }
}

pub(in super::super) fn ordered(segment: &str, file: Option<&str>) -> Ordered {
    let time = "2024-09-19T00:00:00".parse().unwrap();
    let (segment, file) = (segment.to_owned(), file.map(str::to_owned));
    Ordered {
        record: RECORD.to_owned(),
        recnum: 77,
        time,
        harpnum: None,
        segment,
        file,
        place: None,
        is_available: true,
        time_slack: TimeDelta::seconds(1),
    }
}

/// What becomes of a file that the listing knows as `listed` when the order has these paths of its record and segment.
fn joined(listed: Option<&str>, body: Body, paths: &[Option<&str>]) -> Result<Option<String>, String> {
    let base: Url = "http://h.example/".parse().unwrap();
    let window = Window::of_day("2024-09-19".parse().unwrap());
    let file = RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start);
    let mut files = [RemoteFile { body, ..file }];
    let rows: Vec<ExportedFile> = paths.iter().map(|path| row(&format!("{RECORD}{{rot}}"), *path)).collect();
    let names = Names::from([("77/rot".to_owned(), ordered("rot", listed))]);
    join(&mut files, window, &names, &delivered(rows), &base).map_err(|failure| failure.message)?;
    Ok((files[0].body == Body::Remote).then(|| files[0].url.path().to_owned()))
}

#[test]
fn of_several_files_of_a_record_the_listed_one_is_taken_or_none() {
    let all = [Some("/SUM1/D1/S0/err.2d"), Some("/SUM1/D1/S0/rot.2d"), Some("/SUM1/D1/S0/splittings.out")];
    let there = |path: &str| Ok(Some(path.to_owned()));
    assert_eq!(joined(Some("rot.2d"), Body::Remote, &all), there("/SUM1/D1/S0/rot.2d"));
    let mut back = all;
    back.reverse();
    assert_eq!(joined(Some("rot.2d"), Body::Remote, &back), there("/SUM1/D1/S0/rot.2d"));
    for listed in [Some("other.2d"), None] {
        let message = joined(listed, Body::Remote, &all).unwrap_err();
        let count = if listed.is_some() { "(3 in all), and the listing names `other.2d`" } else { "(3 in all)" };
        assert!(message.contains("of `hmi.v_sht_2drls") && message.contains(count), "{message}");
    }
    // Two of that name, in two folders.
    let twice = [Some("/SUM1/D1/S0/rot.2d"), Some("/SUM1/D2/S0/rot.2d")];
    assert!(joined(Some("rot.2d"), Body::Remote, &twice).unwrap_err().contains("(2 in all)"));
    // The same row twice is one file; and the export system gives its one file a name of its own.
    assert_eq!(joined(None, Body::Remote, &[all[1], all[1], None]), there("/SUM1/D1/S0/rot.2d"));
    assert_eq!(joined(Some("rot.2d"), Body::Remote, &[Some("/SUM9/D5/S0/a.rot.2d")]), there("/SUM9/D5/S0/a.rot.2d"));
}

#[test]
fn a_row_that_names_the_file_of_another_segment_is_refused() {
    let message = joined(Some("rot.2d"), Body::Remote, &[Some("/SUM1/D1/S0/err.2d")]).unwrap_err();
    assert!(message.contains("has `/SUM1/D1/S0/err.2d`") && message.contains("names `rot.2d`"), "{message}");
    let message =
        told_apart(&[(&format!("{RECORD}{{Br}}"), "err.Br.fits"), (&format!("{RECORD}{{err}}"), "err.Br.fits")])
            .unwrap_err();
    assert!(message.contains("names one file, `/SUM9/D1/S00000/err.Br.fits`, for"), "{message}");
}

#[test]
fn what_the_order_has_no_file_of_is_absent_and_what_contradicts_the_listing_fails() {
    assert_eq!(joined(Some("rot.2d"), Body::Remote, &[None]), Ok(None));
    assert_eq!(joined(None, Body::None, &[None]), Ok(None));
    assert_eq!(joined(None, Body::None, &[]), Ok(None));
    assert!(joined(Some("rot.2d"), Body::Remote, &[]).unwrap_err().contains("left out 1 of the listed files"));
    let offline = || Body::Offline("on tape".to_owned());
    for rows in [&[][..], &[None]] {
        assert_eq!(joined(None, offline(), rows), Ok(None));
    }
    assert_eq!(joined(Some("rot.2d"), offline(), &[Some("/SUM9/rot.2d")]), Ok(Some("/SUM9/rot.2d".to_owned())));
    assert!(joined(None, Body::None, &[Some("/SUM1/x")]).unwrap_err().contains("the listing has no file"));
}

/// Where an order of protocol fits has put the files `Br` and `err`, by the names of these rows.
fn told_apart(rows: &[(&str, &str)]) -> Result<[Option<String>; 2], String> {
    let base: Url = "http://h.example/".parse().unwrap();
    let window = Window::of_day("2024-09-19".parse().unwrap());
    let file = |key: &str| RemoteFile::new(key.to_owned(), base.clone(), "/x".to_owned(), window.start);
    let mut files = [file("77/Br"), file("77/err")];
    let names = Names::from([
        ("77/Br".to_owned(), ordered("Br", Some("Br.fits"))),
        ("77/err".to_owned(), ordered("err", Some("err.Br.fits"))),
    ]);
    let rows: Vec<ExportedFile> = rows.iter().map(listed_row).collect();
    join(&mut files, window, &names, &delivered(rows), &base).map_err(|failure| failure.message)?;
    Ok(files.each_ref().map(|file| (file.body == Body::Remote).then(|| without_stem(file))))
}

#[test]
fn files_that_are_made_are_told_apart_by_their_names() {
    let both = |one: &str, other: &str| Ok([Some(one.to_owned()), Some(other.to_owned())]);
    let rows = [(RECORD, "err.Br.fits"), (RECORD, "Br.fits")];
    assert_eq!(told_apart(&rows), both("Br.fits", "err.Br.fits"));
    let made = "hmi.V_SHT_2drls_mod[2024.09.19_00:00:00_TAI][JSOC_20260101_001]";
    let rows = [(made, "err.Br.fits"), (made, "Br.fits")];
    assert_eq!(told_apart(&rows), both("Br.fits", "err.Br.fits"), "of a series that a program made");
    let left_out = told_apart(&[(RECORD, "Br.fits")]).unwrap_err();
    assert!(
        left_out.contains("left out 1 of the listed files, such as `hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]{err}`"),
        "{left_out}"
    );
    let other = "hmi.v_sht_2drls[2024.09.20_00:00:00_TAI]";
    assert!(told_apart(&[(other, "Br.fits"), (other, "err.Br.fits")]).unwrap_err().contains("left out 2"));
}

#[test]
fn what_a_program_makes_is_known_by_the_file_s_name_or_the_segment_s() {
    let made = "hmi.V_SHT_2drls_mod[2024.09.19_00:00:00_TAI][JSOC_20260101_001]";
    let image = |rows: &[(&str, &str)]| {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let mut files = [RemoteFile::new("77/image".to_owned(), base.clone(), "/x".to_owned(), window.start)];
        let names = Names::from([("77/image".to_owned(), ordered("image", Some("image_lev1.fits")))]);
        let rows: Vec<ExportedFile> = rows.iter().map(listed_row).collect();
        join(&mut files, window, &names, &delivered(rows), &base).map_err(|failure| failure.message)?;
        Ok::<_, String>(without_stem(&files[0]))
    };
    for name in ["image.fits", "image_lev1.fits"] {
        assert_eq!(image(&[(made, name)]).as_deref(), Ok(name));
    }
    let both = image(&[(made, "image.fits"), (made, "image_lev1.fits")]).unwrap_err();
    assert!(both.contains("(2 in all)"), "{both}");
    let own = image(&[(RECORD, "image.fits")]).unwrap_err();
    assert!(own.contains("left out 1 of the listed files"), "no program made it: {own}");
    assert!(image(&[(made, "spikes.fits")]).unwrap_err().contains("left out 1 of the listed files"));
    // As-is files: the row names the segment, and the name is as ours ask for, or that on disk.
    let as_is = format!("{RECORD}{{image}}");
    assert_eq!(image(&[(as_is.as_str(), format!("{STEM}image.fits").as_str())]).as_deref(), Ok("image.fits"));
    assert!(image(&[(as_is.as_str(), "image.fits")]).unwrap_err().contains("it is not known which file that is"));
}

#[test]
fn a_file_on_disk_is_that_of_the_record_by_its_storage_unit_and_slot() {
    let base: Url = "http://h.example/".parse().unwrap();
    let window = Window::of_day("2024-09-19".parse().unwrap());
    for (path, is_ours) in [
        ("/SUM1/D7/S00008/rot.2d", true),
        ("/SUM22/D7/S00008/rot.2d", true),
        ("/SUM1/D8/S00008/rot.2d", false),
        ("/SUM1/D7/S00009/rot.2d", false),
    ] {
        let mut files = [RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start)];
        let place = Some("D7/S00008/rot.2d".to_owned());
        let names = Names::from([("77/rot".to_owned(), Ordered { place, ..ordered("rot", Some("rot.2d")) })]);
        let rows = delivered(vec![row(&format!("{RECORD}{{rot}}"), Some(path))]);
        let joined = join(&mut files, window, &names, &rows, &base).map_err(|failure| failure.message);
        assert_eq!(joined.is_ok(), is_ours, "{path}: {joined:?}");
        let names_both = |words: &str| words.contains(path) && words.contains("is in `D7/S00008/rot.2d`");
        assert!(joined.err().is_none_or(|words| names_both(&words)));
    }
}

#[test]
fn what_has_no_directory_or_was_refused_is_not_on_the_disks() {
    let base: Url = "http://h.example/".parse().unwrap();
    let window = Window::of_day("2024-09-19".parse().unwrap());
    let names = Names::from([("77/rot".to_owned(), ordered("rot", Some("rot.2d")))]);
    let no_directory = ExportedFile { is_offline: true, ..row(&format!("{RECORD}{{rot}}"), None) };
    let refused =
        Delivered { not_had: [(77, NotHad::Offline("some are offline".into()))].into(), ..Delivered::default() };
    for came in [delivered(vec![no_directory]), refused] {
        for body in [Body::Remote, Body::None] {
            let file = RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start);
            let mut files = [RemoteFile { body: body.clone(), ..file }];
            join(&mut files, window, &names, &came, &base).unwrap();
            let is_offline = matches!(&files[0].body, Body::Offline(why) if why.contains("is not on JSOC's disks"));
            assert_eq!(is_offline, body == Body::Remote, "{came:?}");
        }
    }
}

#[test]
fn a_file_named_after_another_record_is_refused() {
    let other = "hmi.v_sht_2drls.20240920_000000_TAI";
    for record in [RECORD.to_owned(), format!("{RECORD}{{rot}}")] {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let mut files = [RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start)];
        let names = Names::from([("77/rot".to_owned(), ordered("rot", Some("rot.2d")))]);
        let rows = vec![row(&record, Some(&format!("/SUM9/D1/S00000/{other}.rot.2d")))];
        let message = join(&mut files, window, &names, &delivered(rows), &base).unwrap_err().message;
        assert!(message.contains(&format!("lists `/SUM9/D1/S00000/{other}.rot.2d` for `{RECORD}")), "{message}");
        assert!(message.contains("is no name of a file of that record"), "{message}");
    }
}

#[test]
fn a_warning_in_place_of_a_file_is_reported_and_files_outside_the_time_are_ignored() {
    let base: Url = "http://h.example/".parse().unwrap();
    let window = Window::of_day("2024-09-19".parse().unwrap());
    let mut files = [RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start)];
    let names = Names::from([("77/rot".to_owned(), ordered("rot", Some("rot.2d")))]);
    let warns = ExportedFile { warning: Some("No such file".to_owned()), ..row(RECORD, None) };
    let mut of_record = files.clone();
    join(&mut of_record, window, &names, &delivered(vec![warns.clone()]), &base).unwrap();
    assert!(matches!(&of_record[0].body, Body::NotMade(why) if why.contains("warns: No such file;")), "it fails alone");
    let of_none = ExportedFile { named: "warning=nosuchfile".to_owned(), ..warns };
    let message = join(&mut files, window, &names, &delivered(vec![of_none]), &base).unwrap_err().message;
    assert!(message.contains("(JSOC warns: No such file)"), "{message}");
    let at = |time: &str| row(&format!("hmi.v_sht_2drls[{time}]"), Some("/SUM9/x.rot.2d"));
    let rows = [at("2024.09.19_00:00:00_TAI"), at("2024.09.18_23:48:00_TAI"), at("2024.09.19_12:00:00_TAI")];
    let strange = strange(&rows, window, &[&names]);
    assert_eq!(strange, Some((1, "hmi.v_sht_2drls[2024.09.19_12:00:00_tai]")));
}
