//! Folders that a changed layout leaves empty go, and those of ours that stand where it needs a file, or the other way round.

use std::collections::BTreeMap;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const TIMES: [&str; 2] = ["2015-12-11T02:22:08Z", "2015-12-12T18:22:08Z"];
const BY_DAY: &str = "{series}/{date:%Y/%m/%d}/{file}";
const FLAT: &str = "{series}/{date:%Y%m%d}_{file}";
const NESTED: &str = "{series}/{file}/{file}";
const NAMED: &str = "{series}/{file}";

/// A service with a file on each of two days.
fn service() -> Server {
    let server = Server::start();
    for (seed, time) in TIMES.iter().enumerate() {
        let body = fits(u32::try_from(seed).expect("a few"), 20, time);
        let answer = Answer::file(body).named(&format!("{}.fits", name(seed)));
        server.script_file("sharp_720s", Item::new(&name(seed), time), [answer]);
    }
    server
}

fn name(seed: usize) -> String {
    format!("sharp_720s_{seed}")
}

fn lay_out(lab: &Lab, server: &Server, layout: &str) {
    let yaml = Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml();
    lab.write("job.yaml", yaml.replace("root: data", &format!("root: data, layout: \"{layout}\"")));
}

/// An archive that was filled with a layout.
fn filled(server: &Server, layout: &str) -> Lab {
    let lab = Lab::new();
    lay_out(&lab, server, layout);
    lab.report(0);
    lab
}

/// The folders below one, sorted, without the archive's own.
fn folders(lab: &Lab, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(lab.path(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        if entry.file_type().expect("a type").is_dir() && name != ".sunhaul" {
            let path = format!("{below}/{name}");
            found.extend(folders(lab, &path));
            found.push(path);
        }
    }
    found.sort();
    found
}

/// How often files were requested.
fn requested(server: &Server) -> usize {
    server.requests().iter().filter(|request| request.path.contains("sharp_720s/")).count()
}

#[track_caller]
fn renames_both(lab: &Lab, server: &Server, layout: &str) {
    let before = lab.proved("data");
    lay_out(lab, server, layout);
    lab.run().stderr_has("2 files renamed, 0 files fetched").done();
    let now = lab.proved("data");
    assert!(now.keys().all(|path| !before.contains_key(path)), "{now:?}");
    let digests = |files: BTreeMap<String, _>| files.into_values().collect::<Vec<_>>();
    assert_eq!(digests(now), digests(before), "{layout}");
    assert_eq!(requested(server), 2, "no file is requested again");
    assert!(lab.tree("data/.sunhaul/work").is_empty(), "{:?}", lab.tree("data/.sunhaul/work"));
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
    lab.run().stderr_has("nothing to do").done();
}

#[test]
fn folders_that_renames_leave_empty_are_removed_and_no_others() {
    let server = service();
    let lab = filled(&server, BY_DAY);
    for own in ["data/sharp_720s/2015/12/12/mine", "data/sharp_720s/empty", "data/2015"] {
        std::fs::create_dir_all(lab.path(own)).expect("a folder of the user's");
    }
    let kept = ["data/2015", "data/sharp_720s", "data/sharp_720s/2015", "data/sharp_720s/2015/12"];
    let kept = [&kept[..], &["data/sharp_720s/2015/12/12", "data/sharp_720s/2015/12/12/mine", "data/sharp_720s/empty"]];
    renames_both(&lab, &server, FLAT);
    assert_eq!(folders(&lab, "data"), kept.concat());
    renames_both(&lab, &server, "{file}");
    assert_eq!(folders(&lab, "data"), kept.concat());
}

#[test]
fn a_forgotten_series_and_a_narrowed_one_leave_no_empty_folders() {
    let server = service();
    let lab = filled(&server, BY_DAY);
    lab.sunhaul(&["forget", "job.yaml", "--range", "2015-12-11..2015-12-12"]).chatty().done();
    assert_eq!(folders(&lab, "data").last().expect("a folder"), "data/sharp_720s/2015/12/12");
    assert_eq!(folders(&lab, "data").len(), 4);
    lab.sunhaul(&["forget", "job.yaml", "--series", "sharp_720s"]).chatty().done();
    assert_eq!(folders(&lab, "data"), [""; 0]);
}

#[test]
fn a_folder_of_ours_gives_its_place_to_a_file_and_a_file_of_ours_to_a_folder() {
    let server = service();
    let lab = filled(&server, NESTED);
    for layout in [NAMED, NESTED, NAMED, "{series}/{file}/{date:%F}/{file}/{file}", NESTED] {
        renames_both(&lab, &server, layout);
    }
    assert_eq!(folders(&lab, "data").len(), 3);
}

#[test]
fn a_file_of_the_users_in_such_a_folder_stays_and_the_day_with_it() {
    let server = service();
    let lab = filled(&server, NESTED);
    let before = lab.proved("data");
    let own = format!("data/sharp_720s/{}.fits/notes.txt", name(0));
    lab.write(&own, "mine");
    lay_out(&lab, &server, NAMED);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    let message = report["failures"][0]["message"].as_str().expect("a message");
    assert!(message.contains("a folder is in the way at `sharp_720s/sharp_720s_0.fits`"), "{message}");
    let old = format!("sharp_720s/{0}.fits/{0}.fits", name(0));
    assert_eq!(lab.files("data").get(&old), before.get(&old), "the day is as it was");
    std::fs::remove_file(lab.path(&own)).expect("a file");
    lab.report(0);
    assert_eq!(requested(&server), 2);
    assert_eq!(lab.proved("data").len(), 2);
    assert_eq!(folders(&lab, "data"), ["data/sharp_720s"]);
}

#[test]
fn a_file_that_was_changed_stays_where_a_folder_is_needed() {
    let server = service();
    let lab = filled(&server, NAMED);
    let path = format!("data/sharp_720s/{}.fits", name(0));
    lab.write(&path, "mine");
    lay_out(&lab, &server, NESTED);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert_eq!(lab.read(&path), b"mine");
}

#[test]
fn a_folder_of_ours_that_is_empty_already_is_in_nobodys_way() {
    let server = service();
    let lab = filled(&server, NESTED);
    let folder = format!("data/sharp_720s/{}.fits", name(0));
    std::fs::remove_file(lab.path(&format!("{folder}/{}.fits", name(0)))).expect("a file");
    lay_out(&lab, &server, NAMED);
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["renamed"], &report["totals"]["files"]["fetched"]), (&1.into(), &1.into()));
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn an_empty_folder_of_the_users_stays() {
    let server = service();
    let lab = filled(&server, BY_DAY);
    let own = format!("data/sharp_720s/{}.fits", name(0));
    std::fs::create_dir(lab.path(&own)).expect("a folder");
    lay_out(&lab, &server, NAMED);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert!(lab.path(&own).is_dir());
}

