//! The dialogue: what the command line leaves open is asked for at the terminal, one thing a line.
//!
//! It does not judge an answer; the manifest's own parser does.

use std::io::BufRead;

use clap::ValueEnum as _;

use super::draft::{Draft, SourceKind};
use crate::cli::problem::CliError;
use crate::cli::{Exit, Result, Shell};
use crate::untrusted::escape;

/// One thing to ask for.
struct Prompt<'a> {
    what: &'a str,
    /// What an empty answer means.
    usual: Option<String>,
}

/// Asks for all that is open.
///
/// # Errors
/// When the answers end before the questions do.
pub(super) fn complete(mut draft: Draft, shell: &Shell, answers: &mut dyn BufRead) -> Result<Draft> {
    let mut dialogue = Dialogue { shell, answers };
    let kind = match draft.kind {
        Some(kind) => kind,
        None => dialogue.kind()?,
    };
    draft.kind = Some(kind);
    if draft.url.is_none() && kind.needs_url() {
        let usual = kind.usual_url().map(str::to_owned);
        draft = dialogue.ask(&draft, &Prompt { what: "its URL", usual }, |draft, url| draft.url = Some(url))?;
    }
    if draft.series.is_empty() {
        let what = "series, by the source's names";
        let usual = kind.usual_series().map(str::to_owned);
        draft = dialogue.ask(&draft, &Prompt { what, usual }, |draft, names| {
            draft.series = names.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        })?;
    }
    if draft.start.is_none() {
        let usual = if kind == SourceKind::Embedded { "2015-12-11" } else { "today-60d" };
        let question = Prompt { what: "first day, such as 2015-12-11 or today-60d", usual: Some(usual.to_owned()) };
        draft = dialogue.ask(&draft, &question, |draft, start| draft.start = Some(start))?;
    }
    if draft.end.is_none() {
        let follows = draft.start.as_deref().is_some_and(|start| start.starts_with("today"));
        let usual = match kind {
            _ if follows => Some("today".to_owned()),
            SourceKind::Embedded => Some("2015-12-14".to_owned()),
            _ => None,
        };
        let question = Prompt { what: "the day after the last one", usual };
        draft = dialogue.ask(&draft, &question, |draft, end| draft.end = Some(end))?;
    }
    if draft.contact.is_none() && draft.parsed().is_err_and(|wrong| super::wants_contact(&wrong)) {
        let question = Prompt { what: "your e-mail address, which public archives want to know", usual: None };
        draft = dialogue.ask(&draft, &question, |draft, contact| draft.contact = Some(contact))?;
    }
    if draft.name.is_none() {
        let question = Prompt { what: "the job's name", usual: draft.series.first().cloned() };
        draft = dialogue.ask(&draft, &question, |draft, name| draft.name = Some(name))?;
    }
    if draft.root.is_none() {
        let question = Prompt { what: "the archive's folder, from the manifest's", usual: Some(draft.usual_root()) };
        draft = dialogue.ask(&draft, &question, |draft, root| draft.root = Some(root))?;
    }
    Ok(draft)
}

struct Dialogue<'a> {
    shell: &'a Shell,
    answers: &'a mut dyn BufRead,
}

impl Dialogue<'_> {
    fn kind(&mut self) -> Result<SourceKind> {
        for (kind, what) in SourceKind::ALL {
            self.shell.screen.line(&format!("  {:<10}{what}", kind.name()));
        }
        let question = Prompt { what: "the kind of source", usual: Some(SourceKind::Embedded.name().to_owned()) };
        loop {
            let answer = self.answer(&question)?;
            if let Ok(kind) = SourceKind::from_str(&answer, true) {
                return Ok(kind);
            }
            let near = crate::manifest::suggest_word::nearest(&answer, SourceKind::ALL.map(|(kind, _)| kind.name()));
            let hint =
                near.map_or_else(|| "it is one of those above".to_owned(), |near| format!("did you mean `{near}`?"));
            self.refuse(&format!("`{}` is no kind of source", escape(&answer)), Some(&hint));
        }
    }

    /// Asks until the answer makes no manifest wrong.
    fn ask(&mut self, draft: &Draft, question: &Prompt<'_>, take: impl Fn(&mut Draft, String)) -> Result<Draft> {
        loop {
            let answer = self.answer(question)?;
            let mut with = draft.clone();
            take(&mut with, answer);
            match with.objection() {
                None => return Ok(with),
                Some(wrong) => self.refuse(&wrong.message, wrong.hint.as_deref()),
            }
        }
    }

    fn refuse(&self, why: &str, hint: Option<&str>) {
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        self.shell.screen.line(&format!("  {}{hint}", self.shell.screen.paint.bad(why)));
    }

    /// One line of the answers that says something, or what it means when it says nothing.
    fn answer(&mut self, question: &Prompt<'_>) -> Result<String> {
        let Prompt { what, usual } = question;
        let shown = usual.as_deref().map(|usual| format!(" [{}]", escape(usual))).unwrap_or_default();
        loop {
            self.shell.screen.write(format!("{what}{shown}: ").as_bytes());
            let mut line = String::new();
            let read = self.answers.read_line(&mut line);
            if !matches!(read, Ok(1..)) {
                self.shell.screen.line("");
                return Err(CliError::new(Exit::Usage, format!("no answer to: {what}; nothing was written"))
                    .hint("options say the same, see `sunhaul init --help`")
                    .into());
            }
            match (line.trim(), usual) {
                ("", Some(usual)) => return Ok(usual.clone()),
                ("", None) => {}
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }
}
