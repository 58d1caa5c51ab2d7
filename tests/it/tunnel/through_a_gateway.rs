//! A service that only a gateway can reach: real `ssh`, real `sshd`.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use super::is_clean;
use crate::lab::{
    Answer, Call, Certificate, FAR_NAME, Gateway, Item, Job, Lab, PATIENCE, Running, SSH_CONFIG, Server, Speaks,
    descendants, fits, is_alive,
};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";
const TUNNEL: &str = "tunnel: { ssh: gateway.example.org }";

/// Where a server is, by the name that only the far side knows.
fn far_url(server: &Server) -> String {
    server.plain_url().replace("127.0.0.1", FAR_NAME)
}

fn honest() -> Answer {
    // About 2 MiB, so that a run can be met in the middle of it.
    Answer::file(fits(1, 1024, TIME)).named(&format!("{NAME}.fits"))
}

/// A service with one file, whose answers come in turn.
fn service(answers: impl IntoIterator<Item = Answer>) -> Server {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), answers);
    server
}

fn job(server: &Server) -> Job {
    Job::at(&far_url(server)).credentials(TUNNEL)
}

/// `run job.yaml` with the lab's own configuration for `ssh`.
fn run(lab: &Lab) -> Call<'_> {
    lab.run_with(&["--ssh-config", SSH_CONFIG])
}

/// Why the only thing that is missing is missing.
fn failure(lab: &Lab) -> (String, String) {
    let failure = &lab.json("report.json")["failures"][0];
    let text = |key: &str| failure[key].as_str().unwrap_or_else(|| panic!("{failure:#}")).to_owned();
    (text("class"), text("message"))
}

fn host(lab: &Lab) -> Value {
    let report = lab.json("report.json");
    assert_eq!(report["hosts"].as_array().map(Vec::len), Some(1), "{report:#}");
    report["hosts"][0].clone()
}

#[test]
#[ignore = "needs sshd"]
fn a_job_gets_the_files_of_a_host_that_only_the_far_side_knows_and_a_run_with_nothing_to_do_starts_no_ssh() {
    let (lab, server) = (Lab::new(), service([honest()]));
    let gateway = Gateway::start(&lab);
    lab.write("job.yaml", job(&server).yaml());
    run(&lab).done();
    assert_eq!(lab.proved("data").len(), 1);
    let there = far_url(&server).replace("http://", "");
    for request in server.requests() {
        assert_eq!(request.header("host"), Some(there.as_str()), "the URL's own host");
    }
    let host = host(&lab);
    assert_eq!(host["host"], format!("{there} via gateway.example.org"), "{host:#}");
    assert_eq!((&host["preset"], &host["tunnel_restarts"]), (&"private".into(), &0.into()), "{host:#}");
    assert_eq!(gateway.logins(), 1);
    is_clean(&lab);
    run(&lab).done();
    lab.sunhaul(&["plan", "job.yaml", "--list", "--ssh-config", SSH_CONFIG]).chatty().stdout_has("sealed").done();
    assert_eq!(gateway.knocks(), 1, "nothing to do");
    lab.sunhaul(&["verify", "job.yaml", "--repair", "--ssh-config", SSH_CONFIG]).chatty().stdout_has("").done();
    assert_eq!(gateway.knocks(), 1, "nothing to repair");
}

