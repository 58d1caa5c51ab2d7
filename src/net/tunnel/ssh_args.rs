//! The words of an `ssh` that forwards one socket to one host behind a gateway.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use url::{Host, Url};

use crate::manifest::Tunnel;
use crate::untrusted::quoted;

/// What holds for each `ssh` here, whatever the user's own configuration says.
///
/// It asks nobody anything (`BatchMode`), is a connection of its own (`ControlMaster`, `ControlPath`: one that is shared
/// would outlive the run, or end under it), ends when it cannot forward, and when the gateway is silent for 45 s. Agent
/// and X11 have no business there. `LogLevel` lets it say why the far side cannot reach a host.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ControlMaster=no",
    "ControlPath=none",
    "ExitOnForwardFailure=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "LogLevel=INFO",
    "PermitLocalCommand=no",
    "ServerAliveCountMax=3",
    "ServerAliveInterval=15",
];

/// A host and its port behind a gateway, as `ssh -L` takes it; none for a host that could be taken for something else.
pub(super) fn target(url: &Url) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let host = match url.host()? {
        Host::Domain(name) if name.chars().all(is_plain) && !name.starts_with('-') => name.to_owned(),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    Some(format!("{host}:{}", url.port_or_known_default()?))
}

/// True for a socket's path that `ssh -L` takes as it stands, and that fits into an address (108 bytes on Linux, 104
/// elsewhere).
pub(super) fn is_plain(socket: &Path) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    socket.to_str().is_some_and(|path| path.len() < 104 && path.starts_with('/') && path.chars().all(is_plain))
}

/// The words after `ssh`. What is listened at is `socket`, which [`is_plain`]; `connect` is the time for a connection.
///
/// # Errors
/// Which key of the manifest holds a value that `ssh` would take for an option.
pub(super) fn words(
    tunnel: &Tunnel,
    config: Option<&Path>,
    socket: &Path,
    target: &str,
    connect: Duration,
) -> Result<Vec<OsString>, &'static str> {
    let mut words: Vec<OsString> = vec!["-N".into(), "-T".into()];
    let timeout = format!("ConnectTimeout={}", connect.as_secs().max(1));
    for option in OPTIONS.iter().copied().chain([timeout.as_str()]) {
        words.extend(["-o".into(), option.into()]);
    }
    words.extend(way(tunnel, config)?);
    let mut forward = socket.as_os_str().to_owned();
    forward.push(format!(":{target}"));
    words.extend(["-L".into(), forward, "--".into(), tunnel.ssh.clone().into()]);
    Ok(words)
}

/// How the gateway is found and who logs in there.
fn way(tunnel: &Tunnel, config: Option<&Path>) -> Result<Vec<OsString>, &'static str> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(config) = config {
        words.extend(["-F".into(), config.into()]);
    }
    if let Some(port) = tunnel.port {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    // The manifest refuses these already; here it would be too late.
    let is_option = |text: &str| text.split(',').any(|hop| hop.starts_with('-') || hop.contains("@-"));
    if let Some(jump) = &tunnel.jump {
        if is_option(jump) {
            return Err("jump");
        }
        words.extend(["-J".into(), jump.into()]);
    }
    if let Some(identity) = &tunnel.identity {
        let path = identity.to_str().filter(|path| !path.starts_with('-')).ok_or("identity")?;
        // Else keys of an agent would be tried first, until the gateway has enough. `%` begins what `ssh` expands.
        words.extend(["-o".into(), "IdentitiesOnly=yes".into(), "-i".into(), path.replace('%', "%%").into()]);
    }
    if is_option(&tunnel.ssh) {
        return Err("ssh");
    }
    Ok(words)
}

