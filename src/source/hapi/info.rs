//! What a dataset is: its parameters in order, its dates, and what of that is kept beside its data.
//!
//! HAPI 3.2, "info", with `stringType`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use chrono::NaiveDateTime;

use super::time;
use crate::failure::{Class, Failure};
use crate::manifest::suggest_word::nearest;
use crate::source::read_capped;
use crate::untrusted::escape;

/// The keys that say what the data are, and stay as they are while a dataset grows.
const LASTING: [&str; 14] = [
    "cadence",
    "citation",
    "contact",
    "contactID",
    "coordinateSystemSchema",
    "datasetCitation",
    "definitions",
    "description",
    "licenseURL",
    "provenance",
    "resourceID",
    "resourceURL",
    "timeStampLocation",
    "unitsSchema",
];

/// More columns than these are no table.
const COLUMNS: u64 = 1_000_000;

/// Longer names of all columns together, in bytes, are no table's either.
const NAMES: u64 = 32 * 1024 * 1024;

/// More dimensions than these no parameter has.
const DIMENSIONS: usize = 16;

/// A dataset.
#[derive(Debug, Clone)]
pub(super) struct Info {
    /// The first one is the time.
    parameters: Vec<Parameter>,
    /// The first time that it has, as told and as read; and the last.
    pub(super) start: (String, NaiveDateTime),
    pub(super) stop: (String, NaiveDateTime),
    /// As answered.
    lasting: Map<String, Value>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// Its name in a table, where no two columns have the same one.
    column: String,
    /// The sizes of its dimensions; none for a scalar.
    size: Vec<u64>,
    /// What stands for no value.
    pub(super) fill: Option<String>,
    /// It is of texts.
    pub(super) is_text: bool,
    /// It holds the addresses of files.
    pub(super) uri: Option<Uri>,
    /// It says by its name or in some other way that it does, but not as HAPI has it.
    pub(super) is_like_uri: bool,
}

/// What is known of a parameter's addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Uri {
    /// What they are relative to.
    pub(super) base: Option<String>,
}

impl Uri {
    /// What a `stringType` says of addresses: `"uri"` or `{"uri": {"base": ..}}` as HAPI has it, or `{"type": "uri",
    /// "base": ..}` as its own test data write it.
    fn uri_from(string: &Value) -> Option<Uri> {
        let told = match string {
            Value::String(word) if word == "uri" => &Value::Null,
            Value::Object(kinds) if kinds.contains_key("uri") => &kinds["uri"],
            Value::Object(kinds) if kinds.get("type").is_some_and(|kind| kind == "uri") => string,
            _ => return None,
        };
        Some(Uri { base: told["base"].as_str().filter(|base| !base.is_empty()).map(str::to_owned) })
    }
}

#[derive(Deserialize)]
struct InfoBody {
    #[serde(rename = "startDate")]
    start: String,
    #[serde(rename = "stopDate")]
    stop: String,
    parameters: Vec<ToldParameter>,
}

#[derive(Deserialize)]
struct ToldParameter {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: Option<Vec<u64>>,
    #[serde(default)]
    fill: Option<Value>,
    #[serde(default, rename = "stringType")]
    string: Option<Value>,
}

