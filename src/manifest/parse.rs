//! The manifest's door: bytes in, a checked manifest or all that is wrong with it out.
//!
//! The one place that knows the YAML library. What it does not do: know the keys; `raw` does.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned};

use super::diagnostic::{Diagnostics, Finding, Span};
use super::example;
use super::given::{Environment, Given, Netrc};
use super::invisible;
use super::model::Manifest;
use super::raw;
use super::redact;
use super::resolve::resolve;
use super::spanned::Typed;
use super::suggest_path;
use super::syntax::{self, QUOTES};
use super::yaml_tree::{Node, NodeReader, NodeValue};
use crate::untrusted::escape;

/// The largest manifest, in bytes.
const LARGEST: usize = 1 << 20;
/// The deepest nesting; the form needs six.
const DEEPEST: usize = 64;
/// The most values and keys: above the library's own limit, room for a megabyte of HARP numbers.
const MOST: usize = 300_000;
/// How much aliases may unfold to, in YAML events.
const UNFOLDED: usize = 10_000;

/// The stack that YAML is read on, in bytes; only what is used of it costs memory.
const STACK: usize = 16 << 20;

/// Reads and checks the manifest at `path`. Secrets are not looked up: only who talks to a source needs them.
///
/// # Errors
/// All that is wrong with it; a file that cannot be read, or is larger than 1 MiB, likewise.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Manifest, Diagnostics> {
    read(path, environment, None)
}

/// As [`load`], with the secrets of its sources.
///
/// # Errors
/// As [`load`], and where a secret is not to be had.
pub fn load_with_secrets(path: &Path, environment: Environment<'_>, netrc: Netrc<'_>) -> Result<Manifest, Diagnostics> {
    read(path, environment, Some(netrc))
}

