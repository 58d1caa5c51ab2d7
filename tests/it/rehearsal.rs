//! `sunhaul serve --embedded --faults`: a service that does wrong on purpose, and jobs that survive it.

use serde_json::Value;

use crate::lab::{Job, Lab};

/// Runs a day, a file an hour, against a healthy service and against one with `faults`, and gives the second one's report.
fn rehearsed(faults: &str) -> Value {
    let lab = Lab::new();
    let digests = |job: &str, report: &str, url: &str| {
        let job_of = Job::at(url)
            .series(&["{ name: sharp_720s, cadence: 1h }"])
            .limits("{ requests: unlimited, bandwidth: unlimited, concurrency: 8 }")
            .retry("{ attempts: 6, max_wait: 1s }")
            .timeouts("{ connect: 5s, stall: 1s }");
        lab.write(job, job_of.yaml().replace("root: data", &format!("root: {job}.data")));
        lab.sunhaul(&["run", job, "--report", report]).chatty().done();
        let days = lab.json(report)["days"].clone();
        (days[0]["digest"].clone(), lab.json(report))
    };
    let healthy = lab.serve(&["--embedded", "--seed", "7"]);
    let (want, _) = digests("healthy.yaml", "healthy.json", healthy.url());
    let wrong = lab.serve(&["--embedded", "--seed", "7", "--faults", faults]);
    let (got, report) = digests("faulty.yaml", "faulty.json", wrong.url());
    assert!(wrong.stderr_so_far().contains("faults by seed 7: "), "{}", wrong.stderr_so_far());
    assert_eq!(got, want, "{report:#}");
    assert!(report["days"][0]["files"].as_u64() >= Some(20), "{report:#}");
    report
}

fn retried(report: &Value) -> u64 {
    report["totals"]["requests"]["retried"].as_u64().expect("a number")
}

#[test]
fn truncated_bodies_are_gone_on_with() {
    let report = rehearsed("truncate=0.4");
    assert!(retried(&report) > 0, "{report:#}");
    assert!(report["totals"]["files"]["resumed"].as_u64() > Some(0), "{report:#}");
}

#[test]
fn stalled_bodies_are_given_up_and_gone_on_with() {
    assert!(retried(&rehearsed("stall=0.1")) > 0);
}

#[test]
fn reset_connections_are_made_again() {
    assert!(retried(&rehearsed("reset=0.4")) > 0);
}

#[test]
fn a_throttling_service_is_waited_for() {
    let report = rehearsed("throttle=0.05");
    assert!(report["totals"]["requests"]["throttled"].as_u64() > Some(0), "{report:#}");
}

#[test]
fn corrupt_cut_and_exchanged_bodies_never_get_a_final_name() {
    for fault in ["corrupt=0.3", "wrong-length=0.3", "html=0.3"] {
        let report = rehearsed(fault);
        assert!(retried(&report) > 0, "{fault}: {report:#}");
        assert!(report["totals"]["files"]["quarantined"].as_u64() > Some(0), "{fault}: {report:#}");
    }
}

#[test]
fn a_file_that_changes_between_two_attempts_is_begun_again() {
    let report = rehearsed("truncate=0.4,changed=0.4");
    assert!(report["totals"]["files"]["restarted"].as_u64() > Some(0), "{report:#}");
}

#[test]
fn all_faults_at_once_end_with_the_bytes_of_a_healthy_service() {
    let all = "truncate=0.1,stall=0.02,reset=0.1,throttle=0.02,corrupt=0.1,wrong-length=0.1,html=0.05,changed=0.05";
    assert!(retried(&rehearsed(all)) > 0);
}

#[test]
fn a_spec_that_makes_no_sense_is_a_usage_error_that_names_the_faults() {
    let lab = Lab::new();
    let refused = lab.sunhaul(&["serve", "--embedded", "--port", "0", "--faults", "trunkate=0.2"]).status(2);
    refused.stderr_has("there is no fault `trunkate`").stderr_has("wrong-length").chatty().done();
}