#[test]
#[ignore = "needs sshd"]
fn every_command_that_asks_a_source_goes_through_the_gateway() {
    let (lab, server) = (Lab::new(), service([honest()]));
    let gateway = Gateway::start(&lab);
    lab.write("job.yaml", job(&server).yaml());
    lab.write("held/x.fits", fits(1, 1024, TIME));
    let ask = |words: &[&str]| {
        let all = [words, &["--ssh-config", SSH_CONFIG]].concat();
        let spoken = lab.sunhaul(&all).chatty().stdout_has("").done();
        is_clean(&lab);
        spoken
    };
    let listed = ask(&["plan", "job.yaml", "--list", "--json"]).json();
    let host = listed["listing"]["hosts"][0]["host"].as_str().expect("a host").to_owned();
    assert!(host.ends_with(" via gateway.example.org"), "{host}");
    ask(&["adopt", "job.yaml", "held"]);
    assert_eq!(gateway.logins(), 2);
    ask(&["run", "job.yaml"]);
    ask(&["update", "job.yaml", "--dry-run", "--sample", "100%"]);
    ask(&["update", "job.yaml"]);
    let logins = gateway.logins();
    let files: Vec<String> = lab.files("data").into_keys().collect();
    std::fs::remove_file(lab.path("data").join(&files[0])).expect("a file");
    lab.sunhaul(&["verify", "job.yaml", "--repair", "--ssh-config", SSH_CONFIG]).chatty().stdout_has("").done();
    assert_eq!(gateway.logins(), logins + 1);
    assert_eq!(lab.proved("data").len(), 1);
    is_clean(&lab);
}

#[test]
#[ignore = "needs sshd"]
fn n_09_a_tunnel_that_drops_in_mid_run_is_started_again_and_the_report_tells_it() {
    let half = honest().stall_at(1 << 20);
    let (lab, server) = (Lab::new(), service([half, honest()]));
    let gateway = Gateway::start(&lab);
    lab.write("job.yaml", job(&server).yaml());
    let running = run(&lab).stderr_has("the tunnel through gateway.example.org has ended; it is started again").start();
    server.wait_for_pauses(1);
    gateway.drop_connections();
    let spoken = running.done();
    assert!(spoken.stderr.contains("tunnel started again 1 time"), "{}", spoken.stderr);
    assert_eq!(lab.proved("data").len(), 1);
    assert_eq!((host(&lab)["tunnel_restarts"].clone(), gateway.logins()), (1.into(), 2));
    is_clean(&lab);
}

#[test]
#[ignore = "needs sshd"]
fn n_09_a_gateway_that_is_gone_for_good_ends_the_run_for_a_passing_reason_and_the_next_one_goes_on() {
    let half = honest().stall_at(1 << 20);
    let (lab, server) = (Lab::new(), service([half, honest()]));
    let gateway = Gateway::start(&lab);
    lab.write("job.yaml", job(&server).yaml());
    let running = run(&lab).status(4).start();
    server.wait_for_pauses(1);
    drop(gateway);
    running.done();
    let (class, message) = failure(&lab);
    assert_eq!(class, "unreachable", "{message}");
    assert!(
        message.contains("ssh says: ssh: connect to host 127.0.0.1 port") && message.contains("refused"),
        "{message}"
    );
    is_clean(&lab);
    let _gateway = Gateway::start(&lab);
    run(&lab).done();
    assert_eq!(lab.proved("data").len(), 1);
}

/// What to try, and see.
const BY_HAND: &str = "hint: `ssh -v -F ";

/// The run ends with `ssh`'s own words, after so many knocks.
#[track_caller]
fn lets_nobody_in(gateway: &Gateway<'_>, lab: &Lab, words: &str, hint: &str) {
    // Several days and workers: each of them would like to be let in.
    let before = gateway.knocks();
    run(lab).status(1).stderr_has(hint).done();
    let (class, message) = failure(lab);
    assert_eq!(class, "forbidden", "{message}");
    assert!(message.contains(words) && message.contains("no tunnel through gateway.example.org"), "{message}");
    assert_eq!(gateway.knocks() - before, 1, "a gateway that lets nobody in is asked once");
    is_clean(lab);
}

#[test]
#[ignore = "needs sshd"]
fn a_key_or_a_host_that_is_not_known_is_told_in_ssh_s_own_words_and_not_tried_again() {
    let (lab, server) = (Lab::new(), service([honest()]).expect_silence());
    let gateway = Gateway::start(&lab);
    lab.write("job.yaml", job(&server).range("2015-12-01", "2016-01-01").yaml());
    lab.write(SSH_CONFIG, gateway.config("other_key", "known_hosts"));
    lets_nobody_in(&gateway, &lab, "Permission denied (publickey).", BY_HAND);
    lab.write(SSH_CONFIG, gateway.config("user_key", "nobody_is_known"));
    lets_nobody_in(&gateway, &lab, "Host key verification failed.", BY_HAND);
    let other = String::from_utf8(lab.read("ssh/other_key.pub")).expect("a key");
    lab.write("ssh/changed", format!("lab {other}"));
    lab.write(SSH_CONFIG, gateway.config("user_key", "changed"));
    lets_nobody_in(
        &gateway,
        &lab,
        "Host key verification failed.",
        "hint: the gateway's key is not the one that is known",
    );
    assert!(server.requests().is_empty());
}

