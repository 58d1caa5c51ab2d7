//! The order in which a run puts things on stable storage, as the kernel was asked for it.

use super::{FILES, SERIES, job, service};
use crate::lab::{Lab, Syscall};

const DAYS: [&str; 2] = ["2015-12-11", "2015-12-12"];

/// The calls of this name on this path, in order.
fn all<'a>(calls: &'a [Syscall], name: &str, path: &str) -> Vec<&'a Syscall> {
    calls.iter().filter(|call| call.is(name, path)).collect()
}

#[track_caller]
fn only<'a>(calls: &'a [Syscall], name: &str, path: &str) -> &'a Syscall {
    let found = all(calls, name, path);
    assert_eq!(found.len(), 1, "{name} on {path}: {found:?}");
    found[0]
}

/// True when such a call lies wholly between two others.
fn is_between(calls: &[Syscall], name: &str, path: &str, after: &Syscall, before: &Syscall) -> bool {
    all(calls, name, path).iter().any(|call| call.began > after.ended && call.ended < before.began)
}

/// The record of a day gets its name when its own bytes are down, and its journal goes when the name is.
#[track_caller]
fn the_record_is_durable<'a>(calls: &'a [Syscall], day: &str) -> &'a Syscall {
    let named = calls
        .iter()
        .find(|call| {
            call.is("renameat", &format!("/days/{SERIES}>")) && call.arguments.contains(&format!("{day}.jsonl"))
        })
        .expect("a record that gets its name");
    let written = *all(calls, "write", &format!("/{day}/record.")).last().expect("a record that is written");
    assert!(is_between(calls, "fsync", &format!("/{day}/record."), written, named), "{day}: the record's bytes");
    let dropped = calls
        .iter()
        .find(|call| call.is("unlinkat", &format!("/journal/{SERIES}>")) && call.arguments.contains(day))
        .expect("a journal that goes");
    assert!(is_between(calls, "fsync", &format!("/days/{SERIES}>"), named, dropped), "{day}: the record's name");
    named
}

/// What gave the files of a day their names, and made their directories.
fn publishing<'a>(calls: &'a [Syscall], day: &str) -> Vec<&'a Syscall> {
    let below = format!("/data/{SERIES}/{}>", day.replace('-', "/"));
    let named = ["linkat", "renameat2"].map(|name| all(calls, name, &below)).concat();
    assert_eq!(named.len(), FILES.iter().filter(|(_, _, date_obs)| date_obs.starts_with(day)).count(), "{named:?}");
    named
}

fn run_traced(by: &[&str]) -> Vec<Syscall> {
    let server = service();
    let lab = Lab::new();
    lab.write("job.yaml", job(&server));
    lab.traced_by(by, &["run", "job.yaml"])
}

#[test]
#[ignore = "needs strace"]
fn d_09_a_record_gets_its_name_when_all_that_it_names_is_on_stable_storage() {
    let calls = run_traced(&[]);
    for day in DAYS {
        let named = the_record_is_durable(&calls, day);
        // One call for all data and names; on filesystems where that does not do, the other test holds.
        let synced = all(&calls, "syncfs", "/data>");
        for published in publishing(&calls, day) {
            let is_synced = synced.iter().any(|sync| sync.began > published.ended && sync.ended < named.began);
            assert!(is_synced || synced.is_empty(), "{day}: {published:?} is not synced before {named:?}");
        }
        assert!(!synced.is_empty() || each_is_synced(&calls, day, named));
    }
}

#[test]
#[ignore = "needs strace and the right to mount"]
fn d_09_where_one_call_does_not_sync_all_each_file_and_directory_is_synced() {
    let script = format!("{OVERLAY} && \"$@\"");
    let calls = run_traced(&["/usr/bin/unshare", "--mount", "/bin/sh", "-c", &script, "mount"]);
    assert!(all(&calls, "syncfs", "").is_empty(), "an overlay is synced file by file");
    for day in DAYS {
        let named = the_record_is_durable(&calls, day);
        assert!(each_is_synced(&calls, day, named));
    }
}

/// Mounts an overlay as `data`, which is synced file by file.
const OVERLAY: &str = "mkdir over data && mount -t tmpfs none over && mkdir over/lower over/upper over/work &&
    mount -t overlay -o lowerdir=over/lower,upperdir=over/upper,workdir=over/work none data";

#[test]
#[ignore = "needs strace and the right to mount"]
fn d_09_what_a_day_no_longer_asks_for_has_moved_for_good_when_its_record_gets_its_name() {
    let server = service();
    for mount in ["true", OVERLAY] {
        let lab = Lab::new();
        lab.write("job.yaml", job(&server).replace("root: data", "root: data, layout: \"{series}/old/{file}\""));
        lab.write("after.yaml", job(&server));
        let before = format!("{} run job.yaml && rm job.lock && mv after.yaml job.yaml", env!("CARGO_BIN_EXE_sunhaul"));
        let script = format!("{mount} && {before} && \"$@\"");
        let by = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", &script, "mount"];
        let calls = lab.traced_by(&by, &["run", "job.yaml"]);
        for day in DAYS {
            let named = the_record_is_durable(&calls, day);
            let moved = all(&calls, "renameat2", &format!("/retired/{SERIES}/{day}>"));
            assert!(!moved.is_empty(), "{day}: nothing is retired");
            let last = moved.last().expect("a move");
            let is_synced = |name, path: &str| is_between(&calls, name, path, last, named);
            let each = [format!("/retired/{SERIES}/{day}>"), format!("/data/{SERIES}/old>")];
            assert!(is_synced("syncfs", "/data>") || each.iter().all(|folder| is_synced("fsync", folder)), "{day}");
            assert_eq!(all(&calls, "syncfs", "").is_empty(), mount == OVERLAY);
        }
    }
}

/// Each file's bytes, its name, and the name of each directory above it, before the record's name.
#[track_caller]
fn each_is_synced(calls: &[Syscall], day: &str, named: &Syscall) -> bool {
    for published in publishing(calls, day) {
        let folder = format!("/data/{SERIES}/{}", day.replace('-', "/"));
        let file = published.arguments.rsplit('"').nth(1).expect("a name");
        assert!(
            is_between(calls, "fsync", &format!("{folder}/{file}>"), published, named),
            "{day}: the bytes of {file}"
        );
        let mut above = folder.as_str();
        while let Some((parent, _)) = above.rsplit_once('/') {
            assert!(is_between(calls, "fsync", &format!("{above}>"), published, named), "{day}: the names in {above}");
            above = parent;
        }
    }
    for made in ["/data/.sunhaul/days>", "/data/.sunhaul>", "/data>"] {
        assert!(all(calls, "fsync", made).iter().any(|sync| sync.ended < named.began), "{day}: the names in {made}");
    }
    only(calls, "mkdirat", "/data/.sunhaul/days>");
    true
}
