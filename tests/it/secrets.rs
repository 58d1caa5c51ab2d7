//! Credentials: they reach the origin they are for, no other one, and no log, report, record or error.

use std::os::unix::fs::PermissionsExt as _;

use percent_encoding::percent_decode;

use crate::lab::{Answer, Call, Certificate, Ending, Item, Job, Lab, Request, Server, Speaks, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";

/// What must never be seen, in every form it is sent in.
const SECRETS: &[&str] = &["hunter2-of-jane", "amFuZTpodW50ZXIyLW9mLWphbmU=", "c00kie-of-jane", "k3y-of-jane"];

/// All ways in at once.
const WAYS: &str = "basic: { user: jane, password: \"${SUNHAUL_PASSWORD}\" }, \
                    headers: { Cookie: \"session=${SUNHAUL_COOKIE}\", X-Api-Key: \"${SUNHAUL_KEY}\" }";

fn honest() -> Answer {
    Answer::file(fits(1, 200, TIME)).named(&format!("{NAME}.fits"))
}

/// A lab whose job has credentials for `server`, which answers for its one file in turn.
fn lab_for(server: &Server, answers: impl IntoIterator<Item = Answer>) -> Lab {
    server.script_file("sharp_720s", Item::new(NAME, TIME), answers);
    let lab = Lab::new();
    lab.trust_the_root();
    lab.write("job.yaml", Job::at(&server.url()).credentials(WAYS).yaml());
    lab
}

/// A request as it must come to its own origin.
#[track_caller]
fn has_every_credential(request: &Request) {
    assert_eq!(request.header("authorization"), Some("Basic amFuZTpodW50ZXIyLW9mLWphbmU="), "{request:?}");
    assert_eq!(request.header("cookie"), Some("session=c00kie-of-jane"), "{request:?}");
    assert_eq!(request.header("x-api-key"), Some("k3y-of-jane"), "{request:?}");
}

/// The call knows the secrets.
fn with_secrets(call: Call<'_>) -> Call<'_> {
    call.env("SUNHAUL_PASSWORD", SECRETS[0]).env("SUNHAUL_COOKIE", SECRETS[2]).env("SUNHAUL_KEY", SECRETS[3])
}

/// Nothing that the lab holds or that was said shows a secret, but for bodies in quarantine, which lie there as sent.
#[track_caller]
fn shows_no_secret(lab: &Lab, said: &[&str]) {
    let is_ours = |path: &String| !path.contains("/quarantine/") || path.rsplit('.').next() == Some("json");
    let files = lab.tree("").into_keys().filter(is_ours).map(|path| (path.clone(), lab.read(&path)));
    let said = said.iter().enumerate().map(|(nth, text)| (format!("stream {nth}"), text.as_bytes().to_vec()));
    for (place, bytes) in files.chain(said) {
        let text = String::from_utf8_lossy(&bytes);
        // A server may write it another way, and a message may be cut within it.
        let plain =
            percent_decode(format!("{place}\n{text}").to_lowercase().as_bytes()).decode_utf8_lossy().into_owned();
        for secret in SECRETS {
            let start = secret[..8].to_lowercase();
            assert!(!plain.contains(&start), "{place} shows {secret}:\n{text}");
        }
    }
}

/// The redirect is refused, and says why.
#[track_caller]
fn refuses(to: &str, why: &str) {
    let server = Server::start();
    let lab = lab_for(&server, [Answer::status(302).header("Location", to)]);
    with_secrets(lab.run()).status(1).done();
    let failure = &lab.json("report.json")["failures"][0];
    assert_eq!(failure["class"], "redirect", "{to}: {failure:#}");
    assert!(failure["message"].as_str().is_some_and(|message| message.contains(why)), "{to}: {failure:#}");
    assert!(lab.files("data").is_empty());
}

#[test]
fn s_05_every_credential_comes_to_its_own_origin_with_every_request() {
    let server = Server::start();
    let moved = Answer::status(307).header("Location", "/elsewhere");
    let lab = lab_for(&server, [moved]);
    server.script("/elsewhere", [honest()]);
    with_secrets(lab.run()).done();
    assert_eq!(lab.proved("data").len(), 1);
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "a listing, a file, and where it was moved to");
    requests.iter().for_each(has_every_credential);
}

#[test]
fn s_05_no_credential_goes_along_to_another_origin() {
    let foreign = Server::start().expect_silence();
    foreign.script("/stolen", [honest()]);
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start();
        let away = Answer::status(status).header("Location", &format!("{}/stolen", foreign.url()));
        let lab = lab_for(&server, [away]);
        with_secrets(lab.run()).status(1).done();
        assert_eq!(lab.json("report.json")["failures"][0]["class"], "redirect");
    }
    assert!(foreign.requests().is_empty(), "{:?}", foreign.requests());
}