impl Info {
    /// Reads the answer of `info`, whose status is that of success.
    ///
    /// # Errors
    /// `listing-malformed`.
    pub(super) fn read(answer: &[u8]) -> Result<Info, Failure> {
        read_capped::expect_json(answer, r#"{"parameters":[]}"#)?;
        let all: Map<String, Value> =
            serde_json::from_slice(answer).map_err(|error| read_capped::no_json(answer, &error))?;
        let told: InfoBody = serde_json::from_slice(answer).map_err(|error| read_capped::no_json(answer, &error))?;
        let date = |field: &str, text: String| match time::parse(&text) {
            Some(at) => Ok((text, at)),
            None => Err(read_capped::malformed(&format!("`{field}` is `{}`, which is no time", escape(&text)))),
        };
        let mut parameters = told.parameters.iter().map(Parameter::of).collect::<Result<Vec<_>, Failure>>()?;
        let columns =
            parameters.iter().try_fold(0, |all: u64, one| Some(all + one.width()?).filter(|all| *all <= COLUMNS));
        if columns.is_none() {
            return Err(read_capped::malformed(&format!("the parameters have more than {COLUMNS} columns")));
        }
        if parameters.iter().map(Parameter::bytes_of_names).fold(0, u64::saturating_add) > NAMES {
            let why =
                format!("the names of all columns, as the parameters have them, are longer than {} MiB", NAMES >> 20);
            return Err(read_capped::malformed(&why));
        }
        tell_apart(&mut parameters);
        let first = all.get("parameters").and_then(|all| all[0]["type"].as_str());
        if first != Some("isotime") {
            return Err(read_capped::malformed("the first parameter is no time: its `type` is not `isotime`"));
        }
        let lasting =
            all.into_iter().filter(|(key, _)| key == "parameters" || LASTING.contains(&key.as_str())).collect();
        Ok(Info { parameters, start: date("startDate", told.start)?, stop: date("stopDate", told.stop)?, lasting })
    }

    /// The parameters that are asked for, in the dataset's order and the time first: those that are named, or all. Where
    /// addresses of files are among them, they alone.
    ///
    /// # Errors
    /// `source-refused` for one that the dataset does not have, or has twice.
    pub(super) fn choose(&self, named: Option<&[String]>) -> Result<Vec<Parameter>, Failure> {
        if let Some(missing) = named.into_iter().flatten().find(|name| self.parameters.iter().all(|p| p.name != **name))
        {
            let all: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let near = nearest(missing, all.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{}`?", escape(near))).unwrap_or_default();
            let why =
                format!("the dataset has no parameter `{}`, but {}{hint}", escape(missing), escape(&all.join(", ")));
            return Err(Failure::new(Class::SourceRefused, why));
        }
        let (time, others) = self.parameters.split_first().ok_or_else(|| read_capped::malformed("no parameters"))?;
        let is_chosen = |parameter: &&Parameter| named.is_none_or(|named| named.contains(&parameter.name));
        let chosen: Vec<&Parameter> = others.iter().filter(is_chosen).collect();
        let has_files = chosen.iter().any(|parameter| parameter.uri.is_some());
        let kept = chosen.into_iter().filter(|parameter| !has_files || parameter.uri.is_some());
        let kept: Vec<&Parameter> = [time].into_iter().chain(kept).collect();
        // All parameters are requested by leaving their names out.
        if named.is_some() || has_files {
            kept.iter().skip(1).try_for_each(|parameter| self.must_be_the_only_one(parameter))?;
        }
        Ok(kept.into_iter().cloned().collect())
    }

    /// Refuses a parameter that cannot be asked for by its name, since the dataset has another one of that name.
    fn must_be_the_only_one(&self, parameter: &Parameter) -> Result<(), Failure> {
        let name = &parameter.name;
        if self.parameters.iter().filter(|other| other.name == *name).count() <= 1 {
            return Ok(());
        }
        let why = format!(
            "the dataset has several parameters `{}`, so none of them can be asked for by its name; leave `parameters` out, or \
             ask those who run the service",
            escape(name)
        );
        Err(Failure::new(Class::SourceRefused, why))
    }

    /// What the columns of a table of these parameters mean: `hapi-info/1`, without what changes as the dataset grows and
    /// without the server's own additions.
    pub(super) fn sidecar(&self, dataset: &str, chosen: &[Parameter]) -> Vec<u8> {
        let mut sidecar = self.lasting.clone();
        sidecar.insert("sunhaul".to_owned(), "hapi-info/1".into());
        sidecar.insert("dataset".to_owned(), dataset.into());
        if let Some(Value::Array(parameters)) = sidecar.get_mut("parameters") {
            parameters.retain(|told| chosen.iter().any(|one| told["name"] == one.name.as_str()));
            for (parameter, chosen) in parameters.iter_mut().filter_map(Value::as_object_mut).zip(chosen) {
                parameter.retain(|key, _| !key.starts_with("x_"));
                parameter.insert("name".to_owned(), chosen.column.as_str().into());
            }
        }
        // It came from JSON, so it always serialises.
        let mut json = serde_json::to_vec_pretty(&sidecar).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// Names the columns of parameters apart that have one name: a later one gets a `_`.
fn tell_apart(parameters: &mut [Parameter]) {
    let all: HashSet<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let mut seen = HashSet::new();
    for parameter in parameters {
        if !seen.insert(parameter.name.clone()) {
            while all.contains(&parameter.column) || !seen.insert(parameter.column.clone()) {
                parameter.column.push('_');
            }
        }
    }
}

impl Parameter {
    fn of(told: &ToldParameter) -> Result<Parameter, Failure> {
        let wrong = |why: &str| read_capped::malformed(&format!("parameter `{}`: {why}", escape(&told.name)));
        if told.name.is_empty() || told.name.contains(|c: char| c == ',' || c.is_control()) {
            return Err(wrong("a name that cannot be requested"));
        }
        let size = told.size.clone().unwrap_or_default();
        let is_text = told.kind == "string";
        let uri = told.string.as_ref().and_then(Uri::uri_from);
        let fill = told.fill.as_ref().and_then(Value::as_str).map(str::to_owned);
        let name = told.name.to_ascii_lowercase();
        let string = told.string.as_ref().map(Value::to_string).unwrap_or_default().to_ascii_lowercase();
        let is_like_uri = name.ends_with("url") || name.ends_with("uri") || string.contains("uri");
        let (name, column, uri) = (told.name.clone(), told.name.clone(), uri.filter(|_| is_text));
        let is_like_uri = is_text && is_like_uri && uri.is_none();
        let parameter = Parameter { name, column, size, fill, is_text, uri, is_like_uri };
        match parameter.width() {
            _ if parameter.size.len() > DIMENSIONS => {
                Err(wrong(&format!("its `size` has more than {DIMENSIONS} dimensions")))
            }
            Some(1..=COLUMNS) => Ok(parameter),
            _ => Err(wrong("its `size` makes no columns")),
        }
    }

    /// True when it has one column.
    pub(super) fn is_scalar(&self) -> bool {
        self.width() == Some(1)
    }

    /// How many columns it has; none where no number can hold it.
    fn width(&self) -> Option<u64> {
        self.size.iter().try_fold(1_u64, |all, size| all.checked_mul(*size))
    }

    /// How long the names of its columns are at most, before they are made.
    fn bytes_of_names(&self) -> u64 {
        let indices = self.size.iter().map(|size| size.to_string().len() + "[]".len()).sum::<usize>();
        self.width().unwrap_or(u64::MAX).saturating_mul((self.name.len() + indices) as u64)
    }

    /// The names of its columns: its own, or `name[0][1]` for each element, the last index fastest.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut names = vec![self.column.clone()];
        for size in &self.size {
            names = names.iter().flat_map(|name| (0..*size).map(move |nth| format!("{name}[{nth}]"))).collect();
        }
        names
    }
}
