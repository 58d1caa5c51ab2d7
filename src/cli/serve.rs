//! `sunhaul serve`: the HMI service for anyone, over synthetic data or a folder of FITS files.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use url::Url;

use super::problem::Problem;
use super::signals::Signals;
use super::{Exit, Result, Shell, job};
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
        /HMI/SERIES?start=..&end=.., the API's description at /openapi.json, and a page to try it from at /ui/. It \
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
    /// What the synthetic files, and the faults, are made from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Do wrong on purpose with answers that hold files: `truncate=0.2,stall=0.05`, each a probability.
    #[arg(long, value_name = "SPEC", long_help = format!(
        "Do wrong on purpose with answers that hold files, to rehearse a manifest: each FAULT=ODDS of the SPEC, with \
         commas between, befalls an answer with that probability. Which ones follows from --seed.\n\n{}", Faults::kinds()
    ))]
    faults: Option<String>,
    /// The port; 0 takes any free one.
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// The address to listen on. Anything but loopback lets others in: there is no login.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    host: String,
    /// Where clients see the service when a proxy stands before it.
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let address = resolve(&args.host, args.port)?;
    if let Some(url) = &args.public_url
        && !(matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        let message = format!("`--public-url {}` is no web address", escape(url.as_str()));
        return Err(Problem::new(Exit::Usage, message).hint("such as `https://data.example.org/sun/`").into());
    }
    let service = match &args.dir {
        None => Service::synthetic(args.seed),
        Some(dir) => Service::folder(dir).map_err(|error| {
            let dir = dir.to_string_lossy();
            let exit = match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Exit::Usage,
                _ => Exit::Storage,
            };
            Problem::new(exit, format!("could not read the folder `{}`: {error}", escape(&dir)))
        })?,
    };
    let service = match &args.faults {
        None => service,
        Some(spec) => service.with_faults(Faults::parse(spec, args.seed).map_err(|why| {
            let hint = format!("such as `truncate=0.2,stall=0.05`; there are:\n{}", Faults::kinds().trim_end());
            Problem::new(Exit::Usage, format!("`--faults`: {why}")).hint(hint)
        })?),
    };
    tell_skipped(&service, shell);
    let access = Access { host: Some(args.host.clone()), public_url: args.public_url.clone() };
    job::runtime()?.block_on(serve(service.with_access(access), address, shell))
}

async fn serve(service: Service, address: SocketAddr, shell: &Shell) -> Result<Exit> {
    // Caught before anyone is told that the service listens: a stop that comes at once is a stop as well.
    let mut signals = Signals::catch()?;
    let running = service.start(address).await.map_err(|error| {
        let message = format!("could not listen on {address}: {error}");
        Problem::new(Exit::Later, message).hint("another program may have the port; try `--port 0`")
    })?;
    let base = running.base_url().as_str().trim_end_matches('/').to_owned();
    shell.screen.line(&format!("listening on {base}"));
    if shell.verbosity > Verbosity::Quiet {
        running.about().iter().for_each(|line| shell.screen.line(line));
    }
    signals.next().await;
    tokio::select! {
        ended = running.stop() => {
            ended.map_err(|error| Problem::new(Exit::Later, format!("the service failed: {error}")))?;
        }
        // An answer to a slow client may take long: the second signal does not wait for it.
        () = signals.next() => {}
    }
    Ok(Exit::Complete)
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = (bare, port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| {
        let message = format!("`--host {}` is no address of this machine", escape(host));
        Problem::new(Exit::Usage, message).hint("such as `127.0.0.1`, `::1` or `0.0.0.0`").into()
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
    fn addresses_and_local_names_are_understood_and_others_are_told() {
        assert_eq!(resolve("127.0.0.1", 8001).unwrap().to_string(), "127.0.0.1:8001");
        assert_eq!(resolve("[::1]", 0).unwrap().to_string(), "[::1]:0");
        assert!(resolve("no such host", 1).unwrap_err().to_string().contains("is no address"));
    }
}
