//! The planner's laws and its words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::digest::PrefixedDigest;
use crate::manifest::{self, Patch};

/// Day records as a table.
#[derive(Default)]
struct Table(HashMap<(String, NaiveDate), DayStatus>);

impl DayRecords for Table {
    type Error = Infallible;

    fn noted(&self, series: &SeriesId) -> Result<BTreeSet<NaiveDate>, Infallible> {
        Ok(self.0.keys().filter(|(id, _)| *id == series.0).map(|(_, date)| *date).collect())
    }

    fn known(&self, series: &SeriesId, date: NaiveDate) -> Result<DayStatus, Infallible> {
        Ok(self.0.get(&(series.0.clone(), date)).cloned().unwrap_or(DayStatus::Missing))
    }
}

impl Table {
    fn put(&mut self, day: &AskedDay, state: Finality, job: &str) {
        let known = DaySummary {
            spec: day.spec,
            window: day.day.window,
            state,
            job: job.into(),
            files: 1,
            bytes: 1,
            absent: 0,
            digest: PrefixedDigest(Digest::sha256(b"")),
            missing: 0,
        };
        self.0.insert((day.id.clone(), day.day.date), DayStatus::Known(known));
    }
}

impl Table {
    fn put_kind(&mut self, mut day: AskedDay, kind: u8) {
        if kind > 3 {
            day.spec = Digest::sha256(b"other");
        }
        match kind {
            0 => {}
            1 | 4 => self.put(&day, Finality::Sealed, "job"),
            2 => self.put(&day, Finality::Provisional, "other"),
            6 => {
                self.0.insert((day.id, day.day.date), DayStatus::Started { files: 1 });
            }
            3 => {
                self.0.insert((day.id, day.day.date), DayStatus::Unreadable(String::new()));
            }
            _ => self.put(&day, Finality::Sealed, "other"),
        }
    }
}

/// The same, with every day of a century noted: each is judged for itself.
struct Dense<'t>(&'t Table);

impl DayRecords for Dense<'_> {
    type Error = Infallible;

    fn noted(&self, _: &SeriesId) -> Result<BTreeSet<NaiveDate>, Infallible> {
        Ok(date("1990-01-01").iter_days().take(36_525).collect())
    }

    fn known(&self, series: &SeriesId, date: NaiveDate) -> Result<DayStatus, Infallible> {
        self.0.known(series, date)
    }
}

/// A lock of days: the question of each, and whether its record agrees.
struct Locked(BTreeMap<(String, NaiveDate), (Pin, bool)>);

impl Pins for Locked {
    fn pinned(&self, series: &SeriesId, date: NaiveDate) -> Option<Pin> {
        self.0.get(&(series.0.clone(), date)).map(|(pin, _)| *pin)
    }

    fn agrees(&self, series: &SeriesId, date: NaiveDate, _: &DaySummary) -> bool {
        self.0.get(&(series.0.clone(), date)).is_some_and(|(_, agrees)| *agrees)
    }

    fn days(&self) -> Vec<(SeriesId, NaiveDate)> {
        self.0.keys().map(|(id, date)| (SeriesId(id.clone()), *date)).collect()
    }

    fn dates(&self, series: &SeriesId) -> Vec<NaiveDate> {
        self.0.keys().filter(|(id, _)| *id == series.0).map(|(_, date)| *date).collect()
    }
}

