//! Answers as HAPI documents them, and answers that no server should give.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::rows::read_rows;
use super::*;
use crate::manifest::{Bound, Credentials, Fetch, Filters, Range, Reach, Regions, SeriesId, SourceSpec, Template};
use crate::source::{Body, RemoteFile};

fn base() -> Url {
    "https://h.example/hapi/".parse().unwrap()
}

fn series(name: &str) -> Series {
    let at = |text: &str| Bound::At(text.parse().unwrap());
    let reach = Reach { urls: vec![base()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() };
    Series {
        id: SeriesId("one".to_owned()),
        name: name.to_owned(),
        fallbacks: Vec::new(),
        source: Arc::new(SourceSpec::Hapi(manifest::Hapi { reach, parameters: None })),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        regions: Regions::default(),
        layout: Template::default_of_kind(),
        filters: Filters::default(),
        fetch: Fetch::Files,
        headers: manifest::Headers::AsIs,
        keywords: None,
        settle: Duration::from_hours(72),
    }
}

fn day() -> Day {
    Day::whole("2015-12-11".parse().unwrap())
}

/// The documented example, with a spectrum of two dimensions and what a server adds of its own.
fn magnetic() -> Value {
    json!({
        "HAPI": "3.1", "status": { "code": 1200, "message": "OK" }, "startDate": "1998-001Z", "stopDate": "2017-100Z",
        "cadence": "PT1H", "modificationDate": "2020-01-01Z", "x_server": 7,
        "parameters": [
            { "name": "Time", "type": "isotime", "units": "UTC", "fill": null, "length": 24 },
            { "name": "radial_position", "type": "double", "units": "km", "fill": null, "x_own": 1 },
            { "name": "quality_flag", "type": "integer", "units": "none", "fill": null },
            { "name": "mag_GSE", "type": "double", "units": "nT", "fill": "-1e31", "size": [3] },
            { "name": "spectrum", "type": "double", "units": "eV", "fill": "-1e31", "size": [2, 2] },
        ]
    })
}

fn images(string: &Value) -> Value {
    json!({
        "HAPI": "3.2", "status": { "code": 1200, "message": "OK" }, "startDate": "2010-01-01Z", "stopDate": "2030-01-01Z",
        "parameters": [
            { "name": "Time", "type": "isotime", "units": "UTC", "fill": null, "length": 24 },
            { "name": "image", "type": "string", "length": 64, "units": null, "fill": "none", "stringType": string },
            { "name": "wavelength", "type": "double", "units": "angstrom", "fill": "NaN" },
        ]
    })
}

fn read_info(info: &Value) -> Result<Info, Failure> {
    Info::read(info.to_string().as_bytes())
}

fn listed(info: &Value, named: Option<&[&str]>, pieces: &[(&str, Window)]) -> Result<Listed, Failure> {
    let (info, day, base, series) = (read_info(info)?, day(), base(), series("a/b@0"));
    let named: Option<Vec<String>> = named.map(|named| named.iter().map(|name| (*name).to_owned()).collect());
    let chosen = info.choose(named.as_deref())?;
    let mut table = DayTable::of(&chosen, &day, UrlScope { base: &base, hosts: &[] });
    for (answer, piece) in pieces {
        table.take(answer.as_bytes(), *piece, ResponseEnd::Framed)?;
    }
    let asked = ParameterNames::from_capabilities(br#"{"HAPI":"3.1"}"#)?.data(&base, "a/b@0", &day.window, None);
    table.into_listed(&series, &info, &asked)
}

fn table(listed: &Listed) -> &str {
    let Body::Made(bytes) = &listed.files[0].body else { panic!("{listed:?}") };
    std::str::from_utf8(bytes).unwrap()
}

fn malformed(listed: Result<Listed, Failure>) -> String {
    let failure = listed.unwrap_err();
    assert_eq!(failure.class, Class::ListingMalformed, "{failure}");
    failure.message
}

#[test]
fn the_questions_are_those_of_the_server_s_version() {
    let window = day().window;
    let of = |version: &str| ParameterNames::from_capabilities(json!({ "HAPI": version }).to_string().as_bytes());
    let url = |version: &str| of(version).unwrap().data(&base(), "path/to/A B@0", &window, Some("Bx,By")).to_string();
    let dataset = "path%2Fto%2FA%20B%400";
    let (start, stop) = ("2015-12-11T00:00:00Z", "2015-12-12T00:00:00Z");
    for version in ["3.0", "3.2.1", "4"] {
        let due = format!("data?dataset={dataset}&start={start}&stop={stop}&parameters=Bx,By&format=csv");
        assert_eq!(url(version), format!("{}{due}", base()));
    }
    let due = format!("data?id={dataset}&time.min={start}&time.max={stop}&parameters=Bx,By&format=csv");
    assert_eq!(url("2.1"), format!("{}{due}", base()));
    assert!(of("none").is_err());
}

#[test]
fn parameters_come_in_the_dataset_s_own_order_or_are_refused() {
    let info = read_info(&magnetic()).unwrap();
    let choose = |named: &[&str]| {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        info.choose(Some(&named)).map(|chosen| query::list(&chosen))
    };
    assert_eq!(choose(&["mag_GSE", "Time", "quality_flag"]).unwrap(), "quality%5Fflag,mag%5FGSE".replace("%5F", "_"));
    assert_eq!(choose(&["Time"]).unwrap(), "Time");
    assert_eq!(choose(&["quality_flag", "Time", "quality_flag"]).unwrap(), "quality_flag", "named twice, asked once");
    let refused = choose(&["mag_GSM"]).unwrap_err();
    assert_eq!(refused.class, Class::SourceRefused);
    assert!(refused.message.contains("did you mean `mag_GSE`?"), "{refused}");
}

#[test]
fn a_table_has_the_server_s_own_rows_under_one_line_of_names_and_a_sidecar() {
    let rows = "2015-12-11T00:00:00.000Z,6.848351,0,0.05,0.08,-50.98,1,2,3,4\r\n\
                2015-12-11T01:00:00.000Z,6.890149,0,0.04,0.07,-45.26,1,2,3,4\n";
    let listed = listed(&magnetic(), None, &[(rows, day().window)]).unwrap();
    let due = "Time,radial_position,quality_flag,mag_GSE[0],mag_GSE[1],mag_GSE[2],spectrum[0][0],spectrum[0][1],\
               spectrum[1][0],spectrum[1][1]\n";
    assert_eq!(table(&listed), format!("{due}{}", rows.replace('\r', "")));
    let names: Vec<_> = listed.files.iter().map(|file| (file.key.as_str(), file.name.as_deref().unwrap())).collect();
    assert_eq!(names, [("made:data.csv", "a_b@0.20151211.csv"), ("made:info.json", "a_b@0.20151211.json")]);
    let Body::Made(sidecar) = &listed.files[1].body else { panic!("{listed:?}") };
    let sidecar: Value = serde_json::from_slice(sidecar).unwrap();
    assert_eq!((&sidecar["sunhaul"], &sidecar["cadence"]), (&json!("hapi-info/1"), &json!("PT1H")));
    assert_eq!(
        sidecar["parameters"][1],
        json!({ "name": "radial_position", "type": "double", "units": "km", "fill": null })
    );
    for volatile in ["HAPI", "status", "startDate", "stopDate", "modificationDate", "x_server"] {
        assert_eq!(sidecar[volatile], Value::Null, "{volatile}");
    }
}

#[test]
fn two_parameters_of_one_name_are_told_apart_in_the_table_and_refused_by_name() {
    let mut info = magnetic();
    info["parameters"][2]["name"] = json!("mag_GSE");
    info["parameters"][4]["name"] = json!("mag_GSE_");
    let rows = "2015-12-11T00:00:00.000Z,6.8,0,0.05,0.08,-50.98,1,2,3,4\n";
    let all = listed(&info, None, &[(rows, day().window)]).unwrap();
    let due = "Time,radial_position,mag_GSE,mag_GSE__[0],mag_GSE__[1],mag_GSE__[2],mag_GSE_[0][0],mag_GSE_[0][1],\
               mag_GSE_[1][0],mag_GSE_[1][1]\n";
    assert_eq!(table(&all), format!("{due}{rows}"));
    let Body::Made(sidecar) = &all.files[1].body else { panic!("{all:?}") };
    let sidecar: Value = serde_json::from_slice(sidecar).unwrap();
    let names = sidecar["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["Time", "radial_position", "mag_GSE", "mag_GSE__", "mag_GSE_"]);
    let refused = listed(&info, Some(&["mag_GSE"]), &[]).unwrap_err();
    assert_eq!(refused.class, Class::SourceRefused);
    assert!(refused.message.contains("has several parameters `mag_GSE`"), "{refused}");
    assert!(listed(&info, Some(&["radial_position"]), &[("", day().window)]).is_ok());
}

#[test]
fn in_pieces_or_whole_the_table_is_the_same() {
    let Window { start, end } = day().window;
    let middle = start + (end - start) / 2;
    let row = |hour: u32| format!("2015-12-11T{hour:02}:00:00Z,{hour}\n");
    let all: String = (0..24).map(row).collect();
    let first: String = (0..=12).map(row).collect();
    let second: String = (12..24).map(row).collect();
    let named = Some(&["quality_flag"][..]);
    let whole = listed(&magnetic(), named, &[(&all, day().window)]).unwrap();
    // A server that counts the end in gives the row between two pieces twice.
    let pieces = [(&*first, Window { start, end: middle }), (&*second, Window { start: middle, end })];
    assert_eq!(listed(&magnetic(), named, &pieces).unwrap(), whole);
}

#[test]
fn l_03_rows_outside_the_day_are_counted_and_dropped() {
    let rows = "2015-12-10T23:59:59Z,1\n2015-12-11T00:00:00Z,2\n2015-12-12T00:00:00Z,3\n";
    let listed = listed(&magnetic(), Some(&["quality_flag"]), &[(rows, day().window)]).unwrap();
    assert_eq!((table(&listed), listed.outside_day), ("Time,quality_flag\n2015-12-11T00:00:00Z,2\n", 2));
}

#[test]
fn rows_that_cannot_be_right_are_told() {
    let read = |rows: &str| listed(&magnetic(), Some(&["quality_flag"]), &[(rows, day().window)]);
    assert!(malformed(read("2015-12-11T00:00:00Z\n")).contains("row 1: 1 columns, where `info` tells 2"));
    assert!(malformed(read("noon,1\n")).contains("`noon` is no time"));
    let back = read("2015-12-11T01:00:00Z,1\n2015-12-11T00:00:00Z,1\n").unwrap();
    assert!(table(&back).ends_with("2015-12-11T01:00:00Z,1\n2015-12-11T00:00:00Z,1\n"), "kept as they were sent");
    assert!(malformed(read("2015-12-11T01:00:00Z,\"1\n")).contains("not terminated"));
    let twice = read("2015-12-11T01:00:00Z,1\n2015-12-11T01:00:00Z,1\n").unwrap();
    assert_eq!((table(&twice).lines().count(), twice.duplicates), (2, 1));
    assert_eq!(read("").unwrap(), Listed::default(), "no data are no table");
    let quoted = read("#{\"HAPI\":\"3.1\"}\n2015-12-11T01:00:00Z,\"a, \"\"b\"\"\n c\"\n").unwrap();
    assert!(table(&quoted).ends_with("2015-12-11T01:00:00Z,\"a, \"\"b\"\"\n c\"\n"));
}

#[test]
fn l_12_an_answer_that_may_be_cut_is_none() {
    let read = |answer: &str, end| read_rows(answer.as_bytes(), 2, day().window, end, |_| Ok(())).map_err(|f| f.class);
    let (whole, cut) = ("2015-12-11T01:00:00Z,15\n", "2015-12-11T01:00:00Z,1");
    assert!(read(whole, ResponseEnd::Framed).is_ok());
    for cut in [cut, "#{\"HAPI\":\"3.1\"", "2015-12-11T01:00:00Z,15\n2015-12-11T01:00:00Z,1"] {
        assert_eq!(read(cut, ResponseEnd::Framed), Err(Class::Truncated), "{cut:?}");
    }
    for comment in [
        "#ERROR 1500 Internal server error",
        "# HAPI 1500 upstream error",
        "# error",
        "#{\"HAPI\":\"3.1\",\"status\":{\"code\":1500,\"message\":\"no\"}}",
    ] {
        assert_eq!(read(&format!("{whole}{comment}\n"), ResponseEnd::Framed), Err(Class::Truncated), "{comment}");
    }
    for comment in
        ["#{\"HAPI\":\"3.1\",\"status\":{\"code\":1200,\"message\":\"OK\"}}", "#  \"error\": null,", "# HAPI 3.1"]
    {
        assert_eq!(read(&format!("{comment}\n{whole}"), ResponseEnd::Framed), Ok(Vec::new()), "{comment}");
    }
    for answer in [whole, cut, ""] {
        assert_eq!(read(answer, ResponseEnd::Close), Err(Class::Truncated), "{answer:?}");
    }
}

#[test]
fn addresses_of_files_are_taken_in_every_form() {
    let keys = |string: &Value, cell: &str| {
        let row = format!("2015-12-11T01:00:00Z,{cell}\n");
        listed(&images(string), None, &[(&row, day().window)])
            .map(|listed| listed.files.iter().map(|file| (file.key.clone(), file.url.to_string())).collect::<Vec<_>>())
    };
    let is = |path: &str| vec![(format!("..{path}"), format!("https://h.example{path}"))];
    assert_eq!(keys(&json!("uri"), "https://h.example/pub/a.fits").unwrap(), is("/pub/a.fits"));
    for base in ["https://h.example/pub/", "https://h.example/pub"] {
        let string = json!({ "uri": { "mediaType": "image/fits", "base": base } });
        assert_eq!(keys(&string, "2015/a.fits").unwrap(), is("/pub/2015/a.fits"), "{base}");
        assert_eq!(keys(&string, "/a.fits").unwrap(), is("/a.fits"));
        assert_eq!(keys(&string, "\"a b,c.fits\"").unwrap(), is("/pub/a%20b,c.fits"));
        let row = "2015-12-11T01:00:00Z,none\n2015-12-11T02:00:00Z,\n2015-12-12T01:00:00Z,none\n";
        let listed = listed(&images(&string), None, &[(row, day().window)]).unwrap();
        let told: Vec<_> = listed.files.iter().map(|file| (file.key.as_str(), file.body == Body::None)).collect();
        assert_eq!(told, [("image.20151211T010000", true), ("image.20151211T020000", true)], "the fill is no address");
        assert_eq!(listed.outside_day, 1);
        assert!(keys(&string, "../a.fits").is_err());
    }
    assert_eq!(keys(&json!("uri"), "s3://bucket/a.fits").unwrap_err().class, Class::ListingMalformed);
    assert_eq!(keys(&json!("uri"), "https://other.example/a.fits").unwrap_err().class, Class::SourceRefused);
}

#[test]
fn addresses_of_files_are_known_however_their_parameter_says_so() {
    let base = "https://h.example/png/";
    let rows = "2015-12-11T02:19Z,a.png,1\n2015-12-11T09:10Z,b.png,2\n";
    for (string, size) in [
        (json!({ "uri": { "mediaType": "image/png", "base": base } }), json!([1])),
        (json!({ "uri": { "base": base } }), json!([1, 1])),
        (json!({ "type": "uri", "base": base }), Value::Null),
        (json!({ "type": "uri", "base": base }), json!([1])),
    ] {
        let mut info = images(&string);
        info["parameters"][1]["size"] = size.clone();
        let rows = rows.replace(",1\n", "\n").replace(",2\n", "\n");
        let listed = listed(&info, None, &[(&rows, day().window)]).unwrap();
        let urls: Vec<&str> = listed.files.iter().map(|file| file.url.as_str()).collect();
        assert_eq!(urls, ["https://h.example/png/a.png", "https://h.example/png/b.png"], "{string} {size}");
    }
    // Two of each time.
    let mut info = images(&json!({ "uri": { "base": base } }));
    info["parameters"][1]["size"] = json!([2]);
    let rows = "2015-12-11T02:19Z,a.png,none\n2015-12-11T09:10Z,b.png,c.png\n";
    let listed = listed(&info, None, &[(rows, day().window)]).unwrap();
    let files: Vec<(&str, bool)> =
        listed.files.iter().map(|file| (file.key.as_str(), file.body == Body::None)).collect();
    let due =
        [("../png/a.png", false), ("../png/b.png", false), ("../png/c.png", false), ("image[1].20151211T021900", true)];
    assert_eq!(files, due);
}

#[test]
fn a_table_that_holds_addresses_is_noticed() {
    let noticed = |change: &dyn Fn(&mut Value), cell: &str| {
        let mut info = images(&Value::Null);
        change(&mut info);
        let info = Info::read(info.to_string().as_bytes()).unwrap();
        let chosen = info.choose(None).unwrap();
        let (base, day) = (base(), day());
        let mut table = DayTable::of(&chosen, &day, UrlScope { base: &base, hosts: &[] });
        let row = format!("2015-12-11T01:00:00Z,{cell},171\n");
        table.take(row.as_bytes(), day.window, ResponseEnd::Framed).unwrap();
        table.addresses().map(str::to_owned)
    };
    let image = || Some("image".to_owned());
    assert_eq!(noticed(&|_| {}, "https://h.example/a.png"), image());
    assert_eq!(noticed(&|info| info["parameters"][1]["stringType"] = json!({ "URI": {} }), "a.png"), image());
    assert_eq!(noticed(&|info| info["parameters"][1]["name"] = json!("fileURL"), "a.png"), Some("fileURL".to_owned()));
    assert_eq!(noticed(&|_| {}, "quiet sun: none"), None);
}

#[test]
fn files_of_one_name_are_told_apart_by_their_folders() {
    let rows = "2015-12-11T01:00:00Z,https://h.example/pub/94/a.fits\n\
                2015-12-11T01:00:00Z,https://h.example/pub/131/a.fits\n\
                2015-12-11T02:00:00Z,https://h.example/pub/131/b%20c.fits\n";
    let listed = listed(&images(&json!("uri")), None, &[(rows, day().window)]).unwrap();
    let names: Vec<_> = listed.files.iter().filter_map(|file| file.name.as_deref()).collect();
    assert_eq!(names, ["pub.131.a.fits", "b c.fits", "pub.94.a.fits"]);
}

#[test]
fn files_of_one_path_are_told_apart_by_their_queries() {
    let rows: String = ["get.fits?author=a%2F0", "get.fits?author=a1", "get?id=b.fits", "get?id=c.fits&token=x"]
        .map(|last| format!("2015-12-11T01:00:00Z,https://h.example/pub/{last}\n"))
        .concat();
    let listed = listed(&images(&json!("uri")), None, &[(&rows, day().window)]).unwrap();
    let mut names: Vec<_> = listed.files.iter().filter_map(|file| file.name.as_deref()).collect();
    names.sort_unstable();
    let due = ["pub.get.author=a.0.fits", "pub.get.author=a1.fits", "pub.get.id=b.fits", "pub.get.id=c.fits"];
    assert_eq!((names, listed.duplicates), (due.to_vec(), 0));
}

#[test]
fn files_that_differ_by_what_looks_like_a_secret_alone_are_refused_and_one_file_twice_is_not() {
    let read = |rows: [&str; 2]| {
        let rows = rows.map(|address| format!("2015-12-11T01:00:00Z,https://h.example{address}\n")).concat();
        listed(&images(&json!("uri")), None, &[(&rows, day().window)])
    };
    let failure = read(["/get?key=img0.fits", "/get?key=img1.fits"]).unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    assert!(failure.message.contains("differ by `key` alone, which looks like a secret"), "{failure}");
    assert!(!failure.message.contains("img0"), "it may be one: {failure}");
    let twice = read(["/get?key=img0.fits", "/get?key=img0.fits"]).unwrap();
    assert_eq!((twice.files.len(), twice.duplicates), (1, 1));
    let on = |host: &str| {
        let url = format!("https://{host}.example/x.fits");
        RemoteFile::new("/x.fits".to_owned(), url.parse().unwrap(), url, day().window.start)
    };
    let failure = Listed { files: vec![on("a"), on("b")], ..Listed::default() }.folded().unwrap_err();
    assert!(failure.message.contains("the same path on two hosts"), "{failure}");
}

#[test]
fn what_is_no_info_says_so() {
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut info = magnetic();
        change(&mut info);
        let failure = read_info(&info).unwrap_err();
        assert_eq!(failure.class, Class::ListingMalformed, "{failure}");
        failure.message
    };
    assert!(wrong(&|info| info["startDate"] = json!("soon")).contains("`startDate` is `soon`"));
    assert!(wrong(&|info| info["parameters"] = json!([])).contains("no time"));
    assert!(wrong(&|info| info["parameters"][0]["type"] = json!("string")).contains("no time"));
    assert!(wrong(&|info| info["parameters"][3]["size"] = json!([0])).contains("`mag_GSE`"));
    assert!(wrong(&|info| info["parameters"][3]["size"] = json!([u64::MAX, 2])).contains("`mag_GSE`"));
    assert!(wrong(&|info| info["parameters"][3]["size"] = json!([999_999])).contains("columns"));
    let long = |info: &mut Value| {
        info["parameters"][3]["size"] = json!([9_999, 99]);
        info["parameters"][3]["name"] = json!("B".repeat(100_000));
    };
    assert!(wrong(&long).contains("the names of all columns"), "a hundred gigabytes of them");
    assert!(wrong(&|info| info["parameters"][3]["size"] = json!(vec![1; 1_000])).contains("dimensions"));
    assert!(wrong(&|info| info["parameters"][1]["name"] = json!("a,b")).contains("cannot be requested"));
    assert_eq!(Info::read(b"<html>").unwrap_err().class, Class::Html);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Info::read(format!("{{\"parameters\":{deep}}}").as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_a_real_dataset_its_listing_is_sorted_in_its_day_and_on_the_server_s_own_host(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), of_files in any::<bool>(), in_info in any::<bool>(),
    ) {
        let string = json!({ "uri": { "base": "https://h.example/pub/" } });
        let (info, row) =
            if of_files { (images(&string), "a/b c.fits,171") } else { (magnetic(), "6.8,0,0.05,0.08,-50.98,1,2,3,4") };
        let mut info = info.to_string().into_bytes();
        let mut data = format!("2015-12-11T00:00:00Z,{row}\n2015-345T12:00Z,{row}\r\n2015-12-12Z,{row}\n").into_bytes();
        let changed = if in_info { &mut info } else { &mut data };
        let at = at.index(changed.len());
        changed[at] = byte;
        if let Ok(listed) = read_answer(&info, &data, &base(), &series("a/b@0"), &day()) {
            prop_assert!(listed.files.is_sorted_by(|a, b| a.key < b.key));
            prop_assert!(listed.files.iter().all(|file| day().window.contains(file.time)));
            prop_assert!(listed.files.iter().all(|file| file.url.origin() == base().origin()));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), columns in 1usize..4) {
        let _ = (Info::read(&bytes), ParameterNames::from_capabilities(&bytes), status::read_status(&bytes));
        let _ = read_rows(&bytes, columns, day().window, ResponseEnd::Framed, |_| Ok(()));
    }

    #[test]
    fn rows_come_back_as_they_were_sent(cells in proptest::collection::vec("[ -~\n]{0,8}", 1..4)) {
        let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        let sent = format!("2015-12-11T01:00:00Z,{}", quoted.join(","));
        let mut came = Vec::new();
        let answer = format!("{sent}\r\n{sent}\n");
        let read = read_rows(answer.as_bytes(), cells.len() + 1, day().window, ResponseEnd::Framed, |row| {
            came.push((row.text.to_owned(), row.cells[1..].iter().map(ToString::to_string).collect::<Vec<_>>()));
            Ok(())
        });
        prop_assert!(read.is_ok(), "{:?}", read);
        prop_assert_eq!(came, vec![(sent.clone(), cells.clone()), (sent, cells)]);
    }
}
