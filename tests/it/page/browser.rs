//! A headless Chromium, driven by chromedriver over the `WebDriver` protocol (W3C), which is JSON over HTTP.
//!
//! What it does not do: wait. Each command returns when it is done.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::lab::{Lab, Running};

/// The key under which the protocol gives an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window of a browser of its own; both end when dropped.
pub(super) struct Browser<'a> {
    _driver: Running,
    port: u16,
    session: String,
    lab: &'a Lab,
}

impl<'a> Browser<'a> {
    /// Starts one whose profile lies in the lab.
    #[track_caller]
    pub(super) fn start(lab: &'a Lab) -> Browser<'a> {
        let driver = lab.program("chromedriver", &["--port=0"]).start();
        let mut port = None;
        lab.until("chromedriver says its port", |_| {
            driver.stdout_so_far().split_once("successfully on port ").is_some_and(|(_, rest)| rest.contains('.'))
        });
        if let Some((_, rest)) = driver.stdout_so_far().split_once("successfully on port ") {
            port = rest.split('.').next().and_then(|port| port.parse().ok());
        }
        let mut browser = Browser { _driver: driver, port: port.expect("a port"), session: String::new(), lab };
        let profile = format!("--user-data-dir={}", lab.path("tmp/profile").display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": args }, "goog:loggingPrefs": { "browser": "ALL" } });
        let begun = browser.ask("POST", "", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("/{}", begun["sessionId"].as_str().expect("a session"));
        browser
    }

    /// Opens a file of the lab at a width, by day or by night.
    #[track_caller]
    pub(super) fn open(&self, file: &str, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &scheme);
        self.ask("POST", "/url", &json!({ "url": format!("file://{}", self.lab.path(file).display()) }));
    }

    /// Commands Chromium itself.
    #[track_caller]
    pub(super) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// The value of a JavaScript expression in the page.
    #[track_caller]
    pub(super) fn value(&self, expression: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// A list of texts by a JavaScript expression.
    #[track_caller]
    pub(super) fn texts(&self, expression: &str) -> Vec<String> {
        serde_json::from_value(self.value(expression)).expect("texts")
    }

    /// Clicks on an element, as a person does.
    #[track_caller]
    pub(super) fn click(&self, selector: &str) {
        self.ask("POST", &format!("{}/click", self.find(selector)), &json!({}));
    }

    /// Types into an element, as a person does.
    #[track_caller]
    pub(super) fn type_into(&self, selector: &str, text: &str) {
        self.ask("POST", &format!("{}/value", self.find(selector)), &json!({ "text": text }));
    }

    /// What the page said on its console since the last call, errors and refusals of its policy included.
    #[track_caller]
    pub(super) fn console(&self) -> Vec<Value> {
        self.ask("POST", "/se/log", &json!({ "type": "browser" })).as_array().expect("a list").clone()
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        format!("/element/{}", found[ELEMENT].as_str().expect("an element"))
    }

    /// One command of the protocol.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, body).expect("chromedriver answers");
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer["value"].clone()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(crate::lab::PATIENCE))?;
        let body = body.to_string();
        write!(
            stream,
            "{method} /session{}{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.session,
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let (mut status, mut length) = (0, 0);
        for line in answer.by_ref().lines() {
            let line = line?.to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or_default();
            }
            length = line.strip_prefix("content-length:").and_then(|rest| rest.trim().parse().ok()).unwrap_or(length);
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok((status, serde_json::from_slice(&body)?))
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        // The driver ends its browser; where it does not answer any more, its process group is killed.
        let _ = self.send("DELETE", "", &json!({}));
    }
}