#[test]
#[ignore = "needs sshd"]
fn what_the_far_side_cannot_reach_is_told_in_ssh_s_own_words() {
    let lab = Lab::new();
    let gateway = Gateway::start(&lab);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
    lab.write("job.yaml", Job::at(&format!("http://{FAR_NAME}:{nobody}")).credentials(TUNNEL).yaml());
    run(&lab).status(4).done();
    let (class, message) = failure(&lab);
    assert_eq!(class, "unreachable", "{message}");
    assert!(message.contains("ssh says: channel") && message.contains("Connection refused"), "{message}");
    assert_eq!(gateway.logins(), 1, "the tunnel itself is well");
}

#[test]
#[ignore = "needs sshd"]
fn port_key_and_jump_of_a_manifest_reach_ssh() {
    let (lab, server) = (Lab::new(), service([honest()]));
    let gateway = Gateway::start(&lab);
    // The configuration has neither: a login needs what the manifest says.
    let bare = gateway.config("other_key", "known_hosts").replace(&format!("Port {}", gateway.port()), "Port 9");
    lab.write(SSH_CONFIG, bare);
    let tunnel = format!("tunnel: {{ ssh: inner, port: {}, identity: ssh/user_key }}", gateway.port());
    lab.write("job.yaml", Job::at(&far_url(&server)).credentials(&tunnel).yaml());
    run(&lab).done();
    assert_eq!(gateway.logins(), 1);
    lab.write(SSH_CONFIG, gateway.config("user_key", "known_hosts"));
    lab.on_a_new_machine();
    lab.write("job.yaml", Job::at(&far_url(&server)).credentials("tunnel: { ssh: inner, jump: bastion }").yaml());
    run(&lab).done();
    assert_eq!(gateway.logins(), 3, "one at the bastion, one within");
    let host = host(&lab)["host"].clone();
    assert!(host.as_str().is_some_and(|host| host.ends_with(" via bastion,inner")), "{host}");
    is_clean(&lab);
}

#[test]
#[ignore = "needs sshd"]
fn one_ssh_serves_all_jobs_of_a_command_that_go_one_way() {
    let (lab, server) = (Lab::new(), service([honest()]));
    let gateway = Gateway::start(&lab);
    for name in ["a", "b"] {
        let yaml = job(&server).yaml().replace("name: lab", &format!("name: {name}"));
        lab.write(&format!("{name}.yaml"), yaml.replace("root: data", &format!("root: data-{name}")));
    }
    lab.sunhaul(&["run", "a.yaml", "b.yaml", "--ssh-config", SSH_CONFIG]).chatty().done();
    assert_eq!((lab.proved("data-a").len(), lab.proved("data-b").len(), gateway.logins()), (1, 1, 1));
}

#[test]
#[ignore = "needs sshd"]
fn nothing_is_left_of_a_tunnel_however_the_run_ends() {
    type End = fn(&mut Running);
    let ends: [(&str, End); 4] = [
        ("SIGINT", |running| running.signal(Signal::INT)),
        ("SIGINT twice", |running| {
            running.signal(Signal::INT);
            running.signal(Signal::INT);
        }),
        ("SIGTERM", |running| running.signal(Signal::TERM)),
        ("SIGKILL", |running| running.signal(Signal::KILL)),
    ];
    for (name, end) in ends {
        let (lab, server) = (Lab::new(), service([honest().stall_at(1 << 20)]));
        let _gateway = Gateway::start(&lab);
        lab.write("job.yaml", job(&server).yaml());
        let mut running = run(&lab).status(130).start();
        server.wait_for_pauses(1);
        let started = descendants(running.pid());
        assert_eq!(started.len(), 2, "a keeper and its ssh");
        end(&mut running);
        lab.until(name, |_| !started.iter().any(|process| is_alive(*process)));
        lab.until(name, |lab| std::fs::read_dir(lab.path("tmp")).expect("a folder").next().is_none());
        assert!(running.ends_before(Instant::now() + PATIENCE), "{name}");
        // The one that is killed has no code of its own.
        if name != "SIGKILL" {
            running.done();
        }
    }
}

