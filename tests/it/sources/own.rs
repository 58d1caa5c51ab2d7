//! A source of one's own, as the section of tests/README.md on adding one has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use sunhaul::day::{Day, Window};
use sunhaul::failure::{Class, Failure};
use sunhaul::manifest::Series;
use sunhaul::source::{Listed, Listing, Memory, RemoteFile, Source};
use url::Url;

use crate::lab::recipe;

// The block of tests/README.md begins here.
/// Drawings of the Sun: one a day, at a place that follows from its date.
struct Drawings {
    base: Url,
}

impl Source for Drawings {
    fn list<'a>(&'a self, _: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(async move {
            let path = day.date.format("%Y/%m/drawing_%d.fits").to_string();
            let at = self.base.join(&path);
            let url = at.map_err(|error| Failure::new(Class::SourceRefused, format!("{}: {error}", self.base)))?;
            let noon = day.date.and_hms_opt(12, 0, 0).unwrap_or(day.window.start);
            let mut listed = Listed::default();
            if day.window.contains(noon) {
                listed.files.push(RemoteFile::new(path.clone(), url, format!("/{path}"), noon));
            }
            Ok(listed)
        })
    }
}
// It ends here.

#[test]
fn the_source_that_the_documentation_shows_is_this_one_and_lists() {
    let (_, code) = include_str!("own.rs").split_once("begins here.\n").expect("a beginning");
    let (code, _) = code.split_once("// It ends here.").expect("an end");
    assert_eq!(recipe("rust", "impl Source for").trim(), code.trim());
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 22, "twenty lines, as promised: {lines}");

    let urls: Vec<String> = list(&drawings("drawings.example"), &whole("2015-12-11")).into_iter().map(url).collect();
    assert_eq!(urls, ["http://drawings.example/sun/2015/12/drawing_11.fits"]);
}

fn url(file: RemoteFile) -> String {
    file.url.into()
}

fn drawings(host: &str) -> Drawings {
    Drawings { base: format!("http://{host}/sun/").parse().expect("a URL") }
}

fn whole(date: &str) -> Day {
    Day::whole(date.parse().expect("a date"))
}

/// The files of a day, which must be the same when they are listed again.
#[track_caller]
fn list(source: &dyn Source, day: &Day) -> Vec<RemoteFile> {
    let text = "version: 1\nname: own\nsource: { embedded: {} }\nrange: { start: 2015-12-11, end: 2015-12-12 }\n\
                series: [{ name: drawings }]\narchive: { root: data }\n";
    let job = sunhaul::manifest::parse(std::path::Path::new("job.yaml"), text.as_bytes(), &|_| None).expect("a job");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let listed = || runtime.block_on(source.list(&job.series[0], day, None)).expect("a listing");
    let first = listed();
    assert_eq!(first, listed(), "the same upstream gives the same listing");
    first.files
}

/// It is no kind that a manifest can name, so no run can hold it to the rows of `contract`. What the trait asks of a
/// listing, it is held to here.
#[test]
fn its_listing_keeps_to_what_the_trait_asks() {
    let source = drawings("drawings.example");
    let mut seen = BTreeSet::new();
    for date in ["2015-12-10", "2015-12-11", "2015-12-12"] {
        let day = whole(date);
        let files = list(&source, &day);
        assert_eq!(files.len(), 1, "{date}");
        assert!(files.is_sorted_by(|one, next| one.key < next.key), "sorted by key, without repeats: {files:?}");
        assert!(files.iter().all(|file| day.window.contains(file.time)), "in its day: {files:?}");
        assert!(files.iter().all(|file| file.url.origin() == source.base.origin()), "on its own host: {files:?}");
        assert!(files.iter().all(|file| seen.insert(file.key.clone())), "days side by side have each file once");
        let keys = |files: Vec<RemoteFile>| files.into_iter().map(|file| (file.key, file.path)).collect::<Vec<_>>();
        let elsewhere = list(&drawings("mirror.example"), &day);
        assert_eq!(keys(elsewhere), keys(files.clone()), "keys and paths are free of hosts");
        // Wherever a day is cut, at its midnights and at the very time of a file too: each file is on one side.
        let Window { start, end } = day.window;
        for hour in 0..=24 {
            let cut = start + chrono::TimeDelta::hours(hour);
            let parts = [Window { start, end: cut }, Window { start: cut, end }];
            let parts = parts.map(|window| list(&source, &Day { window, ..day }));
            assert_eq!(parts.concat(), files, "{date} cut at {cut}");
            assert!(hour != 12 || parts[0].is_empty(), "half-open: what is at the cut belongs to what begins there");
        }
    }
}
