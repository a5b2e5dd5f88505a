//! Debian's chromium without a window, told what to do in its DevTools protocol over a pair of pipes.
//!
//! In: an address, a width, light or dark. Out: what a person would see: errors on the console, whether the page is wider
//! than the window, a picture. Not `--dump-dom`, which knows nothing of sizes, nor `--screenshot`, which says nothing of
//! errors.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    orders: File,
    events: BufReader<File>,
    session: Option<String>,
    last: u64,
    complaints: Vec<String>,
    loaded: bool,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    /// Pixels of the screen for one of the page.
    pub(crate) scale: f64,
}

impl Browser {
    /// Starts it, with all that it writes in `folder`.
    pub(crate) fn start(chromium: &Path, folder: &Path) -> Self {
        let (orders, events) = (folder.join("orders"), folder.join("events"));
        assert!(Command::new("mkfifo").args([&orders, &events]).status().unwrap().success());
        // File descriptors 3 and 4 are where it reads orders and writes events.
        let script = r#"orders=$1 events=$2; shift 2; exec "$@" 3< "$orders" 4> "$events""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).args([&orders, &events]).arg(chromium);
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--hide-scrollbars", "--remote-debugging-pipe", "about:blank"]);
        command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
        command.env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.join("log")).unwrap());
        let child = command.spawn().unwrap();
        let orders = File::options().write(true).open(orders).unwrap();
        let events = BufReader::new(File::open(events).unwrap());
        let mut browser = Self { child, orders, events, session: None, last: 0, complaints: Vec::new(), loaded: false };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let session = browser.call("Target.attachToTarget", json!({"targetId": page["targetId"], "flatten": true}));
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a page and waits until all of it is there; returns what the browser complains of.
    pub(crate) fn open(&mut self, url: &str, window: Window) -> Vec<String> {
        let Window { width, height, dark, scale } = window;
        let size = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.call("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
        self.loaded = false;
        let reply = self.call("Page.navigate", json!({"url": url}));
        assert_eq!(reply["errorText"], Value::Null, "{url}");
        while !self.loaded {
            self.read();
        }
        std::mem::take(&mut self.complaints)
    }

    /// What an expression of JavaScript is, in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let reply = self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert_eq!(reply["exceptionDetails"], Value::Null, "{expression}");
        reply["result"]["value"].clone()
    }

    /// A picture of the window, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let reply = self.call("Page.captureScreenshot", json!({"format": "png"}));
        STANDARD.decode(reply["data"].as_str().unwrap()).unwrap()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            order["sessionId"] = session.clone().into();
        }
        self.orders.write_all((order.to_string() + "\0").as_bytes()).unwrap();
        loop {
            let reply = self.read();
            if reply["id"] == self.last {
                assert_eq!(reply["error"], Value::Null, "{order}");
                return reply["result"].clone();
            }
        }
    }

    /// The next message; what it complains of is kept.
    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.events.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "chromium ended");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        let is_error = match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => {
                self.loaded = true;
                false
            }
            "Runtime.exceptionThrown" | "Network.loadingFailed" => true,
            "Runtime.consoleAPICalled" => matches!(message["params"]["type"].as_str(), Some("error" | "warning")),
            "Log.entryAdded" => matches!(message["params"]["entry"]["level"].as_str(), Some("error" | "warning")),
            _ => false,
        };
        if is_error {
            self.complaints.push(message.to_string());
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