#[test]
fn s_05_a_job_of_two_services_shows_each_its_own_key_alone() {
    let (one, two, open) = (Server::start(), Server::start(), Server::start());
    for server in [&one, &two, &open] {
        server.script_file("sharp_720s", Item::new(NAME, TIME), [honest()]);
    }
    let lab = Lab::new();
    let own = |name: &str, server: &Server, keys: &str| {
        format!("{{ name: sharp_720s, as: {name}, source: {{ hmi: {{ url: \"{}\"{keys} }} }} }}", server.url())
    };
    let series = [
        own("one", &one, ", bearer: \"${SUNHAUL_PASSWORD}\""),
        own("two", &two, ", headers: { X-Api-Key: \"${SUNHAUL_KEY}\" }"),
        own("open", &open, ""),
    ];
    let series: Vec<&str> = series.iter().map(String::as_str).collect();
    lab.write("job.yaml", Job::at("http://127.0.0.1:9").series(&series).yaml());
    with_secrets(lab.run()).done();
    for (server, authorization, key) in
        [(&one, Some("Bearer hunter2-of-jane"), None), (&two, None, Some("k3y-of-jane")), (&open, None, None)]
    {
        assert_eq!(server.requests().len(), 2);
        for request in server.requests() {
            assert_eq!((request.header("authorization"), request.header("x-api-key")), (authorization, key));
        }
    }
}

#[test]
fn s_06_no_credential_goes_from_https_to_plain_http_not_even_of_the_same_host() {
    let plain = Server::start().expect_silence();
    plain.script("/stolen", [honest()]);
    let port = plain.url().rsplit(':').next().expect("a port").to_owned();
    for speaks in [Speaks::Http1, Speaks::Http2] {
        for status in [301, 302, 303, 307, 308] {
            let server = Server::secure(Certificate::Good, speaks);
            let away = Answer::status(status).header("Location", &format!("http://localhost:{port}/stolen"));
            let lab = lab_for(&server, [away]);
            let spoken = with_secrets(lab.run_with(&["-v"])).env("SUNHAUL_LOG", "trace").status(1).start().done();
            let failure = &lab.json("report.json")["failures"][0];
            assert_eq!((&failure["class"], &failure["status"]), (&"redirect".into(), &status.into()), "{failure:#}");
            assert!(failure["message"].as_str().is_some_and(|said| said.contains("from https to plain http")));
            assert!(lab.files("data").is_empty());
            shows_no_secret(&lab, &[&spoken.stdout, &spoken.stderr]);
            assert_eq!(server.requests().len(), 2, "a listing and a file, each asked for once");
            server.requests().iter().for_each(has_every_credential);
        }
    }
    assert!(plain.requests().is_empty(), "{:?}", plain.requests());
}

#[test]
fn s_07_a_redirect_to_what_is_no_web_address_is_refused() {
    for to in ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "javascript:alert(1)"] {
        refuses(to, "neither http nor https");
    }
}

#[test]
fn s_08_a_redirect_into_the_local_network_is_refused_however_it_is_written() {
    let inside = Server::start().expect_silence();
    let port = inside.url().rsplit(':').next().expect("a port").to_owned();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]"] {
        refuses(&format!("http://{host}:{port}/x"), "a private address");
    }
    for to in ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[fe80::1]/", "//intranet/x"] {
        refuses(to, "a private address");
    }
    refuses("http://u:pw@data.example.org/", "with a login in it");
    assert!(inside.requests().is_empty(), "{:?}", inside.requests());
}

#[test]
fn no_log_report_record_error_or_process_list_shows_a_secret() {
    for format in ["text", "json"] {
        let server = Server::start();
        let lab = lab_for(&server, [honest().stall_at(20_000), honest()]);
        let call = with_secrets(lab.run_with(&["-v", "--log-format", format]));
        let running = call.env("SUNHAUL_LOG", "trace").env("RUST_LOG", "trace").start();
        server.wait_for_pauses(1);
        let command = std::fs::read_to_string(format!("/proc/{}/cmdline", running.pid())).expect("a process");
        assert!(command.contains("job.yaml"), "{command:?}");
        let spoken = running.done();
        assert!(spoken.stderr.to_lowercase().contains("trace"), "the log tells all it can:\n{}", spoken.stderr);
        shows_no_secret(&lab, &[&spoken.stdout, &spoken.stderr, &command]);
    }
}

