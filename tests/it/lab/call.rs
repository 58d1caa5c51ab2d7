//! One call of the program in a clean environment, and what it is expected to say.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::terminal::Terminal;
use super::{Lab, PATIENCE};

/// The certificates that the program trusts, where a lab has them.
pub(super) const TRUSTED: &str = "tmp/trusted.pem";

/// What a stream is expected to hold.
#[derive(Debug, Clone, Default)]
enum Said {
    /// Not a byte.
    #[default]
    Nothing,
    /// This very text.
    Exactly(String),
    /// Each of these, anywhere.
    Holding(Vec<String>),
}

impl Said {
    fn with(self, text: &str) -> Said {
        let mut texts = if let Said::Holding(texts) = self { texts } else { Vec::new() };
        texts.push(text.to_owned());
        Said::Holding(texts)
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Said::Nothing => text.is_empty(),
            Said::Exactly(expected) => text == expected,
            Said::Holding(expected) => expected.iter().all(|part| text.contains(part)),
        }
    }
}

/// A call to be made: status 0 and two empty streams are expected unless told otherwise.
#[must_use = "nothing is called until `done` or `start`"]
pub(crate) struct Call<'a> {
    lab: &'a Lab,
    command: Command,
    shown: String,
    expected: Expected,
}

#[derive(Debug, Clone, Default)]
struct Expected {
    status: i32,
    any_status: bool,
    stdout: Said,
    stderr: Said,
}

/// What a call said.
#[derive(Debug, Clone)]
pub(crate) struct Spoken {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Spoken {
    /// The stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is no JSON: {e}\n{}", self.stdout))
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(lab: &'a Lab, args: &[&str]) -> Call<'a> {
        Call::of(lab, env!("CARGO_BIN_EXE_sunhaul"), args)
    }

    /// A call of any program; the lab's own trials use it.
    pub(super) fn of(lab: &'a Lab, program: &str, args: &[&str]) -> Call<'a> {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", lab.path("home"))
            .env("TMPDIR", lab.path("tmp"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(lab.path(""))
            // What it starts dies with it, see `Running::kill`.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if lab.path(TRUSTED).exists() {
            command.env("SSL_CERT_FILE", lab.path(TRUSTED));
        }
        Call { lab, command, shown: format!("sunhaul {}", args.join(" ")), expected: Expected::default() }
    }

    /// Another exit code than 0.
    pub(crate) fn status(mut self, status: i32) -> Self {
        self.expected.status = status;
        self
    }

    /// The whole of stdout.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.expected.stdout = Said::Exactly(text.to_owned());
        self
    }

    /// A part of stdout; may be said more than once.
    pub(crate) fn stdout_has(mut self, text: &str) -> Self {
        self.expected.stdout = self.expected.stdout.with(text);
        self
    }

    /// The whole of stderr.
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        self.expected.stderr = Said::Exactly(text.to_owned());
        self
    }

    /// A part of stderr; may be said more than once.
    pub(crate) fn stderr_has(mut self, text: &str) -> Self {
        self.expected.stderr = self.expected.stderr.with(text);
        self
    }

    /// Whatever it tells on stderr is not what this test is about.
    pub(crate) fn chatty(self) -> Self {
        self.stderr_has("")
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// A wall clock that the lab's file `clock` sets, such as `+1d` or `@2015-12-11 12:00:00`; timers go on as they are. Needs
    /// faketime.
    pub(crate) fn with_clock(self, clock: &str) -> Self {
        self.lab.write("clock", clock);
        let file = self.lab.path("clock");
        let folders = std::fs::read_dir("/usr/lib").expect("a folder").flatten();
        let library =
            folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
        self.env("LD_PRELOAD", library.expect("the library of faketime").to_str().expect("a path"))
            .env("FAKETIME_TIMESTAMP_FILE", file.to_str().expect("a path"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// The folder that the program runs in, relative to the lab.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(self.lab.path(folder));
        self
    }

    /// Calls, waits for the end and checks what was expected.
    #[track_caller]
    pub(crate) fn done(self) -> Spoken {
        self.start().done()
    }

    /// Calls it with a terminal for its stderr, and lets it run; the terminal shows what it says.
    #[track_caller]
    pub(crate) fn on_terminal(mut self, terminal: OwnedFd) -> Child {
        self.command.env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal);
        self.command.spawn().unwrap_or_else(|e| panic!("{}: {e}", self.shown))
    }

    /// The same with one that can do nothing but show lines.
    #[track_caller]
    pub(crate) fn on_dumb_terminal(mut self, terminal: OwnedFd) -> Child {
        self.command.env("TERM", "dumb").stdout(Stdio::null()).stderr(terminal);
        self.command.spawn().unwrap_or_else(|e| panic!("{}: {e}", self.shown))
    }

    /// Calls it with a terminal for its stdin and stderr, and lets it run: somebody sits there.
    #[track_caller]
    pub(crate) fn at_terminal(mut self, terminal: OwnedFd) -> Child {
        let answers = terminal.try_clone().expect("another hand");
        self.command.env("TERM", "xterm").stdin(answers).stdout(Stdio::null()).stderr(terminal);
        self.command.spawn().unwrap_or_else(|e| panic!("{}: {e}", self.shown))
    }

    /// Calls it with a terminal of so many columns for its stdout, and gives all that it wrote there, codes and all. It must
    /// end well and say nothing else.
    #[track_caller]
    pub(crate) fn page(mut self, columns: u16) -> String {
        let (terminal, theirs) = Terminal::open(columns, 24);
        let mut child = self.command.stdout(theirs).stderr(Stdio::inherit()).spawn().expect("a program");
        // Its hands on the terminal: while one is open there is no end.
        drop(self);
        let page = terminal.all();
        assert!(child.wait().expect("an end").success(), "{page}");
        page
    }

    /// Calls and lets it run.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap_or_else(|e| panic!("{}: {e}", self.shown));
        let stdout = Stream::of(child.stdout.take().expect("a pipe"));
        let stderr = Stream::of(child.stderr.take().expect("a pipe"));
        Running { child, stdout, stderr, shown: self.shown, expected: self.expected, url: None }
    }
}

/// A stream that is read as it comes.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn of(pipe: impl Read + Send + 'static) -> Stream {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                sink.lock().expect("a lock").append(&mut line);
            }
        });
        Stream { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("a lock")).into_owned()
    }

    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader that ends");
        }
        self.so_far()
    }
}

