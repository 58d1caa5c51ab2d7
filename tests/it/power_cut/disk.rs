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
            // Blocks that were freed read as zeros: a filesystem in this mode shows what they held else.
            Kept::Zeros => "commit=10000,nodelalloc,data=writeback,discard",
            _ => "commit=10000",
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

/// Mounts an image: another test may just have taken the loop device that was free.
const MOUNT: &str = "mount_loop() {
    for attempt in 1 2 3 4 5 6 7 8 9; do mount -o loop,$1 $2 disk && return; sleep 0.2; done
    mount -o loop,$1 $2 disk
}";

/// The job on the disk.
const RUN: [&str; 4] = ["run", "job.yaml", "--archive", "disk/data"];

/// Makes a disk, empty but for what is in the lab's `data`. The archive on it is `disk/data`.
pub(super) fn make(lab: &Lab) {
    let script = format!(
        "{MOUNT}\nset -e; truncate -s 64M disk.img; mkdir -p disk data
         /usr/sbin/mkfs.ext4 -q -b 4096 -E lazy_itable_init=1,nodiscard disk.img
         mount_loop rw disk.img; cp -a data disk/data; umount disk"
    );
    lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", &script]).chatty().done();
}

/// Runs the job on the disk until `is_last` chooses a step, and cuts the power right after it. Gives all steps so far;
/// `None` when the run ended before.
#[track_caller]
pub(super) fn cut(lab: &Lab, kept: Kept, is_last: impl FnMut(&Syscall) -> bool) -> Option<Vec<Syscall>> {
    let script = format!(
        "{MOUNT}\nset -e; mount_loop {} disk.img; \"$@\" || [ $? = 137 ]; {}
         cp --sparse=always disk.img cut.img; umount disk",
        kept.options(),
        kept.command()
    );
    let by = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", &script, "cut"];
    lab.stepped_by(&by, &RUN, "disk/data").kill_after(is_last)
}

/// Starts the machine anew, under another boot's id: what the cut left goes to the lab's `left`; then a run is killed
/// where `is_last` says, and another one ends; what it made goes to `ended`.
#[track_caller]
pub(super) fn start_again(lab: &Lab, is_last: impl FnMut(&Syscall) -> bool) {
    lab.write("boot_id", OTHER_BOOT);
    let sunhaul = env!("CARGO_BIN_EXE_sunhaul");
    let script = format!(
        "{MOUNT}\nset -e; mount_loop rw cut.img; mount --bind boot_id /proc/sys/kernel/random/boot_id
         mkdir -p disk/data; cp -a disk/data left; \"$@\" || [ $? = 137 ]
         {sunhaul} {} || echo \"run: exit code $?\"
         {sunhaul} status job.yaml --archive disk/data >/dev/null || echo \"status: exit code $?\"
         cp -a disk/data ended; umount disk",
        RUN.join(" ")
    );
    let by = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", &script, "start"];
    lab.stepped_by(&by, &RUN, "disk/data").kill_after(is_last);
}

/// No machine's.
pub(super) const OTHER_BOOT: &str = "00000000-0000-4000-8000-000000000000\n";
