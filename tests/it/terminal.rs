//! Bars on a terminal: right at any width, and gone without a trace at the end.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use sunhaul::report::terminal::{Mode, Paint, Screen, TerminalSize};

use crate::lab::terminal::{Paper, Terminal, freeze, thaw};
use crate::lab::{Job, Lab};

/// So little that no file is done while a test looks.
const SLOW: &str = "{ bandwidth: 1 KiB/s }";

/// Paper that a screen writes to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Paper>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("paper").write(std::str::from_utf8(bytes).expect("UTF-8 in one piece"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is done to a screen.
#[derive(Debug, Clone)]
enum Act {
    Draw(Vec<String>),
    Tell(String),
    Resize(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::collection::vec("[a-z= 太é]{0,70}[a-z]", 0..8).prop_map(Act::Draw),
        1 => "[a-z ]{0,100}[a-z]".prop_map(Act::Tell),
        2 => (4usize..100).prop_map(Act::Resize),
    ]
}

proptest! {
    #[test]
    fn a_screen_shows_what_was_told_and_the_bars_of_now_whatever_its_width_was(acts in prop::collection::vec(act(), 1..40)) {
        let paper = Arc::new(Mutex::new(Paper::new(80)));
        let columns = Arc::new(AtomicUsize::new(80));
        let asked = Arc::clone(&columns);
        let size = move || Some(TerminalSize { columns: asked.load(Ordering::Relaxed), rows: 24 });
        let screen = Screen::new(Box::new(Shared(Arc::clone(&paper))), Mode::Bars(Box::new(size)), Paint(false));
        let mut told: Vec<String> = Vec::new();
        for act in acts {
            match act {
                Act::Draw(bars) => {
                    let bars: Vec<String> = bars.iter().map(|bar| fitting(bar, columns.load(Ordering::Relaxed))).collect();
                    screen.draw(|_| bars.clone());
                    let expected: Vec<String> = told.iter().chain(&bars).cloned().collect();
                    prop_assert_eq!(paper.lock().expect("paper").lines(), expected);
                }
                Act::Tell(text) => {
                    screen.line(&text);
                    told.push(text);
                    prop_assert!(paper.lock().expect("paper").lines().starts_with(&told));
                }
                Act::Resize(to) => {
                    columns.store(to, Ordering::Relaxed);
                    paper.lock().expect("paper").resize(to);
                }
            }
        }
        screen.without_bars(|| ());
        prop_assert_eq!(paper.lock().expect("paper").lines(), told);
    }
}

/// As much of a bar as is narrower than the screen: every second column is enough for wide characters.
fn fitting(bar: &str, columns: usize) -> String {
    let cut: String = bar.chars().take(((columns - 1) / 2).max(1)).collect();
    cut.replace(' ', "=")
}

#[test]
fn a_run_on_a_terminal_that_is_resized_and_then_interrupted_leaves_its_summary_alone() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2015-12-11", "2015-12-14").limits(SLOW).yaml());
    let (mut terminal, theirs) = Terminal::open(80, 24);
    let mut child = lab.sunhaul(&["run", "job.yaml"]).on_terminal(theirs);
    terminal.until(|lines| count(lines, "[") == 3 && count(lines, "total") == 1);
    for (columns, rows) in [(60, 24), (40, 10), (20, 5), (30, 24), (100, 24), (12, 24), (80, 24)] {
        // Frozen, so that it draws nothing while the size changes hands.
        freeze(&child);
        terminal.catch_up();
        terminal.resize(columns, rows);
        thaw(&child);
        terminal.until_news(|lines| {
            lines.iter().all(|line| line.chars().count() < usize::from(columns))
                && lines.len() <= usize::from(rows / 2)
                && lines.len() == if rows == 5 { 2 } else { 5 }
                && count(lines, " files") <= 1
        });
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("a process to interrupt");
    terminal.until(|lines| count(lines, "continue with: ") == 1);
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    terminal.catch_up();
    let lines = terminal.paper.lines();
    assert_eq!(lines[0], "stopping; once more to stop at once", "{lines:#?}");
    assert!(lines[1].starts_with("lab interrupted: "), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("continue with: ")), "{lines:#?}");
}

#[test]
fn a_run_that_ends_by_itself_or_at_once_leaves_no_bar_behind() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    let (mut terminal, theirs) = Terminal::open(80, 24);
    let mut child = lab.sunhaul(&["run", "job.yaml"]).on_terminal(theirs);
    terminal.until(|lines| count(lines, "report: ") == 1);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    terminal.catch_up();
    let lines = terminal.paper.lines();
    assert!(lines[0].starts_with("lab complete: "), "{lines:#?}");

    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().limits(SLOW).yaml());
    let (mut terminal, theirs) = Terminal::open(80, 24);
    let mut child = lab.sunhaul(&["run", "job.yaml"]).on_terminal(theirs);
    terminal.until(|lines| count(lines, "total") == 1);
    for _ in 0..2 {
        kill_process(Pid::from_child(&child), Signal::INT).expect("a process to interrupt");
        terminal.until(|lines| count(lines, "stopping") == 1);
    }
    child.wait().expect("an end");
    terminal.catch_up();
    assert_eq!(count(&terminal.paper.lines(), "total"), 0, "{:#?}", terminal.paper.lines());
}

