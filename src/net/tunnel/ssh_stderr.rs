//! What an `ssh` says: the end of it, kept for the messages of requests that fail.
//!
//! Only the few lines that tell a refusal from trouble on the way are understood.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::untrusted::escape;

/// How much is kept, in bytes: a gateway may greet at length, or for ever.
const KEPT: usize = 4096;

/// How many of the last lines are shown.
const SHOWN: usize = 3;

/// What OpenSSH says, in every language, when the gateway or the user's own list of hosts says no: trying again would only
/// fill the gateway's log, or have it lock the door.
const REFUSALS: &[&str] = &["Permission denied (", "Host key verification failed", "Too many authentication failures"];

/// The end of what was said so far. Clones hear the same.
#[derive(Debug, Clone, Default)]
pub(super) struct SshStderr(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    end: Vec<u8>,
    total: u64,
}

impl SshStderr {
    /// Listens until there is nothing more to hear.
    pub(super) async fn hear(self, mut stream: impl AsyncRead + Unpin) {
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut piece).await {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            said.total += length as u64;
            said.end.extend_from_slice(&piece[..length]);
            let excess = said.end.len().saturating_sub(KEPT);
            said.end.drain(..excess);
        }
    }

    /// A mark between what was said and what will be.
    pub(super) fn mark(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// The last lines since a mark, safe to show; none where nothing was said.
    pub(super) fn since(&self, mark: u64) -> Option<String> {
        let text = self.text(mark);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        // How to make `ssh` forget a key is told among the warnings: without them it reads as what to do.
        let lines = lines.filter(|line| !line.starts_with("ssh-keygen ") && *line != "remove with:");
        let lines: Vec<&str> = lines.collect();
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        (!last.is_empty()).then(|| last.iter().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("; "))
    }

    /// What to do about a refusal that has a reason of its own.
    pub(super) fn advice(&self) -> Option<&'static str> {
        let text = self.text(0);
        let advice = [
            (
                "IDENTIFICATION HAS CHANGED",
                "the gateway's key is not the one that is known: ask its operator whether it was changed, before the old \
                 one is taken out of the known hosts",
            ),
            ("Connection refused", "is its `sshd` up, and is `port` right?"),
            ("Could not resolve hostname", "is the gateway's name right?"),
        ];
        advice.into_iter().find(|(words, _)| text.contains(words)).map(|(_, advice)| advice)
    }

    /// True when it was told that nobody is let in.
    pub(super) fn is_refusal(&self) -> bool {
        let text = self.text(0);
        REFUSALS.iter().any(|refusal| text.contains(refusal))
    }

    fn text(&self, mark: u64) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(said.total.saturating_sub(mark)).unwrap_or(usize::MAX).min(said.end.len());
        String::from_utf8_lossy(&said.end[said.end.len() - new..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hear(words: &SshStderr, text: &[u8]) {
        words.clone().hear(text).await;
    }

    #[tokio::test]
    async fn the_last_lines_since_a_mark_are_shown_and_nothing_acts_in_them() {
        let words = SshStderr::default();
        hear(&words, b"one\r\ntwo\n").await;
        let mark = words.mark();
        assert_eq!(words.since(mark), None);
        hear(&words, b"three\n\nfour \x1b[2J; hint: rm\nfive\nsix\n").await;
        assert_eq!(words.since(mark).unwrap(), "four \\u{1b}[2J\\u{3b} hint: rm; five; six");
        assert_eq!(words.since(0), words.since(mark));
    }

    #[tokio::test]
    async fn a_gateway_that_talks_for_ever_fills_no_memory() {
        let words = SshStderr::default();
        hear(&words, &vec![b'x'; 1 << 20]).await;
        hear(&words, b"\nthe end").await;
        assert!(words.0.lock().unwrap().end.len() <= KEPT);
        assert!(words.since(0).unwrap().ends_with("the end"));
        assert!(words.since(5).unwrap().len() < 1_000);
    }

    #[tokio::test]
    async fn a_refusal_is_told_from_trouble_on_the_way() {
        for (text, is_refusal) in [
            ("jane@gw: Permission denied (publickey,password).", true),
            ("No ED25519 host key is known for gw\r\nHost key verification failed.", true),
            ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", true),
            ("ssh: connect to host gw port 22: Connection refused", false),
            ("ssh: Could not resolve hostname gw: Name or service not known", false),
            ("unix_listener: cannot bind to path /x/s.sock: Permission denied", false),
        ] {
            let words = SshStderr::default();
            hear(&words, text.as_bytes()).await;
            assert_eq!(words.is_refusal(), is_refusal, "{text}");
        }
    }
}
