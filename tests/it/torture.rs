//! Each step that touches files or sockets fails once, in a run of its own: strace lets the call fail.
//!
//! First a run is only watched, and its calls are counted, thread by thread. Then the job runs again for each call that
//! concerns the archive or a socket, which now fails with one of the errors that fit it. Whatever fails: no panic, no
//! wrong bytes under a final name, a class that says what it was, and a next run that completes.
//!
//! `SUNHAUL_TORTURE=all` tries every error that fits each step, not one of them; that takes some minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sunhaul::digest::Digest;

use crate::lab::{Answer, Ending, Item, Job, Lab, Server, fits};

/// The calls that are made to fail, and how each may fail.
const CALLS: [(&str, &[&str]); 15] = [
    ("openat", &["ENOSPC", "EIO", "EMFILE", "EROFS", "EDQUOT", "EACCES"]),
    ("mkdirat", &["ENOSPC", "EROFS", "EDQUOT", "EIO"]),
    ("write", &["ENOSPC", "EIO", "EDQUOT"]),
    ("pwrite64", &["ENOSPC", "EIO", "EDQUOT"]),
    ("read", &["EIO"]),
    ("ftruncate", &["EIO", "EROFS"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT"]),
    ("syncfs", &["EIO", "ENOSPC", "EDQUOT"]),
    ("linkat", &["ENOSPC", "EIO", "EDQUOT", "EROFS", "EMLINK"]),
    ("renameat", &["ENOSPC", "EIO", "EDQUOT", "EROFS"]),
    ("renameat2", &["ENOSPC", "EIO", "EDQUOT", "EROFS"]),
    ("unlinkat", &["EIO", "EROFS"]),
    ("flock", &["EIO", "ENOLCK"]),
    ("socket", &["EMFILE", "ENFILE", "ENOBUFS"]),
    ("connect", &["ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT"]),
];

/// Starts the program with strace on it. strace counts each thread's calls by themselves, so the first thread is watched
/// from so far on that the shell's and the loader's calls, which are not the program's, are never meant.
const WATCHED: &str = r#"
strace -p $$ $STRACE &
t=0
while [ "$t" = 0 ]; do
  while read -r k v; do if [ "$k" = TracerPid: ]; then t=$v; fi; done </proc/$$/status
done
i=0
while [ $i -lt 200 ]; do read -r k </dev/null; i=$((i + 1)); done
exec "$0" run job.yaml
"#;

/// What tokio says when its own pipe to itself fails; the program is then as good as killed.
const NOT_OURS: &str = "failed to wake I/O driver";

const JOURNALS: &str = "data/.sunhaul/work/journal";

/// Runs at the same time: each waits more than it works.
const AT_ONCE: usize = 4;

const FIRST: (&str, &str) = ("sharp_720s_20151211_182208", "2015-12-11T18:22:08.799999Z");
const SECOND: (&str, &str) = ("sharp_720s_20151211_192208", "2015-12-11T19:22:08.799999Z");
const LARGE: (&str, &str) = ("sharp_720s_20151212_182208", "2015-12-12T18:22:08.799999Z");

/// A service with two small files on the first day, one of which first comes with a flipped bit, and a large one on the
/// second, which twice breaks off.
fn service() -> Server {
    let server = Server::start();
    server.file("sharp_720s", Item::new(FIRST.0, FIRST.1), fits(1, 60, FIRST.1));
    let good = fits(2, 60, SECOND.1);
    let mut bad = good.clone();
    let last = bad.len() - 2880;
    bad[last] ^= 1;
    let named = |body: Vec<u8>, (name, _): (&str, &str)| Answer::file(body).named(&format!("{name}.fits"));
    server.script_file("sharp_720s", Item::new(SECOND.0, SECOND.1), [named(bad, SECOND), named(good, SECOND)]);
    let large = named(fits(3, 800, LARGE.1), LARGE);
    let answers = [large.clone().ending(Ending::Cut(900_000)), large.clone().ending(Ending::Cut(200_000)), large];
    server.script_file("sharp_720s", Item::new(LARGE.0, LARGE.1), answers);
    server
}

fn job(server: &Server) -> Job {
    Job::at(&server.url()).range("2015-12-11", "2015-12-13").retry("{ attempts: 4, max_wait: 1s }")
}

/// Nothing is there.
fn fresh(lab: &Lab, server: &Server) {
    lab.write("job.yaml", job(server).yaml());
}

/// The first day is sealed as another spec asked for it, the second has a part.
fn begun(lab: &Lab, server: &Server) {
    let other = job(server).retry("{ attempts: 1, max_wait: 1s }").yaml();
    lab.write("job.yaml", other.replace("{ root: data }", "{ root: data, layout: \"old/{date:%d}/{file}\" }"));
    lab.run().start().done_any();
    lab.run_with(&["--retry-failed"]).status(4).done();
    fresh(lab, server);
}

/// One call of the watched run: its name, and the how manieth of its thread it is.
type Step = (&'static str, usize);

/// The steps of a run that touch the lab's files or a socket.
fn steps(prepare: fn(&Lab, &Server)) -> Vec<Step> {
    let (lab, server) = (Lab::new(), service());
    prepare(&lab, &server);
    let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    strace(&lab, &format!("-y -o trace -e trace={}", names.join(",")));
    let trace = String::from_utf8_lossy(&lab.read("trace")).into_owned();
    let here = lab.path("").to_string_lossy().into_owned();
    let mut counted: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        let Some((name, _)) = CALLS.iter().find(|(known, _)| *known == name) else { continue };
        let count = counted.entry((thread, name)).or_default();
        *count += 1;
        if arguments.contains(&here) || arguments.contains("AF_INET") {
            found.insert((*name, *count));
        }
    }
    assert!(found.len() > 40, "only {} steps:\n{trace}", found.len());
    found.into_iter().collect()
}

/// Runs the job under strace with these arguments, gives its exit code; `None` when it had to be killed.
fn strace(lab: &Lab, arguments: &str) -> Option<i32> {
    let program = env!("CARGO_BIN_EXE_sunhaul");
    let arguments = format!("-f -qq {arguments}");
    let mut run = lab.program("/bin/sh", &["-c", WATCHED, program]).env("STRACE", &arguments).chatty().start();
    while !run.has_ended() {
        if run.stderr_so_far().contains(NOT_OURS) {
            run.kill();
            let is_free = |path: &String| File::open(lab.path(JOURNALS).join(path)).is_ok_and(|f| f.try_lock().is_ok());
            lab.until("the killed run lets go", |lab| lab.tree(JOURNALS).keys().all(is_free));
            return None;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // Its last words may still be on their way when it is over.
    if run.stderr_to_the_end().contains(NOT_OURS) {
        return None;
    }
    let spoken = run.done_any();
    assert!(
        spoken.code == 0 || !spoken.stderr.is_empty() || arguments.contains("write:"),
        "exit {} without a word",
        spoken.code
    );
    Some(spoken.code)
}

/// Lets one step fail with one error, then runs again undisturbed.
fn torture(
    prepare: fn(&Lab, &Server),
    (call, nth): Step,
    error: &str,
    right: &BTreeMap<String, Digest>,
) -> Option<i32> {
    let (lab, server) = (Lab::new(), service());
    prepare(&lab, &server);
    let before = lab.files("data");
    let inject = format!("inject={call}:error={error}:when={nth}");
    let code = strace(&lab, &format!("-o /dev/null -e trace={call} -e {inject}"));
    let shown = format!("{inject}, exit {code:?}");
    assert!(code.is_none_or(|code| [0, 1, 2, 4, 5].contains(&code)), "{shown}");
    for (path, digest) in lab.files("data") {
        let known = right.get(&path).or(before.get(&path));
        assert_eq!(known, Some(&digest), "{shown}: `{path}` holds wrong bytes");
    }
    if code == Some(0) {
        assert_eq!(&lab.proved("data"), right, "{shown}: complete, it said");
    }
    lab.run().done();
    assert_eq!(&lab.proved("data"), right, "{shown}: the next run");
    code
}

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "how thorough is the caller's word, and is told")]
fn every_step_fails_once(prepare: fn(&Lab, &Server)) {
    let right = {
        let (lab, server) = (Lab::new(), service());
        prepare(&lab, &server);
        lab.run().done();
        lab.proved("data")
    };
    let thorough = std::env::var("SUNHAUL_TORTURE").is_ok_and(|how| how == "all");
    let mut tries: Vec<(Step, &str)> = Vec::new();
    for (at, (call, nth)) in steps(prepare).into_iter().enumerate() {
        let errors = CALLS.iter().find(|(name, _)| *name == call).map_or(&[][..], |(_, errors)| errors);
        // One error a step, another one for the next; all of them take minutes.
        let chosen = if thorough { errors } else { std::slice::from_ref(&errors[at % errors.len()]) };
        tries.extend(chosen.iter().map(|error| ((call, nth), *error)));
    }
    let next = AtomicUsize::new(0);
    let ends = Mutex::new(BTreeMap::<Option<i32>, usize>::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((step, error)) = tries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let code = torture(prepare, *step, error, &right);
                    *ends.lock().expect("a lock").entry(code).or_default() += 1;
                }
            });
        }
    });
    println!("{} steps failed once; exit codes: {:?}", tries.len(), ends.lock().expect("a lock"));
}

#[test]
#[ignore = "needs strace: tests/run.sh installs it"]
fn d_01_d_02_d_03_every_step_of_a_fresh_run_fails_once() {
    every_step_fails_once(fresh);
}

#[test]
#[ignore = "needs strace: tests/run.sh installs it"]
fn d_01_d_02_d_03_every_step_of_a_run_that_goes_on_fails_once() {
    every_step_fails_once(begun);
}
