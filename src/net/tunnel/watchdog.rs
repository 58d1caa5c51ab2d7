//! The process between this program and `ssh`: it ends `ssh` when the program is gone, however it went.
//!
//! The program holds one end of a pipe. A kernel closes it with the program, also when that is killed with no warning,
//! and the keeper, which reads the other end, ends `ssh` and takes the socket away. The keeper is this program itself,
//! started with [`KEEP`]: what the system offers for this (`PR_SET_PDEATHSIG`) needs unsafe code before `exec`, and a
//! remote command that reads the pipe needs a shell that many gateways do not give. Its session has no terminal, so no
//! `ssh` on the way can ask there, and Ctrl-C is for the program alone.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, setsid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::Ssh;

/// The first word of a command line that starts a keeper: then the folder of the socket, then the words of `ssh`.
pub const KEEP: &str = "keep-tunnel";

/// The socket's name in its folder.
pub(super) const SOCKET: &str = "s.sock";

/// How long `ssh` may take to end before it is killed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a keeper ends that could not start `ssh`.
pub(super) const NO_SSH: u8 = 127;

/// Starts a keeper for an `ssh` with these words. It ends, and the folder goes, when the child's stdin is closed.
pub(super) fn start(ssh: &Ssh, folder: &Path, words: &[OsString]) -> io::Result<Child> {
    Command::new(&ssh.program)
        .arg0("sunhaul")
        .arg(KEEP)
        .arg(folder)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Runs `ssh` until standard input ends, or `ssh` does: the work of a process that was started with [`KEEP`], whose
/// further words these are. None when they are none.
#[must_use]
pub fn keep(words: &[OsString]) -> Option<ExitCode> {
    let [folder, words @ ..] = words else { return None };
    // It fails where the process leads a group already: then somebody started it by hand.
    let _ = setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.and_then(|runtime| runtime.block_on(run_ssh(words))).unwrap_or_else(|error| {
        // Nobody else can be told.
        let _ = writeln!(io::stderr(), "`ssh` could not be started: {error}");
        NO_SSH
    });
    let folder = PathBuf::from(folder);
    // A file that does not exist any more needs no removal.
    let _ = std::fs::remove_file(folder.join(SOCKET));
    let _ = std::fs::remove_dir(&folder);
    Some(code.into())
}

/// Starts `ssh` and waits for an end.
async fn run_ssh(words: &[OsString]) -> io::Result<u8> {
    let mut ends = pipe::Receiver::from_file(File::from(io::stdin().as_fd().try_clone_to_owned()?))?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut child = Command::new("ssh")
        .args(words)
        // A window that asks for a passphrase counts as a prompt, too.
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env_remove("SSH_ASKPASS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let mut nothing = [0];
    let status = tokio::select! {
        status = child.wait() => Some(status?),
        _ = ends.read(&mut nothing) => None,
        _ = terminated.recv() => None,
    };
    let status = match status {
        Some(status) => status,
        None => end(&mut child).await?,
    };
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Asks a child to end, and kills it when it does not.
async fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    // The process id is not reused before the child is waited for.
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(status) = timeout(LAST_WORDS, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}
