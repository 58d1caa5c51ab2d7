//! The service over real HTTP on loopback: listings, files and their parts, refusals.

mod browse;
mod listed;

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::fits::{FitsCheck, FitsProof};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The tutorial's day.
const DAY: &str = "start=2015-12-11T00%3A00%3A00Z&end=2015-12-12T00%3A00%3A00Z";

/// A service and a client of it.
struct Lab {
    running: Running,
    client: reqwest::Client,
}

/// An answer, read to its end.
struct Got {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The detail of an error, which must be one of `status` in the right form.
    #[track_caller]
    fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"));
        assert_eq!(self.json()["status"], json!(status));
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }
}

impl Lab {
    async fn embedded(seed: u64) -> Lab {
        Lab::over(embedded(seed, LOOPBACK).await.expect("a service"))
    }

    fn over(running: Running) -> Lab {
        Lab { running, client: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }

    fn url(&self, path: &str) -> String {
        self.running.base_url().join(path).expect("a URL").into()
    }

    async fn send(&self, method: reqwest::Method, url: &str, headers: &[(&str, &str)]) -> Got {
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(HeaderName::from_bytes(name.as_bytes()).expect("a name"), *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Got { status, headers, body: response.bytes().await.expect("a body").to_vec() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(reqwest::Method::GET, &self.url(path), &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(reqwest::Method::GET, &self.url(path), headers).await
    }
}

/// The bytes of a FITS file that is a header alone.
fn header_file() -> Vec<u8> {
    let cards = fitsio_pure::primary::build_primary_header(8, &[]).expect("a header");
    fitsio_pure::header::serialize_header(&cards).expect("a header")
}

/// The keys of an item, in their order on the wire.
fn keys(item: &Value) -> Vec<&str> {
    item.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn v1_lists_files_under_the_clients_own_host() {
    let lab = Lab::embedded(0).await;
    let listed = lab.get(&format!("HMI/sharp_720s?{DAY}")).await.json();
    let items = listed.as_array().expect("a list");
    assert!((100..=120).contains(&items.len()), "{} items", items.len());
    let tutorial = json!({
        "url": lab.url("HMI/sharp_720s/sharp_720s_20151211_182208"),
        "date_obs": "2015-12-11T18:22:08.799999Z",
    });
    assert!(items.contains(&tutorial), "{items:?}");
    let port = lab.running.base_url().port().expect("a port");
    let by_name = format!("localhost:{port}");
    let listed = lab.get_with(&format!("HMI/sharp_720s?{DAY}"), &[("host", &by_name)]).await.json();
    let url = listed[0]["url"].as_str().expect("a URL");
    assert!(url.starts_with(&format!("http://{by_name}/HMI/")), "{url}");
}

#[tokio::test]
async fn a_listing_starts_at_its_start_and_ends_before_its_end() {
    let lab = Lab::embedded(0).await;
    let count = async |start: &str, end: &str| {
        let got = lab.get(&format!("HMI/sharp_720s?start={start}&end={end}")).await;
        got.json().as_array().expect("a list").len()
    };
    // The v1 label tells the instant a microsecond short; the record's own is 18:22:08.8.
    assert_eq!(count("2015-12-11T18:22:08.8Z", "2015-12-11T18:22:08.9Z").await, 1);
    assert_eq!(count("2015-12-11T18:22:00Z", "2015-12-11T18:22:08.8Z").await, 0);
    assert_eq!(count("2015-12-11", "2015-12-11").await, 0);
    assert_eq!(count("2009-01-01", "2009-01-02").await, 0);
}

#[tokio::test]
async fn v2_and_v3_list_records_with_their_segments() {
    let lab = Lab::embedded(0).await;
    let v2 = lab.get(&format!("HMI/sharp_cea_720s_nrt?{DAY}")).await.json();
    let fields = "date__obs download_time exptime mask_cadence nbr_update quality recnum recnum_init series_name t_rec_index time type urls";
    let mut expected: Vec<&str> = fields.split(' ').collect();
    let sorted = |item: &Value| {
        let mut keys: Vec<String> = keys(item).into_iter().map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&v2[0]), expected);
    let url = v2[0]["urls"][6].as_str().expect("a URL");
    let recnum = v2[0]["recnum"].as_i64().expect("a number");
    assert_eq!(url, lab.url(&format!("HMI/sharp_cea_720s_nrt/{recnum}_20151211001008_Br.fits")));

    let v3 = lab.get(&format!("HMI/hmi.sharp_cea_720s?{DAY}&meta=true")).await.json();
    expected.extend(["harpnum", "meta", "wavelnth"]);
    expected.sort_unstable();
    assert_eq!(sorted(&v3[0]), expected);
    let recnum = v3[0]["recnum"].as_i64().expect("a number");
    assert_eq!(v3[0]["urls"][6], json!(lab.url(&format!("HMI/hmi.sharp_cea_720s/{recnum}/Br.fits"))));
    let got = lab.get(v3[0]["urls"][6].as_str().expect("a URL")).await;
    assert_eq!(got.header("content-disposition"), "attachment; filename=Br.fits");
    let plain = lab.get(&format!("HMI/hmi.sharp_cea_720s?{DAY}&meta=false")).await.json();
    assert_eq!(plain[0].get("meta"), None);

    let path = format!("HMI/hmi.sharp_cea_720s/meta/{recnum}?fields=area,HARPNUM,distcoef");
    let meta = lab.get(&path).await.json();
    let record = &meta[recnum.to_string()];
    assert_eq!(record["t_rec_index"], v3[0]["t_rec_index"]);
    assert_eq!(record["meta"]["harpnum"], v3[0]["harpnum"]);
    assert_eq!(record["meta"].as_object().expect("an object").len(), 2);
    lab.get("HMI/hmi.sharp_cea_720s/meta/1,x").await.problem(400);
    let unknown = lab.get(&format!("HMI/hmi.sharp_cea_720s/meta/{recnum}?fields=area,colour")).await.problem(400);
    assert!(unknown.starts_with("unknown field `colour`: there are area, cmask"), "{unknown}");
    lab.get(&format!("HMI/hmi.sharp_cea_720s/meta/{recnum}?field=area")).await.problem(400);
    for absent in ["1", "99999999", &format!("{recnum},99999999")] {
        let missing = lab.get(&format!("HMI/hmi.sharp_cea_720s/meta/{absent}")).await.problem(404);
        assert!(missing.starts_with("`hmi.sharp_cea_720s` has no record "), "{missing}");
    }
    lab.get(&format!("HMI/sharp_cea_720s_nrt/meta/{recnum}")).await.problem(404);
}

#[tokio::test]
async fn a_file_comes_with_its_name_unquoted_and_its_validators() {
    let lab = Lab::embedded(0).await;
    let path = "HMI/sharp_720s/sharp_720s_20151211_182208";
    let got = lab.get(path).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.header("content-disposition"), "attachment; filename=sharp_720s_20151211_182208.fits");
    assert_eq!(got.header("content-type"), "application/fits");
    assert_eq!(got.header("content-length"), got.body.len().to_string());
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert_eq!(got.header("last-modified"), "Wed, 01 Jan 2020 00:00:00 GMT");
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    assert!(got.header("etag").starts_with('"') && got.header("etag").len() == 34, "{}", got.header("etag"));
    let mut check = FitsCheck::new();
    check.push(&got.body).expect("a sound file");
    assert_eq!(check.finish(), Ok(FitsProof::Checksum));

    let head = lab.send(reqwest::Method::HEAD, &lab.url(path), &[("range", "bytes=0-1")]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), got.body.len().to_string());
    assert_eq!(head.header("etag"), got.header("etag"));
    lab.get("HMI/sharp_720s/sharp_720s_20151211_182209").await.problem(404);
    let post = lab.send(reqwest::Method::POST, &lab.url(path), &[]).await;
    post.problem(405);
}

#[tokio::test]
async fn a_file_that_the_reader_has_is_not_sent_again() {
    let lab = Lab::embedded(0).await;
    let path = "HMI/sharp_720s/sharp_720s_20151211_182208";
    let whole = lab.get(path).await;
    let (etag, modified) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    let (weak, among) = (format!("W/{etag}"), format!("\"x\", W/\"y\" ,{etag}"));
    let (before, after) = ("Tue, 31 Dec 2019 23:59:59 GMT", "Wed, 01 Jan 2025 00:00:00 GMT");
    for (status, headers) in [
        (304, vec![("if-none-match", etag.as_str())]),
        (304, vec![("if-none-match", &weak)]),
        (304, vec![("if-none-match", &among)]),
        (304, vec![("if-none-match", "\"x\""), ("if-none-match", &etag)]),
        (304, vec![("if-none-match", "*")]),
        (304, vec![("if-modified-since", &modified)]),
        (304, vec![("if-modified-since", after)]),
        (304, vec![("if-none-match", &etag), ("if-modified-since", before)]),
        (304, vec![("if-none-match", &etag), ("range", "bytes=0-9")]),
        (200, vec![("if-none-match", "\"x\"")]),
        (200, vec![("if-none-match", "\"x\""), ("if-modified-since", &modified)]),
        (200, vec![("if-modified-since", before)]),
        (200, vec![("if-modified-since", "yesterday")]),
        (206, vec![("if-none-match", "\"x\""), ("range", "bytes=0-9")]),
    ] {
        let got = lab.get_with(path, &headers).await;
        assert_eq!(got.status, status, "{headers:?}");
        assert_eq!(got.header("etag"), etag, "{headers:?}");
        if status == 304 {
            assert_eq!((got.body.len(), got.headers.get("content-length")), (0, None), "{headers:?}");
            assert!(!got.header("date").is_empty(), "{headers:?}");
        } else {
            assert!(!got.body.is_empty(), "{headers:?}");
        }
    }
    let head = lab.send(reqwest::Method::HEAD, &lab.url(path), &[("if-none-match", &etag)]).await;
    assert_eq!(head.status, 304);
}

#[tokio::test]
async fn parts_are_exact_and_bound_to_their_validator() {
    let synthetic = Lab::embedded(0).await;
    assert_parts_are_exact(&synthetic, "HMI/sharp_720s/sharp_720s_20151211_182208").await;
    // Over a megabyte: sent in several pieces.
    let dir = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..1_300_000u32).map(|i| (i / 7).to_le_bytes()[0]).collect();
    std::fs::write(dir.path().join("s_20151211_182208.fits"), &bytes).expect("a file");
    let lab = Lab::over(folder(dir.path(), LOOPBACK, Access::default()).await.expect("a service"));
    assert_eq!(lab.get("HMI/s/s_20151211_182208.fits").await.body, bytes);
    assert_parts_are_exact(&lab, "HMI/s/s_20151211_182208.fits").await;
}

async fn assert_parts_are_exact(lab: &Lab, path: &str) {
    let whole = lab.get(path).await;
    let length = whole.body.len();
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=2880-5759", 2880, 5760),
        ("bytes=5000-", 5000, length),
        ("bytes=-100", length - 100, length),
        ("bytes=5000-99999999", 5000, length),
    ] {
        for if_range in [None, Some(etag), Some(modified)] {
            let mut headers = vec![("range", range)];
            headers.extend(if_range.map(|validator| ("if-range", validator)));
            let got = lab.get_with(path, &headers).await;
            assert_eq!(got.status, 206, "{headers:?}");
            assert_eq!(got.header("content-range"), format!("bytes {start}-{}/{length}", end - 1));
            assert_eq!(got.header("content-length"), (end - start).to_string());
            assert_eq!(got.header("etag"), etag);
            assert!(got.body == whole.body[start..end], "{headers:?}");
        }
    }
    let weak = format!("W/{etag}");
    for if_range in ["\"other\"", &weak, "Wed, 01 Jan 2014 00:00:00 GMT", ""] {
        let got = lab.get_with(path, &[("range", "bytes=10-20"), ("if-range", if_range)]).await;
        assert_eq!((got.status, got.body.len()), (200, length), "{if_range}");
    }
    let several = lab.get_with(path, &[("range", "bytes=0-1,5-6")]).await;
    assert_eq!((several.status, several.body.len()), (200, length));
    let beyond = lab.get_with(path, &[("range", &format!("bytes={length}-"))]).await;
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    beyond.problem(416);
}

