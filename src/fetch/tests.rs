//! One attempt at a time against a server that answers by script: what becomes of a part, and of a file that is here.

mod kept;
mod refused_rest;
mod resume_matrix;
mod ways_in;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::*;
use crate::archive::{Archive, Checked, DayWork, Opened, Trust};
use crate::digest::Digest;
use crate::manifest::{Limits, LockMode, Rate, Retry, SeriesId, Timeouts};
use crate::net::{Net, Policy};

/// The validator of all that is served here.
const TAG: &str = "\"one\"";

/// Bytes that differ from place to place, with a name that no check knows.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7).to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
}

/// An answer's head and body.
fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nDate: Sat, 12 Dec 2015 20:00:00 GMT\r\n").into_bytes();
    for (name, value) in headers {
        answer.extend(format!("{name}: {value}\r\n").bytes());
    }
    answer.extend(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).bytes());
    answer.extend(body);
    answer
}

fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &[("ETag", TAG)], body)
}

/// The rest from `from` on, said to be so, of `total` bytes.
fn rest(body: &[u8], from: u64, total: usize) -> Vec<u8> {
    let range = format!("bytes {from}-{}/{total}", body.len() - 1);
    let body = &body[usize::try_from(from).unwrap()..];
    answer("206 Partial Content", &[("ETag", TAG), ("Content-Range", &range)], body)
}

/// Answers a request by its head; `None` ends the server.
type Handler = Box<dyn FnMut(&str) -> Option<Vec<u8>> + Send>;

/// A file on a server, and the place of its part.
struct Lab {
    _folder: tempfile::TempDir,
    client: Client,
    file: RemoteFile,
    work: Box<DayWork>,
    /// What the lock has for it.
    locked: Option<LockedBody>,
    /// The heads of the requests so far.
    asked: Arc<Mutex<Vec<String>>>,
    handler: Arc<Mutex<Handler>>,
}

fn remote_file(base: &Url) -> RemoteFile {
    RemoteFile {
        key: "k".into(),
        url: base.join("a.dat").unwrap(),
        path: "/a.dat".into(),
        name: None,
        time: chrono::NaiveDateTime::default(),
        t_rec: None,
        instant: None,
        source_series: None,
        recnum: None,
        harpnum: None,
        segment: None,
        wavelength: None,
        bytes: None,
        listed: None,
        rounded: None,
        cards: None,
        storage: None,
        body: crate::source::Body::Remote,
    }
}

impl Lab {
    /// Each answer goes to one request, in turn.
    fn new(answers: Vec<Vec<u8>>) -> Lab {
        let mut answers = VecDeque::from(answers);
        Lab::answering(Box::new(move |_| answers.pop_front()))
    }