#[test]
#[ignore = "needs sshd"]
fn a_secret_goes_through_the_tunnel_to_the_source_and_nowhere_else() {
    const NAMED: &str = "/elsewhere";
    let named = Server::start();
    named.script(NAMED, [honest()]);
    let unnamed = Server::start().expect_silence();
    let away = |to: &Server| Answer::status(302).header("Location", &format!("{}{NAMED}", to.url()));
    let server = service([away(&unnamed)]);
    let lab = Lab::new();
    let _gateway = Gateway::start(&lab);
    let hosts = named.url().replace("http://", "");
    let keys = format!("{TUNNEL}, hosts: [\"{hosts}\"], bearer: \"${{SUNHAUL_TOKEN}}\"");
    lab.write("job.yaml", Job::at(&far_url(&server)).credentials(&keys).more("contact: jane@example.org").yaml());
    let with_token = || run(&lab).env("SUNHAUL_TOKEN", "t0ken-of-jane");
    with_token().status(1).done();
    assert_eq!(failure(&lab).0, "redirect");
    server.script(&format!("/HMI/sharp_720s/{NAME}"), [away(&named)]);
    with_token().done();
    assert_eq!(lab.proved("data").len(), 1);
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer t0ken-of-jane"));
    }
    let asked = named.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].header("authorization"), asked[0].header("from")), (None, None), "{asked:?}");
    let report = lab.json("report.json");
    let hosts: Vec<&str> =
        report["hosts"].as_array().expect("hosts").iter().filter_map(|host| host["host"].as_str()).collect();
    assert_eq!(hosts.iter().filter(|host| host.ends_with(" via gateway.example.org")).count(), 1, "{hosts:?}");
    assert!(hosts.contains(&named.url().replace("http://", "").as_str()), "over the net itself: {hosts:?}");
}

#[test]
#[ignore = "needs sshd"]
fn https_through_a_tunnel_asks_for_the_host_of_the_url() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        for (certificate, status) in [(Certificate::Good, 0), (Certificate::OtherHost, 4)] {
            let server = Server::secure(certificate, speaks).expect_silence();
            server.script_file("sharp_720s", Item::new(NAME, TIME), [honest()]);
            let lab = Lab::new();
            lab.trust_the_root();
            let gateway = Gateway::start(&lab);
            lab.write("job.yaml", Job::at(&server.url()).credentials(TUNNEL).yaml());
            // A proxy would be no way into a tunnel.
            run(&lab).env("HTTPS_PROXY", "http://127.0.0.1:9").status(status).done();
            assert_eq!(gateway.logins(), 1);
            assert_eq!(server.requests().is_empty(), status != 0);
        }
    }
}

#[test]
#[ignore = "needs sshd"]
fn a_mapping_that_was_opened_by_hand_works_as_the_source_s_url() {
    let (lab, server) = (Lab::new(), service([honest()]));
    let gateway = Gateway::start(&lab);
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
    let there = far_url(&server).replace("http://", "");
    let config = lab.path(SSH_CONFIG).to_string_lossy().into_owned();
    let forward = format!("{port}:{there}");
    let words = ["-F", &config, "-N", "-o", "ExitOnForwardFailure=yes", "-L", &forward, "gateway.example.org"];
    let _mapping = lab.program("ssh", &words).chatty().start();
    lab.until("the mapping listens", |_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    lab.write("job.yaml", Job::at(&format!("http://localhost:{port}")).yaml());
    lab.report(0);
    assert_eq!((lab.proved("data").len(), gateway.logins()), (1, 1));
}