#[test]
fn a_symlink_of_the_users_at_a_new_path_is_named_and_neither_followed_nor_replaced() {
    let server = service();
    let lab = filled(&server, BY_DAY);
    let own = format!("data/sharp_720s/{}.fits", name(0));
    lab.write("elsewhere.fits", "mine");
    std::os::unix::fs::symlink(lab.path("elsewhere.fits"), lab.path(&own)).expect("a link");
    lay_out(&lab, &server, NAMED);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    let message = report["failures"][0]["message"].as_str().expect("a message");
    for said in ["a symlink is in the way at `sharp_720s/sharp_720s_0.fits`", "hint: move it away"] {
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(lab.read("elsewhere.fits"), b"mine");
    assert!(lab.path(&own).is_symlink());
    std::fs::remove_file(lab.path(&own)).expect("a link");
    lab.report(0);
    assert_eq!((lab.proved("data").len(), requested(&server)), (2, 2));
}

#[test]
fn a_symlinked_folder_is_neither_followed_nor_removed() {
    let server = service();
    let lab = filled(&server, BY_DAY);
    let (folder, moved) = (lab.path("data/sharp_720s/2015/12/11"), lab.path("moved"));
    std::fs::rename(&folder, &moved).expect("a folder");
    std::os::unix::fs::symlink(&moved, &folder).expect("a link");
    lay_out(&lab, &server, FLAT);
    lab.report(0);
    assert!(folder.is_symlink());
    assert_eq!(lab.tree("moved").len(), 1, "what lies behind a link is the user's");
}
