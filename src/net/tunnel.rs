//! A way through an SSH gateway: the system's `ssh` listens at a socket of ours, and all requests go in there.
//!
//! No port is opened that others could use or take, URLs stay as they are, and hosts are looked up on the far side. One
//! `ssh` serves all jobs of the process that go through one gateway to one host; it is started by the first request,
//! started again by the first one after it ended, and ends with the process.

mod ssh_args;
mod ssh_stderr;
mod watchdog;

use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, ChildStdin};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use url::Url;

use super::body::seconds;
use super::transport::{self, Settings};
use crate::failure::{Class, limit_hint};
use crate::manifest::Tunnel as Gateway;
use crate::untrusted::escape;
use ssh_stderr::SshStderr;
pub use watchdog::{KEEP, keep};

/// What a login may take beyond the time for a connection: each host on the way asks for keys.
const LOGIN: Duration = Duration::from_secs(15);

/// How often the socket is looked for while `ssh` logs in.
const LOOK: Duration = Duration::from_millis(10);

/// An `ssh` that worked for so long was well: its end is the first trouble of a new row.
const STEADY: Duration = Duration::from_mins(1);

/// The waits between two starts that come to nothing: the first, doubled each time, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How long words that explain a failed request may be on their way.
const LATE_WORDS: Duration = Duration::from_millis(50);

/// How long a keeper may take to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// How `ssh` is run.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// This program, which is started as a keeper ([`KEEP`]).
    pub program: PathBuf,
    /// What `ssh -F` reads in place of the user's own configuration.
    pub config: Option<PathBuf>,
}

/// The way through one gateway to one host.
#[derive(Debug)]
pub(super) struct HostTunnel {
    gateway: Gateway,
    /// Host and port on the far side.
    target: String,
    ssh: Ssh,
    /// How many starts have ended, well or not.
    starts: AtomicU64,
    state: Mutex<TunnelState>,
}

#[derive(Debug, Default)]
struct TunnelState {
    up: Option<Up>,
    /// An `ssh` was up before.
    was_up: bool,
    /// Troubles in a row.
    row: u32,
    /// No start before this.
    not_before: Option<Instant>,
    /// Why the last start failed.
    trouble: Option<Trouble>,
}

/// An `ssh` that listens.
#[derive(Debug)]
struct Up {
    keeper: Child,
    /// Closed with this program, or by us: then the keeper ends `ssh`.
    lifeline: Option<ChildStdin>,
    socket: PathBuf,
    since: Instant,
    words: SshStderr,
    /// The HTTP clients that go in at its socket.
    clients: HashMap<Settings, reqwest::Client>,
}

/// Why there is no tunnel.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// `unreachable`, and then a later start may do; else none will in this process.
    pub(super) class: Class,
    /// In words, with what to do; safe to show.
    pub(super) why: String,
}

/// A tunnel that is ready for one request.
#[derive(Debug)]
pub(super) struct TunnelPassage {
    /// The client whose requests go through.
    pub(super) http: reqwest::Client,
    /// It had ended, and was started again for this request.
    pub(super) is_restarted: bool,
    socket: PathBuf,
    words: SshStderr,
    mark: u64,
}

impl TunnelPassage {
    /// True when nobody listens there any more.
    pub(super) fn has_ended(&self) -> bool {
        !self.socket.exists()
    }

    /// What `ssh` said since the passage was given: why the far side cannot reach the host, or that it ends.
    pub(super) async fn said(&self) -> Option<String> {
        if self.words.since(self.mark).is_none() {
            sleep(LATE_WORDS).await;
        }
        self.words.since(self.mark)
    }
}

impl HostTunnel {
    /// A tunnel to the host of `url`; nothing is started.
    ///
    /// # Errors
    /// When that host cannot be named to `ssh`.
    pub(super) fn new(gateway: Gateway, url: &Url, ssh: Ssh) -> Result<HostTunnel, Trouble> {
        let target = ssh_args::target(url).ok_or_else(|| Trouble {
            class: Class::SourceRefused,
            why: "a host of this name cannot be reached through a tunnel".to_owned(),
        })?;
        Ok(HostTunnel { gateway, target, ssh, starts: AtomicU64::new(0), state: Mutex::default() })
    }

