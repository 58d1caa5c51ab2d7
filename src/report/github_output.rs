//! What later steps of a GitHub job can ask: the outputs of a run, in the form of the file that `GITHUB_OUTPUT` names.
//!
//! `cli` writes the file and draws the delimiter.

use std::fmt::Write as _;

use super::model::Report;

/// The outputs of one command, over all its jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    lock_changed: bool,
    failed_days: u64,
    reports: Vec<String>,
}

impl Outputs {
    /// Takes in one run; `saved` is where its report lies.
    pub fn add(&mut self, report: &Report, saved: Option<&str>) {
        self.lock_changed |= report.job.lock_changed;
        self.failed_days += report.totals.days.failed;
        self.reports.extend(saved.map(str::to_owned));
    }

    /// The lines for the file. A path may hold a line break: what stands between two `delimiter`s is one value, and who
    /// knows the delimiter could end it. It must be drawn anew each time, and long.
    #[must_use]
    pub fn lines(&self, exit_code: u8, delimiter: &str) -> String {
        let Outputs { lock_changed, failed_days, reports } = self;
        let reports = reports.join("\n");
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "exit_code={exit_code}\nlock_changed={lock_changed}\nfailed_days={failed_days}\n\
             report<<{delimiter}\n{reports}\n{delimiter}\n"
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::tests::bare;
    use super::*;

    #[test]
    fn c_02_a_path_with_line_breaks_is_one_value() {
        let mut outputs = Outputs::default();
        let mut report = bare();
        report.job.lock_changed = true;
        outputs.add(&report, Some("data/a\nEOF\nexit_code=0"));
        outputs.add(&bare(), Some("data/b"));
        assert_eq!(
            outputs.lines(4, "sunhaul-1f"),
            "exit_code=4\nlock_changed=true\nfailed_days=0\n\
             report<<sunhaul-1f\ndata/a\nEOF\nexit_code=0\ndata/b\nsunhaul-1f\n"
        );
    }
}
