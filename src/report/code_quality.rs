//! What is wrong with manifests as GitLab shows it on a merge request: its code quality report.
//!
//! The fields are those that GitLab's documentation asks for. Runs are not reported in it; JUnit does that.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::digest::Digest;
use crate::manifest::{Diagnostics, Manifest};
use crate::untrusted::escape;

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// What is wrong, and what to write instead.
    description: String,
    check_name: &'static str,
    /// The same for the same remark of another run: so GitLab knows what is new.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Location {
    path: String,
    lines: IssueLines,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct IssueLines {
    begin: usize,
}

/// The remarks about manifests when the clock shows `now`; `named` gives a path below the repository's root.
#[must_use]
pub fn issues(
    wrong: &[Diagnostics],
    good: &[Manifest],
    now: DateTime<Utc>,
    named: impl Fn(&Path) -> String,
) -> Vec<Issue> {
    let mut seen = HashMap::new();
    let mut issue = |path: &Path, line: usize, severity, check_name, description: String| {
        let path = escape(&named(path)).into_owned();
        // Without the line, which moves with every line above it; the same words twice are told apart by their order.
        let what = format!("{path}\n{check_name}\n{description}");
        let nth: &mut u64 = seen.entry(what.clone()).or_default();
        *nth += 1;
        let fingerprint = Digest::sha256(format!("{what}\n{nth}").as_bytes()).to_string();
        let location = Location { path, lines: IssueLines { begin: line.max(1) } };
        Issue { description, check_name, fingerprint, severity, location }
    };
    let mut all = Vec::new();
    for one in wrong.iter().flat_map(Diagnostics::list) {
        let hint = one.hint.as_deref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        all.push(issue(&one.path, one.line, "major", "sunhaul/manifest", format!("{}{hint}", one.message)));
    }
    for job in good {
        for warning in job.warnings(now) {
            all.push(issue(&job.path, 1, "minor", "sunhaul/warning", warning));
        }
    }
    all
}
