//! A program under `strace`: the system calls that it makes, and a stop after each of those that change files.
//!
//! strace counts calls by thread, so its own `when=N` cannot say "the Nth of the program". Here every changing call
//! stops the whole program, whichever thread made it, and the one who counts lets it go on.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{Lab, PATIENCE, Running};

/// Every call by which a program can change files or put them on stable storage.
const CHANGING: &str = "open,openat,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,link,linkat,rename,renameat,renameat2,\
                        unlink,unlinkat,rmdir,symlink,symlinkat,truncate,ftruncate,fallocate,copy_file_range,sendfile,\
                        sync,syncfs,fsync,fdatasync,sync_file_range";

/// A system call that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Syscall {
    pub(crate) name: String,
    /// As strace writes them: descriptors with their paths in `<>`.
    pub(crate) arguments: String,
    pub(crate) is_done: bool,
    /// Its place among all beginnings and ends of calls.
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

impl Syscall {
    /// True when it did what it says to something whose path holds this text.
    pub(crate) fn is(&self, name: &str, path: &str) -> bool {
        self.is_done && self.name == name && self.arguments.contains(path)
    }

    /// True when the directory tree may be another one after it, or a file's bytes.
    fn changes(&self, below: &str) -> bool {
        let only_opens = self.name == "openat" && !["O_CREAT", "O_TMPFILE"].iter().any(|f| self.arguments.contains(f));
        self.is_done && !only_opens && (self.name == "mkdir" || self.arguments.contains(below))
    }

    /// What it did, in words that are the same in each run: its name, and where without the numbers.
    fn step(&self) -> String {
        let places = self.arguments.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
        let below = places.filter_map(|path| Some(path.split_once("/data")?.1));
        let plain = |name| if str::contains(name, |c: char| c.is_ascii_digit()) { "N" } else { name };
        let told = below.map(|path| path.split('/').map(plain).collect::<Vec<_>>().join("/"));
        format!("{} {}", self.name, told.collect::<Vec<_>>().join(" "))
    }
}

/// The steps of a run, told apart by what they do, where, and for which time.
#[derive(Debug, Default)]
pub(crate) struct Steps(BTreeMap<String, usize>);

impl Steps {
    /// What the next call of the run does.
    pub(crate) fn next(&mut self, call: &Syscall) -> String {
        let step = call.step();
        let times = self.0.entry(step.clone()).or_default();
        // Bodies come in any number of pieces.
        *times = (*times + 1).min(if step.starts_with("pwrite") { 3 } else { usize::MAX });
        format!("{step} #{times}")
    }
}

/// Calls read from strace's log as it grows.
#[derive(Debug, Default)]
struct Reading {
    rest: String,
    lines: usize,
    /// Calls under way, by thread.
    open: HashMap<String, (String, String, usize)>,
    main: Option<Pid>,
}

impl Reading {
    /// Takes in more of the log and gives the calls that ended in it.
    fn take(&mut self, text: &str) -> Vec<Syscall> {
        self.rest.push_str(text);
        let whole = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.rest.split_off(whole);
        let text = std::mem::replace(&mut self.rest, rest);
        text.lines().filter_map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &str) -> Option<Syscall> {
        self.lines += 1;
        let (thread, told) = line.split_once(' ')?;
        self.main = self.main.or_else(|| Pid::from_raw(thread.parse().ok()?));
        let told = told.trim_start();
        let (name, arguments, began, result) = if let Some(resumed) = told.strip_prefix("<... ") {
            let (name, more) = resumed.split_once(" resumed>")?;
            let (open, arguments, began) = self.open.remove(thread)?;
            assert_eq!(open, name, "strace's log: {line}");
            let (more, result) = more.rsplit_once(" = ")?;
            (open, arguments + more, began, result)
        } else {
            let (name, rest) = told.split_once('(')?;
            if let Some(arguments) = rest.strip_suffix(" <unfinished ...>") {
                self.open.insert(thread.to_owned(), (name.to_owned(), arguments.to_owned(), self.lines));
                return None;
            }
            let (arguments, result) = rest.rsplit_once(" = ")?;
            (name.to_owned(), arguments.to_owned(), self.lines, result)
        };
        let is_done = !result.starts_with('-') && !result.starts_with('?');
        Some(Syscall { name, arguments, is_done, began, ended: self.lines })
    }
}

/// The calls that a log tells of.
pub(crate) fn syscalls(log: &str) -> Vec<Syscall> {
    Reading::default().take(log)
}

/// What to put before a program so that its calls are logged; with `also` for more of strace's own words.
fn strace<'a>(log: &'a str, traced: &'a str, also: &[&'a str]) -> Vec<&'a str> {
    [&["-f", "-y", "-s", "0", "-o", log, "-e", traced], also].concat()
}

/// A program that stops after each call that changes a file below a folder.
pub(crate) struct Stepped {
    program: Running,
    log: PathBuf,
    below: String,
    /// Who started it has something left to do, and does not die with it.
    goes_on: bool,
}

impl Lab {
    /// Calls sunhaul under strace, by way of a program that gets the command as its last arguments; an empty one is
    /// none. It must end well. Gives its calls.
    #[track_caller]
    pub(crate) fn traced_by(&self, by: &[&str], args: &[&str]) -> Vec<Syscall> {
        let traced = format!("trace={CHANGING}");
        let strace = strace("strace.log", &traced, &[]);
        let words = [by, &["/usr/bin/strace"], &strace, &[env!("CARGO_BIN_EXE_sunhaul")], args].concat();
        self.program(words[0], &words[1..]).chatty().done();
        syscalls(&String::from_utf8(self.read("strace.log")).expect("UTF-8"))
    }