#[tokio::test]
async fn bad_questions_are_answered_with_what_to_ask() {
    let lab = Lab::embedded(0).await;
    let bad = lab.get("HMI/sharp_720s?start=2015-02-30&end=2015-03-01").await.problem(400);
    assert_eq!(bad, "`start` is `2015-02-30`, which is no date: write it as 2015-12-11T00:00:00Z");
    lab.get("HMI/sharp_720s").await.problem(400);
    lab.get("HMI/sharp_720s?start=2015-12-11&end=2015-12-10").await.problem(400);
    lab.get("HMI/sharp_720s?start=2015-01-01&end=2015-12-10").await.problem(400);
    let unknown = lab.get("HMI/sharp?start=2015-12-11&end=2015-12-12").await.problem(404);
    assert!(unknown.contains("`sharp_720s`") && unknown.contains("`hmi.sharp_cea_720s`"), "{unknown}");
    let file = lab.get("HMI/sharp/x.fits").await.problem(404);
    assert!(file.contains("there is no series `sharp`"), "{file}");
    lab.get("nowhere").await.problem(404);
    let escaped = lab.get("HMI/%1b%5b2J?start=2015-12-11&end=2015-12-12").await.problem(404);
    assert!(escaped.contains("\\u{1b}[2J"), "{escaped}");
    for path in ["HMI/%ff", "HMI/sharp_720s/%ff", "%ff"] {
        lab.get(path).await.problem(400);
    }
}

