//! What may happen to an archive next, drawn by odds.
//!
//! A step holds numbers, not names: what they stand for depends on what is there when it is carried out, so that a
//! shorter list of the same steps can be tried.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::upstream::Service;

/// A command of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Run(&'static str),
    /// The other job of the same archive.
    RunOther,
    Update(&'static str),
    Verify(&'static str),
    Adopt(&'static str),
    Clean,
    Lock,
    Status,
    Export,
}

/// What the user changes in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Layout(usize),
    Days(usize),
    Series(usize),
    /// Whether days are final, or listed again by each run.
    Settled(bool),
    Detail(usize),
    /// The manifest is moved to another file name.
    Moved,
}

/// What somebody else does to the folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interference {
    /// A file of the user's where one of the job's is due; with its bytes, or with others.
    Plant { file: usize, is_equal: bool },
    /// A file of the user's that has nothing to do with the job.
    PlantForeign(usize),
    /// A symbolic link to a folder of the user's in place of a folder of `.sunhaul` or of the files.
    Link(usize),
    /// A file of the archive is damaged: a byte flipped, cut, removed, or replaced by a pipe.
    Damage { file: usize, how: usize },
    /// A file of the archive is edited in its place by its user, or replaced by one of the user's.
    Own { file: usize, how: usize },
    /// A record goes, is cut, or becomes a pipe.
    Record { record: usize, how: usize },
    /// A record is copied to another day's name.
    CopyRecord { from: usize, to: usize },
    /// A journal is cut.
    CutJournal(usize),
    /// The lock goes.
    ForgetLock,
    /// A copy of a file of the service goes to the folder that is adopted from.
    Collect { file: usize, is_right: bool },
    /// The files of a series are moved away while nobody looks.
    MoveFolder(usize),
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Call(Command),
    /// Killed with no warning after so many milliseconds.
    Killed(Command, u64),
    /// The archive's root is renamed so many milliseconds after the command began, and put back when it has ended.
    RootMoved(Command, u64),
    /// Two at once, the second one so many milliseconds later.
    Pair(Command, Command, u64),
    Edit(Edit),
    Interference(Interference),
    /// A file of the service gets other bytes.
    Change(usize, bool),
    Gone(usize),
    Listed(usize),
    Service(Service),
}

impl Step {
    /// Draws one.
    pub(super) fn draw(rng: &mut StdRng) -> Step {
        match rng.random_range(0..100) {
            0..36 => Step::Call(Command::draw(rng)),
            36..46 => Step::Killed(Command::draw(rng), rng.random_range(0..250)),
            46..48 => Step::RootMoved(Command::draw(rng), rng.random_range(0..250)),
            48..53 => Step::Pair(Command::draw(rng), Command::draw(rng), rng.random_range(0..60)),
            53..68 => Step::Edit(Edit::draw(rng)),
            68..84 => Step::Interference(Interference::draw(rng)),
            84..90 => Step::Change(rng.random_range(0..1000), rng.random_bool(0.5)),
            90..92 => Step::Gone(rng.random_range(0..1000)),
            92..95 => Step::Listed(rng.random_range(0..1000)),
            _ => Step::Service(match rng.random_range(0..10) {
                0 => Service::CutsBodies,
                1 => Service::Unavailable,
                2 => Service::PageForFile,
                3 => Service::PageForListing,
                4..6 => Service::CutsOnce,
                _ => Service::Healthy,
            }),
        }
    }
}

impl Command {
    fn draw(rng: &mut StdRng) -> Command {
        match rng.random_range(0..100) {
            0..40 => Command::Run(""),
            40..46 => Command::Run("--check"),
            46..50 => Command::Run("--locked"),
            50..53 => Command::Run("--frozen"),
            53..56 => Command::Run("--retry-failed"),
            56..58 => Command::Run("--new-only"),
            58..62 => Command::RunOther,
            62..69 => Command::Update(""),
            69..71 => Command::Update("--dry-run"),
            71..75 => Command::Verify(""),
            75..77 => Command::Verify("--quick"),
            77..83 => Command::Verify("--repair"),
            83..88 => Command::Adopt(""),
            88..91 => Command::Adopt("--link"),
            91..96 => Command::Clean,
            96..97 => Command::Lock,
            97..99 => Command::Export,
            _ => Command::Status,
        }
    }
}

impl Edit {
    fn draw(rng: &mut StdRng) -> Edit {
        match rng.random_range(0..20) {
            0..6 => Edit::Layout(rng.random_range(0..100)),
            6..9 => Edit::Days(rng.random_range(0..100)),
            9..12 => Edit::Series(rng.random_range(0..100)),
            12..15 => Edit::Settled(rng.random_bool(0.6)),
            15..18 => Edit::Detail(rng.random_range(0..100)),
            _ => Edit::Moved,
        }
    }
}

impl Interference {
    fn draw(rng: &mut StdRng) -> Interference {
        let mut any = || rng.random_range(0..1000);
        let (first, second) = (any(), any());
        match any() % 27 {
            0..5 => Interference::Plant { file: first, is_equal: second % 2 == 0 },
            5 => Interference::PlantForeign(first),
            6..8 => Interference::Link(first),
            8..13 => Interference::Damage { file: first, how: second },
            13..16 => Interference::Record { record: first, how: second },
            16..18 => Interference::CopyRecord { from: first, to: second },
            18 => Interference::CutJournal(first),
            19 => Interference::ForgetLock,
            23..26 => Interference::Own { file: first, how: second },
            20..23 => Interference::Collect { file: first, is_right: second % 3 > 0 },
            _ => Interference::MoveFolder(first),
        }
    }
}
