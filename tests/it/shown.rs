//! What a server says is shown as text: it moves no cursor, turns no line around, and is no command of a CI service.

use sunhaul::untrusted::acts;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";

/// What acts: an escape sequence, a bell, a title, C1, a right-to-left override, lines, and commands of CI services.
const EVIL: &str = "\u{1b}[2J\u{7}\u{1b}]0;t\u{7}\u{9b}31m\u{202e}fdp\u{2066}\r\n::error::x\n##[error]y ##vso[z]\u{7f}";

/// The same without what HTTP lets no header hold.
const EVIL_HEADER: &str = "\u{9b}31m\u{202e}fdp\u{2066}::error::x##[error]y";

/// Nothing in it acts on a terminal or commands a CI service.
#[track_caller]
fn is_harmless(what: &str, text: &str) {
    let odd: Vec<char> = text.chars().filter(|c| acts(*c) && *c != '\n').collect();
    assert!(odd.is_empty(), "{what} holds {odd:?}:\n{text}");
    let is_command =
        |line: &str| line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
    assert_eq!(text.lines().filter(|line| is_command(line)).collect::<Vec<_>>(), [""; 0], "{what}:\n{text}");
}

/// Runs, plans and looks at a job of this server in every form, and looks at what is said and written.
#[track_caller]
fn all_is_harmless(server: &Server, class: &str) {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1, max_wait: 1s }").yaml());
    for (nth, args) in [
        &["run", "-v", "job.yaml", "--report", "report.json"][..],
        &["run", "-v", "job.yaml", "--log-format", "json", "--report", "-"],
        &["plan", "--list", "job.yaml"],
        &["plan", "--list", "--json", "job.yaml"],
        &["status", "job.yaml"],
        &["status", "--json", "job.yaml"],
    ]
    .into_iter()
    .enumerate()
    {
        let call = lab.sunhaul(args).env("SUNHAUL_LOG", "trace").stdout_has("").chatty();
        let spoken = call.start().done_any();
        is_harmless(&format!("stdout of {args:?}"), &spoken.stdout);
        is_harmless(&format!("stderr of {args:?}"), &spoken.stderr);
        if nth == 0 {
            let report = String::from_utf8(lab.read("report.json")).expect("UTF-8");
            is_harmless("the report", &report);
            assert_eq!(lab.json("report.json")["failures"][0]["class"], class, "{report}");
            assert!(report.contains("u{202e}") || report.contains("u202e"), "it is told what was said:\n{report}");
        }
    }
}

fn honest() -> Answer {
    Answer::file(fits(1, 200, TIME)).named(&format!("{NAME}.fits"))
}

/// A server whose one file has this answer.
fn with_file(answer: Answer) -> Server {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), [answer]);
    server
}

/// A server with this listing.
fn with_listing(answer: Answer) -> Server {
    let server = with_file(honest());
    server.script("/HMI/sharp_720s", [answer]);
    server
}

#[test]
fn f_03_c_04_the_words_of_a_refusal_are_shown_escaped() {
    let body = serde_json::json!({ "detail": EVIL }).to_string().into_bytes();
    all_is_harmless(&with_file(Answer::status(403).with_body(body.clone())), "forbidden");
    all_is_harmless(&with_listing(Answer::status(400).with_body(body)), "source-refused");
}

#[test]
fn f_03_c_04_a_listing_that_is_none_is_shown_escaped() {
    all_is_harmless(&with_listing(Answer::text("text/html", &format!("<html>{EVIL}"))), "html");
    all_is_harmless(&with_listing(Answer::text("application/json", &format!("[\"{EVIL}\"]"))), "listing-malformed");
    for (url, time) in [(EVIL, TIME), ("http://h/HMI/sharp_720s/a", EVIL)] {
        let listing = serde_json::json!([{ "url": url, "date_obs": time }]);
        all_is_harmless(&with_listing(Answer::json(&listing)), "listing-malformed");
    }
}

#[test]
fn f_03_c_01_c_04_names_in_urls_and_keys_are_shown_escaped() {
    let path = format!("/HMI/sharp_720s/{EVIL_HEADER}");
    let listing = serde_json::json!([{ "url": format!("http://h{path}"), "date_obs": TIME }]);
    let server = with_listing(Answer::json(&listing));
    // The URL's parser has encoded it: what is shown is what is asked.
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    let spoken = lab.run_with(&["-v"]).start().done_any();
    is_harmless("stderr", &spoken.stderr);
    is_harmless("the report", &String::from_utf8(lab.read("report.json")).expect("UTF-8"));
}

#[test]
fn f_03_c_04_a_name_in_a_header_is_shown_escaped() {
    let two = Server::start();
    for (item, seed) in [("a_20151211_182208", 1), ("b_20151211_182208", 2)] {
        let answer = Answer::file(fits(seed, 60, TIME)).named(&format!("\"{EVIL_HEADER}.fits\""));
        two.script_file("sharp_720s", Item::new(item, TIME), [answer]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&two.url()).yaml());
    let spoken = lab.run_with(&["-v"]).env("SUNHAUL_LOG", "trace").status(1).done();
    is_harmless("stderr", &spoken.stderr);
    is_harmless("the report", &String::from_utf8(lab.read("report.json")).expect("UTF-8"));
}

#[test]
fn f_03_c_04_where_a_redirect_leads_is_shown_escaped() {
    all_is_harmless(&with_file(Answer::status(302).header("Location", EVIL_HEADER)), "redirect");
    all_is_harmless(&with_listing(Answer::status(302).header("Location", &format!("/{EVIL_HEADER}"))), "redirect");
}

#[test]
fn f_03_c_04_what_a_file_that_is_none_begins_with_is_shown_escaped() {
    all_is_harmless(&with_file(Answer::text("application/fits", EVIL).named(&format!("{NAME}.fits"))), "magic");
}