    /// Starts sunhaul so that it stops after each call that changes a file below this folder.
    pub(crate) fn stepped(&self, args: &[&str], below: &str) -> Stepped {
        self.stepped_by(&[], args, below)
    }

    /// The same, where another program starts it, goes on when it is dead, and ends well. It gets the command as its
    /// last arguments.
    pub(crate) fn stepped_by(&self, by: &[&str], args: &[&str], below: &str) -> Stepped {
        drop(std::fs::remove_file(self.path("strace.log")));
        let (traced, stopped) = (format!("trace=execve,{CHANGING}"), format!("inject={CHANGING}:signal=SIGSTOP"));
        let strace = strace("strace.log", &traced, &["-e", &stopped]);
        let words = [by, &["/usr/bin/strace"], &strace, &[env!("CARGO_BIN_EXE_sunhaul")], args].concat();
        // A hundred certificates would be opened, each in a step of its own.
        let program = self.program(words[0], &words[1..]).env("SSL_CERT_FILE", "/dev/null").chatty().start();
        let below = self.path(below).to_string_lossy().into_owned();
        Stepped { program, log: self.path("strace.log"), below, goes_on: !by.is_empty() }
    }
}

impl Stepped {
    /// Lets it go on, and kills it right after the change that `is_last` chooses. Gives the changes so far, that one the
    /// last; nothing when the program ended before.
    #[track_caller]
    pub(crate) fn kill_after(mut self, mut is_last: impl FnMut(&Syscall) -> bool) -> Option<Vec<Syscall>> {
        let begun = Instant::now();
        let (mut reading, mut changes) = (Reading::default(), Vec::new());
        let mut log = None;
        let mut stood = false;
        loop {
            assert!(begun.elapsed() < PATIENCE, "it hangs: {reading:?}");
            if self.program.ends_before(Instant::now() + Duration::from_micros(200)) {
                self.program.done();
                return None;
            }
            // Seen twice: a thread is marked as stopped a moment before strace hears of it.
            let stands = reading.main.is_none_or(stands_still);
            if !(stands && std::mem::replace(&mut stood, stands)) {
                continue;
            }
            // strace makes the log; before that there is nothing to read.
            log = log.or_else(|| File::open(&self.log).ok());
            let mut text = String::new();
            if let Some(log) = &mut log {
                log.read_to_string(&mut text).expect("a log in UTF-8");
            }
            let main = reading.main;
            for syscall in reading.take(&text).into_iter().filter(|call| call.changes(&self.below)) {
                changes.push(syscall);
                if changes.last().is_some_and(&mut is_last) {
                    kill_process(main.expect("a process"), Signal::KILL).expect("a process to kill");
                    assert!(self.program.ends_before(begun + PATIENCE), "it cannot be killed");
                    if self.goes_on {
                        self.program.done();
                    }
                    return Some(changes);
                }
            }
            if let Some(main) = main {
                match kill_process(main, Signal::CONT) {
                    // It has just ended by itself.
                    Ok(()) | Err(Errno::SRCH) => stood = false,
                    Err(error) => panic!("a process that stands still: {error}"),
                }
            }
        }
    }
}

/// True when every thread stands still and strace has heard of it. To let one go on before makes strace fail.
fn stands_still(main: Pid) -> bool {
    let of = |path: String, field: &str| {
        let status = std::fs::read_to_string(path).ok()?;
        status.lines().find_map(|line| line.strip_prefix(field)).map(|value| value.trim().to_owned())
    };
    let process = format!("/proc/{}", main.as_raw_nonzero());
    let Ok(threads) = std::fs::read_dir(format!("{process}/task")) else { return false };
    let is_stopped = |thread: std::fs::DirEntry| {
        of(format!("{}/status", thread.path().display()), "State:").is_some_and(|state| state.starts_with('t'))
    };
    let all_stopped = threads.flatten().all(is_stopped);
    let tracer = of(format!("{process}/status"), "TracerPid:").unwrap_or_default();
    all_stopped && of(format!("/proc/{tracer}/status"), "State:").is_some_and(|state| state.starts_with('S'))
}

#[cfg(test)]
mod tests {
    use super::syscalls;

    #[test]
    fn calls_are_read_whole_and_in_two_halves() {
        let log = "7  execve(\"/bin/x\", [\"x\"], 0x7ffe /* 2 vars */) = 0\n\
                   7  mkdir(\"data\", 0777)               = -1 EEXIST (File exists)\n\
                   8  linkat(AT_FDCWD</tmp>, \"a\", 4</tmp/d>, \"b = c\", 0 <unfinished ...>\n\
                   7  --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_KERNEL} ---\n\
                   7  fsync(4</tmp/d>)                  = 0 (INJECTED)\n\
                   8  <... linkat resumed>)             = 0\n\
                   7  write(3</tmp/f>, \"\"..., 5 <unfinished ...>) = ?\n\
                   7  +++ killed by SIGKILL +++\n";
        let calls = syscalls(log);
        let told: Vec<_> = calls.iter().map(|c| (c.name.as_str(), c.is_done, c.began, c.ended)).collect();
        assert_eq!(
            told,
            [
                ("execve", true, 1, 1),
                ("mkdir", false, 2, 2),
                ("fsync", true, 5, 5),
                ("linkat", true, 3, 6),
                ("write", false, 7, 7)
            ]
        );
        assert!(calls[3].is("linkat", "</tmp/d>, \"b = c\""), "{:?}", calls[3]);
    }
}
