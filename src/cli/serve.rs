//! `sunhaul serve`: the HMI service for anyone, over synthetic data or a folder of FITS files.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::problem::CliError;
use super::signals::Signals;
use super::{Exit, Result, Shell, limits};
use crate::manifest::Embedded;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::service::{Access, Faults, Service};
use crate::untrusted::escape;

/// How many files that are not served are named; `-v` names all.
const NAMED: usize = 5;

/// Serve FITS files, or synthetic ones, through the HMI service's API.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "sunhaul serve [OPTIONS] <DIR>\n       sunhaul serve [OPTIONS] --embedded",
    long_about = "Serve FITS files, or synthetic ones, through the HMI service's API.\n\n\
        With a folder it serves every FITS file below it: series and time come from the headers, else from the name. \
        With --embedded it makes small SHARP-like files up, always the same ones for the same seed. Lists are at \
        /HMI/SERIES?start=..&end=.., pages of the series and their days at /browse/, the API's description at \
        /openapi.json, and a page to try it from at /ui/. It \
        listens on this machine only, unless --host says otherwise, and runs until it is interrupted.",
    after_help = "Examples:\n  sunhaul serve --embedded\n  sunhaul serve ~/sharp --port 8002\n  \
        sunhaul serve --embedded --faults truncate=0.2,throttle=0.1 --seed 7\n  \
        sunhaul serve ~/sharp --host 0.0.0.0 --public-url https://data.example.org/sun/\n  \
        curl 'http://127.0.0.1:8001/HMI/sharp_720s?start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z'"
)]
pub(super) struct Args {
    /// A folder of FITS files.
    #[arg(value_name = "DIR", required_unless_present = "embedded", conflicts_with = "embedded")]
    dir: Option<PathBuf>,
    /// Serve synthetic files.
    #[arg(long)]
    embedded: bool,
    /// What the synthetic files, and the faults, are made from; as `seed` in a manifest. 0 by default.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Do wrong on purpose with answers that hold files: `truncate=0.2,stall=0.05`, each a probability.
    #[arg(long, value_name = "SPEC", long_help = format!(
        "Do wrong on purpose with answers that hold files, to rehearse a manifest: each FAULT=ODDS of the SPEC, with \
         commas between, happens to an answer with that probability. Which ones follows from --seed.\n\n{}", Faults::kinds()
    ))]
    faults: Option<String>,
    /// The port; 0 takes any free one.
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// The address to listen on. Anything but loopback lets others in: there is no login.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    host: String,
    /// Where clients see the service, if not at its own address: behind a proxy, or by another name.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let address = resolve(&args.host, args.port)?;
    let public_url = args.public_url.as_deref().map(public_url).transpose()?;
    let seed = args.seed.unwrap_or(Embedded::default().seed);
    if args.dir.is_some() && args.seed.is_some() && args.faults.is_none() {
        let problem = CliError::new(Exit::Usage, "`--seed` means nothing for a folder's files");
        return Err(problem.hint("leave it out, or say what goes wrong with `--faults`").into());
    }
    let service = match &args.dir {
        None => Service::synthetic(seed),
        Some(dir) => folder(dir, shell)?,
    };
    let service = match &args.faults {
        None => service,
        Some(spec) => service.with_faults(Faults::parse(spec, seed).map_err(|why| {
            let hint = format!("such as `truncate=0.2,stall=0.05`; there are:\n{}", Faults::kinds().trim_end());
            CliError::new(Exit::Usage, format!("`--faults`: {why}")).hint(hint)
        })?),
    };
    let access = Access { host: Some(args.host.clone()), public_url };
    let service = if shell.verbosity > Verbosity::Quiet {
        let screen = shell.screen.clone();
        service.with_log(Arc::new(move |line| screen.line(line)))
    } else {
        service
    };
    limits::runtime()?.block_on(serve(service.with_access(access), address, shell))
}

async fn serve(service: Service, address: SocketAddr, shell: &Shell) -> Result<Exit> {
    // Caught before anyone is told that the service listens: a stop that comes at once is a stop as well.
    let mut signals = Signals::catch()?;
    let running = service.start(address).await.map_err(|error| cannot_listen(address, &error))?;
    let base = running.base_url().as_str().trim_end_matches('/').to_owned();
    shell.screen.line(&format!("listening on {base}"));
    if shell.verbosity > Verbosity::Quiet {
        if !address.ip().is_loopback() {
            warn("others can reach this address, and there is no login", shell);
        }
        running.about().iter().for_each(|line| shell.screen.line(line));
    }
    signals.next().await;
    tokio::select! {
        ended = running.stop() => {
            ended.map_err(|error| CliError::new(Exit::Later, format!("the service failed: {error}")))?;
        }
        // An answer to a slow client may take long: the second signal does not wait for it.
        () = signals.next() => {}
    }
    Ok(Exit::Complete)
}