    /// Host and port on the far side.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Waits until the tunnel is up, and starts it where it is not. Who waits meanwhile shares the outcome.
    ///
    /// # Errors
    /// [`Trouble`]; one that is no passing one is given again without another start.
    pub(super) async fn passage(&self, settings: Settings) -> Result<TunnelPassage, Trouble> {
        let seen = self.starts.load(Ordering::Relaxed);
        let mut state = self.state.lock().await;
        state.look(&self.gateway);
        let (up, is_restarted) = match state.up.take() {
            Some(up) => (up, false),
            None => (self.begin(&mut state, seen, settings.connect).await?, state.was_up),
        };
        state.was_up = true;
        let up = state.up.insert(up);
        Ok(TunnelPassage {
            http: up.client(settings)?,
            is_restarted,
            socket: up.socket.clone(),
            words: up.words.clone(),
            mark: up.words.mark(),
        })
    }

    /// Starts `ssh` when its time has come. Who has `seen` fewer starts than there were shares the outcome of the last one.
    async fn begin(&self, state: &mut TunnelState, seen: u64, connect: Duration) -> Result<Up, Trouble> {
        let is_told = self.starts.load(Ordering::Relaxed) != seen;
        if let Some(trouble) = state.trouble.as_ref().filter(|trouble| is_told || trouble.is_lasting()) {
            return Err(trouble.clone());
        }
        if let Some(at) = state.not_before {
            sleep_until(at).await;
        }
        let started = self.start(connect).await;
        self.starts.fetch_add(1, Ordering::Relaxed);
        state.trouble = started.as_ref().err().cloned();
        if state.trouble.is_some() {
            state.stumble();
        }
        started
    }

    /// Ends `ssh`, and waits until it is gone.
    pub(super) async fn close(&self) {
        let Some(mut up) = self.state.lock().await.up.take() else { return };
        drop(up.lifeline.take());
        if timeout(FAREWELL, up.keeper.wait()).await.is_err() {
            tracing::debug!(gateway = %self.gateway.gateway(), "the tunnel takes long to end");
        }
    }

    /// Starts `ssh` and waits until it listens.
    async fn start(&self, connect: Duration) -> Result<Up, Trouble> {
        let place = place();
        let no_folder = || format!("no folder for its socket in `{}`", escape(&place.to_string_lossy()));
        let folder = folder_in(&place).map_err(|error| self.local_trouble(&no_folder(), &error))?;
        let socket = folder.path().join(watchdog::SOCKET);
        let config = self.ssh.config.as_deref();
        let words = ssh_args::words(&self.gateway, config, &socket, &self.target, connect);
        let words = words.map_err(|key| Trouble {
            class: Class::SourceRefused,
            why: format!("`tunnel: {{ {key}: ... }}` begins with a dash"),
        })?;
        tracing::debug!(gateway = %self.gateway.gateway(), target = self.target, "starting ssh");
        let mut keeper = watchdog::start(&self.ssh, folder.path(), &words)
            .map_err(|error| self.local_trouble("this program cannot start itself", &error))?;
        // From here on the watchdog removes it.
        let _ = folder.keep();
        // Taken out, since waiting for the child would close its stdin, which tells the watchdog to end the tunnel.
        let lifeline = keeper.stdin.take();
        let said = SshStderr::default();
        let hearing = keeper.stderr.take().map(|stderr| tokio::spawn(said.clone().hear(stderr)));
        let allowed = connect + LOGIN;
        let ended = timeout(allowed, async {
            loop {
                // Made after the login, and listened at in the very next step.
                if socket.exists() {
                    sleep(LOOK).await;
                    return None;
                }
                tokio::select! {
                    ended = keeper.wait() => return Some(ended),
                    () = sleep(LOOK) => {}
                }
            }
        });
        let why = match ended.await {
            Ok(None) => {
                let (since, clients) = (Instant::now(), HashMap::new());
                return Ok(Up { keeper, lifeline, socket, since, words: said, clients });
            }
            Ok(Some(ended)) => {
                if let Some(hearing) = hearing {
                    let _ = timeout(LATE_WORDS * 4, hearing).await;
                }
                if ended.is_ok_and(|status| status.code() == Some(watchdog::NO_SSH.into())) {
                    let said = said.since(0).unwrap_or_else(|| "`ssh` could not be started".to_owned());
                    let why = format!("{said}; hint: a tunnel is the system's `ssh`: install OpenSSH's client");
                    return Err(Trouble { class: Class::SourceRefused, why });
                }
                said.since(0).map_or_else(|| "ssh ended without a word".to_owned(), |said| format!("ssh says: {said}"))
            }
            Err(_) => {
                let said = said.since(0).map(|said| format!("; ssh says: {said}")).unwrap_or_default();
                format!("nobody is logged in after {}{said}", seconds(allowed))
            }
        };
        let trouble = match said.advice() {
            Some(advice) => self.trouble_with(&why, advice),
            None => self.trouble(&why),
        };
        Err(if said.is_refusal() { Trouble { class: Class::Forbidden, ..trouble } } else { trouble })
    }