fn problem<E: fmt::Debug>(planned: Result<Plan, Error<E>>) -> PlanError {
    match planned {
        Err(Error::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

/// A day and what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AskedDay {
    id: String,
    day: Day,
    spec: Digest,
}

fn to_do(manifest: &Manifest, plan: &Plan) -> Vec<AskedDay> {
    let asked = |day: PlannedDay<'_>| {
        let spec = manifest.series[day.series].spec(&day.day);
        AskedDay { id: day.id.0.clone(), day: day.day, spec }
    };
    plan.to_do().map(asked).collect()
}

fn now() -> DateTime<Utc> {
    "2016-01-10T12:00:00Z".parse().unwrap()
}

fn job(range: &str, series: &str) -> Manifest {
    let text = format!(
        "version: 1\nname: job\nsource: {{ embedded: {{}} }}\nrange: {range}\nseries: {series}\narchive: {{ root: data }}\n"
    );
    manifest::parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap_or_else(|said| panic!("{said}"))
}

fn dates(start: &str, end: &str) -> String {
    format!("{{ start: {start}, end: {end} }}")
}

fn three_days() -> Manifest {
    job(&dates("2015-12-11", "2015-12-14"), "[{ name: a }, { name: b }]")
}

fn all(manifest: &Manifest, table: &Table) -> Plan {
    all_at(now(), manifest, table)
}

/// When all days of any range have begun.
fn late() -> DateTime<Utc> {
    "2200-01-10T12:00:00Z".parse().unwrap()
}

fn all_at(now: DateTime<Utc>, manifest: &Manifest, table: &Table) -> Plan {
    plan(manifest, table, now, &Selection::default(), None).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn an_empty_archive_has_everything_to_do_in_order() {
    let plan = all(&three_days(), &Table::default());
    let days: Vec<_> = plan.to_do().map(|day| (day.id.0.as_str(), day.day.date.to_string())).collect();
    assert_eq!(days.len(), 6);
    assert_eq!(days[0], ("a", "2015-12-11".into()));
    assert_eq!(days[5], ("b", "2015-12-13".into()));
    assert_eq!(plan.counts(), Counts { planned: 6, new: 6, ..Counts::default() });
}

#[test]
fn after_everything_is_sealed_nothing_is_to_do() {
    let manifest = three_days();
    let mut table = Table::default();
    for day in to_do(&manifest, &all(&manifest, &table)) {
        table.put(&day, Finality::Sealed, "job");
    }
    let plan = all(&manifest, &table);
    assert!(plan.to_do().next().is_none() && plan.refused().next().is_none());
    assert_eq!(plan.counts(), Counts { done: 6, ..Counts::default() });
}

#[test]
fn each_kind_of_record_has_its_consequence() {
    let manifest = three_days();
    let mut table = Table::default();
    let days = to_do(&manifest, &all(&manifest, &table));
    table.put(&days[0], Finality::Provisional, "job");
    // The same question from another job is shared.
    table.put(&days[1], Finality::Sealed, "other");
    // Another question of this job is stale, of another job a conflict.
    let mut changed = days[2].clone();
    changed.spec = Digest::sha256(b"something else");
    table.put(&changed, Finality::Sealed, "job");
    let mut foreign = days[3].clone();
    foreign.spec = Digest::sha256(b"something else");
    table.put(&foreign, Finality::Provisional, "other");
    table.0.insert(("b".into(), days[4].day.date), DayStatus::Unreadable("cut short".into()));
    table.0.insert(("b".into(), days[5].day.date), DayStatus::Started { files: 7 });

    let plan = all(&manifest, &table);
    let standings: Vec<_> = plan.to_do().map(|day| day.standing.clone()).collect();
    let reasons = [
        ToDoReason::Provisional,
        ToDoReason::Stale(Change::Source),
        ToDoReason::Damaged("cut short".into()),
        ToDoReason::Started { files: 7 },
    ];
    assert_eq!(standings, reasons.map(DayStanding::ToDo));
    let done = Done { job: "other".into(), elsewhere: false, lacks_files: false };
    assert_eq!(plan.done().map(|day| day.standing.clone()).collect::<Vec<_>>(), [DayStanding::Done(done)]);
    let refused: Vec<String> = plan.refused().map(|day| day.to_string()).collect();
    let [said] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(said.contains("b 2015-12-11 belongs to the job `other`") && said.contains("`as: ...`"), "{said}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan.to_json("data", Outlook::default())).unwrap());
}

#[test]
fn a_changed_filter_makes_the_days_stale() {
    let mut table = Table::default();
    for day in to_do(&three_days(), &all(&three_days(), &table)) {
        table.put(&day, Finality::Sealed, "job");
    }
    let changed = job(&dates("2015-12-11", "2015-12-14"), "[{ name: a, segments: [Br] }, { name: b }]");
    let plan = all(&changed, &table);
    assert_eq!(plan.counts(), Counts { planned: 3, stale: 3, done: 3, ..Counts::default() });
    assert!(plan.to_do().all(|day| day.id.0 == "a"));
    // A longer range asks the old days the same question.
    let longer = job(&dates("2015-12-10", "2015-12-15"), "[{ name: a }, { name: b }]");
    assert_eq!(all(&longer, &table).counts(), Counts { planned: 4, new: 4, done: 6, ..Counts::default() });
}

#[test]
fn a_selection_takes_days_whole_and_keeps_their_spec() {
    let manifest = three_days();
    let everything = all(&manifest, &Table::default());
    let selection = Selection {
        series: vec!["b".into()],
        range: Some("2015-12-12T23:00:00..2015-12-13T01:00:00".parse().unwrap()),
    };
    let plan = plan(&manifest, &Table::default(), now(), &selection, None).unwrap();
    assert_eq!(to_do(&manifest, &plan), to_do(&manifest, &everything)[4..6]);
    assert_eq!(plan.series.len(), 1);
    assert_eq!(plan.series[0].range, everything.series[1].range);
}

#[test]
fn selections_of_nothing_are_explained() {
    let manifest = three_days();
    let said = |series: &[&str], range: Option<&str>| {
        let selection = Selection {
            series: series.iter().map(|&id| id.to_owned()).collect(),
            range: range.map(|text| text.parse().unwrap()),
        };
        let problem = problem(plan(&manifest, &Table::default(), now(), &selection, None));
        format!("{problem} | {}", problem.hint.clone().unwrap_or_default())
    };
    assert_eq!(said(&["c"], None), "the job `job` has no series `c` | did you mean `a`?");
    assert_eq!(said(&["magnetograms"], None), "the job `job` has no series `magnetograms` | it has: a, b");
    assert!(said(&[], Some("2016-01-01..")).starts_with("the job has no days in the range `2016-01-01..` | a has"));
}

#[test]
fn a_rolling_range_follows_the_clock_and_is_an_error_when_it_is_empty() {
    let rolling = job(&dates("today-2d", "today"), "[{ name: a }]");
    let plan_at =
        |now: &str| plan(&rolling, &Table::default(), now.parse().unwrap(), &Selection::default(), None).unwrap();
    let days: Vec<_> = plan_at("2016-03-01T00:30:00Z").to_do().map(|day| day.day).collect();
    assert_eq!(days, [Day::whole(date("2016-02-28")), Day::whole(date("2016-02-29"))]);

    let ahead = job(&dates("2016-01-08", "today-3d"), "[{ name: a }]");
    let problem = problem(plan(&ahead, &Table::default(), now(), &Selection::default(), None));
    assert_eq!(problem.message, "the range of series `a` is empty now: 2016-01-08T00:00:00Z to 2016-01-07T00:00:00Z");
}

#[test]
fn many_years_are_planned_in_one_go() {
    let manifest = job(&dates("2000-01-01", "2016-06-06"), "[{ name: a }]");
    assert_eq!(all_at(late(), &manifest, &Table::default()).to_do().count(), 6001);
    // Those that have not begun are not planned; the current day is.
    assert_eq!(all(&manifest, &Table::default()).to_do().count(), 5854);
}

proptest! {
    #[test]
    fn days_are_disjoint_and_cover_the_range(start in 0i64..800_000, minutes in 1i64..100_000) {
        let first = date("2014-12-30").and_hms_opt(0, 0, 0).unwrap() + chrono::TimeDelta::minutes(start);
        let last = first + chrono::TimeDelta::minutes(minutes);
        let label = |at: NaiveDateTime| at.format("%Y-%m-%dT%H:%M:%S").to_string();
        let manifest = job(&dates(&label(first), &label(last)), "[{ name: a }]");
        let plan = all_at(late(), &manifest, &Table::default());
        let mut next = first;
        for day in plan.to_do() {
            prop_assert_eq!(day.day.window.start, next);
            prop_assert_eq!(day.day.window.start.date(), day.day.date);
            next = day.day.window.end;
        }
        prop_assert_eq!(next, last);
    }

    #[test]
    fn every_day_is_counted_once_whatever_the_records_say(kinds in prop::collection::vec(0u8..7, 6)) {
        let manifest = three_days();
        let mut table = Table::default();
        for (day, kind) in to_do(&manifest, &all(&manifest, &table)).into_iter().zip(kinds) {
            table.put_kind(day, kind);
        }
        let plan = all(&manifest, &table);
        let counts = plan.counts();
        prop_assert_eq!(plan.days().count(), 6);
        prop_assert_eq!(counts.planned, plan.to_do().count() as u64);
        prop_assert_eq!(counts.new + counts.started + counts.provisional + counts.stale + counts.damaged, counts.planned);
    }
}

/// The days of a plan, each for itself.
fn one_by_one(plan: &Plan) -> Vec<(String, Day, DayStanding)> {
    plan.days().map(|day| (day.id.0.clone(), day.day, day.standing.clone())).collect()
}

/// The days for which a lock would have to be moved, each for itself.
fn unpinned(plan: &Plan) -> Vec<(String, NaiveDate, Why)> {
    let days = plan
        .unpinned
        .iter()
        .flat_map(|Unpinned { id, window, why }| window.days().map(|day| (id.0.clone(), day.date, *why)));
    days.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn years_in_a_row_are_planned_and_counted_as_if_each_day_was_looked_at(
        ends in (0i64..500_000, 1i64..1_500_000),
        kinds in prop::collection::vec((0usize..2_000, 0u8..7), 0..40),
        pins in prop::option::of(prop::collection::vec((0usize..2_000, 0u8..8), 0..40)),
        part in prop::option::of((0i64..2_000_000, 1i64..500_000)),
        (is_exact, only_new) in prop_oneof![Just((false, false)), Just((true, false)), Just((false, true))],
    ) {
        let at = |minutes| date("2000-01-01").and_hms_opt(0, 0, 0).unwrap() + chrono::TimeDelta::minutes(minutes);
        let label = |minutes| at(minutes).format("%Y-%m-%dT%H:%M:%S").to_string();
        let manifest = job(&dates(&label(ends.0), &label(ends.0 + ends.1)), "[{ name: a }, { name: b }]");
        let mut table = Table::default();
        let asked = to_do(&manifest, &all(&manifest, &table));
        for (nth, kind) in kinds {
            table.put_kind(asked[nth % asked.len()].clone(), kind);
        }
        let locked = pins.map(|pins| Locked(pins.into_iter().map(|(nth, kind)| {
            let AskedDay { id, day, spec } = asked[nth % asked.len()].clone();
            let spec = if kind & 1 == 0 { spec } else { Digest::sha256(b"other") };
            let state = if kind & 2 == 0 { Finality::Sealed } else { Finality::Provisional };
            ((id, day.date), (Pin { spec, window: day.window, state }, kind & 4 == 0))
        }).collect()));
        let bond = locked.as_ref().map(|pins| Bond { pins, is_exact, only_new });
        let range = part.map(|(from, lasting)| format!("{}..{}", label(from), label(from + lasting)).parse().unwrap());
        let selection = Selection { series: Vec::new(), range };
        match (
            plan(&manifest, &table, now(), &selection, bond),
            plan(&manifest, &Dense(&table), now(), &selection, bond),
        ) {
            (Ok(sparse), Ok(dense)) => {
                prop_assert_eq!(one_by_one(&sparse), one_by_one(&dense));
                prop_assert_eq!(unpinned(&sparse), unpinned(&dense));
                prop_assert_eq!(&sparse.series, &dense.series);
                let mut counts = Counts::default();
                dense.days().for_each(|day| counts.add(day.standing, 1));
                prop_assert_eq!(counts, dense.counts());
            }
            (sparse, dense) => prop_assert_eq!(sparse, dense),
        }
    }
}

#[test]
fn days_that_stand_alike_take_no_room_each() {
    let manifest = job(&dates("1900-01-01", "2199-12-31T06:00:00"), "[{ name: a }]");
    let mut table = Table::default();
    table.0.insert(("a".into(), date("1955-05-05")), DayStatus::Started { files: 1 });
    let plan = all_at(late(), &manifest, &table);
    assert_eq!(plan.series[0].days.len(), 3);
    let last = plan.to_do().next_back().map(|day| (day.day.date, day.day.window.end.to_string()));
    assert_eq!(last, Some((date("2199-12-31"), "2199-12-31 06:00:00".to_owned())));
    assert_eq!(plan.counts(), Counts { planned: 109_573, new: 109_572, started: 1, ..Counts::default() });
}

/// Lets each region that a range follows be seen from 2011-02-10 to 2011-02-21, as JSOC would say.
fn follow(series: &mut Series) {
    let at = |text: &str| text.parse().unwrap();
    let window = Window { start: at("2011-02-10T22:00:00"), end: at("2011-02-21T10:12:00") };
    let patch = Patch { harpnum: 377, window: Some(window) };
    let regions = series.regions_of_range().map(|number| Region { number, patches: vec![patch] });
    let regions: Vec<Region> = regions.collect();
    series.learn(regions);
}

/// The jobs that come with the product are read, say what their schema allows, and have days to do.
#[test]
fn the_jobs_in_the_repository_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let schema = jsonschema::validator_for(&manifest::schema::job()).unwrap();
    let mut planned = HashMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut job = manifest::load(&path, &|_| None).unwrap_or_else(|said| panic!("{said}"));
        job.series.iter_mut().for_each(follow);
        assert!(text.starts_with("# yaml-language-server: $schema=../schemas/job.schema.json\n"), "{}", job.name);
        assert!(job.warnings(DateTime::UNIX_EPOCH).is_empty(), "{}", job.name);
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(job.name.as_str()));
        let json: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert!(schema.is_valid(&json), "{}", job.name);
        planned.insert(job.name.clone(), all(&job, &Table::default()).to_do().count());
    }
    for (name, days) in [
        ("quickstart", 6),
        ("sharp-france", 3),
        ("nightly", 60),
        ("sharp-cea-jsoc", 7),
        ("flare-features-jsoc", 365),
        ("ar11158", 12),
        ("sharp-medoc", 7),
        ("aia-and-goes", 6),
        ("hapi", 3),
    ] {
        assert_eq!(planned.get(name), Some(&days), "{name}");
    }
}
