//! What somebody types who comes from another program, or takes one thing for another: the answer says what was meant.

use crate::lab::{Job, Lab};

#[test]
fn commands_and_options_of_other_programs_are_answered_with_those_of_this_one() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    for (line, told) in [
        ("version", "tip: the command here is `sunhaul --version`"),
        ("download job.yaml", "tip: the command here is `sunhaul run`"),
        ("delete job.yaml", "tip: the command here is `sunhaul forget`"),
        ("run job.yaml --dry-run", "tip: `sunhaul plan` shows what a run would do"),
        ("run job.yaml --force", "tip: `--check` fetches what is missing"),
        ("run job.yaml -o there", "tip: `--archive DIR` says where files go"),
        ("help rnu", "hint: did you mean `run`?"),
        ("help recipies", "hint: did you mean `recipes`?"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let spoken = lab.sunhaul(&words).status(2).stderr_has(told).done();
        assert_eq!(
            spoken.stderr.matches("tip:").count() + spoken.stderr.matches("hint:").count(),
            1,
            "{}",
            spoken.stderr
        );
    }
}

#[test]
fn help_shows_topics_and_commands() {
    let lab = Lab::new();
    lab.sunhaul(&["help"]).stdout_has("Topics of `sunhaul help NAME`:").stdout_has("recipes").done();
    lab.sunhaul(&["help", "run"]).stdout_has("Usage: sunhaul run").stdout_has("--rebuild").done();
    let recipes = lab.sunhaul(&["help", "recipes"]).stdout_has("").done().stdout;
    for recipe in
        ["Only at night", "newest data each hour", "Another disk", "Another user", "Delete a series", "service up"]
    {
        assert!(recipes.contains(recipe), "{recipe}");
    }
}

#[test]
fn a_manifest_with_a_usual_mistake_is_told_what_was_meant() {
    let lab = Lab::new();
    let good = Job::at("http://127.0.0.1:9").yaml();
    for (from, to, told) in [
        ("name: lab", "name: lab\nretries: 5", "did you mean `retry`?"),
        ("name: lab", "name: lab\nlayout: \"{file}\"", "`layout` stands under `archive`"),
        ("{ start: 2015-12-11, ", "{start:2015-12-11, ", "put a space behind the `:`, as in `start: 2015-12-11`"),
        (
            "{ name: sharp_720s }",
            "{ name: sharp_720s, harpnum: 377-400 }",
            "write each of them, such as `[377, 378, 379]`",
        ),
        ("{ name: sharp_720s }", "{ name: sharp_cea_70s, cadence: 1h }", "or correct the name of the series"),
        ("{ root: data }", "\n  root: data\n  layout: {series}/{file}", "put it in quotes"),
        ("{ root: data }", "{ root: data, layout: \"{year}/{file}\" }", "write `{date:%Y}`"),
        ("{ root: data }", "{ root: data, layout: \"{date:%YYYY-%MM-%DD}/{file}\" }", "each written once: `%Y-%m-%d`"),
        (
            "  - { name: sharp_720s }",
            "  - name: sharp_720s\n   segments: [Br]",
            "belongs to no entry of the list above it",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        lab.write("job.yaml", good.replacen(from, to, 1));
        lab.sunhaul(&["check", "job.yaml"]).status(2).stderr_has(told).done();
    }
    lab.write("job.yaml", Job::at("http://127.0.0.1:9/HMI/").yaml());
    let warning = "`url` ends in `/HMI`, below which the service has its series: it is probably `http://127.0.0.1:9`";
    lab.sunhaul(&["check", "job.yaml"]).stderr_has(warning).stderr_has("good").done();
}

#[test]
fn a_root_that_is_a_link_to_nowhere_is_told_as_such() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    std::os::unix::fs::symlink("nowhere", lab.path("data")).expect("a link");
    lab.run().status(5).stderr_has("`data`: it is a symbolic link that leads nowhere").done();
}
