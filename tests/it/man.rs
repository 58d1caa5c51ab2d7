//! Pages of the manual and completion scripts: whole, and right for the programs that read them.

use std::fs;

use crate::lab::Lab;

/// Every command that the help names.
fn commands(lab: &Lab) -> Vec<String> {
    let help = lab.sunhaul(&["--help"]).stdout_has("Commands:").done().stdout;
    let named = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    named.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

/// Every topic that the help names.
fn topics(lab: &Lab) -> Vec<String> {
    let help = lab.sunhaul(&["help"]).stdout_has("Topics of ").done().stdout;
    let named = help.lines().skip_while(|line| !line.starts_with("Topics of ")).skip(1);
    named.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn there_is_a_page_for_each_command_and_each_topic() {
    let lab = Lab::new();
    lab.sunhaul(&["man", "--output", "man/man1"]).done();
    let pages: Vec<String> = lab.tree("man/man1").into_keys().collect();
    let mut expected: Vec<String> = commands(&lab).iter().map(|name| format!("sunhaul-{name}.1")).collect();
    expected.push("sunhaul.1".to_owned());
    expected.sort();
    assert_eq!(pages, expected);
    let pages: Vec<String> = lab.tree("man/man7").into_keys().collect();
    let mut expected: Vec<String> = topics(&lab).iter().map(|name| format!("sunhaul-{name}.7")).collect();
    expected.sort();
    assert_eq!(pages, expected);
    // Without a folder of that name all pages are in one.
    lab.sunhaul(&["man", "--output", "pages"]).done();
    assert_eq!(lab.tree("pages").len(), lab.tree("man").len());
    let page = lab.sunhaul(&["man", "run"]).stdout_has(".TH sunhaul-run 1").stdout_has("max\\-time").done().stdout;
    assert_eq!(page.as_bytes(), lab.read("man/man1/sunhaul-run.1"));
    lab.sunhaul(&["man"]).stdout_has(".TH sunhaul 1").done();
    lab.sunhaul(&["man", "lock"]).stdout_has(".TH sunhaul-lock 1").done();
    lab.sunhaul(&["man", "lock.7"]).stdout_has(".TH sunhaul-lock 7").done();
    lab.sunhaul(&["man", "jsoc"]).stdout_has(".TH sunhaul-jsoc 7").done();
    lab.sunhaul(&["man", "rum"])
        .status(2)
        .stderr_has("there is no command or topic `rum`")
        .stderr_has("did you mean `run`?")
        .done();
    lab.write("file", "");
    lab.sunhaul(&["man", "--output", "file"]).status(5).stderr_has("could not write `file/sunhaul.1`").done();
}

#[test]
#[ignore = "needs man and groff"]
fn man_shows_every_page_without_a_complaint() {
    let lab = Lab::new();
    lab.sunhaul(&["man", "--output", "man/man1"]).done();
    let folders =
        ["man/man1", "man/man7"].into_iter().flat_map(|folder| fs::read_dir(lab.path(folder)).expect("pages"));
    for (page, name) in folders.map(|entry| {
        let entry = entry.expect("a page");
        (entry.path(), entry.file_name().to_string_lossy().into_owned())
    }) {
        let page = page.to_str().expect("a path");
        let call = lab.program("man", &["--warnings", "-E", "UTF-8", "-l", page]);
        let shown =
            call.env("MANWIDTH", "120").env("LC_ALL", "C.UTF-8").env("MAN_KEEP_FORMATTING", "").stdout_has("NAME");
        let shown = shown.done().stdout;
        let (name, section) = name.rsplit_once('.').expect("a section");
        let part = if section == "1" { "OPTIONS" } else { "DESCRIPTION" };
        assert!(shown.contains(name) && shown.contains(part), "{name}\n{shown}");
    }
}

#[test]
fn the_completion_scripts_name_every_command() {
    let lab = Lab::new();
    let commands = commands(&lab);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.sunhaul(&["completions", shell]).stdout_has("sunhaul").done().stdout;
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
    }
}

#[test]
fn bash_reads_its_completion_script_and_completes() {
    let lab = Lab::new();
    lab.write("complete.bash", lab.sunhaul(&["completions", "bash"]).stdout_has("").done().stdout);
    lab.program("/bin/bash", &["-n", "complete.bash"]).done();
    let typed = "source complete.bash; COMP_WORDS=(sunhaul sta); COMP_CWORD=1; _sunhaul sunhaul sta sunhaul; echo ${COMPREPLY[*]}";
    lab.program("/bin/bash", &["-c", typed]).stdout("status\n").done();
}

#[test]
#[ignore = "needs zsh and fish"]
fn zsh_and_fish_read_their_completion_scripts() {
    let lab = Lab::new();
    for shell in ["zsh", "fish"] {
        let script = format!("complete.{shell}");
        lab.write(&script, lab.sunhaul(&["completions", shell]).stdout_has("").done().stdout);
        lab.program(shell, &["-n", &script]).done();
    }
}