fn read(path: &Path, environment: Environment<'_>, secrets: Option<Netrc<'_>>) -> Result<Manifest, Diagnostics> {
    let fail = |finding: Finding| Diagnostics::new(path, "", vec![finding]);
    let unreadable = |error: &std::io::Error| {
        let finding = match error.kind() {
            std::io::ErrorKind::NotFound => Finding::whole("there is no such file").hint(suggest_path::hint(path)),
            std::io::ErrorKind::IsADirectory => folder(),
            std::io::ErrorKind::PermissionDenied => Finding::whole("cannot be read: no permission")
                .hint("give yourself the right to read it, such as by `chmod u+r`"),
            std::io::ErrorKind::NotADirectory => {
                Finding::whole("cannot be read: a part of the path is a file").hint("correct the path")
            }
            _ => Finding::whole(format!("cannot be read: {error}")).hint("can another program read it?"),
        };
        fail(finding)
    };
    if path.extension().is_some_and(|extension| extension == "lock") {
        let manifest = path.with_extension("yaml");
        let hint = format!("name the manifest beside it, `{}`", escape(&manifest.to_string_lossy()));
        return Err(fail(Finding::whole("a lock, not a manifest").hint(hint)));
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(fail(folder()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, whatever its metadata say.
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    check(path, &bytes, environment, secrets)
}

/// A mistyped key is one mistake: the key that was meant is not told as missing, too.
fn without_echoes(findings: &mut Vec<Finding>) {
    let meant = |finding: &Finding| {
        let hint = finding.message.starts_with("unknown key").then_some(finding.hint.as_deref())??;
        hint.strip_prefix("did you mean `")?.strip_suffix("`?").map(|key| format!("the key `{key}` is missing"))
    };
    let echoes: Vec<String> = findings.iter().filter_map(meant).collect();
    findings.retain(|finding| !echoes.contains(&finding.message));
}

fn folder() -> Finding {
    Finding::whole("a folder, not a manifest").hint("name the files in it, such as `jobs/*.yaml`")
}

/// Checks the bytes of a manifest, without its secrets. `path` is for messages, and its folder is where relative paths
/// start.
///
/// # Errors
/// All that is wrong with it, in the order of the places.
pub fn parse(path: &Path, bytes: &[u8], environment: Environment<'_>) -> Result<Manifest, Diagnostics> {
    check(path, bytes, environment, None)
}

/// `secrets` is where logins are looked up; without it no secret is, and only their names are checked.
pub(super) fn check(
    path: &Path,
    bytes: &[u8],
    environment: Environment<'_>,
    secrets: Option<Netrc<'_>>,
) -> Result<Manifest, Diagnostics> {
    if bytes.len() > LARGEST {
        let finding = Finding::whole("larger than 1 MiB, which no manifest needs to be");
        return Err(Diagnostics::new(path, "", vec![finding.hint("is this a manifest?")]));
    }
    let text = match std::str::from_utf8(bytes) {
        // Some editors put a mark before the first character, which means nothing.
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let at = Span { start: good.len(), end: good.len() };
            let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            let what = if is_utf_16 { "UTF-16 text, not UTF-8" } else { "not UTF-8 text" };
            let finding = Finding::new(at, what).hint("save the file as UTF-8");
            return Err(Diagnostics::new(path, &good, vec![finding]));
        }
    };
    read_text(path, bytes, text, environment, secrets).map_err(|diagnostics| match invisible::findings(text) {
        odd if odd.is_empty() => diagnostics,
        // What else seems wrong is so because of them.
        odd => Diagnostics::new(path, &redact::over_lines(text), odd),
    })
}

/// The same of its bytes and the text that they are.
fn read_text(
    path: &Path,
    bytes: &[u8],
    text: &str,
    environment: Environment<'_>,
    secrets: Option<Netrc<'_>>,
) -> Result<Manifest, Diagnostics> {
    let root = with_room(text).map_err(|finding| Diagnostics::new(path, &redact::over_lines(text), vec![finding]))?;
    let findings = RefCell::new(Vec::new());
    let job = Typed::<raw::Job>::deserialize(NodeReader { node: &root, findings: &findings });
    let mut findings = findings.into_inner();
    let given = Given { path, bytes, text, root: &root, environment, secrets };
    let job = job.ok();
    let manifest = job.as_ref().and_then(Typed::value).and_then(|job| resolve(&given, job, &mut findings));
    manifest.ok_or_else(|| {
        example::give(&mut findings, &root);
        without_echoes(&mut findings);
        Diagnostics::new(path, &redact::over(text, &root, &mut findings), findings)
    })
}

/// Reads YAML into a tree of nodes.
fn tree(text: &str) -> Result<Node, Finding> {
    let is_blank = |line: &str| line.is_empty() || line.starts_with('#') || line == "---" || line == "...";
    if text.lines().all(|line| is_blank(line.trim())) {
        return Err(Finding::whole("an empty file").hint("take `jobs/quickstart.yaml` to begin with"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: 2 * DEEPEST,
            max_nodes: MOST,
            max_events: 4 * MOST,
            max_documents: 1,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: UNFOLDED,
            max_replay_stack_depth: 8,
        },
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(raw, text)),
        Err(error) => Err(broken(&error, text)),
    }
}

/// Reads YAML on a stack of its own: without optimisation the library takes 32 KiB of it for each level of nesting, and
/// 64 levels would not fit into the 2 MiB of an ordinary thread.
fn with_room(text: &str) -> Result<Node, Finding> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || tree(text));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(Finding::whole("the YAML library failed on this file")
                .hint("take lines out until it is read, and write the last of them in another way")),
            // The main thread's own stack has room for an ordinary manifest.
            Err(_) => tree(text),
        }
    })
}

