//! A run through the library's door: with a clock of the test's own, and every event kept.
//!
//! What it does not do: plan. The order holds the first day of the first series of `job.yaml`, whatever is there of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sunhaul::archive::Archive;
use sunhaul::manifest;
use sunhaul::net::Net;
use sunhaul::run::budget::Budget;
use sunhaul::run::event::{Event, Observer};
use sunhaul::run::{Backlog, How, RunOrder, RunOutcome, execute};
use tokio_util::sync::CancellationToken;

use super::{Lab, PATIENCE, Server};

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<Event>>);

impl Told {
    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().expect("a lock"))
    }
}

impl Observer for Told {
    fn on(&self, event: Event) {
        self.0.lock().expect("a lock").push(event);
    }
}

impl Lab {
    /// An order, and who is told of its run. The second look at an empty listing is taken at once.
    pub(crate) fn order(&self, server: &Server, now: fn() -> DateTime<Utc>) -> (RunOrder, Arc<Told>) {
        let job = manifest::load(&self.path("job.yaml"), &|_| None).unwrap_or_else(|e| panic!("{}", e.render(false)));
        let series = &job.series[0];
        let day = series.range.resolve(now(), series.source.scale()).days().next().expect("a day");
        let told = Arc::new(Told::default());
        let mut days = Backlog::default();
        days.push(&series.id, day.window, How::default());
        let order = RunOrder {
            days,
            already_sealed: 0,
            archive: Arc::new(Archive::open(&job.archive.root, job.archive.lock).expect("an archive")),
            locked: None,
            import_folder: None,
            net: Net::new(),
            bases: BTreeMap::from([(series.id.clone(), vec![server.url().parse().expect("a URL")])]),
            run: "20260101T000000Z-0000000000000001".to_owned(),
            observer: told.clone(),
            stop: CancellationToken::new(),
            budget: Arc::new(Budget::unlimited()),
            now,
            second_look: Duration::from_millis(20),
            retry_failed: false,
            manifest: Arc::new(job),
        };
        (order, told)
    }
}

/// Carries out an order, which must end.
pub(crate) fn carry_out(order: RunOrder) -> RunOutcome {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, execute(order)).await });
    ended.expect("the run ends").expect("a source that opens")
}
