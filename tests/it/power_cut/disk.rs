//! A disk whose power can be cut: an ext4 in a file, mounted where nobody else sees it.
//!
//! A cut is a copy of that file while the filesystem is mounted. What the kernel still holds in memory is not in it: not
//! a byte of data or of names that was not put on stable storage, but for what the kernel did by itself. The copy,
//! mounted, is what a machine finds after a power cut. Needs the right to mount.

use crate::lab::{Lab, Syscall};

/// How much reached the disk by itself before the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// What was synced, and nothing else.
    Synced,
    /// All names as well, with empty files behind them.
    Names,
    /// All names and lengths, with zeros in the files.
    Zeros,
    /// All names, and the bytes of some files, chosen by this seed.
    Some(u32),
}

impl Kept {
    fn options(self) -> &'static str {
        // The kernel commits nothing by itself while a test runs.
        match self {
            Kept::Zeros => "loop,commit=10000,nodelalloc,data=writeback",
            _ => "loop,commit=10000",
        }
    }

    /// A shell command that makes the kernel do it.
    fn command(self) -> String {
        // The sync of one file commits all names.
        let names = "touch disk/other && sync disk/other";
        match self {
            Kept::Synced => "true".to_owned(),
            Kept::Names | Kept::Zeros => names.to_owned(),
            Kept::Some(seed) => {
                let draw = format!("awk 'BEGIN {{ srand({seed}) }} rand() < 0.5'");
                format!("find disk/data -type f 2>/dev/null | sort | {draw} | xargs -r -n 1 sync; {names}")
            }
        }
    }
}

/// Makes a disk, empty but for what is in the lab's `data`. The archive of `job.yaml` is `disk/data`.
pub(super) fn make(lab: &Lab) {
    let script = "set -e; truncate -s 64M disk.img; mkdir -p disk data
                  /usr/sbin/mkfs.ext4 -q -b 4096 -E lazy_itable_init=1,nodiscard disk.img
                  mount -o loop disk.img disk; cp -a data disk/data; umount disk";
    lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script]).chatty().done();
}

/// Runs the job on the disk until `is_last` chooses a step, and cuts the power right after it. Gives all steps so far;
/// `None` when the run ended before.
#[track_caller]
pub(super) fn cut(lab: &Lab, kept: Kept, is_last: impl FnMut(&Syscall) -> bool) -> Option<Vec<Syscall>> {
    let script = format!(
        "set -e; mount -o {} disk.img disk; \"$@\" || [ $? = 137 ]; {}
         cp --sparse=always disk.img cut.img; umount disk",
        kept.options(),
        kept.command()
    );
    let by = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", &script, "cut"];
    lab.stepped_by(&by, &["run", "job.yaml"], "disk/data").kill_after(is_last)
}

/// Starts the machine anew: what the cut left goes to the lab's `left`, then the job runs to its end under another
/// boot's id, and what it made goes to `ended`.
#[track_caller]
pub(super) fn start_again(lab: &Lab, told: &str) {
    lab.write("boot_id", "00000000-0000-4000-8000-000000000000\n");
    let script = "set -e; mount -o loop cut.img disk; mount --bind boot_id /proc/sys/kernel/random/boot_id
                  rm -rf left ended; mkdir -p disk/data; cp -a disk/data left
                  \"$0\" run job.yaml || { echo \"exit code $?\"; }; cp -a disk/data ended; umount disk";
    let call = lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script, env!("CARGO_BIN_EXE_sunhaul")]);
    let spoken = call.stdout_has("").chatty().done();
    assert_eq!(spoken.stdout, "", "the run after the cut: {told}\n{}", spoken.stderr);
}
