//! A terminal for tests: what is written to it becomes the lines that a person sees, also after its width changed.
//!
//! It folds lines as tmux, VTE and kitty do, and has no height: nothing ever scrolls out of reach. What it does not know
//! it refuses.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use unicode_width::UnicodeWidthChar as _;

use super::PATIENCE;

/// Lines as they were written, and a cursor among their characters.
#[derive(Debug, Clone)]
pub(crate) struct Paper {
    columns: usize,
    lines: Vec<Vec<char>>,
    /// The cursor's line.
    line: usize,
    /// The cursor's place in its line, in characters.
    at: usize,
    /// An escape sequence that has begun.
    escape: Option<String>,
}

impl Paper {
    /// An empty one.
    pub(crate) fn new(columns: usize) -> Paper {
        Paper { columns, lines: vec![Vec::new()], line: 0, at: 0, escape: None }
    }

    /// Takes another width.
    pub(crate) fn resize(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// What a person sees: each line whole, without the empty ones at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Takes in what a program writes.
    pub(crate) fn write(&mut self, text: &str) {
        for c in text.chars() {
            if let Some(mut begun) = self.escape.take() {
                begun.push(c);
                if begun.len() > 1 && c.is_ascii_alphabetic() {
                    self.act(&begun);
                } else {
                    self.escape = Some(begun);
                }
                continue;
            }
            match c {
                '\u{1b}' => self.escape = Some(String::new()),
                '\r' => self.at = self.row_start(),
                '\n' => self.down(),
                c => {
                    assert!(!c.is_control(), "{c:?}");
                    let line = &mut self.lines[self.line];
                    line.resize(line.len().max(self.at + 1), ' ');
                    line[self.at] = c;
                    self.at += 1;
                }
            }
        }
    }

    fn act(&mut self, sequence: &str) {
        let number = || sequence[1..sequence.len() - 1].parse::<usize>().expect("a number");
        match sequence {
            "[K" => self.erase_row(),
            "[J" => {
                self.lines[self.line].truncate(self.at);
                self.lines.truncate(self.line + 1);
            }
            _ if sequence.ends_with('m') => {}
            _ if sequence.ends_with('A') => (0..number()).for_each(|_| self.up()),
            _ => panic!("the terminal does not know {sequence:?}"),
        }
    }

    /// Where the rows of a line begin.
    fn rows(&self, line: usize) -> Vec<usize> {
        let (mut starts, mut used) = (vec![0], 0);
        for (at, c) in self.lines[line].iter().enumerate() {
            let width = c.width().unwrap_or(0);
            used += width;
            if used > self.columns {
                starts.push(at);
                used = width;
            }
        }
        starts
    }

    /// The row of its line that the cursor is in.
    fn row(&self) -> usize {
        self.rows(self.line).iter().rposition(|start| *start <= self.at).expect("a first row")
    }

    fn row_start(&self) -> usize {
        self.rows(self.line)[self.row()]
    }

    /// Up one row; the column is kept only where the program needs it: at the start.
    fn up(&mut self) {
        assert_eq!(self.at, self.row_start(), "up from the middle of a row");
        let row = self.row();
        if row > 0 {
            self.at = self.rows(self.line)[row - 1];
        } else if self.line > 0 {
            self.line -= 1;
            self.at = *self.rows(self.line).last().expect("a row");
        }
    }

    fn down(&mut self) {
        let row = self.row() + 1;
        if let Some(start) = self.rows(self.line).get(row) {
            self.at = *start;
            return;
        }
        self.line += 1;
        self.at = 0;
        if self.line == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    fn erase_row(&mut self) {
        let end = self.rows(self.line).get(self.row() + 1).copied().unwrap_or(self.lines[self.line].len());
        let at = self.at.min(end);
        self.lines[self.line][at..end].fill(' ');
        // A row that is followed by none ends where its text does.
        if end == self.lines[self.line].len() {
            self.lines[self.line].truncate(at);
        }
    }
}

/// A real terminal device, with paper that shows what came through it.
pub(crate) struct Terminal {
    ours: File,
    pub(crate) paper: Paper,
    /// Bytes that are not yet a whole character.
    rest: Vec<u8>,
    has_news: bool,
}

impl Terminal {
    /// A new one, and the side that a program writes to.
    pub(crate) fn open(columns: u16, rows: u16) -> (Terminal, OwnedFd) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("a terminal to be had");
        unlockpt(&ours).expect("a terminal to be opened");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other side");
        let mut terminal = Terminal {
            ours: File::from(ours),
            paper: Paper::new(usize::from(columns)),
            rest: Vec::new(),
            has_news: false,
        };
        terminal.resize(columns, rows);
        (terminal, theirs)
    }

    /// Takes another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.ours, size).expect("a size");
        self.paper.resize(usize::from(columns));
    }

    /// Types a line.
    pub(crate) fn answer(&mut self, line: &str) {
        self.ours.write_all(format!("{line}\n").as_bytes()).expect("a terminal to type at");
    }

    /// All that a program writes until it ends, codes and all.
    pub(crate) fn all(mut self) -> String {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        // Linux says by an error that the other side is closed.
        while let Ok(read @ 1..) = self.ours.read(&mut piece) {
            bytes.extend(&piece[..read]);
        }
        String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n")
    }

    /// Shows what came, until there is no more for the moment.
    pub(crate) fn catch_up(&mut self) {
        while self.has_more(Duration::ZERO) && self.show() {}
    }

    /// Shows what comes, until something is seen.
    #[track_caller]
    pub(crate) fn until(&mut self, seen: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        while !seen(&self.paper.lines()) {
            assert!(begun.elapsed() < PATIENCE, "never seen; but:\n{}", self.paper.lines().join("\n"));
            if self.has_more(Duration::from_millis(100)) {
                self.show();
            }
        }
    }

    /// As [`Terminal::until`], and only after something new was written.
    #[track_caller]
    pub(crate) fn until_news(&mut self, seen: impl Fn(&[String]) -> bool) {
        self.has_news = false;
        let begun = Instant::now();
        while !self.has_news {
            assert!(begun.elapsed() < PATIENCE, "nothing is written");
            if self.has_more(Duration::from_millis(100)) {
                self.show();
            }
        }
        self.until(seen);
    }

    fn has_more(&self, wait: Duration) -> bool {
        let wait = rustix::event::Timespec::try_from(wait).expect("a span");
        let mut fds = [PollFd::new(&self.ours, PollFlags::IN)];
        poll(&mut fds, Some(&wait)).expect("a poll") > 0
    }

    /// False at the end.
    fn show(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // The other side is closed: Linux says so by an error.
        let Ok(read @ 1..) = self.ours.read(&mut bytes) else { return false };
        self.has_news = true;
        self.rest.extend(&bytes[..read]);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = self.rest.drain(..whole).collect();
        self.paper.write(std::str::from_utf8(&text).expect("whole characters"));
        true
    }
}

/// Stops a program at whatever it does, and waits until it stands still.
pub(crate) fn freeze(child: &Child) {
    kill_process(Pid::from_child(child), Signal::STOP).expect("a process to stop");
    let stat = format!("/proc/{}/stat", child.id());
    let begun = Instant::now();
    let is_stopped = || std::fs::read_to_string(Path::new(&stat)).is_ok_and(|stat| stat.contains(") T "));
    while !is_stopped() {
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets it go on.
pub(crate) fn thaw(child: &Child) {
    kill_process(Pid::from_child(child), Signal::CONT).expect("a process to go on");
}
