//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use super::{Exit, Result, run};
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
            signal(kind).map_err(|error| Problem::new(Exit::Storage, format!("could not catch signals: {error}")))
        };
        Ok(Signals { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }

    /// Cancels `stop` on the first signal and ends the process on the second. Never returns.
    pub(super) async fn cancel(mut self, stop: CancellationToken, screen: Arc<Screen>) {
        self.next().await;
        screen.line("stopping; once more to stop at once");
        stop.cancel();
        self.next().await;
        leave();
    }
}

/// Ends the process at once: what is on disk is whole at any instant.
#[expect(clippy::exit, reason = "the second signal asks for just this")]
fn leave() -> ! {
    let _settled = run::settled();
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
