//! An officer at a desk, whose browser runs no script.

use integration_tests::Site;
use serde_json::json;
use std::time::Duration;

/// A page as it came.
pub struct Page {
    pub status: u16,
    pub text: String,
    pub location: String,
}

impl Page {
    /// The value of the first input of that name.
    pub fn input(&self, name: &str) -> Option<String> {
        let marked = format!("name=\"{name}\"");
        let at = self.text.split(&marked).nth(1)?;
        let tag = at.split('>').next()?;
        let value = tag.split("value=\"").nth(1)?.split('"').next()?;
        Some(value.replace("&#38;", "&").replace("&amp;", "&"))
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        assert!(
            self.has(text),
            "no {text:?} in {}:\n{}",
            self.status,
            self.text
        );
    }
}

/// An officer's browser without script.
pub struct Officer<'a> {
    site: &'a Site,
    pub cookie: String,
    pub language: &'static str,
}

/// A token of an officer; a device or reader would have no form.
pub fn token(site: &Site, number: &str, department: &str) -> String {
    let scope = json!({"is": "officer", "officer": number, "department": department});
    let body = json!({"name": format!("{number} {department}"), "scope": scope});
    let answer = site.post("/v1/tokens", &body).expect("a token");
    answer["token"].as_str().expect("text").to_string()
}

impl<'a> Officer<'a> {
    pub fn of(site: &'a Site, number: &str, department: &str) -> Self {
        Self::with(site, &token(site, number, department))
    }

    pub fn with(site: &'a Site, token: &str) -> Self {
        let mut officer = Self {
            site,
            cookie: String::new(),
            language: "en",
        };
        officer.sign_in(token);
        officer
    }

    pub fn sign_in(&mut self, token: &str) {
        let mut sent = self
            .agent()
            .post(format!("{}/console/sign-in", self.site.url()))
            .header("accept-language", self.language)
            .send_form([("token", token), ("next", "/console/today")])
            .expect("an answer");
        let cookies = sent.headers().get_all("set-cookie").iter();
        let cookies: Vec<&str> = cookies
            .filter_map(|c| c.to_str().ok()?.split(';').next())
            .collect();
        self.cookie = cookies.join("; ");
        assert_eq!(sent.status(), 303, "{:?}", sent.body_mut().read_to_string());
    }

    pub fn agent(&self) -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into()
    }

    fn page(mut answer: ureq::http::Response<ureq::Body>) -> Page {
        let location = answer.headers().get("location");
        Page {
            status: answer.status().as_u16(),
            location: location
                .map_or("", |l| l.to_str().unwrap_or_default())
                .into(),
            text: answer.body_mut().read_to_string().unwrap_or_default(),
        }
    }

    pub fn get(&self, path: &str) -> Page {
        let answer = self
            .agent()
            .get(format!("{}{path}", self.site.url()))
            .header("accept-language", self.language)
            .header("cookie", &self.cookie)
            .call();
        Self::page(answer.expect("an answer"))
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let answer = self
            .agent()
            .post(format!("{}{path}", self.site.url()))
            .header("accept-language", self.language)
            .header("cookie", &self.cookie)
            .send_form(fields.iter().copied());
        Self::page(answer.expect("an answer"))
    }

    /// Fills in a form and sends it; what the form carries by itself goes with it.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form = self.get(path);
        assert_eq!(form.status, 200, "{}", form.text);
        self.send_form(&form, path, fields)
    }

    pub fn send_form(&self, form: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let carried = [
            "proof",
            "key",
            "new",
            "paper",
            "on",
            "shown",
            "heads",
            "department",
        ];
        let carried: Vec<(&str, String)> = carried
            .into_iter()
            .filter_map(|name| Some((name, form.input(name)?)))
            .filter(|(name, _)| fields.iter().all(|(given, _)| given != name))
            .collect();
        let mut all: Vec<(&str, &str)> = carried
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.extend(fields);
        self.post(path.split('?').next().expect("a path"), &all)
    }

    /// The same, which is to be taken: the page that tells what was made.
    #[track_caller]
    pub fn record(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let sent = self.send(path, fields);
        assert_eq!(sent.status, 303, "{}", sent.text);
        let made = self.get(&sent.location);
        made.shows("Recorded");
        made
    }
}
