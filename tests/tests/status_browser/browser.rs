//! A real browser, driven by the protocol of its own developer tools over a pair of pipes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Far more than anything takes: a bound, not a wait.
const BOUND: Duration = Duration::from_secs(180);

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Each has a profile of its own.
static BROWSERS: AtomicUsize = AtomicUsize::new(0);

/// A running browser.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// What came while something else was waited for.
    events: VecDeque<Value>,
    last: u64,
    profile: PathBuf,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let binary = std::env::var("JOBS_CHROMIUM").ok().or_else(find);
        let binary = binary.expect(
            "the tests of the status page need Chromium: install it (`apt-get install chromium`), or name it in JOBS_CHROMIUM",
        );
        let number = BROWSERS.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("jobs-browser-{}-{number}", std::process::id()));
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-pipe",
            "--lang=en-GB",
        ];
        // The browser reads commands from descriptor 3 and answers on 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh", &binary])
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .env("TZ", "Europe/Oslo")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                message.clear();
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, to, from, events: VecDeque::new(), last: 0, profile }
    }

    /// A tab of its own.
    pub(crate) fn tab(&mut self) -> Tab<'_> {
        let target =
            self.call(None, "Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached =
            self.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let mut tab = Tab { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        // Left to itself, a browser without a screen is now as wide as a desk's, now as a tablet's.
        tab.size(1280, 900);
        tab
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.receive(method);
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push_back(answer);
        }
    }

    fn receive(&mut self, what: &str) -> Value {
        match self.from.recv_timeout(BOUND) {
            Ok(value) => value,
            Err(RecvTimeoutError::Timeout) => panic!("the browser did not answer in time: {what}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the browser is gone: {what}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn find() -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    NAMES.into_iter().find(|name| folders.iter().any(|folder| folder.join(name).is_file())).map(str::to_owned)
}

/// One page of the browser.
pub(crate) struct Tab<'a> {
    browser: &'a mut Browser,
    session: String,
}

impl Tab<'_> {
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let session = self.session.clone();
        self.browser.call(Some(&session), method, params)
    }

    /// The size of the window, in pixels of the page.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    pub(crate) fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", media);
    }

    pub(crate) fn scripts(&mut self, allowed: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed }));
    }

    /// Opens an address, and returns when the page is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.browser.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.call("Page.navigate", json!({ "url": url }));
        self.loaded();
    }

    /// Returns when the page that was asked for is loaded.
    pub(crate) fn loaded(&mut self) {
        loop {
            let at = self.browser.events.iter().position(|event| event["method"] == "Page.loadEventFired");
            if let Some(at) = at {
                self.browser.events.remove(at);
                return;
            }
            let event = self.browser.receive("a page that is loaded");
            self.browser.events.push_back(event);
        }
    }

    /// What an expression of JavaScript comes to.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!("document.querySelector({selector:?})?.innerText ?? null"));
        found.as_str().unwrap_or_else(|| panic!("nothing is {selector}")).to_owned()
    }

    /// Waits until an expression is true; it is looked at whenever the page changes.
    pub(crate) fn until(&mut self, expression: &str) {
        self.eval(&format!(
            "new Promise((done, failed) => {{
                const look = () => {{ if ({expression}) {{ watch.disconnect(); done(); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                setTimeout(() => failed(new Error('never: ' + {expression:?} + '\\n' + document.body.innerText)), 120000);
                look();
            }})"
        ));
    }

    /// Clicks what is there, as a person does who sees it; the page that it leads to is loaded on return.
    pub(crate) fn follow(&mut self, selector: &str) {
        self.browser.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.click(selector);
        self.loaded();
    }

    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'center' }});
                const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    pub(crate) fn key(&mut self, key: &str, code: &str) {
        self.key_with(key, code, 0);
    }

    /// With a key held down beside it, as the protocol numbers them.
    pub(crate) fn key_with(&mut self, key: &str, code: &str, held: u8) {
        let number = match code {
            "Tab" => 9,
            "Escape" => 27,
            "Space" => 32,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if key.len() == 1 && kind == "keyDown" && held == 0 { key } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": code, "text": text, "windowsVirtualKeyCode": number, "modifiers": held,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    pub(crate) fn enter(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { "\r" } else { "" };
            let event = json!({ "type": kind, "key": "Enter", "code": "Enter", "text": text, "windowsVirtualKeyCode": 13 });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Presses Enter, and returns when the page that it leads to is loaded.
    pub(crate) fn enter_to_follow(&mut self) {
        self.browser.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.enter();
        self.loaded();
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// What the page complained about.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever came before this answer is there.
        self.eval("1");
        let is_complaint = |event: &Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                matches!(event["params"]["type"].as_str(), Some("error" | "warning"))
            }
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        let (complaints, rest): (Vec<Value>, Vec<Value>) =
            self.browser.events.drain(..).partition(is_complaint);
        self.browser.events = rest.into();
        complaints.into_iter().map(|event| event["params"].to_string()).collect()
    }

    /// A picture of the whole page.
    pub(crate) fn picture(&mut self, file: &Path) {
        use base64::Engine;
        let size = self.eval("[document.documentElement.clientWidth, document.documentElement.scrollHeight]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let shot =
            self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip }));
        let png = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }
}
