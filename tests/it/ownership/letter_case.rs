//! Names that differ in the case of a letter alone: two files, or one where the filesystem ignores case.

use super::{Upstream, retired};
use crate::lab::{Lab, Spoken};

const DAY: (&str, &str) = ("2015-12-11", "2015-12-12");
const CAPITAL: &str = "{series}/{date:%F}/A_{file}";
const SMALL: &str = "{series}/{date:%F}/a_{file}";

#[test]
fn a_hard_link_whose_name_differs_in_case_is_another_file() {
    for is_linked_back in [false, true] {
        let upstream = Upstream::new(7);
        let lab = Lab::new();
        lab.write("job.yaml", upstream.job(DAY, CAPITAL));
        lab.report(0);
        for hour in ["00", "12"] {
            let file = |first: &str| lab.path(&format!("data/s/2015-12-11/{first}_f{hour}.dat"));
            std::fs::hard_link(file("A"), file("a")).expect("the user's name for it");
        }
        lab.write("job.yaml", upstream.job(DAY, SMALL));
        assert_eq!(lab.report(0)["totals"]["files"]["kept"], 2);
        let left = lab.proved("data").into_keys().collect::<Vec<_>>();
        assert_eq!(left, ["s/2015-12-11/a_f00.dat", "s/2015-12-11/a_f12.dat"]);
        assert_eq!(retired(&lab).len(), 2, "the files of before, under their own names");
        if is_linked_back {
            lab.write("job.yaml", upstream.job(DAY, CAPITAL));
            lab.report(0);
            // They are the user's own: kept, and never moved.
            assert!(lab.path("data/s/2015-12-11/a_f00.dat").exists());
        }
        lab.sunhaul(&["clean", "job.yaml"]).chatty().done();
        assert!(lab.path("data/s/2015-12-11/a_f12.dat").exists());
    }
}

/// Runs a script in a folder with `mnt`, whose `data` ignores case.
#[track_caller]
fn ignoring_case(lab: &Lab, script: &str) -> Spoken {
    let mounts = "mount -o loop disk mnt && mkdir -p mnt/data && { test -e mnt/data/s || chattr +F mnt/data; }";
    let script = format!("{mounts} && {script}");
    let program = env!("CARGO_BIN_EXE_sunhaul");
    lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", &script, program]).stdout_has("").chatty().done()
}

#[test]
#[ignore = "needs a filesystem that ignores case: tests/run.sh says when it can be had"]
fn f_05_where_case_is_ignored_a_layout_that_changes_it_renames_the_files() {
    let upstream = Upstream::new(7);
    let lab = Lab::new();
    std::fs::create_dir(lab.path("mnt")).expect("a folder");
    let disk = "truncate -s 16M disk && /usr/sbin/mkfs.ext4 -q -O casefold disk";
    lab.program("/bin/sh", &["-c", disk]).done();
    let job = |layout| lab.write("job.yaml", upstream.job(DAY, layout).replace("root: data", "root: mnt/data"));
    for (layout, first, came) in [(CAPITAL, 'A', "2 fetched"), (SMALL, 'a', "2 kept"), (CAPITAL, 'A', "2 kept")] {
        job(layout);
        let ran = ignoring_case(&lab, "\"$0\" run job.yaml").stderr;
        assert!(ran.contains(came), "{ran}");
        let found = ignoring_case(&lab, "find mnt/data -name '*.dat' | sort").stdout;
        let files = ["00", "12"].map(|hour| format!("mnt/data/s/2015-12-11/{first}_f{hour}.dat\n"));
        assert_eq!(found, files.concat(), "each file once, and none in `retired`");
        let verified = ignoring_case(&lab, "\"$0\" verify job.yaml").stdout;
        assert!(verified.contains("no problems found"), "{verified}");
    }
}
