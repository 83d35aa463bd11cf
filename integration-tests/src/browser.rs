//! A real browser: Debian's Chromium, driven by its chromedriver as a person would drive it. What a
//! story waits for has a bound; a page that complains, or that somebody could not use with a screen
//! reader, fails its story.

use crate::{PATIENCE, Site};
use base64::{Engine, prelude::BASE64_STANDARD};
use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    error::CmdError,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::{
    cell::Cell,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The width of a telephone.
pub const NARROW: u32 = 360;
/// The width of a desk's screen.
pub const WIDE: u32 = 1_280;

/// How long between two looks at a page.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A browser with a profile of its own, which is gone with it.
pub struct Browser {
    runtime: tokio::runtime::Runtime,
    client: Client,
    driver: Child,
    base: String,
    scripted: Cell<bool>,
    _profile: tempfile::TempDir,
}

/// An authenticator of Chromium's own, which makes passkeys and answers at once, by its id.
pub struct VirtualAuthenticator(String);

/// A command of Chromium's that WebDriver has no name for.
#[derive(Debug)]
struct ChromiumCommand(&'static str, Value);

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// Opens a browser for the console of a site. It asks for pages in a language, `ar` or `en`.
    pub fn open(site: &Site, language: &str) -> Self {
        Self::open_at(&site.url(), language)
    }

    /// The same for a console at an address, as `http://127.0.0.1:7780`.
    pub fn open_at(base: &str, language: &str) -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let (driver, port) = start_driver();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");

        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(profile.path(), language));
        let address = format!("http://127.0.0.1:{port}");
        let client = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, builder.connect(&address))
                .await
                .expect("Chromium starts in time")
                .expect("Chromium starts")
        });

        let browser = Self {
            runtime,
            client,
            driver,
            base: base.into(),
            scripted: Cell::new(true),
            _profile: profile,
        };
        browser.set_width(WIDE);
        browser
    }

    fn now<T>(&self, what: &str, doing: impl Future<Output = Result<T, CmdError>>) -> T {
        self.tried(doing).unwrap_or_else(|e| panic!("{what}: {e}"))
    }

    fn tried<T>(&self, doing: impl Future<Output = Result<T, CmdError>>) -> Result<T, CmdError> {
        self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, doing)
                .await
                .expect("the browser answers in time")
        })
    }

    /// One of Chromium's own commands (DevTools protocol).
    pub fn devtools(&self, name: &str, parameters: Value) -> Value {
        let body = json!({"cmd": name, "params": parameters});
        let command = ChromiumCommand("goog/cdp/execute", body);
        self.now(name, self.client.issue_cmd(command))
    }

    /// Puts an authenticator into the browser's machine, which verifies who uses it, or does not.
    pub fn add_authenticator(&self, verifies: bool) -> VirtualAuthenticator {
        self.devtools("WebAuthn.enable", json!({}));
        let options = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": verifies,
            "automaticPresenceSimulation": true,
        });
        let added = self.devtools(
            "WebAuthn.addVirtualAuthenticator",
            json!({"options": options}),
        );
        let id = added["authenticatorId"].as_str();
        VirtualAuthenticator(id.expect("an authenticator").into())
    }

    /// How many passkeys an authenticator has.
    pub fn credentials(&self, authenticator: &VirtualAuthenticator) -> usize {
        let of = json!({"authenticatorId": authenticator.0});
        let had = self.devtools("WebAuthn.getCredentials", of);
        had["credentials"].as_array().map_or(0, Vec::len)
    }

    /// Gives pages this width, and the height of a usual screen.
    pub fn set_width(&self, width: u32) {
        let height = if width < 600 { 740 } else { 900 };
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Prefers dark pages, or light ones.
    pub fn set_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Lets pages run their script, or not.
    pub fn set_script(&self, runs: bool) {
        self.scripted.set(runs);
        self.allow_script(runs);
    }

    fn allow_script(&self, runs: bool) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !runs}),
        );
    }

    /// Goes to a page, by its path.
    pub fn go(&self, path: &str) {
        let url = match path.starts_with("http") {
            true => path.to_string(),
            false => format!("{}{path}", self.base),
        };
        self.now(path, self.client.goto(&url));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.now("loading anew", self.client.refresh());
    }

    /// The path with its query that the browser is at.
    pub fn path(&self) -> String {
        let url = self.now("the address", self.client.current_url());
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().into(),
        }
    }

    /// What the page's HTML is by now.
    pub fn source(&self) -> String {
        self.now("the source", self.client.source())
    }

    /// The visible text of the page, or of the first thing that a CSS selector finds.
    pub fn text(&self, css: &str) -> String {
        self.steady(css, || self.tried(self.find(css).text()))
    }

    /// The visible texts of all that a CSS selector finds.
    pub fn texts(&self, css: &str) -> Vec<String> {
        self.steady(css, || {
            let found = self.tried(self.client.find_all(Locator::Css(css)))?;
            let texts = found.iter().map(|element| self.tried(element.text()));
            texts.collect()
        })
    }

    /// An attribute of the first thing that a CSS selector finds.
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.steady(css, || self.tried(self.find(css).attr(name)))
    }

    /// Reads what a CSS selector finds. A page that is live may replace it between finding and
    /// reading: then what stands there now is read.
    fn steady<T>(&self, css: &str, reading: impl Fn() -> Result<T, CmdError>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match reading() {
                Ok(read) => return read,
                Err(error) if error.is_stale_element_reference() => {
                    self.look_again(deadline, css);
                }
                Err(error) => panic!("{css}: {error}"),
            }
        }
    }

    /// Whether there is something that a CSS selector finds, at this moment.
    pub fn has(&self, css: &str) -> bool {
        let found = self.now(css, self.client.find_all(Locator::Css(css)));
        !found.is_empty()
    }

    /// Waits for what a CSS selector finds.
    pub fn find(&self, css: &str) -> Element {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(element) = self.tried(self.client.find(Locator::Css(css))) {
                return element;
            }
            self.look_again(deadline, css);
        }
    }

    /// Waits until the page shows a text.
    pub fn see(&self, text: &str) {
        self.wait(text, |browser| {
            let body = browser.tried(browser.client.find(Locator::Css("body")));
            body.and_then(|body| browser.tried(body.text()))
                .is_ok_and(|shown| shown.contains(text))
        });
    }

    /// Waits, bounded, until something holds of the page.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            self.look_again(deadline, what);
        }
    }

    fn look_again(&self, deadline: Instant, what: &str) {
        if Instant::now() >= deadline {
            let shown = self.tried(self.client.find(Locator::Css("body")));
            let shown = shown.and_then(|body| self.tried(body.text()));
            panic!(
                "waited {PATIENCE:?} for: {what}\nat {}\n{}",
                self.path(),
                shown.unwrap_or_default()
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }

    /// Types into a field, in place of what is there.
    pub fn fill(&self, css: &str, text: &str) {
        let field = self.find(css);
        self.now(css, field.clear());
        self.now(css, field.send_keys(text));
    }

    /// Presses keys where the focus is, or on the page. Special keys are
    /// `char::from(fantoccini::key::Key::Tab)`.
    pub fn press(&self, keys: &str) {
        let focused = self.now("the focus", self.client.active_element());
        self.now(keys, focused.send_keys(keys));
    }

    /// Chooses an option of a list by its value.
    pub fn choose(&self, css: &str, value: &str) {
        let list = self.find(css);
        self.now(css, list.select_by_value(value));
    }

    /// Clicks on the first thing that a CSS selector finds. What that loads may not be there yet:
    /// say what is to be seen then.
    pub fn click(&self, css: &str) {
        let element = self.find(css);
        self.now(css, element.click());
    }

    /// Clicks on what has this text exactly: a link or a button.
    pub fn click_text(&self, text: &str) {
        let path = format!("//a[normalize-space()='{text}']|//button[normalize-space()='{text}']");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(element) = self.tried(self.client.find(Locator::XPath(&path))) {
                return self.now(text, element.click());
            }
            self.look_again(deadline, text);
        }
    }

    /// Waits until the browser is at a path; its query does not count.
    pub fn arrive(&self, path: &str) {
        self.wait(&format!("the page {path}"), |browser| {
            browser.path().split('?').next() == Some(path)
        });
    }

    /// Signs in with a token, and arrives at the beginning.
    pub fn sign_in(&self, token: &str) {
        self.go("/console/sign-in");
        if self.has("details.other-way:not([open])") {
            self.click("details.other-way summary");
        }

        self.fill("#token", token);
        self.click("form:has(#token) button.primary");
        self.wait("the beginning", |browser| {
            !browser.path().starts_with("/console/sign-in")
        });
    }

    /// Signs in with an account, and arrives at the beginning.
    pub fn sign_in_as(&self, account: &str, password: &str) {
        self.go("/console/sign-in");
        self.enter_account(account, password);
        self.wait("the beginning", |browser| {
            !browser.path().starts_with("/console/sign-in")
        });
    }

    /// Fills in account and password where the page asks for them, and sends them.
    pub fn enter_account(&self, account: &str, password: &str) {
        self.fill("#account", account);
        self.fill("#password", password);
        self.click("form:has(#password) button.primary");
    }

    /// Has pages in a language from now on, as its button does.
    pub fn speak(&self, language: &str) {
        let button = format!("button[name=language][value={language}]");
        if self.has(&button) {
            self.click(&button);
            self.find(&format!("html[lang={language}]"));
        }
    }

    /// Saves the whole page as `target/console-pictures/NAME.png`.
    pub fn picture(&self, name: &str) {
        let size = self.devtools("Page.getLayoutMetrics", json!({}));
        let clip = json!({
            "x": 0,
            "y": 0,
            "width": size["cssLayoutViewport"]["clientWidth"],
            "height": size["cssContentSize"]["height"],
            "scale": 1,
        });
        // Chromium shifts a short page that is written from right to left otherwise.
        let is_long = size["cssContentSize"]["height"].as_f64()
            > size["cssLayoutViewport"]["clientHeight"].as_f64();
        let whole = json!({"format": "png", "captureBeyondViewport": is_long, "clip": clip});
        let shot = self.devtools("Page.captureScreenshot", whole);
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().unwrap_or_default());

        let dir = target().join("console-pictures");
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join(format!("{name}.png")), bytes.expect("a picture"))
            .expect("written");
    }

    /// Saves the page in both languages and both widths, as `NAME-LANGUAGE-WIDTH`, and has each
    /// checked: nobody is kept out, and nothing stands out to the side. Ends in the language that
    /// the page was in, wide.
    pub fn pictures(&self, name: &str) {
        let before = self.attribute("html", "lang").unwrap_or_default();
        for language in ["ar", "en"] {
            self.speak(language);
            for width in [NARROW, WIDE] {
                self.set_width(width);
                self.picture(&format!("{name}-{language}-{width}"));
                self.check_fits(&format!("{name} {language} {width}"));
            }
            self.check_access(&format!("{name} {language}"));
        }

        self.speak(&before);
    }

    /// Fails where the page is wider than its window: wide tables scroll by themselves.
    pub fn check_fits(&self, name: &str) {
        let size = self.devtools("Page.getLayoutMetrics", json!({}));
        let (page, window) = (
            size["cssContentSize"]["width"].as_f64(),
            size["cssLayoutViewport"]["clientWidth"].as_f64(),
        );
        assert!(page <= window, "{name}: {page:?} wide in {window:?}");
    }

    /// Fails where axe finds what keeps people out: what it calls serious or critical.
    pub fn check_access(&self, name: &str) {
        let axe = std::fs::read_to_string(axe_path()).unwrap_or_else(|e| {
            panic!("{}: {e}; ./scripts/test installs it", axe_path().display())
        });
        // It is script itself; the page has run none of its own by then.
        self.allow_script(true);
        self.evaluate(&format!("{axe};0"));
        let found = self.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(\
             r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')\
             .map(v => ({id: v.id, help: v.help, at: v.nodes.map(n => n.html).slice(0, 5)}))))",
        );
        self.allow_script(self.scripted.get());
        let found: Value = serde_json::from_str(found.as_str().unwrap_or("null")).expect("JSON");
        assert_eq!(found, json!([]), "{name}: axe found\n{found:#}");
    }

    /// Evaluates an expression in the page, past its content security policy.
    pub fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
        });
        let answer = self.devtools("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{answer:#}");
        answer["result"]["value"].clone()
    }

    /// What the browser complained of since the last time: blocked styles and scripts, errors of
    /// script.
    pub fn complaints(&self) -> Vec<String> {
        let command = ChromiumCommand("se/log", json!({"type": "browser"}));
        let log = self.now("the log", self.client.issue_cmd(command));
        let lines = log.as_array().into_iter().flatten();
        let severe = lines.filter(|line| line["level"] == "SEVERE");
        let told = severe.map(|line| line["message"].to_string());
        // A page that refuses something is told so, too: that is for its story to look at.
        told.filter(|line| !line.contains("Failed to load resource"))
            .collect()
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.now("cookies", self.client.get_all_cookies());
        let found = cookies.into_iter().find(|cookie| cookie.name() == name);
        found.map(|cookie| cookie.value().to_string())
    }

    /// Gives the browser a cookie of the page's host.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let parameters = json!({"name": name, "value": value, "url": self.base, "httpOnly": true});
        self.devtools("Network.setCookie", parameters);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let end = self.client.clone().close();
        let _ = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), end).await });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The driver, and the port that it chose.
fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver runs: ./scripts/test installs it (Debian's chromium-driver)");

    let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.rsplit_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });

    // Read to its end, so that the driver never waits for somebody who reads.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port.expect("chromedriver says its port"))
}

fn capabilities(profile: &Path, language: &str) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.display());
    let speaks = format!("--accept-lang={language}");
    let options = json!({
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", profile, speaks,
        ],
        "prefs": {"intl.accept_languages": language, "intl.selected_languages": language},
    });

    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), options);
    capabilities.insert("goog:loggingPrefs".into(), json!({"browser": "ALL"}));
    // What is served under the commission's own authority is not of a public one.
    capabilities.insert("acceptInsecureCerts".into(), json!(true));
    capabilities
}

/// The directory that everything is built in.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

fn axe_path() -> PathBuf {
    target().join("axe/axe_playwright_python/axe.min.js")
}
