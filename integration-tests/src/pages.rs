//! The console's pages as a browser without script reads them: over HTTP, with a session's cookie.

use crate::{OPERATOR, Site};
use std::time::Duration;

/// A session at a site's console.
pub struct Pages {
    base: String,
    cookie: String,
    language: &'static str,
    agent: ureq::Agent,
}

/// A page as it came.
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// Where it sends the browser, if it does.
    pub location: String,
    /// The HTML.
    pub html: String,
}

impl Pages {
    /// Signs an operator in with a token of their own, and reads pages in a language, `ar` or `en`.
    pub fn of_operator(site: &Site, language: &'static str) -> Self {
        Self::with_token(site, &site.token_of(OPERATOR), language)
    }

    /// Signs in with a token.
    pub fn with_token(site: &Site, token: &str, language: &'static str) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let url = format!("{}/console/sign-in", site.url());
        let answer = agent
            .post(url)
            .send_form([("token", token)])
            .expect("it answers");
        let cookie = answer.headers().get("set-cookie").expect("a session");
        let cookie = cookie.to_str().expect("it reads");
        let cookie = cookie.split(';').next().unwrap_or_default().to_string();

        Self {
            base: site.url(),
            cookie,
            language,
            agent,
        }
    }

    /// A page.
    pub fn get(&self, path: &str) -> Page {
        let asked = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("accept-language", self.language);
        page(asked.call().expect("it answers"))
    }

    /// Sends a form, with the proof that it is the session's own, as the page at `from` carries it.
    pub fn send(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let html = self.get(from).html;
        let proof = value_of(&html, "proof").expect("the page has a form");
        self.send_with(path, &proof, fields)
    }

    /// Sends the form that stands on a page as it stands there: its hidden fields, and these.
    pub fn send_on(&self, html: &str, path: &str, hidden: &[&str]) -> Page {
        let proof = value_of(html, "proof").expect("the page has a form");
        let kept = |name: &&str| (name.to_string(), value_of(html, name).unwrap_or_default());
        let kept: Vec<(String, String)> = hidden.iter().map(kept).collect();
        let fields: Vec<(&str, &str)> = kept.iter().map(|(n, v)| (&**n, &**v)).collect();
        self.send_with(path, &proof, &fields)
    }

    fn send_with(&self, path: &str, proof: &str, fields: &[(&str, &str)]) -> Page {
        let mut all = vec![("proof", proof)];
        all.extend(fields);
        let asked = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("accept-language", self.language);
        page(asked.send_form(all).expect("it answers"))
    }
}

fn page(mut answer: ureq::http::Response<ureq::Body>) -> Page {
    let location = answer.headers().get("location");
    let location = location.and_then(|l| l.to_str().ok()).unwrap_or_default();
    Page {
        status: answer.status().as_u16(),
        location: location.into(),
        html: answer.body_mut().read_to_string().unwrap_or_default(),
    }
}

/// The value of the last field of that name on a page. The language's own form carries none.
pub fn value_of(html: &str, name: &str) -> Option<String> {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = html.rsplit_once(&start)?;
    let (value, _) = rest.split_once('"')?;
    let value = value.replace("&quot;", "\"").replace("&#34;", "\"");
    let value = value.replace("&lt;", "<").replace("&gt;", ">");
    let value = value.replace("&#60;", "<").replace("&#62;", ">");
    let value = value.replace("&#39;", "'").replace("&#x27;", "'");
    Some(value.replace("&amp;", "&").replace("&#38;", "&"))
}