#[test]
fn a_log_that_tells_all_of_a_run_over_http_2_shows_no_secret() {
    let echo = SECRETS.join(" and ");
    for format in ["text", "json"] {
        let server = Server::secure(Certificate::Good, Speaks::Http2);
        let refused = Answer::status(503).header("X-Echo", &echo).header("Set-Cookie", &echo).saying(&echo);
        let lab = lab_for(&server, [refused, honest().header("X-Echo", &echo)]);
        let call = with_secrets(lab.run_with(&["-v", "--log-format", format]));
        let spoken = call.env("SUNHAUL_LOG", "trace").done();
        for foreign in ["h2::", "hyper_util::", "reqwest::"] {
            assert!(spoken.stderr.contains(foreign), "{foreign} has its say:\n{}", spoken.stderr);
        }
        shows_no_secret(&lab, &[&spoken.stdout, &spoken.stderr]);
        assert_eq!(server.requests().len(), 3);
        server.requests().iter().for_each(has_every_credential);
    }
}

#[test]
fn a_server_that_repeats_a_secret_does_not_make_us_tell_it() {
    let echo = SECRETS.join(" and ");
    let refusal = |status: u16, text: &str| {
        let body = serde_json::json!({ "detail": text }).to_string();
        Answer::status(status).with_body(body.into_bytes())
    };
    let answers = [
        refusal(403, &echo),
        refusal(400, &echo),
        refusal(500, &echo),
        Answer::status(302).header("Location", &format!("/{}?{}", SECRETS[0], SECRETS[3])),
        Answer::status(302).header("Location", &format!("http://{}.example.org/{}", SECRETS[0], SECRETS[3])),
        Answer::status(302).header("Location", "http://other.example.org/%6B3Y-of-jane/%68unter2%2Dof%2Djane"),
        Answer::status(302).header("Location", &format!("http://other.example.org/{}/{}", "x".repeat(250), SECRETS[0])),
        refusal(400, &format!("{}{}", "x".repeat(290), SECRETS[3])),
        refusal(400, &echo.to_uppercase()),
        Answer::html().header("X-Echo", &echo),
        Answer::text("text/html", &format!("<html>{echo}</html>")).named(&format!("{NAME}.fits")),
        Answer::text("application/fits", &echo).named(&format!("{NAME}.fits")),
    ];
    for answer in answers {
        for is_listing in [false, true] {
            let server = Server::start();
            let lab = lab_for(&server, [answer.clone()]);
            if is_listing {
                server.script("/HMI/sharp_720s", [answer.clone()]);
            }
            let spoken = with_secrets(lab.run_with(&["-v"])).env("SUNHAUL_LOG", "trace").start().done_any();
            shows_no_secret(&lab, &[&spoken.stdout, &spoken.stderr]);
        }
    }
    let server = Server::start();
    let lab = lab_for(&server, [honest()]);
    server.script("/HMI/sharp_720s", [Answer::text("application/json", &format!("[\"{echo}\"]"))]);
    let spoken = with_secrets(lab.run()).status(1).done();
    assert!(spoken.stderr.contains("***"), "{}", spoken.stderr);
    shows_no_secret(&lab, &[&spoken.stderr]);
}

