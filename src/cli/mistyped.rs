//! Commands and options of other programs, and what does the same here.

/// What people type for a command, and the command that they want.
const COMMANDS: [(&str, &str); 20] = [
    ("version", "sunhaul --version"),
    ("download", "sunhaul run"),
    ("fetch", "sunhaul run"),
    ("get", "sunhaul run"),
    ("pull", "sunhaul run"),
    ("sync", "sunhaul run"),
    ("resume", "sunhaul run"),
    ("diff", "sunhaul update --dry-run"),
    ("drift", "sunhaul update --dry-run"),
    ("upgrade", "sunhaul update"),
    ("ls", "sunhaul plan --list"),
    ("list", "sunhaul plan --list"),
    ("rm", "sunhaul forget"),
    ("delete", "sunhaul forget"),
    ("remove", "sunhaul forget"),
    ("gc", "sunhaul clean"),
    ("prune", "sunhaul clean"),
    ("lint", "sunhaul check"),
    ("validate", "sunhaul check"),
    ("fsck", "sunhaul verify"),
];

/// What people type for an option, and what to do.
const OPTIONS: [(&str, &str); 10] = [
    ("--dry-run", "`sunhaul plan` shows what a run would do, and `sunhaul update --dry-run` what has changed upstream"),
    ("-n", "`sunhaul plan` shows what a run would do"),
    (
        "--force",
        "`--check` fetches what is missing, `--retry-failed` what came wrong, and `sunhaul update` what has changed",
    ),
    (
        "-f",
        "`--check` fetches what is missing, `--retry-failed` what came wrong, and `sunhaul update` what has changed",
    ),
    ("--resume", "leave it out: every run goes on from where the last one ended"),
    ("--continue", "leave it out: every run goes on from where the last one ended"),
    ("--output", "`--archive DIR` says where files go"),
    ("-o", "`--archive DIR` says where files go"),
    ("--jobs", "`limits: { concurrency: N }` in the manifest says how many connections a host gets"),
    ("-j", "`limits: { concurrency: N }` in the manifest says how many connections a host gets"),
];

/// The command that somebody wants who typed this one.
pub(super) fn command(typed: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(other, _)| *other == typed).map(|(_, own)| *own)
}

/// What to do in place of an option of `sunhaul run` that is not there.
pub(super) fn option_of_run(typed: &str) -> Option<&'static str> {
    let name = typed.split('=').next().unwrap_or_default();
    OPTIONS.iter().find(|(other, _)| *other == name).map(|(_, to_do)| *to_do)
}