/// The files of a folder, with a word on those that are not served.
fn folder(dir: &Path, shell: &Shell) -> Result<Service> {
    let shown = dir.to_string_lossy();
    let shown = escape(&shown);
    let service = Service::folder(dir).map_err(|error| {
        let (why, hint) = match error.kind() {
            ErrorKind::NotFound => ("there is no such folder".to_owned(), "name a folder of FITS files"),
            ErrorKind::NotADirectory => {
                ("it is a file, or is inside one".to_owned(), "name the folder that the files are in")
            }
            ErrorKind::PermissionDenied => {
                ("no permission".to_owned(), "give yourself the right to list it, such as by `chmod u+rx`")
            }
            _ => (error.to_string(), "name a folder of FITS files"),
        };
        let message = format!("could not read the folder `{shown}`: {why}");
        CliError::new(Exit::Usage, message).hint(format!("{hint}; `--embedded` serves synthetic ones"))
    })?;
    tell_skipped(&service, shell);
    if service.is_empty() && shell.verbosity > Verbosity::Quiet {
        warn(
            &format!(
                "there is no FITS file to serve below `{shown}`; files that are added later appear after a restart"
            ),
            shell,
        );
    }
    Ok(service)
}

fn warn(what: &str, shell: &Shell) {
    shell.screen.line(&format!("{} {what}", shell.screen.paint.care("warning:")));
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> CliError {
    let (exit, why, hint) = match error.kind() {
        ErrorKind::AddrInUse => {
            let hint = "take another `--port`; `--port 0` takes any free one";
            (Exit::Later, "the address is already in use".to_owned(), hint)
        }
        ErrorKind::AddrNotAvailable => {
            let hint = "`--host` takes an address of this machine, such as `127.0.0.1` or `0.0.0.0`";
            (Exit::Usage, "this machine does not have that address".to_owned(), hint)
        }
        ErrorKind::PermissionDenied => {
            let hint = "ports below 1024 are the superuser's: take a higher `--port`";
            (Exit::Usage, "no permission".to_owned(), hint)
        }
        _ => (Exit::Later, error.to_string(), "try another `--port` or `--host`"),
    };
    CliError::new(exit, format!("could not listen on {address}: {why}")).hint(hint)
}

/// A web address that paths can be put behind, or why it is none. A login in it is not repeated.
fn public_url(text: &str) -> Result<Url> {
    let why = match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => "it is no web address",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "it holds a login",
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "it holds a `?` or `#` part",
        Ok(url) => return Ok(url),
        Err(_) => "it is no web address",
    };
    let hint = "write for example `https://data.example.org/sun/`";
    Err(CliError::new(Exit::Usage, format!("`--public-url` cannot be used: {why}")).hint(hint).into())
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = (bare, port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| {
        let message = format!("`--host {}` is no address of this machine", escape(host));
        CliError::new(Exit::Usage, message).hint("such as `127.0.0.1`, `::1` or `0.0.0.0`").into()
    })
}

fn tell_skipped(service: &Service, shell: &Shell) {
    let skipped = service.skipped();
    if skipped.is_empty() || shell.verbosity == Verbosity::Quiet {
        return;
    }
    let named = if shell.verbosity >= Verbosity::Verbose { skipped.len() } else { NAMED };
    shell.screen.line(&format!("{} not served:", human::count(skipped.len() as u64, "file")));
    for file in skipped.iter().take(named) {
        shell.screen.line(&format!("  {}: {}", file.path, file.reason));
    }
    if skipped.len() > named {
        shell.screen.line(&format!("  and {} more; -v names all", human::number((skipped.len() - named) as u64)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_plain_web_address() {
        for good in ["https://sun.example.org", "http://localhost:8080/hmi/"] {
            assert!(public_url(good).is_ok(), "{good}");
        }
        for bad in ["", "x", "sun.example.org", "ftp://x/", "https://jane:secret@x/", "https://x/?q", "https://x/#f"] {
            let why = public_url(bad).unwrap_err().to_string();
            assert!(why.contains("`--public-url`") && !why.contains("secret"), "{bad}: {why}");
        }
    }

    #[test]
    fn addresses_and_local_names_are_understood_and_others_are_told() {
        assert_eq!(resolve("127.0.0.1", 8001).unwrap().to_string(), "127.0.0.1:8001");
        assert_eq!(resolve("[::1]", 0).unwrap().to_string(), "[::1]:0");
        assert!(resolve("no such host", 1).unwrap_err().to_string().contains("is no address"));
    }
}
