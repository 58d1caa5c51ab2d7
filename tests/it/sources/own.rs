//! A source of one's own, as the README's section on adding one has it.

use std::sync::Arc;

use sunhaul::day::Day;
use sunhaul::failure::{Class, Failure};
use sunhaul::manifest::Series;
use sunhaul::source::{Listed, Listing, Memory, RemoteFile, Source};
use url::Url;

use crate::lab::recipe;

// The block of the README begins here.
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
fn the_readme_s_own_source_is_this_one_and_lists() {
    let (_, code) = include_str!("own.rs").split_once("begins here.\n").expect("a beginning");
    let (code, _) = code.split_once("// It ends here.").expect("an end");
    assert_eq!(recipe("rust", "impl Source for").trim(), code.trim());
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 22, "twenty lines, as promised: {lines}");

    let drawings = Drawings { base: "http://drawings.example/sun/".parse().expect("a URL") };
    let text = "version: 1\nname: own\nsource: { embedded: {} }\nrange: { start: 2015-12-11, end: 2015-12-12 }\n\
                series: [{ name: drawings }]\narchive: { root: data }\n";
    let job = sunhaul::manifest::parse(std::path::Path::new("job.yaml"), text.as_bytes(), &|_| None).expect("a job");
    let day = Day::whole("2015-12-11".parse().expect("a date"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let listed = runtime.block_on(drawings.list(&job.series[0], &day, None)).expect("a listing");
    let urls: Vec<&str> = listed.files.iter().map(|file| file.url.as_str()).collect();
    assert_eq!(urls, ["http://drawings.example/sun/2015/12/drawing_11.fits"]);
    let morning = Day {
        window: sunhaul::day::Window { end: day.window.start + chrono::TimeDelta::hours(6), ..day.window },
        ..day
    };
    assert!(runtime.block_on(drawings.list(&job.series[0], &morning, None)).expect("a listing").files.is_empty());
}