/// A call under way; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    shown: String,
    expected: Expected,
    url: Option<String>,
}

impl Running {
    /// Where a service listens, such as `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().expect("a service")
    }

    /// What it said on stdout so far.
    pub(crate) fn stdout_so_far(&self) -> String {
        self.stdout.so_far()
    }

    /// What it said on stderr so far.
    pub(crate) fn stderr_so_far(&self) -> String {
        self.stderr.so_far()
    }

    /// Its number among the processes of this machine.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True when it is over, however it ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// All that it said on stderr; waits for its end.
    pub(crate) fn stderr_to_the_end(&mut self) -> String {
        self.stderr.whole()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a process to signal");
    }

    /// Waits until it ends by itself, or until this moment; true when it has ended.
    pub(crate) fn ends_before(&mut self, moment: Instant) -> bool {
        loop {
            let ended = self.child.try_wait().expect("a child").is_some();
            let left = moment.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return ended;
            }
            std::thread::sleep(left.min(Duration::from_millis(1)));
        }
    }

    /// Kills it with no warning.
    pub(crate) fn kill(mut self) {
        self.kill_all();
        self.child.wait().expect("an end");
    }

    /// It and all that it started. They may have ended by themselves; then there is nothing to do.
    fn kill_all(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Waits for the end, whatever the status: for a test where more than one end is right.
    #[track_caller]
    pub(crate) fn done_any(mut self) -> Spoken {
        self.expected.any_status = true;
        self.done()
    }

    /// Waits for the end and checks what was expected of the call.
    #[track_caller]
    pub(crate) fn done(mut self) -> Spoken {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "`{}` hangs\nstdout: {}\nstderr: {}",
                self.shown,
                self.stdout.so_far(),
                self.stderr.so_far()
            );
            std::thread::sleep(Duration::from_millis(2));
        };
        let spoken =
            Spoken { code: status.code().unwrap_or(-1), stdout: self.stdout.whole(), stderr: self.stderr.whole() };
        let Expected { status: code, any_status, stdout, stderr } = &self.expected;
        let is_status = status.code() == Some(*code) || (*any_status && status.code().is_some());
        let is_clean = [&spoken.stdout, &spoken.stderr].iter().all(|text| {
            !text.contains("panicked at") && !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
        });
        assert!(
            is_status && stdout.holds(&spoken.stdout) && stderr.holds(&spoken.stderr) && is_clean,
            "`{}` ended otherwise than expected\nexpected: status {code}\n  stdout {stdout:?}\n  stderr {stderr:?}\n\
             got: {status}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown,
            spoken.stdout,
            spoken.stderr
        );
        spoken
    }

    /// Waits until it says where it listens.
    #[track_caller]
    pub(crate) fn wait_for_url(&mut self) {
        let begun = Instant::now();
        loop {
            let said = [self.stdout.so_far(), self.stderr.so_far()];
            if let Some(url) = said.iter().find_map(|text| listening_at(text)) {
                self.url = Some(url);
                return;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "`{}` does not listen ({ended:?})\nstdout: {}\nstderr: {}",
                self.shown,
                said[0],
                said[1]
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.kill_all();
        }
        drop(self.child.wait());
    }
}

/// The first URL with a port in a text, without its path.
fn listening_at(text: &str) -> Option<String> {
    text.match_indices("http://").find_map(|(at, scheme)| {
        let rest = &text[at + scheme.len()..];
        let (host, after) = rest.split_once(':')?;
        let port: String = after.chars().take_while(char::is_ascii_digit).collect();
        let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        // A line that is still being written might hold half a port.
        let is_whole = after.len() > port.len();
        (is_host && is_whole && !port.is_empty()).then(|| format!("http://{host}:{port}"))
    })
}

#[cfg(test)]
mod tests {
    use super::listening_at;

    #[test]
    fn the_place_where_a_service_listens_is_found_in_what_it_says() {
        let said = "serving 7 files at http://127.0.0.1:40123/HMI/\n";
        assert_eq!(listening_at(said).as_deref(), Some("http://127.0.0.1:40123"));
        assert_eq!(listening_at("see http://example.org/ and http://127.0.0.1:401"), None);
    }
}
