//! Commands and options of other programs, and what does the same here.

/// What people type for a command, and the command that they want.
const COMMANDS: [(&[&str], &str); 9] = [
    (&["version"], "sunhaul --version"),
    (&["download", "fetch", "get", "pull", "sync", "resume"], "sunhaul run"),
    (&["diff", "drift"], "sunhaul update --dry-run"),
    (&["upgrade"], "sunhaul update"),
    (&["ls", "list"], "sunhaul plan --list"),
    (&["rm", "delete", "remove"], "sunhaul forget"),
    (&["gc", "prune"], "sunhaul clean"),
    (&["lint", "validate"], "sunhaul check"),
    (&["fsck"], "sunhaul verify"),
];

/// What people type for an option, and what to do.
const OPTIONS: [(&[&str], &str); 6] = [
    (
        &["--dry-run"],
        "`sunhaul plan` shows what a run would do, and `sunhaul update --dry-run` what has changed upstream",
    ),
    (&["-n"], "`sunhaul plan` shows what a run would do"),
    (
        &["--force", "-f"],
        "`--check` downloads missing files, `--retry-failed` files that arrived corrupt, and `sunhaul update` what has changed",
    ),
    (&["--resume", "--continue"], "leave it out: every run goes on from where the last one ended"),
    (&["--output", "-o"], "`--archive DIR` says where files go"),
    (&["--jobs", "-j"], "`limits: { concurrency: N }` in the manifest says how many connections a host gets"),
];

/// The command that somebody wants who typed this one.
pub(super) fn command(typed: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(others, _)| others.contains(&typed)).map(|(_, own)| *own)
}

/// What to do in place of an option of `sunhaul run` that is not there.
pub(super) fn option_of_run(typed: &str) -> Option<&'static str> {
    let name = typed.split('=').next().unwrap_or_default();
    OPTIONS.iter().find(|(others, _)| others.contains(&name)).map(|(_, to_do)| *to_do)
}
