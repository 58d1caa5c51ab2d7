//! An SSH gateway: a real `sshd` on a loopback port, in a network's place that has a name of its own in its `/etc/hosts`.
//!
//! It sees other mounts than the rest of the machine, so that nothing of the machine is touched; that takes the right to
//! mount. What it does not do: give anybody a shell that a test would use.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{Lab, PATIENCE};

/// What only the far side of the gateway knows: this machine, under this name.
pub(crate) const FAR_NAME: &str = "cluster-r730-1";

/// What `ssh` is told to read: the gateway, whatever it is called.
pub(crate) const SSH_CONFIG: &str = "ssh/config";

/// A gateway; it ends when dropped.
pub(crate) struct Gateway<'a> {
    lab: &'a Lab,
    sshd: Child,
    port: u16,
}

impl<'a> Gateway<'a> {
    /// Starts one that lets the lab's key in, and writes `ssh/config` for whoever goes there.
    pub(crate) fn start(lab: &'a Lab) -> Gateway<'a> {
        std::fs::create_dir_all(lab.path("ssh")).expect("a folder");
        for key in ["host_key", "user_key", "other_key"] {
            let path = lab.path(&format!("ssh/{key}"));
            if path.exists() {
                continue; // the gateway of before, back again
            }
            ran(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"]).arg(path));
        }
        lab.write("ssh/authorized_keys", lab.read("ssh/user_key.pub"));
        lab.write("ssh/hosts", format!("127.0.0.1 localhost {FAR_NAME}\n"));
        let host_key = String::from_utf8(lab.read("ssh/host_key.pub")).expect("a key");
        lab.write("ssh/known_hosts", format!("lab {host_key}"));
        // Another process may take the port in the moment that it is nobody's.
        let (sshd, port) = (0..5).find_map(|_| listening(lab)).expect("a gateway that listens");
        let gateway = Gateway { lab, sshd, port };
        lab.write(SSH_CONFIG, gateway.config("user_key", "known_hosts"));
        gateway
    }

    /// A configuration for `ssh`, in which every host is this gateway.
    pub(crate) fn config(&self, key: &str, known_hosts: &str) -> String {
        let folder = self.lab.path("ssh");
        let folder = folder.display();
        format!(
            "Host *\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  HostKeyAlias lab\n  IdentityFile {folder}/{key}\n  \
             IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {folder}/{known_hosts}\n  \
             GlobalKnownHostsFile /dev/null\n",
            self.port,
            user(),
        )
    }

    /// The gateway's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How often somebody was let in.
    pub(crate) fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// How often somebody knocked.
    pub(crate) fn knocks(&self) -> usize {
        self.log().matches("Connection from").count()
    }

    /// Ends all connections at once, as a gateway that is started anew; it still listens.
    pub(crate) fn drop_connections(&self) {
        let sessions = descendants(self.sshd.id());
        assert!(!sessions.is_empty(), "nobody is logged in");
        sessions.into_iter().for_each(kill);
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&self.lab.read("ssh/log")).into_owned()
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        descendants(self.sshd.id()).into_iter().for_each(kill);
        drop(self.sshd.kill());
        drop(self.sshd.wait());
    }
}

/// Every process that a process started and that is still there, and all that these started.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    // Each thread has its own.
    let threads = std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists: Vec<String> =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok()).collect();
    let mut found: Vec<u32> =
        lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|id| id.parse().ok()).collect();
    let below: Vec<u32> = found.iter().flat_map(|child| descendants(*child)).collect();
    found.extend(below);
    found
}

/// True while a process is there and has not ended.
pub(crate) fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next()).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn kill(process: u32) {
    // It may have ended by itself.
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn listening(lab: &Lab) -> Option<(Child, u16)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port").local_addr().expect("a port").port();
    let folder = lab.path("ssh");
    lab.write(
        "ssh/sshd_config",
        format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nUseDNS no\nPermitRootLogin prohibit-password\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\nMaxStartups 100\n",
            folder.display()
        ),
    );
    lab.write("ssh/log", "");
    // Root's `sshd` wants a folder of its own below `/run`, which a machine without it does not have.
    let script = "mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && mount --bind \"$1/hosts\" /etc/hosts && \
                  exec /usr/sbin/sshd -D -E \"$1/log\" -f \"$1/sshd_config\"";
    let mut sshd = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", script, "sh"])
        .arg(&folder)
        .stdin(Stdio::null())
        .spawn()
        .expect("unshare");
    let begun = Instant::now();
    loop {
        if String::from_utf8_lossy(&lab.read("ssh/log")).contains("Server listening on") {
            return Some((sshd, port));
        }
        if sshd.try_wait().expect("a child").is_some() {
            return None;
        }
        assert!(begun.elapsed() < PATIENCE, "sshd does not listen");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn user() -> String {
    ran(Command::new("id").arg("-un")).trim().to_owned()
}

#[track_caller]
fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
