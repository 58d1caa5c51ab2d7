//! A job that asks for less than before, or the same elsewhere: where the records alone decide, JSOC is not asked.

use super::{Fake, Record};
use crate::lab::Lab;

const DAY: &str = "2015-12-11";

/// Two records of two regions.
fn service() -> Fake {
    Fake::of(vec![
        Record::new(8, "2015-12-11T00:00:00"),
        Record { harpnum: 392, ..Record::new(9, "2015-12-11T12:12:00") },
    ])
}

fn lab(fake: &Fake, keys: &str) -> Lab {
    let lab = Lab::new();
    ask(&lab, fake, keys);
    lab
}

fn ask(lab: &Lab, fake: &Fake, keys: &str) {
    lab.write("job.yaml", fake.job(keys).yaml());
    lab.report(0);
}

/// The lines of the lock but for its head, which has the time.
fn rows(lab: &Lab) -> Vec<String> {
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    lock.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_the_records_tell_is_not_asked_for_and_comes_to_the_same() {
    const FLAT: &str = "layout: \"{series}/{date:%Y%m%d}_{file}\"";
    for (before, now) in [
        ("segments: [Bp, Br]", "segments: [Br]".to_owned()),
        ("", "segments: [Bp]".to_owned()),
        ("", FLAT.to_owned()),
        ("segments: [Bp, Br]", format!("segments: [Bp], {FLAT}")),
        ("fetch: keywords", format!("fetch: keywords, {FLAT}")),
        ("fetch: files", "fetch: files, harpnum: [377]".to_owned()),
        ("fetch: files", "fetch: files, segments: [Bp], layout: \"{series}/{t_rec}_{segment}.fits\"".to_owned()),
    ] {
        let fake = service();
        let lab = lab(&fake, before);
        let requests = fake.server.requests().len();
        ask(&lab, &fake, &now);
        assert_eq!(fake.server.requests().len(), requests, "{before} to {now}");
        let fresh = self::lab(&fake, &now);
        assert_eq!(lab.proved("data"), fresh.proved("data"), "{before} to {now}");
        assert_eq!(lab.day("data", "one", DAY), fresh.day("data", "one", DAY), "{before} to {now}");
        assert_eq!(rows(&lab), rows(&fresh), "{before} to {now}");
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
        lab.run().stderr_has("nothing to do").done();
    }
}

#[test]
fn what_the_records_do_not_tell_is_asked_for() {
    for (before, now) in [
        // The table has one row less.
        ("", "harpnum: [377]"),
        ("", "cadence: 1d"),
        ("fetch: files", "fetch: files, cadence: 1d"),
        ("segments: [Br]", "segments: [Bp]"),
        ("fetch: files, headers: embed", "fetch: files, headers: embed, segments: [Br]"),
    ] {
        let fake = service();
        let lab = lab(&fake, before);
        let listed = fake.listed().len();
        ask(&lab, &fake, now);
        assert_eq!(fake.listed().len(), listed + 1, "{before} to {now}");
        assert_eq!(lab.proved("data"), self::lab(&fake, now).proved("data"), "{before} to {now}");
    }
}

#[test]
fn a_file_or_a_table_that_is_gone_or_changed_is_asked_for() {
    for (ends, is_gone) in [(".Br.fits", true), (".keywords.csv", true), (".keywords.csv", false)] {
        let fake = service();
        let lab = lab(&fake, "");
        let files = lab.proved("data");
        let path = files.keys().find(|path| path.ends_with(ends)).expect("a file");
        let place = format!("data/{path}");
        std::fs::remove_file(lab.path(&place)).expect("a file");
        if !is_gone {
            lab.write(&place, "changed");
        }
        let listed = fake.listed().len();
        lab.write("job.yaml", fake.job("segments: [Br]").yaml());
        lab.report(i32::from(!is_gone));
        assert_eq!(fake.listed().len(), listed + 1, "{ends}");
        if is_gone {
            assert_eq!(lab.proved("data").get(path), files.get(path));
        }
    }
}