/// What to type to see why a gateway lets nobody in.
pub(super) fn by_hand(tunnel: &Tunnel, config: Option<&Path>) -> String {
    let way = way(tunnel, config).unwrap_or_default();
    let words = way.iter().map(|word| quoted(&word.to_string_lossy())).chain([quoted(&tunnel.ssh)]);
    ["ssh -v".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(ssh: &str) -> Tunnel {
        Tunnel { ssh: ssh.into(), port: None, jump: None, identity: None }
    }

    fn shown(tunnel: &Tunnel, config: Option<&str>) -> Result<String, &'static str> {
        let socket = Path::new("/tmp/sunhaul-a/s.sock");
        let words = words(tunnel, config.map(Path::new), socket, "cluster-r730-1:8001", Duration::from_millis(10_500))?;
        Ok(words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_gateway_alone_is_asked_for_one_socket_and_no_shell() {
        assert_eq!(
            shown(&tunnel("gateway.example.org"), None).unwrap(),
            "-N -T -o BatchMode=yes -o ControlMaster=no -o ControlPath=none -o ExitOnForwardFailure=yes \
             -o ForwardAgent=no -o ForwardX11=no -o LogLevel=INFO -o PermitLocalCommand=no -o ServerAliveCountMax=3 \
             -o ServerAliveInterval=15 -o ConnectTimeout=10 -L /tmp/sunhaul-a/s.sock:cluster-r730-1:8001 -- \
             gateway.example.org"
        );
    }

    #[test]
    fn each_key_and_the_command_line_s_configuration_have_their_words() {
        let all = Tunnel {
            ssh: "jane@gw".into(),
            port: Some(2222),
            jump: Some("john@bastion:22,inner".into()),
            identity: Some("/keys/100% mine".into()),
        };
        let words = shown(&all, Some("/etc/lab config")).unwrap();
        let way = "-F /etc/lab config -p 2222 -J john@bastion:22,inner -o IdentitiesOnly=yes -i /keys/100%% mine -L ";
        assert!(words.contains(way), "{words}");
        assert!(words.ends_with(" -- jane@gw"), "{words}");
        assert_eq!(
            by_hand(&all, Some(Path::new("/etc/lab config"))),
            "ssh -v -F '/etc/lab config' -p 2222 -J john@bastion:22,inner -o IdentitiesOnly=yes -i '/keys/100%% mine' \
             jane@gw"
        );
        assert_eq!(by_hand(&tunnel("gw"), None), "ssh -v gw");
    }

    #[test]
    fn nothing_that_a_manifest_names_becomes_an_option() {
        assert_eq!(shown(&tunnel("-oProxyCommand=x"), None), Err("ssh"));
        assert_eq!(shown(&tunnel("jane@-oProxyCommand=x"), None), Err("ssh"));
        let jump = |jump: &str| shown(&Tunnel { jump: Some(jump.into()), ..tunnel("gw") }, None);
        assert_eq!(jump("-oProxyCommand=x"), Err("jump"));
        assert_eq!(jump("a,-oProxyCommand=x"), Err("jump"));
        let identity = Tunnel { identity: Some("-oProxyCommand=x".into()), ..tunnel("gw") };
        assert_eq!(shown(&identity, None), Err("identity"));
    }

    #[test]
    fn a_target_is_a_host_that_nothing_in_it_can_bend() {
        let of = |url: &str| target(&url.parse().unwrap());
        assert_eq!(of("http://cluster-r730-1:8001/HMI/").as_deref(), Some("cluster-r730-1:8001"));
        assert_eq!(of("https://Inner.example.org/").as_deref(), Some("inner.example.org:443"));
        assert_eq!(of("http://10.0.0.1/").as_deref(), Some("10.0.0.1:80"));
        assert_eq!(of("http://[fd00::1]:81/").as_deref(), Some("[fd00::1]:81"));
        for bent in ["http://${HOME}/", "http://a,b/", "http://-a/", "http://a+b/"] {
            if let Ok(url) = bent.parse() {
                assert_eq!(target(&url), None, "{bent}");
            }
        }
    }

    #[test]
    fn a_socket_s_path_is_short_and_has_nothing_that_ssh_would_expand() {
        assert!(is_plain(Path::new("/tmp/sunhaul-AbC123/s.sock")));
        for path in ["/tmp/a:b/s", "/tmp/%d/s", "/tmp/${HOME}/s", "/tmp/a b/s", "tmp/s", "/tmp/a\\b"] {
            assert!(!is_plain(Path::new(path)), "{path}");
        }
        assert!(!is_plain(Path::new(&format!("/{}", "x".repeat(103)))));
    }
}
