//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::problem::CliError;
use super::{Exit, Result, environment, report_file};
use crate::report::terminal::Screen;

/// The two signals that ask a process to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches both signals from here on. Needs a running runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn catch() -> Result<Signals> {
        let catch = |kind| {
            signal(kind).map_err(|error| CliError::new(Exit::Storage, format!("could not catch signals: {error}")))
        };
        Ok(Signals { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// Catches both: the first cancels what is given.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn stop(screen: &Arc<Screen>) -> Result<CancellationToken> {
        let stop = CancellationToken::new();
        tokio::spawn(Signals::catch()?.cancel(stop.clone(), screen.clone()));
        Ok(stop)
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }

    /// Cancels `stop` on the first signal and ends the process on the second. Never returns.
    async fn cancel(mut self, stop: CancellationToken, screen: Arc<Screen>) {
        self.next().await;
        screen.line("stopping; once more to stop at once");
        stop.cancel();
        self.next().await;
        screen.without_bars(|| leave());
    }
}

/// Lets go of the bars each time that the process goes on after a shell had stopped it (Ctrl-Z): the shell has written
/// since to where they stand. Never returns.
///
/// # Errors
/// When the system refuses.
pub(super) async fn let_go_of_bars(screen: Arc<Screen>) -> io::Result<()> {
    let mut resumed = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    loop {
        resumed.recv().await;
        if environment::is_under_a_shell() {
            screen.let_go();
        }
    }
}

/// Ends the process at once: what is on disk is whole at any instant.
#[expect(clippy::exit, reason = "the second signal asks for just this")]
fn leave() -> ! {
    let _settled = report_file::settled();
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
