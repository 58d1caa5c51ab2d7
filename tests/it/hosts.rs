//! Further hosts of a source: its links and redirects lead there, its secrets and its contact do not.

use serde_json::Value;

use crate::lab::{Answer, Item, Job, Lab, Request, Server, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";
const ELSEWHERE: &str = "/store/sharp_720s_20151211_182208?sig=s1gned&v=2";

fn honest() -> Answer {
    Answer::file(fits(1, 200, TIME)).named(&format!("{NAME}.fits"))
}

/// A server with the file at another path.
fn store() -> Server {
    let store = Server::start();
    store.script("/store/sharp_720s_20151211_182208", [honest()]);
    store
}

fn address(server: &Server) -> String {
    server.url().replace("http://", "")
}

/// The service lists one file: at this URL.
fn linking(to: &str) -> Server {
    let server = Server::start();
    let listing = serde_json::json!([{ "url": to, "date_obs": TIME }]);
    server.script("/HMI/sharp_720s", [Answer::json(&listing)]);
    server
}

/// The service lists one file, and sends everybody away from it.
fn redirecting(to: &str) -> Server {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), [Answer::status(302).header("Location", to)]);
    server
}

/// A lab whose job has a token, a contact, and these further hosts.
fn lab_for(server: &Server, hosts: &[String]) -> Lab {
    let lab = Lab::new();
    let hosts = if hosts.is_empty() { String::new() } else { format!(", hosts: {hosts:?}") };
    let keys = format!("bearer: \"${{SUNHAUL_TOKEN}}\"{hosts}");
    lab.write("job.yaml", Job::at(&server.url()).credentials(&keys).more("contact: jane@example.org").yaml());
    lab
}

#[track_caller]
fn report(lab: &Lab, status: i32) -> Value {
    lab.run().env("SUNHAUL_TOKEN", "t0ken-of-jane").status(status).done();
    lab.json("report.json")
}

/// What only the source itself is told.
fn told(request: &Request) -> (Option<&str>, Option<&str>) {
    (request.header("authorization"), request.header("from"))
}

#[test]
fn links_and_redirects_lead_to_a_named_host_without_token_or_contact() {
    for make in [linking as fn(&str) -> Server, redirecting] {
        let store = store();
        let server = make(&format!("{}{ELSEWHERE}", store.url()));
        let lab = lab_for(&server, &[address(&store)]);
        report(&lab, 0);
        assert_eq!(lab.proved("data").len(), 1);
        for request in server.requests() {
            assert_eq!(told(&request), (Some("Bearer t0ken-of-jane"), Some("jane@example.org")));
        }
        let asked = store.requests();
        assert_eq!(asked.len(), 1);
        assert_eq!(told(&asked[0]), (None, None));
        assert_eq!(asked[0].query, "sig=s1gned&v=2", "asked as it was listed");
        assert!(asked[0].header("user-agent").is_some_and(|agent| agent.contains("job lab")), "{asked:?}");
    }
}

#[test]
fn a_host_that_is_not_named_is_not_asked() {
    let (store, foreign) = (store(), Server::start().expect_silence());
    // The other is named, but another port of it is another host.
    let hosts = [address(&store), "127.0.0.1".to_owned()];
    let server = redirecting(&format!("{}{ELSEWHERE}", foreign.url()));
    let report = report(&lab_for(&server, &hosts), 1);
    assert_eq!(report["failures"][0]["class"], "redirect", "{report:#}");
    // A link to it is one to the service itself, by a name that it has for itself.
    let server = linking(&format!("{}/HMI/sharp_720s/{NAME}", foreign.url()));
    server.script(&format!("/HMI/sharp_720s/{NAME}"), [honest()]);
    self::report(&lab_for(&server, &hosts), 0);
    assert!(foreign.requests().is_empty());
    drop(store.expect_silence());
}