    /// No tunnel, for a reason that may pass.
    fn trouble(&self, why: &str) -> Trouble {
        let by_hand = ssh_args::by_hand(&self.gateway, self.ssh.config.as_deref());
        let advice = format!(
            "`{}` must get in without a question: a key that needs no passphrase or is in the agent, and a host that is \
             known",
            escape(&by_hand),
        );
        self.trouble_with(why, &advice)
    }

    /// The same of what this machine did not do: a limit of the process is nothing that passes.
    fn local_trouble(&self, what: &str, error: &io::Error) -> Trouble {
        let why = format!("{what}: {error}");
        match limit_hint(error) {
            Some(hint) => Trouble { class: Class::Storage, ..self.trouble_with(&why, hint) },
            None => self.trouble(&why),
        }
    }

    /// The same with another hint.
    fn trouble_with(&self, why: &str, advice: &str) -> Trouble {
        let why = format!("no tunnel through {}: {why}; hint: {advice}", escape(&self.gateway.gateway()));
        Trouble { class: Class::Unreachable, why }
    }
}

impl Up {
    /// The client with these settings.
    fn client(&mut self, settings: Settings) -> Result<reqwest::Client, Trouble> {
        if let Some(client) = self.clients.get(&settings) {
            return Ok(client.clone());
        }
        let client = transport::build(settings, Some(&self.socket));
        let client = client.map_err(|why| Trouble { class: why.class, why: why.message })?;
        self.clients.insert(settings, client.clone());
        Ok(client)
    }
}

impl Trouble {
    /// True when another start would come to the same.
    fn is_lasting(&self) -> bool {
        self.class != Class::Unreachable
    }
}

impl TunnelState {
    /// Notices when `ssh` has ended by itself.
    fn look(&mut self, gateway: &Gateway) {
        let Some(up) = &mut self.up else { return };
        if matches!(up.keeper.try_wait(), Ok(None)) && up.socket.exists() {
            return;
        }
        let said = up.words.since(0).map(|said| format!(": {said}")).unwrap_or_default();
        tracing::warn!("the tunnel through {} has ended; it is started again{said}", escape(&gateway.gateway()));
        if up.since.elapsed() >= STEADY {
            (self.row, self.not_before) = (0, None);
        }
        self.up = None;
        self.stumble();
    }

    /// One more trouble: the next start waits.
    fn stumble(&mut self) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.row.min(8)).min(LONGEST_WAIT);
        self.row += 1;
        self.not_before = Some(Instant::now() + wait);
    }
}

/// Where the folder of the socket is made: in the usual place if its path will do.
fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    let probe = usual.join("sunhaul-abcdef").join(watchdog::SOCKET);
    if ssh_args::is_plain(&probe) { usual } else { PathBuf::from("/tmp") }
}

/// A folder that nobody else can look into.
fn folder_in(place: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("sunhaul-").permissions(Permissions::from_mode(0o700)).tempdir_in(place)
}
