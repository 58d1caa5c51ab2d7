//! `sunhaul schema`: the formats, for editors and scripts.

use clap::ValueEnum;

use super::{Exit, Result, stdout};
use crate::report::Report;
use crate::{archive, lock, manifest};

/// Print the JSON Schema of a format.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print the JSON Schema of a format (draft 2020-12).\n\n\
        `job` is the manifest: editors complete and check with it. `report` is the file that each run writes to \
        `.sunhaul/runs/`. `day` is one line of a day record in `.sunhaul/days/`. `lock` is one line of a job's lock.",
    after_help = "Examples:\n  sunhaul schema job > job.schema.json\n  sunhaul schema report | jq .properties.totals"
)]
pub(super) struct Args {
    /// Which format.
    format: SchemaName,
}

/// The formats that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemaName {
    /// The manifest.
    Job,
    /// The report of a run.
    Report,
    /// A line of a day record.
    Day,
    /// A line of a lock.
    Lock,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    stdout::print_json(&schema(args.format))?;
    Ok(Exit::Complete)
}

fn schema(format: SchemaName) -> serde_json::Value {
    match format {
        SchemaName::Job => manifest::schema::job(),
        SchemaName::Report => Report::schema(),
        SchemaName::Day => archive::day_schema(),
        SchemaName::Lock => lock::schema(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::variable;

    /// `SUNHAUL_UPDATE_SCHEMAS=1` writes the files instead.
    #[test]
    fn the_committed_schemas_are_what_the_types_say() {
        for format in SchemaName::value_variants() {
            let name = format.to_possible_value().unwrap();
            let path = format!("{}/schemas/{}.schema.json", env!("CARGO_MANIFEST_DIR"), name.get_name());
            let made = format!("{}\n", serde_json::to_string_pretty(&schema(*format)).unwrap());
            if variable("SUNHAUL_UPDATE_SCHEMAS").is_some_and(|value| value == "1") {
                std::fs::write(&path, &made).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == made, "{path} is out of date: run the tests with SUNHAUL_UPDATE_SCHEMAS=1");
        }
    }

    #[test]
    fn a_day_record_is_valid_line_by_line_and_a_strange_key_is_not() {
        let schema = jsonschema::validator_for(&schema(SchemaName::Day)).unwrap();
        let lasting = archive::RecordBasis {
            job: "december".into(),
            series: "sharp_720s".into(),
            date: "2015-12-11".parse().unwrap(),
            scale: crate::day::Scale::Utc,
            window: ["2015-12-11T00:00:00Z".into(), "2015-12-12T00:00:00Z".into()],
            spec: crate::digest::Digest::sha256(b"spec"),
            state: archive::RecordState::Sealed,
            records: None,
            left_out: None,
        };
        let file = |path: &str, absent: bool| archive::FileLine {
            preexisting: false,
            series: "sharp_720s".into(),
            path: path.into(),
            bytes: (!absent).then_some(2880),
            sha256: (!absent).then(|| crate::digest::Digest::sha256(path.as_bytes())),
            time: "2015-12-11T18:22:08.799999Z".into(),
            key: format!("/HMI/{path}"),
            url: format!("/HMI/{path}"),
            source_series: None,
            recnum: Some(1),
            harpnum: None,
            segment: None,
            checked: (!absent).then_some(archive::Checked::Checksum),
            absent: absent.then_some(archive::AbsentReason::Status(404)),
            reason: None,
            header: None,
            data: None,
            listed: None,
            etag: None,
            last_modified: None,
            redirected: None,
            instant: None,
            origin: None,
            cards: None,
            storage: None,
        };
        let record = archive::DayRecord::new(lasting, vec![file("a.fits", false), file("b.fits", true)]);
        for line in String::from_utf8(record.to_bytes()).unwrap().lines() {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{line}: {errors:?}");
            value["colour"] = "red".into();
            assert!(!schema.is_valid(&value), "{line}");
        }
    }
}