#[tokio::test]
async fn other_hosts_are_sent_away() {
    let lab = Lab::embedded(0).await;
    let path = format!("HMI/sharp_720s?{DAY}");
    for host in ["evil.example", "localhost.evil.example:8001", "user@localhost"] {
        lab.get_with(&path, &[("host", host)]).await.problem(421);
    }
    let running = lab
        .running
        .service
        .clone()
        .with_access(Access { public_url: Url::parse("https://sun.example.org/hmi/").ok(), ..Access::default() });
    let public = Lab::over(running.start(LOOPBACK).await.expect("a service"));
    let listed = public.get_with(&path, &[("host", "sun.example.org")]).await.json();
    let url = listed[0]["url"].as_str().expect("a URL");
    assert!(url.starts_with("https://sun.example.org/hmi/HMI/sharp_720s/"), "{url}");
    let description = public.get_with("openapi.json", &[("host", "sun.example.org")]).await.json();
    assert_eq!(description["servers"], json!([{ "url": "https://sun.example.org/hmi" }]));

    for (hosts, status) in
        [("", "400"), ("Host: localhost\r\nHost: evil.example\r\n", "400"), ("Host: localhost\r\n", "404")]
    {
        let address = (Ipv4Addr::LOCALHOST, lab.running.base_url().port().expect("a port"));
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET /x HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.expect("to write");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{hosts}: {answer}");
    }
}

