//! `sunhaul init`: a new manifest, with comments, from a few answers.
//!
//! It downloads nothing, and never replaces an existing file.

mod asked;
mod draft;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::problem::CliError;
use super::{Exit, Result, Shell, environment, gitignore};
use crate::manifest::{Diagnostics, folder_of};
use crate::report::terminal::Verbosity;
use crate::untrusted::{escape, quoted};
use draft::{Draft, SourceKind};

/// Write a new manifest with comments.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Write a new manifest with comments.\n\n\
        It goes to `jobs/NAME.yaml` where there is a folder `jobs`, else to `NAME.yaml`; a NAME with a `/` or `.yaml` \
        is its path. What the options leave open is asked for when both standard input and standard error are a \
        terminal. Elsewhere what has no usual answer must be said. The manifest says what was asked for and shows, as \
        comments, what might be; it passes `sunhaul check`. In a git repository the archive's folder is added to \
        `.gitignore`. No file is ever replaced.",
    after_help = "Examples:\n  sunhaul init\n  \
        sunhaul init try --source embedded\n  \
        sunhaul init february --source jsoc --series hmi.sharp_cea_720s --start 2011-02-12 --end 2011-02-19 \
        --contact you@example.org\n  \
        sunhaul init field --source jsoc --series hmi.sharp_cea_720s --segments Br,Bp,Bt --cadence 1h \
        --start 2011-02-12 --end 2011-02-19 --contact you@example.org\n  \
        sunhaul init nightly --source hmi --url http://localhost:8001 --series sharp_720s --start today-60d --end today"
)]
pub(super) struct Args {
    /// The job's name, or the manifest's path. Default: the name of the first series.
    name: Option<String>,
    /// Where the series are: `hmi`, `jsoc`, `medoc`, `index`, `template`, `hapi` or `embedded`.
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    source: Option<SourceKind>,
    /// The source's address.
    #[arg(long)]
    url: Option<String>,
    /// A series, by the source's name for it. May be given several times.
    #[arg(long, value_name = "NAME")]
    series: Vec<String>,
    /// Only these segments, separated by commas, such as `Br,Bp,Bt`; of all series. For sources with records.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    segments: Vec<String>,
    /// Only records whose slot is a multiple of this, such as `1h`; of all series.
    #[arg(long, value_name = "TIME")]
    cadence: Option<String>,
    /// The first day, such as `2015-12-11` or `today-60d`.
    #[arg(long, value_name = "DATE")]
    start: Option<String>,
    /// The day after the last one.
    #[arg(long, value_name = "DATE")]
    end: Option<String>,
    /// Your e-mail address, sent to the sources as `From`. Public archives require it.
    #[arg(long, value_name = "EMAIL")]
    contact: Option<String>,
    /// The archive's folder, relative to the manifest's folder. Default: `data/NAME`, beside a folder `jobs`.
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
    /// The path of each file below it, such as `{series}/{date:%Y%m%d}_{file}`. Default: a folder for each day.
    #[arg(long)]
    layout: Option<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let mut draft = Draft::new(args);
    if draft.kind == Some(SourceKind::Embedded) && draft.url.is_some() {
        return Err(CliError::new(Exit::Usage, "the source `embedded` has no URL: it is built in")
            .hint("leave `--url` out, or name another kind with `--source`")
            .into());
    }
    if args.name.is_some() {
        free(&draft.place())?;
    }
    if environment::can_ask() && !shell.screen.is_log() {
        draft = asked::complete(draft, shell, &mut std::io::stdin().lock())?;
    }
    let draft = draft.completed();
    let missing = draft.missing();
    if !missing.is_empty() {
        let options: Vec<String> = missing.iter().map(|option| format!("`{option}`")).collect();
        let are = if missing.len() == 1 { "is" } else { "are" };
        return Err(CliError::new(Exit::Usage, format!("{} {are} missing", options.join(", ")))
            .hint("see `sunhaul init --help`; at a terminal, it asks for everything that is missing")
            .into());
    }
    let job = match draft.parsed() {
        Ok(job) => job,
        Err(wrong) if draft.contact.is_none() && wants_contact(&wrong) => {
            return Err(CliError::new(Exit::Usage, "`--contact` is missing: the source is a public archive")
                .hint("give your e-mail address: it is sent as `From`, so that the operator can write to you")
                .into());
        }
        Err(wrong) => {
            shell.screen.line(wrong.render(shell.screen.paint.0).trim_end());
            return Err(CliError::new(Exit::Usage, "the manifest would be invalid; nothing was written").into());
        }
    };
    let path = draft.place();
    free(&path)?;
    write(&path, &draft::manifest_text(&draft, schema_for(&path)))?;
    let shown = quoted(&path.to_string_lossy());
    let tell = |line: &str| {
        if shell.verbosity > Verbosity::Quiet {
            shell.screen.line(line);
        }
    };
    tell(&format!("wrote {}", escape(&shown)));
    match gitignore::add(folder_of(&path), &job.archive.root) {
        Ok(Some(added)) => tell(&format!("added {} to {}", escape(&added.rule), escape(&added.file.to_string_lossy()))),
        Ok(None) => {}
        Err(error) => {
            let word = shell.screen.paint.care("warning:");
            let root = job.archive.root.to_string_lossy();
            shell.screen.line(&format!(
                "{word} `.gitignore` could not be written: {error}; leave `{}` out of git",
                escape(&root)
            ));
        }
    }
    tell(&format!("check it, then run: sunhaul plan {0} && sunhaul run {0}", escape(&shown)));
    Ok(Exit::Complete)
}

/// True where a source is a public archive that nobody says who asks.
fn wants_contact(wrong: &Diagnostics) -> bool {
    wrong.list().iter().any(|wrong| wrong.message.ends_with("the job has no `contact`"))
}

/// Where editors find the schema, seen from the manifest.
fn schema_for(path: &Path) -> Option<&'static str> {
    let folder = folder_of(path);
    ["../schemas/job.schema.json", "schemas/job.schema.json", "job.schema.json"]
        .into_iter()
        .find(|schema| folder.join(schema).is_file())
}

/// Sees that there is no such file yet, and a place for it.
fn free(path: &Path) -> Result<()> {
    if !folder_of(path).is_dir() {
        return Err(without_folder(path).into());
    }
    if path.symlink_metadata().is_ok() {
        return Err(is_there(path).into());
    }
    Ok(())
}

fn without_folder(path: &Path) -> CliError {
    let folder = folder_of(path).to_string_lossy();
    let message = format!("could not write `{}`: its folder does not exist", escape(&path.to_string_lossy()));
    CliError::new(Exit::Usage, message).hint(format!("make it first: `mkdir -p {}`", escape(&quoted(&folder))))
}

fn is_there(path: &Path) -> CliError {
    let path = path.to_string_lossy();
    CliError::new(Exit::Usage, format!("`{}` already exists; it was not overwritten", escape(&path)))
        .hint("give the job another name")
}

/// Writes a new file in one step; one that came meanwhile is not replaced.
fn write(path: &Path, text: &str) -> Result<()> {
    let told = |error: &std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return without_folder(path);
        }
        // The error's own text names the temporary file, which means nothing to the user.
        let why = std::io::Error::from(error.kind());
        CliError::new(Exit::Storage, format!("could not write `{}`: {why}", escape(&path.to_string_lossy())))
    };
    let mut builder = tempfile::Builder::new();
    // Like any file that a user creates: the umask applies.
    builder.permissions(Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path)).map_err(|error| told(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| told(&error))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(is_there(path).into()),
        Err(error) => Err(told(&error.error).into()),
    }
}
