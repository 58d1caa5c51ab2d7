//! Records as they are written, cut, edited and changed byte by byte.

use super::*;

fn file(path: &str) -> FileLine {
    FileLine {
        preexisting: false,
        series: "s".into(),
        path: path.into(),
        bytes: Some(3),
        sha256: Some(Digest::sha256(path.as_bytes())),
        time: "2015-12-11T18:22:08Z".into(),
        key: format!("/HMI/s/{path}"),
        url: format!("/HMI/s/{path}"),
        source_series: None,
        recnum: None,
        harpnum: None,
        segment: None,
        checked: Some(Checked::Size),
        absent: None,
        reason: None,
        header: None,
        data: None,
        listed: None,
        etag: None,
        last_modified: None,
        redirected: None,
        instant: None,
        origin: None,
        cards: None,
        storage: None,
    }
}

fn record(paths: &[&str]) -> DayRecord {
    let lasting = RecordBasis {
        job: "j".into(),
        series: "s".into(),
        date: "2015-12-11".parse().unwrap(),
        scale: Scale::Utc,
        window: ["2015-12-11T00:00:00Z".into(), "2015-12-12T00:00:00Z".into()],
        spec: Digest::sha256(b"spec"),
        state: RecordState::Sealed,
        records: None,
        left_out: None,
    };
    DayRecord::new(lasting, paths.iter().map(|p| file(p)).collect())
}

