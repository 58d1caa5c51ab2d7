//! Waiting for a lock (`flock`) on one of sunhaul's own files, within a limit, and reporting who holds it.
//!
//! The lock is polled, since a blocking `flock` has no timeout.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{self, FlockOperation};
use rustix::io::Errno;

use crate::untrusted::escape;

/// After this time the wait is reported.
const QUIET: Duration = Duration::from_secs(1);

/// The pauses between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];

/// How long a command waits for locks, and where a wait is reported.
pub trait LockWait: fmt::Debug + Send + Sync {
    /// True when the wait must end: after a signal, or when the time limit of the command has passed.
    fn is_over(&self) -> bool;

    /// Called once when a wait takes longer than a second.
    fn waits_for(&self, held: &HeldLock);
}

/// Waits without a limit, and reports nothing.
#[derive(Debug)]
pub struct NoLimit;

impl LockWait for NoLimit {
    fn is_over(&self) -> bool {
        false
    }

    fn waits_for(&self, _: &HeldLock) {}
}

/// A lock that another process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// The file that is locked.
    pub path: PathBuf,
    /// The process that holds it, where this machine knows.
    pub holder: Option<u32>,
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holder {
            Some(pid) => write!(f, "process {pid}")?,
            None => write!(f, "another process")?,
        }
        write!(f, " holds a lock on `{}`", escape(&self.path.to_string_lossy()))
    }
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process holds it, and the wait has ended.
    Held(HeldLock),
    /// What the system says.
    System(Errno),
}

/// Locks a file, and waits for it where another process holds it. Blocks the thread.
pub(crate) fn lock(file: &File, path: &Path, lock_wait: &dyn LockWait) -> Result<(), NotLocked> {
    let started = Instant::now();
    let [mut pause, longest] = PAUSES;
    let mut is_announced = false;
    loop {
        match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(NotLocked::System(error)),
        }
        let held = || HeldLock { path: path.to_owned(), holder: holder(file) };
        if lock_wait.is_over() {
            return Err(NotLocked::Held(held()));
        }
        if !is_announced && started.elapsed() >= QUIET {
            lock_wait.waits_for(&held());
            is_announced = true;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}

/// The process of this machine that holds a lock on a file.
fn holder(file: &File) -> Option<u32> {
    let stat = fs::fstat(file).ok()?;
    let id = format!("{:02x}:{:02x}:{}", fs::major(stat.st_dev), fs::minor(stat.st_dev), stat.st_ino);
    holder_in(&std::fs::read_to_string("/proc/locks").ok()?, &id)
}

/// The same by the lines of `/proc/locks`, such as `1: FLOCK ADVISORY WRITE 1234 fe:00:11174164 0 EOF`. One that waits for
/// a lock has an arrow after its number. NFS makes a lock of the whole file a POSIX one.
fn holder_in(locks: &str, id: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is_held = matches!(words.next(), Some("FLOCK" | "POSIX"));
        let pid = words.nth(2)?.parse().ok()?;
        (is_held && words.next() == Some(id) && pid > 0).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Ends the wait when it has heard of it.
    #[derive(Debug, Default)]
    struct UntilHeard(Mutex<Option<HeldLock>>, AtomicBool);

    impl LockWait for UntilHeard {
        fn is_over(&self) -> bool {
            self.1.load(Ordering::SeqCst)
        }

        fn waits_for(&self, held: &HeldLock) {
            *self.0.lock().unwrap() = Some(held.clone());
            self.1.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wait_names_the_file_and_its_holder_and_ends_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared");
        let [held, wanted] = [(); 2].map(|()| File::options().create(true).append(true).open(&path).unwrap());
        lock(&held, &path, &NoLimit).unwrap();
        let lock_wait = UntilHeard::default();
        let refused = lock(&wanted, &path, &lock_wait).unwrap_err();
        let NotLocked::Held(named) = refused else { panic!("{refused:?}") };
        assert_eq!(Some(&named), lock_wait.0.lock().unwrap().as_ref());
        assert_eq!((named.path.as_path(), named.holder), (path.as_path(), Some(std::process::id())));
        drop(held);
        lock(&wanted, &path, &lock_wait).unwrap();
    }

    #[test]
    fn the_holder_of_a_lock_is_found_among_all_locks() {
        let locks = "1: POSIX  ADVISORY  READ  10 fe:00:7 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 20 fe:00:8 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 21 fe:00:9 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 fe:00:10 0 EOF\n\
                     4: LEASE  ACTIVE    READ  30 fe:00:11 0 EOF\n\
                     5:\n\
                     6: FLOCK  ADVISORY  WRITE 40 fe:00:12 0 EOF\n";
        for (id, holder) in [
            ("fe:00:7", Some(10)),
            ("fe:00:8", Some(20)),
            ("fe:01:8", None),
            ("fe:00:9", None),
            ("fe:00:10", None),
            ("fe:00:11", None),
            ("fe:00:12", Some(40)),
        ] {
            assert_eq!(holder_in(locks, id), holder, "{id}");
        }
    }
}
