//! Days that order, and what is remembered of it.

use super::*;
use crate::day::Day;
use crate::manifest::Protocol;
use crate::source::hmi::tests::{client, ok, service};
use crate::source::jsoc::structure::{Structure, tests::SHARP};
use crate::source::jsoc::tests::ordered;

#[derive(Default)]
struct Kept(Mutex<Option<String>>);

impl Memory for Kept {
    fn recall(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    fn keep(&self, text: &str) -> Result<(), Failure> {
        *self.0.lock().unwrap() = Some(text.to_owned());
        Ok(())
    }

    fn here(&self, _: &[RemoteFile]) -> HashSet<String> {
        HashSet::new()
    }
}

fn window(date: &str) -> Window {
    Day::whole(date.parse().unwrap()).window
}

#[tokio::test]
async fn an_order_that_takes_too_long_ends_the_orders_of_the_run_and_is_remembered() {
    let (base, asked) = service(ok(r#"{"status":2,"requestid":"JSOC_1","wait":0}"#)).await;
    let structure = Structure::read(SHARP.as_bytes()).unwrap();
    let series = ordered("hmi.sharp_cea_720s", Protocol::Fits);
    let question = RecordQuery::of(&series, &structure).unwrap();
    let export = question.export().unwrap().clone();
    let desk = Desk { patience: Duration::ZERO, ..Desk::new(base.clone(), client(&base), export) };
    let memory: Arc<dyn Memory> = Arc::new(Kept::default());
    // The same day once more, as the next attempt at its listing; and another one.
    for date in ["2011-02-15", "2011-02-15", "2011-02-16"] {
        let window = window(date);
        let mut files = [RemoteFile::new("1/Br".into(), base.clone(), "/x".into(), window.start)];
        let names = Names::new();
        let not_orderable = BTreeSet::new();
        let wanted = DayOrder { window, files: &mut files, names, size: 1, not_orderable, memory: &memory };
        let failure = desk.fill(&question, wanted, desk.coming().await).await.unwrap_err();
        assert_eq!((failure.class, failure.class.is_retried()), (Class::Pending, false), "{failure}");
        assert!(failure.message.contains("the order `JSOC_1`: it is not done after 24 hours"), "{failure}");
    }
    assert_eq!(asked.lock().unwrap().len(), 1, "one order, and no other one while it is under way");
    assert!(memory.recall().unwrap().contains("JSOC_1"));
}

#[tokio::test]
async fn a_day_that_is_listed_once_more_is_not_waited_for_anew() {
    let base: Url = "http://127.0.0.1:9/".parse().unwrap();
    let series = ordered("hmi.sharp_cea_720s", Protocol::Fits);
    let structure = Structure::read(SHARP.as_bytes()).unwrap();
    let export = RecordQuery::of(&series, &structure).unwrap().export().unwrap().clone();
    let desk = Desk::new(base.clone(), client(&base), export);
    let waiting = |date: &str| Waiting {
        window: window(date),
        names: Arc::default(),
        size: 0,
        due: Arc::default(),
        not_orderable: Arc::default(),
        memory: Arc::new(Kept::default()),
        answer: oneshot::channel().0,
    };
    let first = desk.end_of(&[waiting("2011-02-15")]);
    assert_eq!(desk.end_of(&[waiting("2011-02-15"), waiting("2011-02-17")]), first);
}

#[test]
fn of_a_day_that_is_looked_at_again_only_the_time_of_what_is_new_is_ordered() {
    let day = Day::whole("2011-02-15".parse().unwrap()).window;
    let file = |key: &str, time: &str| {
        let url = Url::parse("http://h.example/x").unwrap();
        RemoteFile::new(key.to_owned(), url, "/x".to_owned(), format!("2011-02-15T{time}").parse().unwrap())
    };
    let mut files = vec![file("1", "00:00:00"), file("2", "12:00:00"), file("3", "12:12:00"), file("4", "23:48:00")];
    let asked = |files: &[RemoteFile], here: &[&str]| {
        let here = here.iter().map(|key| (*key).to_owned()).collect();
        let window = lacking(day, files, TimeDelta::seconds(720), &here)?;
        Some(format!("{} {}", window.start.format("%H:%M"), window.end.format("%d %H:%M")))
    };
    assert_eq!(asked(&files, &[]).as_deref(), Some("00:00 16 00:00"));
    assert_eq!(asked(&files, &["1", "4"]).as_deref(), Some("12:00 15 12:24"));
    assert_eq!(asked(&files, &["1", "2", "3"]).as_deref(), Some("23:48 16 00:00"));
    assert_eq!(asked(&files, &["1", "2", "3", "4"]), None);
    files[3].body = Body::None;
    assert_eq!(asked(&files, &["1", "2", "3"]), None, "there is no file to order");
    assert_eq!(asked(&[], &[]), None);
}