#[test]
fn a_record_reads_back_as_written_whatever_order_its_files_came_in() {
    let bytes = record(&["s/b", "s/a", "s/B"]).to_bytes();
    assert_eq!(bytes, record(&["s/B", "s/b", "s/a"]).to_bytes());
    let read = DayRecord::parse(Path::new("r"), &bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    assert_eq!(read.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["s/B", "s/a", "s/b"]);
    assert!(bytes.starts_with(br#"{"day":{"format":"day/1","job":"j","series":"s","date":"2015-12-11","#));
}

#[test]
fn a_record_cut_at_any_byte_is_told_from_a_whole_one() {
    let bytes = record(&["s/a", "s/b"]).to_bytes();
    for end in 0..bytes.len() {
        let error = DayRecord::parse(Path::new("r"), &bytes[..end]).unwrap_err();
        assert!(matches!(error, Error::Record { .. }), "{end}: {error}");
    }
}

#[test]
fn no_changed_bit_of_a_record_goes_unseen() {
    let mut bytes = record(&["s/a", "s/b"]).to_bytes();
    let end_of_header = bytes.iter().position(|b| *b == b'\n').unwrap();
    // The second half of `check` is about the lines, which a reader of the header alone does not look at.
    let of_lines = end_of_header - 35..end_of_header - 3;
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::open(folder.path()).unwrap();
    let day = (SeriesId("s".into()), "2015-12-11".parse().unwrap());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let read = DayRecord::parse(Path::new("r"), &bytes);
            assert!(read.is_err(), "byte {at}, bit {bit}: {read:?}");
            if at <= end_of_header && !of_lines.contains(&at) {
                std::fs::write(folder.path().join("r"), &bytes).unwrap();
                assert!(read_header(&tree, "r", &day.0, day.1).is_err(), "header byte {at}, bit {bit}");
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_record_spelt_another_way_is_none_though_its_sums_are_right() {
    let spell = |lines: &str, header: &dyn Fn(String) -> String| {
        let text = String::from_utf8(record(&["s/a"]).to_bytes()).unwrap();
        let header = header(text[..text.find(r#","body""#).unwrap()].to_owned());
        let header = format!(r#"{header},"body":{}"#, lines.len());
        let check = Digest::of_two(header.as_bytes(), lines.as_bytes());
        DayRecord::parse(Path::new("r"), format!("{header},\"check\":\"{check}\"}}}}\n{lines}").as_bytes())
    };
    let lines = String::from_utf8(line(&file("s/a"))).unwrap();
    assert!(spell(&lines, &|header| header).is_ok());
    assert!(spell(&lines.replace(",\"time", ", \"time"), &|header| header).is_err());
    assert!(spell(&lines, &|header| header.replace("\"job\":", "\"job\": ")).is_err());
    assert!(spell(&lines, &|header| header.replace("\"files\":1", "\"files\":2")).is_err());
    assert!(spell(&lines, &|header| header.replace("\"bytes\":3", "\"bytes\":4")).is_err());
    let most = lines.replace("\"bytes\":3", "\"bytes\":18446744073709551615");
    assert!(spell(&most.replace("s/a", "s/").repeat(2), &|header| header).is_err());
}

#[test]
fn what_a_record_says_cannot_act_on_a_terminal() {
    for text in ["{\"day\":{\"format\":\"day/1\",\"\\u001b[2J\":1}}\n", "{\"\\u001b[2J\":1}\n"] {
        let error = DayRecord::parse(Path::new("r"), text.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
}

proptest::proptest! {
    #[test]
    fn a_record_of_any_texts_reads_back_and_a_changed_byte_shows(
        texts in proptest::collection::vec("(?s).{0,12}", 7), at in proptest::num::usize::ANY, to in 1u8..,
    ) {
        let texts: [String; 7] = texts.try_into().unwrap();
        let [job, series, time, key, url, segment, etag] = texts;
        let left_out = Some(LeftOut { quality: [(377, vec![time.clone(), key.clone()])].into() });
        let mut files = vec![file("s/a"), file("s/b")];
        files[0] = FileLine { time, key, url, segment: Some(segment), etag: Some(etag), ..files[0].clone() };
        files[1] = FileLine { absent: Some(AbsentReason::NoFile), sha256: None, bytes: None, ..files[1].clone() };
        let DayHeader { date, scale, window, spec, state, .. } = record(&[]).header;
        let written = DayRecord::new(RecordBasis { job, series, date, scale, window, spec, state, records: None, left_out }, files);
        let mut bytes = written.to_bytes();
        proptest::prop_assert_eq!(&DayRecord::parse(Path::new("r"), &bytes).unwrap(), &written);
        let at = at % bytes.len();
        bytes[at] ^= to;
        proptest::prop_assert!(DayRecord::parse(Path::new("r"), &bytes).is_err(), "byte {}", at);
    }
}

#[test]
fn an_edited_line_a_leaving_path_and_a_newer_version_are_told() {
    let text = String::from_utf8(record(&["s/a", "s/b"]).to_bytes()).unwrap();
    let parse = |text: &str| DayRecord::parse(Path::new("r"), text.as_bytes()).unwrap_err().to_string();
    let swapped = text.replace(&Digest::sha256(b"s/a").to_string(), &Digest::sha256(b"other").to_string());
    assert!(parse(&swapped).contains("digest does not match"), "{}", parse(&swapped));
    assert!(parse(&text.replace("\"path\":\"s/a\"", "\"path\":\"../\"")).contains("leaves the archive"));
    assert!(parse(&text.replace("day/1", "day/9")).contains("newer sunhaul"));
}

#[test]
fn a_record_of_another_program_has_no_check_and_its_counts_must_be_right() {
    let text = String::from_utf8(record(&["s/a", "s/b"]).to_bytes()).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let bare = format!("{}}}}}\n{lines}", &header[..header.find(",\"check\"").unwrap()]);
    let spelt = bare.replacen("{\"day\":{", "{ \"day\": { ", 1);
    for text in [&bare, &spelt] {
        let read = DayRecord::parse(Path::new("r"), text.as_bytes()).unwrap();
        assert_eq!((read.files.len(), read.header.check), (2, None));
    }
    let wrong = bare.replace("\"bytes\":6,", "\"bytes\":7,");
    assert_ne!(wrong, bare);
    assert!(DayRecord::parse(Path::new("r"), wrong.as_bytes()).is_err());
}