#[test]
fn a_plan_that_lists_shows_how_far_it_is_and_leaves_nothing_when_it_is_interrupted() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2015-12-11", "2016-12-11").limits("{ requests: 1/s }").yaml());
    let (mut terminal, theirs) = Terminal::open(80, 24);
    let mut child = lab.sunhaul(&["plan", "job.yaml", "--list"]).on_terminal(theirs);
    terminal.until(|lines| count(lines, "listed ") == 1 && count(lines, " of 366 days") == 1);
    kill_process(Pid::from_child(&child), Signal::INT).expect("a process to interrupt");
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    terminal.catch_up();
    assert!(terminal.paper.lines().is_empty(), "{:#?}", terminal.paper.lines());
}

fn count(lines: &[String], part: &str) -> usize {
    lines.iter().filter(|line| line.contains(part)).count()
}

#[test]
fn a_dumb_terminal_gets_plain_lines_and_nothing_that_acts() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2015-12-11", "2015-12-13").yaml());
    let (terminal, theirs) = Terminal::open(20, 5);
    let mut child = lab.sunhaul(&["run", "job.yaml"]).on_dumb_terminal(theirs);
    let said = terminal.all();
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{said}");
    assert!(said.contains("sharp_720s 2015-12-11 sealed: ") && said.contains("lab complete: "), "{said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn closed_streams_are_nobody_s_failure() {
    let sunhaul = env!("CARGO_BIN_EXE_sunhaul");
    for (closed, code) in [("2>&-", "0"), ("<&- 2>&-", "0"), ("2>&1 | head -0; true", "0")] {
        let lab = Lab::new();
        lab.write("job.yaml", Job::embedded().yaml());
        let line = format!("{sunhaul} run job.yaml {closed}");
        let line = if closed.contains('|') { format!("set -o pipefail; {line}") } else { line };
        lab.program("/bin/bash", &["-c", &format!("({line}); echo $?")]).stdout(&format!("{code}\n")).done();
        lab.sunhaul(&["run", "job.yaml"]).stderr_has("nothing to do").done();
    }
}

#[test]
fn what_is_printed_for_people_ends_well_when_the_reader_goes_away() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("1990-01-01", "2016-01-01").yaml());
    let sunhaul = env!("CARGO_BIN_EXE_sunhaul");
    for command in [
        "status job.yaml --by day",
        "status job.yaml --json",
        "plan job.yaml --json",
        "schema job",
        "completions zsh",
        "man run",
        "--help",
        "run --help",
    ] {
        let line = format!("{sunhaul} {command} | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}");
        lab.program("/bin/bash", &["-c", &line]).stdout("0\n").done();
    }
}

#[test]
fn help_and_errors_fit_twenty_columns_in_words() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml().replace("name: lab", "nmae: lab"));
    for args in [&["run", "--help"][..], &["status", "--help"], &["--help"]] {
        let said = lab.sunhaul(args).env("COLUMNS", "20").stdout_has("Options:").done().stdout;
        assert!(said.lines().count() > 40, "{said}");
    }
    let said = lab.sunhaul(&["check", "job.yaml"]).env("COLUMNS", "20").status(2).stderr_has("nmae: lab").done().stderr;
    assert!(said.contains("did you mean `name`?"), "{said}");
}

#[test]
fn help_on_a_terminal_is_shown_by_the_pager_and_all_else_as_it_is() {
    let lab = Lab::new();
    let page = |words: &[&str], pager: &str| lab.sunhaul(words).env("TERM", "xterm").env("PAGER", pager).page(80);
    for words in [&["help", "words"][..], &["help", "run"], &["explain"], &["explain", "held"]] {
        let paged = page(words, "sed 's/^/paged: /'");
        assert!(paged.lines().all(|line| line.starts_with("paged: ")), "{words:?}: {paged}");
        let plain = page(words, "cat");
        assert_eq!(paged.replace("paged: ", ""), plain, "{words:?}");
        assert_eq!(page(words, ""), plain, "{words:?}");
    }
    assert!(page(&["help", "words"], "cat").contains("\u{1b}[1mWORDS\u{1b}[0m"), "headings are bold");
    // No `less` is there: the text is shown all the same.
    let without = lab.sunhaul(&["help", "words"]).env("TERM", "xterm").env("PATH", "/nowhere").page(80);
    assert_eq!(without, page(&["help", "words"], "cat"));
    // Nobody reads at a terminal.
    let call = lab.sunhaul(&["help", "words"]).env("TERM", "xterm").env("PAGER", "false");
    let text = call.stdout_has("WORDS\n").done().stdout;
    assert!(text.contains("- `thin`: ") && !text.contains('\u{1b}'), "{text}");
}