#[test]
fn a_service_of_any_kind_that_repeats_a_secret_where_it_tells_what_there_is_does_not_make_us_tell_it() {
    let key = SECRETS[3];
    let row = format!(
        "{{\"success\":true,\"total\":1,\"data\":[{{\"recnum\":\"1\",\"sunum\":\"1\",\"series_name\":\"hmi.m_720s\",\"get\":\"http://{key}.example/\",\
         \"date__obs\":\"2015-12-11T01:00:00.000Z\",\"ias_location\":\"{key}\",\"ias_path\":\"http://{key}.example/{key}\"}}]}}"
    );
    let error =
        format!("{{\"status\":1,\"error\":\"no such {key}\",\"keywords\":[],\"segments\":[{{\"name\":\"{key}\"}}]}}");
    let status = format!("{{\"HAPI\":\"3.1\",\"status\":{{\"code\":1400,\"message\":\"no {key}\"}},\"{key}\":1}}");
    let page = format!(
        "<html><title>Index of /</title><h1>Index of /</h1><a href=\"../\">up</a><a href=\"http://{key}.example/x_20151211.fits\">x</a>\
         <a href=\"http://{key}.example/\">y</a></html>"
    );
    let kinds = [
        ("medoc", "", row),
        ("jsoc", "", error.clone()),
        ("jsoc", ", export: { email: jane@example.org }", error),
        ("hapi", "", status),
        ("index", ", path: \"%Y/\", files: \"x_%Y%m%d.fits\"", page.clone()),
        ("template", ", path: \"x_%Y%m%d.fits\", cadence: 1d", page),
    ];
    for (kind, keys, body) in kinds {
        let server = Server::speaking(move |request| {
            let (kind, text) = match body.as_bytes().first() {
                _ if request.path.contains("robots") => {
                    ("text/plain", format!("User-agent: *\nCrawl-delay: {key}\nDisallow: /{key}"))
                }
                Some(b'<') => ("text/html", body.clone()),
                _ => ("application/json", body.clone()),
            };
            Some(Answer::text(kind, &text))
        });
        let lab = Lab::new();
        let source = format!(
            "{{ {kind}: {{ url: \"{}/a/\", headers: {{ X-Api-Key: \"${{SUNHAUL_KEY}}\" }}{keys} }} }}",
            server.url()
        );
        let series = if kind == "jsoc" { "{ name: hmi.m_720s, segments: [x] }" } else { "{ name: hmi.m_720s }" };
        lab.write("job.yaml", Job::from_source(&source).series(&[series]).retry("{ attempts: 1 }").yaml());
        let call = lab.run_with(&["-v"]).env("SUNHAUL_KEY", key).env("SUNHAUL_LOG", "trace");
        let spoken = call.start().done_any();
        assert!(server.requests().iter().any(|request| request.header("x-api-key") == Some(key)), "{kind}");
        assert_ne!(spoken.code, 2, "{kind}: {}", spoken.stderr);
        shows_no_secret(&lab, &[&spoken.stdout, &spoken.stderr]);
    }
}

#[test]
fn s_22_a_login_that_is_wanted_or_not_taken_is_told_with_what_to_do() {
    let server = Server::start();
    let lab = lab_for(&server, [Answer::status(401)]);
    let spoken = with_secrets(lab.run()).status(1).stderr_has("are the source's credentials still right?").done();
    shows_no_secret(&lab, &[&spoken.stderr]);
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.run().status(1).stderr_has("give the source `headers`, `basic`, `bearer` or `netrc`").done();
    let asked = server.requests_for(&format!("/HMI/sharp_720s/{NAME}"));
    assert_eq!(asked.len(), 2, "a refusal is not tried again");
}

#[test]
fn a_secret_that_is_not_there_is_told_by_those_who_ask_the_service_and_by_nobody_else() {
    let server = Server::start().expect_silence();
    let lab = lab_for(&server, [honest()]);
    lab.sunhaul(&["check", "job.yaml"]).chatty().done();
    for quiet in [&["plan", "job.yaml"][..], &["status", "job.yaml"]] {
        lab.sunhaul(quiet).stdout_has("sharp_720s").chatty().done();
    }
    for asking in [&["plan", "--list", "job.yaml"][..], &["run", "job.yaml"]] {
        let call = lab.sunhaul(asking).env("SUNHAUL_PASSWORD", SECRETS[0]).env("SUNHAUL_COOKIE", "").status(2);
        let spoken = call.stderr_has("job.yaml:3:").stderr_has("the variable `SUNHAUL_KEY` is not set").done();
        assert!(spoken.stderr.contains("export SUNHAUL_KEY="), "{}", spoken.stderr);
        assert!(spoken.stderr.contains("the variable `SUNHAUL_COOKIE` is empty"), "{}", spoken.stderr);
        shows_no_secret(&lab, &[&spoken.stderr]);
    }
    assert!(!lab.path("data").exists());
}

#[test]
fn a_secret_in_the_manifest_itself_is_an_error_that_does_not_show_it() {
    let lab = Lab::new();
    for keys in ["bearer: hunter2-of-jane", "headers: { X-Api-Key: k3y-of-jane }", "basic: \"jane:hunter2-of-jane\""] {
        let job = Job::at("http://127.0.0.1:9").credentials(keys).yaml();
        lab.write("job.yaml", job);
        for args in [&["check", "job.yaml"][..], &["check", "--json", "job.yaml"], &["run", "job.yaml"]] {
            let spoken = lab.sunhaul(args).status(2).stdout_has("").chatty().done();
            let all = spoken.stdout + &spoken.stderr;
            assert!(SECRETS.iter().all(|secret| !all.contains(secret)), "{all}");
        }
    }
}

