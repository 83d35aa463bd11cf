//! Reads the console's pages as a browser does that runs no script.

use integration_tests::Site;

/// Somebody who looks at the console of a node.
pub struct Visitor<'s> {
    pub site: &'s Site,
    pub token: String,
    pub language: &'static str,
}

/// What a page answered.
pub struct Page {
    pub status: u16,
    pub text: String,
    pub bytes: Vec<u8>,
    pub headers: ureq::http::HeaderMap,
}

impl<'s> Visitor<'s> {
    pub fn of(site: &'s Site, language: &'static str) -> Self {
        Self {
            site,
            token: site.token(),
            language,
        }
    }

    pub fn fetch(&self, path: &str, encoding: &str) -> Page {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let cookie = format!("wadi={}; wadi-language={}", self.token, self.language);
        let mut answer = agent
            .get(format!("{}{path}", self.site.url()))
            .header("cookie", cookie)
            .header("accept-encoding", encoding)
            .call()
            .expect("an answer");
        let bytes = answer.body_mut().read_to_vec().expect("it comes whole");
        Page {
            status: answer.status().as_u16(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            headers: answer.headers().clone(),
        }
    }

    pub fn page(&self, path: &str) -> Page {
        self.fetch(path, "identity")
    }

    /// A page that has to be there.
    pub fn read(&self, path: &str) -> String {
        let page = self.page(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        page.text
    }

    /// Bytes of a page as they go over a link.
    pub fn weight(&self, path: &str) -> usize {
        let page = self.fetch(path, "gzip");
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.headers["content-encoding"], "gzip", "{path}");
        page.bytes.len()
    }
}

/// The addresses of links on a page that hold a text, as they are meant.
pub fn links<'p>(page: &'p str, with: &str) -> Vec<String> {
    let hrefs = page.split("href=\"").skip(1);
    let hrefs = hrefs.filter_map(|rest: &'p str| rest.split('"').next());
    let plain = |href: &str| href.replace("&#38;", "&").replace("&amp;", "&");
    hrefs
        .map(plain)
        .filter(|href| href.contains(with))
        .collect()
}

pub fn escaped(text: &str) -> String {
    let bytes = text.bytes();
    bytes.map(|b| format!("%{b:02X}")).collect()
}
