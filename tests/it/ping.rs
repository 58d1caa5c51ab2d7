//! One question to each source, and how it fared.

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

#[test]
fn ping_lists_one_final_day_of_each_series_and_fetches_nothing() {
    let server = Server::start();
    let time = "2015-12-12T18:22:08Z";
    server.file("sharp_720s", Item::new("sharp_720s_20151212_182208", time), fits(1, 20, time));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-01", "2015-12-13").yaml());
    let said = lab.sunhaul(&["ping", "job.yaml"]).stdout_has("sharp_720s: answered in ").done().stdout;
    assert!(said.contains(" s, 1 file on 2015-12-12, http://127.0.0.1"), "{said}");
    assert_eq!(server.requests().len(), 1, "one question");
    assert!(!lab.path("data").exists() && !lab.path("job.lock").exists());
    let answers = lab.sunhaul(&["ping", "job.yaml", "--json"]).stdout_has("[").done().json();
    assert_eq!((&answers[0]["files"], &answers[0]["class"]), (&1.into(), &serde_json::Value::Null));
}

#[test]
fn a_source_that_fails_is_asked_once_and_gives_the_exit_code_of_its_class() {
    for (answer, class, exit) in [(Answer::status(503), "server-error", 4), (Answer::status(400), "source-refused", 1)]
    {
        let server = Server::start();
        server.script("/HMI/sharp_720s", [answer]);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).yaml());
        lab.sunhaul(&["ping", "job.yaml"]).status(exit).stdout_has(&format!("sharp_720s: {class} after ")).done();
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_template_is_asked_for_one_file_of_the_day() {
    let server = Server::speaking(|request| Some(Answer::file(request.path.clone().into_bytes())));
    let source = format!("{{ template: {{ url: \"{}\", path: \"%Y/%m/%d/x_%H.dat\", cadence: 1h }} }}", server.url());
    let lab = Lab::new();
    lab.write("job.yaml", Job::from_source(&source).yaml());
    lab.sunhaul(&["ping", "job.yaml"]).stdout_has("answered in ").stdout_has("24 files on 2015-12-11").done();
    let paths: Vec<String> = server.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths.iter().filter(|path| path.contains("/x_")).count(), 1, "{paths:?}");
}