/// Says in our words what the library found; its own words may repeat the file's text.
fn broken(error: &serde_saphyr::Error, text: &str) -> Finding {
    use serde_saphyr::Error as Yaml;
    use serde_saphyr::budget::BudgetBreach;

    let error = error.without_snippet();
    let place = |error: &Yaml| error.location().map(|location| span(&location, text));
    // What is wrong shows where an anchor is unfolded: the alias is the place to correct.
    let (inner, alias) = match error {
        Yaml::AliasError { error, locations, .. } => (error.without_snippet(), Some(locations.reference_location)),
        other => (other, None),
    };
    let (message, hint) = match inner {
        Yaml::MultipleDocuments { .. } | Yaml::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            ("a second document in one file".to_owned(), "one file is one job: split it at the `---`")
        }
        Yaml::MergeKeyNotAllowed { .. } => (
            "`<<` merges are not part of YAML 1.2".to_owned(),
            "repeat the keys, or give the value an anchor of its own",
        ),
        Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. }
        | Yaml::AliasReplayCounterOverflow { .. }
        | Yaml::Budget {
            breach:
                BudgetBreach::Aliases { .. }
                | BudgetBreach::Anchors { .. }
                | BudgetBreach::AliasAnchorRatio { .. }
                | BudgetBreach::RecordedAnchorEvents { .. }
                | BudgetBreach::RecordedAnchorBytes { .. },
            ..
        } => ("the aliases (`*name`) unfold to more than a manifest needs".to_owned(), "write the values out"),
        Yaml::RecursiveReferencesRequireWeakTypes { .. } => {
            ("an alias inside of its own anchor".to_owned(), "write the values out")
        }
        Yaml::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("nested deeper than {DEEPEST} levels"), "is this a manifest?")
        }
        Yaml::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            (format!("more than {MOST} values"), "is this a manifest?")
        }
        Yaml::UnknownAnchor { .. } => {
            ("an alias to an anchor that is not there".to_owned(), "text that begins with `*` or `&` needs quotes")
        }
        Yaml::UnsupportedTag { .. } | Yaml::TaggedScalarCannotDeserializeIntoString { .. } => {
            ("a YAML tag (`!name`), which has no meaning here".to_owned(), "text that begins with `!` needs quotes")
        }
        Yaml::ExternalMessage { source, msg, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(error) => {
                syntax::explain_syntax_error(error.kind(), line_at(place(inner), text))
            }
            _ => (format!("not YAML: {}", escape(msg)), QUOTES),
        },
        Yaml::Eof { .. } => ("the file ends in the middle of something".to_owned(), "close what is open"),
        other => {
            let told = other.render();
            (format!("not YAML: {}", escape(told.lines().next().unwrap_or_default())), QUOTES)
        }
    };
    let at = alias.map(|location| span(&location, text)).or_else(|| place(inner)).or_else(|| place(error));
    Finding { at, message, hint: Some(hint.to_owned()), also: None }
}

/// The line of the text that holds a place.
fn line_at(place: Option<Span>, text: &str) -> &str {
    let at = place.map_or(0, |place| place.start);
    let before = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// The place in bytes. Where the library gives lines and columns only, it is found from those.
fn span(location: &Location, text: &str) -> Span {
    let span = location.span();
    if let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) {
        let start = usize::try_from(start).unwrap_or(text.len()).min(text.len());
        let length = usize::try_from(length).unwrap_or(0);
        return Span { start, end: start.saturating_add(length).min(text.len()) };
    }
    let line = usize::try_from(location.line()).unwrap_or(0).saturating_sub(1);
    let column = usize::try_from(location.column()).unwrap_or(0).saturating_sub(1);
    let line_start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let offset = text[line_start..].char_indices().nth(column).map_or(0, |(at, _)| at);
    Span { start: line_start + offset, end: line_start + offset }
}

/// Puts the places of the file beside the values.
fn node(raw: Spanned<Raw>, text: &str) -> Node {
    // What an alias stands for is shown where it is written out: that is the place to correct.
    let mut at = span(&raw.defined, text);
    let typed = |at: Span| text.get(at.start..at.end).unwrap_or_default().trim().to_owned();
    let value = match raw.value {
        Raw::Null => NodeValue::Null,
        Raw::Bool => NodeValue::Bool(typed(at)),
        Raw::Int(number) => NodeValue::Int(number, typed(at)),
        Raw::Float => NodeValue::Float(typed(at)),
        Raw::Text(text) => NodeValue::Text(text),
        Raw::List(items) => NodeValue::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => {
            NodeValue::Map(entries.into_iter().map(|(key, value)| (node(key, text), node(value, text))).collect())
        }
    };
    // A collection's own place is its first character; it reaches to the end of what it holds.
    let last = match &value {
        NodeValue::List(items) => items.last(),
        NodeValue::Map(entries) => entries.last().map(|(_, value)| value),
        _ => None,
    };
    at.end = last.map_or(at.end, |last| at.end.max(last.span.end));
    if text.get(at.start..).is_some_and(|rest| rest.starts_with(['[', '{']))
        && matches!(value, NodeValue::List(_) | NodeValue::Map(_))
    {
        let rest = text.get(at.end..).unwrap_or_default();
        let closing = rest.trim_start_matches([' ', ',', '\n', '\r']);
        if closing.starts_with([']', '}']) {
            at.end += rest.len() - closing.len() + 1;
        }
    }
    Node { span: at, value }
}

/// A YAML value as the library gives it.
enum Raw {
    Null,
    Bool,
    Int(i128),
    Float,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Int(number.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Float)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