#[test]
fn each_host_goes_by_its_own_pace_and_has_its_own_figures() {
    let store = Server::start();
    let listing: Vec<Value> = (0..6)
        .map(|nth| {
            let name = format!("sharp_720s_20151211_18220{nth}");
            store.script(&format!("/store/{name}"), [Answer::file(fits(nth, 60, TIME)).named(&format!("{name}.fits"))]);
            serde_json::json!({ "url": format!("{}/store/{name}", store.url()), "date_obs": TIME })
        })
        .collect();
    let server = Server::start();
    server.script("/HMI/sharp_720s", [Answer::json(&listing.into())]);
    let lab = Lab::new();
    let hosts = format!("hosts: [\"{}\"]", address(&store));
    lab.write(
        "job.yaml",
        Job::at(&server.url()).credentials(&hosts).limits("{ requests: 4/s, concurrency: 2 }").yaml(),
    );
    let report = lab.report(0);
    let of = |server: &Server| {
        let all = report["hosts"].as_array().expect("hosts");
        all.iter().find(|host| host["host"] == address(server).as_str()).unwrap_or_else(|| panic!("{report:#}"))
    };
    assert_eq!((&of(&server)["requests"], &of(&store)["requests"]), (&1.into(), &6.into()));
    assert_eq!(of(&store)["limit"], "4/s, 2 connections");
    assert_eq!(of(&store)["preset"], "private");
    assert!(of(&store)["peak_connections"].as_u64().is_some_and(|peak| peak <= 2), "{report:#}");
    let sent: Vec<_> = store.requests().iter().map(|request| request.at).collect();
    assert!(sent[5] - sent[0] >= std::time::Duration::from_millis(1_200), "6 requests at 4/s");
    let planned =
        lab.sunhaul(&["plan", "job.yaml", "--range", "2015-12-11..2015-12-12", "--list", "--json", "--archive", "x"]);
    let planned = planned.chatty().stdout_has("").done().json();
    let asked: Vec<_> = planned["listing"]["hosts"]
        .as_array()
        .expect("hosts")
        .iter()
        .map(|host| (host["host"].as_str().expect("a name"), host["requests"].as_u64()))
        .collect();
    let mut due = [(address(&server), Some(1)), (address(&store), Some(6))];
    due.sort();
    assert_eq!(asked, due.iter().map(|(host, count)| (host.as_str(), *count)).collect::<Vec<_>>());
}

#[test]
fn a_redirect_waits_for_the_turn_of_the_host_that_it_leads_to() {
    let store = store();
    let path = "/store/sharp_720s_20151211_182208";
    // The store asks for a pause; the file comes with the second try.
    store.script(path, [Answer::status(429).header("Retry-After", "1"), honest()]);
    let server = redirecting(&format!("{}{path}", store.url()));
    let lab = lab_for(&server, &[address(&store)]);
    let report = report(&lab, 0);
    let asked = store.requests();
    assert!(asked[1].at - asked[0].at >= std::time::Duration::from_secs(1), "{asked:?}");
    let paused: Vec<_> = report["hosts"]
        .as_array()
        .expect("hosts")
        .iter()
        .filter(|host| host["paused_seconds"].as_f64() > Some(0.0))
        .map(|host| host["host"].clone())
        .collect();
    assert_eq!(paused, [Value::from(address(&store))], "the source itself goes on");
}

#[test]
fn a_record_keeps_the_whole_address_without_secrets_and_a_frozen_run_goes_there() {
    let store = store();
    let server = linking(&format!("{}{ELSEWHERE}", store.url()));
    let lab = lab_for(&server, &[address(&store)]);
    report(&lab, 0);
    let kept = format!("{}/store/sharp_720s_20151211_182208?v=2", store.url());
    assert_eq!(lab.day("data", "sharp_720s", "2015-12-11").files[0]["url"], kept.as_str());
    assert_eq!(lab.day("data", "sharp_720s", "2015-12-11").files[0]["key"], "/store/sharp_720s_20151211_182208?v=2");
    let listed = server.requests().len();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.run_with(&["--frozen"]).env("SUNHAUL_TOKEN", "t0ken-of-jane").done();
    assert_eq!((lab.proved("data").len(), server.requests().len()), (1, listed), "the lock stands for the listing");
    assert_eq!(store.requests().len(), 2);

    // Proof for others leads there, too.
    std::fs::remove_file(lab.path("data").join(lab.files("data").keys().next().expect("a file"))).expect("a file");
    lab.sunhaul(&["export", "job.yaml", "--format", "bagit", "--output", "bag"]).chatty().done();
    let fetch = String::from_utf8(lab.read("bag/fetch.txt")).expect("UTF-8");
    assert!(fetch.starts_with(&format!("{kept} ")), "{fetch}");

    // The manifest names the host no more: neither the lock nor a record leads there.
    lab.write(
        "job.yaml",
        std::fs::read_to_string(lab.path("job.yaml"))
            .expect("a job")
            .replace(&format!(", hosts: [\"{}\"]", address(&store)), ""),
    );
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.run_with(&["--frozen"])
        .env("SUNHAUL_TOKEN", "t0ken-of-jane")
        .status(3)
        .stderr_has("`hosts` do not name")
        .done();
    assert_eq!(store.requests().len(), 2);
}