#[tokio::test]
async fn the_page_to_try_it_from_is_there() {
    let lab = Lab::embedded(0).await;
    let front = lab.get("").await;
    assert_eq!(front.status, 200);
    assert!(String::from_utf8_lossy(&front.body).contains("swagger-ui"));
    let script = lab.get("ui/swagger-initializer.js").await;
    assert!(String::from_utf8_lossy(&script.body).contains("/openapi.json"));
    let description = lab.get("openapi.json").await.json();
    let list = &description["paths"]["/HMI/{series}"]["get"];
    let examples: Vec<&Value> =
        list["parameters"].as_array().expect("parameters").iter().map(|p| &p["example"]).collect();
    assert_eq!(
        examples,
        [&json!("sharp_720s"), &json!("2015-12-11T00:00:00Z"), &json!("2015-12-12T00:00:00Z"), &json!(false)]
    );
    assert_eq!(description["servers"][0]["url"], json!(lab.url("").trim_end_matches('/')));
}

#[tokio::test]
async fn every_example_of_the_description_is_answered() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("s_20151211_182208.fits"), header_file()).expect("a file");
    let over_folder = folder(dir.path(), LOOPBACK, Access::default()).await.expect("a service");
    for (lab, paths) in [(Lab::embedded(0).await, 3), (Lab::over(over_folder), 2)] {
        let description = lab.get("openapi.json").await.json();
        let asked = description["paths"].as_object().expect("paths");
        assert_eq!(asked.len(), paths, "a folder has no keywords to ask for");
        for (path, what) in asked {
            let mut url = path.trim_start_matches('/').to_owned();
            let mut query = Vec::new();
            for parameter in what["get"]["parameters"].as_array().expect("parameters") {
                let (name, example) = (parameter["name"].as_str().expect("a name"), &parameter["example"]);
                let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
                match parameter["in"].as_str() {
                    Some("path") => url = url.replace(&format!("{{{name}}}"), &example),
                    Some("query") => query.push(format!("{name}={example}")),
                    _ => {}
                }
            }
            let got = lab.get(&format!("{url}?{}", query.join("&"))).await;
            assert_eq!(got.status, 200, "{url}: {}", String::from_utf8_lossy(&got.body));
            assert!(got.body.len() > 100, "{url}");
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let path = "HMI/sharp_cea_720s/sharp_cea_720s_20151211_182208";
    let one = Lab::embedded(1).await.get(path).await;
    let same = Lab::embedded(1).await.get(path).await;
    let other = Lab::embedded(2).await.get(path).await;
    assert_eq!((one.status, other.status), (200, 200));
    assert!(one.body == same.body && one.header("etag") == same.header("etag"));
    assert!(one.body != other.body && one.header("etag") != other.header("etag"));
}

#[tokio::test]
async fn a_folder_is_served_under_names_that_need_encoding() {
    let dir = tempfile::tempdir().expect("a folder");
    let names = ["meta/a_20151211_182208.fits", "deep/er/a%2e b?#é_20151211_182208.fits"];
    for (name, bytes) in names.iter().zip([b"one", b"two"]) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let lab = Lab::over(folder(dir.path(), LOOPBACK, Access::default()).await.expect("a service"));
    let mut bodies = Vec::new();
    for series in lab.running.service.holdings.series() {
        let listed = lab.get(&format!("HMI/{}?{DAY}", series.name)).await.json();
        assert_eq!(keys(&listed[0]), ["date_obs", "size", "url"]);
        assert_eq!(listed[0]["size"], 3);
        bodies.push(lab.get(listed[0]["url"].as_str().expect("a URL")).await);
    }
    assert_eq!(bodies.iter().map(|got| got.body.as_slice()).collect::<Vec<_>>(), [b"one", b"two"]);
    assert_eq!(bodies[1].header("content-disposition"), "attachment; filename=a_2e_b____20151211_182208.fits");
    lab.get("HMI/a/../../../../etc/passwd").await.problem(404);
    lab.get("HMI/a/%2e%2e%2f%2e%2e%2fetc%2fpasswd").await.problem(404);
}

#[tokio::test]
async fn stopping_waits_for_no_one_who_asks_nothing() {
    let lab = Lab::embedded(0).await;
    let url = lab.url("openapi.json");
    assert_eq!(lab.get("openapi.json").await.status, 200);
    // The client still holds its connection open.
    lab.running.stop().await.expect("a clean end");
    assert!(lab.client.get(url).send().await.is_err());
}

#[tokio::test]
async fn the_real_segments_are_all_served_where_they_are_at_hand() {
    #[expect(clippy::disallowed_methods, reason = "a test asks where the real files are")]
    let shared = std::env::var("SUNHAUL_SHARED_DATA")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), std::path::PathBuf::from);
    let dir = shared.join("sharp");
    if !dir.is_dir() {
        println!("skipped: no ../shared/data");
        return;
    }
    let lab = Lab::over(folder(&dir, LOOPBACK, Access::default()).await.expect("a service"));
    assert_eq!(lab.running.skipped(), []);
    assert_eq!(lab.running.about()[0], "serving 7 files of 1 series");
    let listed = lab.get("HMI/hmi.sharp_cea_720s?start=2011-02-15T00:00:00Z&end=2011-02-16T00:00:00Z").await.json();
    let items = listed.as_array().expect("a list");
    assert_eq!(items.len(), 7);
    for item in items {
        assert_eq!(item["date_obs"], json!("2011-02-15T01:58:12.300000Z"));
        let told = ["recnum", "harpnum", "quality", "t_rec_index"].map(|key| item[key].as_i64());
        assert_eq!(told, [Some(3_464_220), Some(377), Some(0), Some(794_290)]);
        let segment = format!(".{}.fits", item["segment"].as_str().expect("a segment"));
        assert!(item["url"].as_str().is_some_and(|url| url.ends_with(&segment)), "{item}");
        let got = lab.get(item["url"].as_str().expect("a URL")).await;
        let name = got.header("content-disposition").strip_prefix("attachment; filename=").expect("a name");
        assert!(got.body == std::fs::read(dir.join(name)).expect("the file"), "{name}");
    }
}