/// Writes a netrc file with these rights.
fn netrc(lab: &Lab, path: &str, text: &str, mode: u32) {
    lab.write(path, text);
    std::fs::set_permissions(lab.path(path), std::fs::Permissions::from_mode(mode)).expect("rights");
}

#[test]
fn a_login_comes_from_the_netrc_file_when_that_is_private() {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), [honest()]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).credentials("netrc: true").yaml());
    lab.run().status(2).stderr_has("home/.netrc` cannot be read").done();
    let entry = "machine elsewhere login x password y\nmachine 127.0.0.1 login jane password hunter2-of-jane\n";
    for mode in [0o644, 0o640, 0o604, 0o620] {
        netrc(&lab, "home/.netrc", entry, mode);
        lab.run().status(2).stderr_has("by others").stderr_has("chmod 600").stderr_has("job.yaml:3:").done();
    }
    netrc(&lab, "home/.netrc", "machine elsewhere login x password y\n", 0o600);
    lab.run().status(2).stderr_has("has no login for `127.0.0.1`").done();
    assert!(server.requests().is_empty());

    netrc(&lab, "home/.netrc", entry, 0o600);
    lab.run().done();
    netrc(&lab, "own", "default login jane password hunter2-of-jane", 0o400);
    lab.sunhaul(&["plan", "--list", "job.yaml", "--archive", "other"])
        .env("NETRC", "own")
        .stdout_has("sharp_720s")
        .chatty()
        .done();
    assert_eq!(server.requests().len(), 3);
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some("Basic amFuZTpodW50ZXIyLW9mLWphbmU="));
    }
    for secret in SECRETS {
        assert!(!String::from_utf8_lossy(&lab.read("report.json")).contains(secret));
    }
}

#[test]
fn a_secret_that_a_server_repeats_in_its_headers_is_not_written_down() {
    let secret = SECRETS[3];
    let body = vec![b'x'; 400_000];
    let answer = || Answer::file(body.clone()).named("plain.dat");
    let repeated: [(&str, Answer); 5] = [
        ("ETag", answer().etag(Some(&format!("\"{secret}\"")))),
        ("Last-Modified", answer().last_modified(Some(secret))),
        ("Content-Type", answer().header("Content-Type", &format!("text/plain; x={secret}"))),
        ("filename", Answer::file(body.clone()).named(&format!("{secret}.dat"))),
        (
            "filename*",
            Answer::file(body.clone()).header("Content-Disposition", "attachment; filename*=UTF-8''%6B3y-of-jane.dat"),
        ),
    ];
    for (what, answer) in repeated {
        // Once as a part on disk, and once as a file.
        let server = Server::start();
        let lab = lab_for(&server, [answer.clone().ending(Ending::Cut(200_000)), answer]);
        let yaml = String::from_utf8(lab.read("job.yaml")).expect("UTF-8");
        lab.write("job.yaml", yaml.replace("attempts: 3", "attempts: 1"));
        let said = with_secrets(lab.run()).status(4).env("SUNHAUL_LOG", "trace").done();
        shows_no_secret(&lab, &[&said.stdout, &said.stderr]);
        let said = with_secrets(lab.run()).env("SUNHAUL_LOG", "trace").done();
        shows_no_secret(&lab, &[&said.stdout, &said.stderr]);
        assert_eq!(lab.proved("data").len(), 1, "{what}");
    }
}

#[test]
fn a_listing_that_repeats_a_secret_in_an_address_fails_and_is_not_written_down() {
    for url in ["k3y-of-jane.dat", "K3Y-OF-JANE.dat", "%6B3y-of-jane.dat", "one.dat?x=k3y-of-jane"] {
        let server = Server::start();
        let listed = serde_json::json!([{ "url": format!("http://x/HMI/sharp_720s/{url}"), "date_obs": TIME }]);
        server.script("/HMI/sharp_720s", [Answer::json(&listed)]);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).credentials(WAYS).yaml());
        let said = with_secrets(lab.run()).status(1).env("SUNHAUL_LOG", "trace").done();
        shows_no_secret(&lab, &[&said.stdout, &said.stderr]);
        let failure = &lab.json("report.json")["failures"][0];
        assert_eq!(failure["class"], "source-refused", "{url}: {failure:#}");
    }
}