    /// Requests are answered by this handler, until another takes its place.
    fn answering(handler: Handler) -> Lab {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let handler = Arc::new(Mutex::new(handler));
        let (seen, answers) = (Arc::clone(&asked), Arc::clone(&handler));
        std::thread::spawn(move || {
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
                let head = head.join("\n").to_lowercase();
                let answer = (answers.lock().unwrap())(&head);
                seen.lock().unwrap().push(head);
                let Some(answer) = answer else { return };
                // The client may have heard enough before the end.
                let _ = stream.write_all(&answer);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let archive = Arc::new(Archive::open(folder.path(), LockMode::Flock).unwrap());
        let series = SeriesId("s".into());
        let spec = Digest::sha256(b"asked");
        let Opened::Work(work) = archive.take(&series, "2015-12-11".parse().unwrap(), spec, "job", Trust::All).unwrap()
        else {
            panic!("a new day is there to be taken");
        };
        let policy = Policy {
            job: "job".into(),
            run: "run".into(),
            contact: None,
            limits: Limits { requests: Some(Rate::Unlimited), ..Limits::default() },
            timeouts: Timeouts { connect: Duration::from_secs(20), stall: Duration::from_secs(20) },
            retry: Retry { attempts: 1, max_wait: Duration::ZERO },
            way: crate::manifest::HostAccess::Direct,
        };
        let file = remote_file(&base);
        Lab {
            _folder: folder,
            client: Net::new().client(&base, policy).unwrap(),
            file,
            work,
            locked: None,
            asked,
            handler,
        }
    }

    fn part(&self) -> PartialFile {
        self.work.part(&self.file.key).unwrap()
    }

    /// Leaves a part of an attempt before this one.
    fn left(&self, bytes: &[u8], etag: &str, total: Option<usize>) {
        let total = total.map(|total| total as u64);
        let validators = Validators { etag: Some(etag.to_owned()), total, ..self.resource_only() };
        self.part().create(&validators).unwrap().write(bytes).unwrap();
    }

    /// Nothing but where the file's own answers come from.
    fn resource_only(&self) -> Validators {
        Validators { resource: Some(Digest::sha256(self.file.url.as_str().as_bytes())), ..Validators::default() }
    }

    async fn attempt(&self) -> Result<FetchOutcome, FailedFetch> {
        self.attempt_with(None).await
    }

    async fn attempt_with(&self, kept: Option<&FileLine>) -> Result<FetchOutcome, FailedFetch> {
        let verify = Verify { fits: true, magic: true };
        let part = self.part();
        let identity = Identity::FitsData;
        let (client, file, locked) = (&self.client, &self.file, self.locked.as_ref());
        let may_restart = true;
        attempt(&Ask {
            client,
            file,
            part: &part,
            copy: None,
            kept,
            locked,
            verify,
            identity,
            may_restart,
            received: &|_| {},
        })
        .await
    }

    /// An attempt that brings these very bytes.
    async fn brings(&self, body: &[u8]) -> Fetched {
        match self.attempt().await {
            Ok(FetchOutcome::File(fetched)) => {
                assert_eq!((fetched.body.bytes, fetched.body.sha256), (body.len() as u64, Digest::sha256(body)));
                *fetched
            }
            other => panic!("{other:?}"),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// How long a part is left, and from where the rest of it is asked for.
const LEFT: usize = 100_000;
const FROM: u64 = LEFT as u64 - OVERLAP;

#[tokio::test]
async fn a_part_is_gone_on_with_from_its_overlap() {
    let body = bytes(300_000);
    let lab = Lab::new(vec![rest(&body, FROM, body.len())]);
    lab.left(&body[..LEFT], TAG, Some(body.len()));
    let fetched = lab.brings(&body).await;
    assert_eq!((fetched.resumed_bytes, fetched.restarted), (LEFT as u64, false));
    assert!(fetched.staged.is_part(), "it stays where it was begun");
    assert!(lab.asked()[0].contains(&format!("range: bytes={FROM}-")), "{:?}", lab.asked());
    assert!(lab.asked()[0].contains("if-range: \"one\""));
}

#[tokio::test]
async fn a_206_that_contradicts_the_part_means_the_whole_is_asked_for_anew() {
    let body = bytes(300_000);
    let range = |text: &str| answer("206 Partial Content", &[("ETag", TAG), ("Content-Range", text)], &body[..9]);
    let other_tag = [("ETag", "\"two\""), ("Content-Range", &format!("bytes {FROM}-299999/300000"))];
    let multipart = [("Content-Type", "multipart/byteranges; boundary=x"), ("ETag", TAG)];
    let shorter = format!("bytes {FROM}-{}/{}", LEFT - 2, LEFT - 1);
    for (what, contradiction) in [
        ("another total", rest(&body, FROM, body.len() + 1)),
        ("another start", rest(&body, FROM + 1, body.len())),
        ("no total", range(&format!("bytes {FROM}-299999/*"))),
        ("no range", answer("206 Partial Content", &[("ETag", TAG)], &body[..9])),
        ("no proper range", range("bytes 5-4/10")),
        ("another tag", answer("206 Partial Content", &other_tag, &body[usize::try_from(FROM).unwrap()..])),
        ("several ranges", answer("206 Partial Content", &multipart, &body[..9])),
        ("other bytes in the overlap", rest(&bytes(300_001)[1..], FROM, body.len())),
        ("less than the overlap", range(&format!("bytes {FROM}-299999/300000"))),
        ("a shorter file", range(&shorter)),
    ] {
        let lab = Lab::new(vec![contradiction, whole(&body)]);
        lab.left(&body[..LEFT], TAG, (what != "a shorter file").then_some(body.len()));
        let fetched = lab.brings(&body).await;
        assert_eq!((fetched.resumed_bytes, fetched.restarted), (0, true), "{what}");
        assert!(!lab.asked()[1].contains("range:"), "{what}");
        assert!(!fetched.staged.is_part() && lab.part().left().is_none(), "{what}");
    }
}

#[tokio::test]
async fn r_07_a_200_to_a_range_may_be_a_slice_and_the_whole_is_asked_for_without_one() {
    let body = bytes(300_000);
    let slice = &body[usize::try_from(FROM).unwrap()..];
    let tagged = |etag: &str, body: &[u8]| answer("200 OK", &[("ETag", etag)], body);
    let chunked = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nETag: {TAG}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    let multipart = answer("200 OK", &[("ETag", TAG), ("Content-Type", "multipart/byteranges; boundary=x")], slice);
    let mut cut = whole(&body);
    cut.drain(cut.len() - body.len()..cut.len() - slice.len());
    let total = Some(body.len());
    for (what, sent, total, listed) in [
        ("the whole", tagged(TAG, &body), total, None),
        ("the whole in chunks", chunked(&body), total, None),
        ("a slice", tagged(TAG, slice), total, None),
        ("a slice under the length of the whole", cut, total, None),
        ("a slice, and a listed size", tagged(TAG, slice), total, total),
        ("a slice, where no length is known", tagged(TAG, slice), None, None),
        ("a slice without a validator", answer("200 OK", &[], slice), total, None),
        ("a slice of another version", tagged("\"two\"", slice), total, None),
        ("a slice of another version, as long as the whole was", tagged("\"two\"", slice), Some(slice.len()), None),
        ("a slice in chunks", chunked(slice), total, None),
        ("several ranges", multipart, total, None),
    ] {
        let mut lab = Lab::new(vec![sent, whole(&body)]);
        lab.file.bytes = listed.map(|listed| listed as u64);
        lab.left(&bytes(LEFT), TAG, total);
        assert!(lab.brings(&body).await.restarted, "{what}");
        let asked = lab.asked();
        assert_eq!(asked.len(), 2, "{what}");
        assert!(asked[0].contains("range:") && !asked[1].contains("range:"), "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn a_416_is_believed_only_when_the_part_is_whole_by_its_length_and_proved_so() {
    let body = bytes(LEFT);
    let refusal = |range: &[(&str, &str)]| answer("416 Range Not Satisfiable", range, b"");
    let all = format!("bytes */{LEFT}");

    // Its length was told when it was begun.
    let lab = Lab::new(vec![refusal(&[("Content-Range", &all)])]);
    lab.left(&body, TAG, Some(LEFT));
    let fetched = lab.brings(&body).await;
    assert_eq!((fetched.resumed_bytes, fetched.restarted), (LEFT as u64, false));

    // Only the 416 tells it, and nothing else proves that it is whole.
    let lab = Lab::new(vec![refusal(&[("Content-Range", &all)]), whole(&body)]);
    lab.left(&body, TAG, None);
    assert!(lab.brings(&body).await.restarted);

    for range in [&[][..], &[("Content-Range", "bytes */99999")], &[("Content-Range", "bytes */*")]] {
        let lab = Lab::new(vec![refusal(range), whole(&body)]);
        lab.left(&body, TAG, Some(LEFT));
        assert!(lab.brings(&body).await.restarted, "{range:?}");
    }
}

#[tokio::test]
async fn a_part_that_cannot_be_trusted_is_removed_and_not_asked_about() {
    let body = bytes(300_000);
    let small = usize::try_from(OVERLAP).unwrap();
    for (length, etag, total) in [
        (LEFT, "W/\"one\"", None),
        (LEFT, "one", None),
        (LEFT, "\"", None),
        (small, TAG, None),
        (LEFT, TAG, Some(LEFT - 1)),
    ] {
        let lab = Lab::new(vec![whole(&body)]);
        lab.left(&body[..length], etag, total);
        let fetched = lab.brings(&body).await;
        assert_eq!((fetched.resumed_bytes, fetched.restarted), (0, false), "{etag}");
        assert!(!lab.asked()[0].contains("range:"), "{:?}", lab.asked());
    }
}

#[tokio::test]
async fn a_part_is_gone_on_with_when_the_rest_breaks_off_and_not_when_it_is_too_long() {
    let body = bytes(300_000);
    let mut broken = rest(&body, FROM, body.len());
    broken.truncate(broken.len() - 1000);
    let lab = Lab::new(vec![broken, rest(&body, 299_000 - OVERLAP, body.len())]);
    lab.left(&body[..LEFT], TAG, Some(body.len()));
    let failed = lab.attempt().await.unwrap_err();
    assert_eq!((failed.failure.class, failed.restarted), (Class::Truncated, false));
    assert_eq!(lab.part().left().unwrap().1, 299_000);
    assert_eq!(lab.brings(&body).await.resumed_bytes, 299_000);

    // More than its Content-Range says, and less: the framing says where the body ends, and contradicts the range.
    let longer = bytes(300_001);
    for (sent, class) in [(&longer[..], Class::TooLong), (&body[..299_000], Class::Truncated)] {
        let lab = Lab::new(vec![chunked_rest(sent, FROM, "bytes 34464-299999/300000"), whole(&body)]);
        lab.left(&body[..LEFT], TAG, Some(300_000));
        assert_eq!(lab.attempt().await.unwrap_err().failure.class, class);
        assert_eq!(lab.brings(&body).await.resumed_bytes, 0);
        assert!(!lab.asked()[1].contains("range:"));
    }
}

/// The rest in chunks, so that nothing tells its length beforehand.
fn chunked_rest(body: &[u8], from: u64, range: &str) -> Vec<u8> {
    let rest = &body[usize::try_from(from).unwrap()..];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: {TAG}\r\nContent-Range: {range}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n{:x}\r\n",
        rest.len()
    );
    [head.as_bytes(), rest, b"\r\n0\r\n\r\n"].concat()
}

fn small() -> usize {
    usize::try_from(OVERLAP).unwrap()
}

#[tokio::test]
async fn small_bodies_of_known_length_have_no_name_and_others_go_to_a_part() {
    let most = usize::try_from(SMALL).unwrap();
    for (length, is_unnamed) in [(0, true), (1, true), (most, true), (most + 1, false)] {
        let body = bytes(length);
        let lab = Lab::new(vec![whole(&body)]);
        let fetched = lab.brings(&body).await;
        assert_eq!(!fetched.staged.is_part(), is_unnamed, "{length}");
        assert_eq!(lab.part().path().exists(), !is_unnamed, "{length}");
        assert_eq!((fetched.body.checked, fetched.validators.total), (Checked::Size, Some(length as u64)));
    }
    // Without a length nobody knows how long it gets.
    let body = bytes(1000);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3e8\r\n";
    let lab = Lab::new(vec![[chunked.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()]);
    assert!(lab.brings(&body).await.staged.is_part());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_kept_where_it_may_be_gone_on_with() {
    let body = bytes(300_000);
    for (came, is_left) in [(small() + 1, true), (small(), false)] {
        let mut broken = whole(&body);
        broken.truncate(broken.len() - body.len() + came);
        let lab = Lab::new(vec![broken]);
        assert_eq!(lab.attempt().await.unwrap_err().failure.class, Class::Truncated);
        let left = lab.part().left();
        assert_eq!(left.map(|(told, length)| (told.total, length)), is_left.then_some((Some(300_000), came as u64)));
    }
}
