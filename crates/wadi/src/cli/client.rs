//! Talks to a running node over its HTTP API.

use crate::{
    cli::{NodeAt, token_file::given_token},
    config::Config,
    failure::Failure,
};
use serde_json::Value;
use std::{
    sync::{Arc, RwLock},
    time::Duration,
};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a node may take over what it does at a stretch, as a bundle's part.
const LONG_REQUEST_MAX: Duration = Duration::from_secs(3_600);

/// A problem's code and reason.
fn problem(status: ureq::http::StatusCode, text: &str) -> Failure {
    let json: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let code = json["code"].as_str().unwrap_or("http_error").to_string();
    let why = json["detail"]
        .as_str()
        .map_or_else(|| format!("HTTP {status}"), String::from);

    // A value that does not exist was mistyped on the command line.
    match code.as_str() {
        "unknown_value" | "bad_query" => Failure::usage(code, why),
        _ => Failure::new(code, why),
    }
}

/// Whether a URL is of this machine: no proxy is to stand between, which would be given the token.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_own = |ip: std::net::IpAddr| {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };

    // RFC 6761, 6.3: every name below localhost is this machine, too.
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(is_own)
        || is_short_loopback(&host)
}

/// Whether a host is an IPv4 address of this machine as inet_aton(3) reads it, with fewer than four
/// parts.
fn is_short_loopback(host: &str) -> bool {
    let parts: Vec<&str> = host.split('.').collect();
    let numbers: Option<Vec<u64>> = parts.iter().map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([whole]) => *whole >> 24 == 127,
        Some([127, rest @ ..]) => rest.len() < 3,
        _ => false,
    }
}

/// A text as it stands in a URL.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// A client with its token.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: Arc<RwLock<String>>,
}

impl Client {
    /// The same node with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Arc::new(RwLock::new(token.into())),
            ..self.clone()
        }
    }

    /// Gives this client, and all its clones, a token.
    pub fn set_token(&self, token: &str) {
        *self.token.write().expect("no panic holds it") = token.into();
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.read().expect("no panic holds it"))
    }

    /// The node's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A client of a URL, which trusts the machine's usual authorities.
    pub fn new(base: impl Into<String>, token: impl Into<String>) -> Self {
        Self::trusting(base, token, TlsConfig::default())
    }

    fn trusting(base: impl Into<String>, token: impl Into<String>, tls: TlsConfig) -> Self {
        let base = base.into();
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .tls_config(tls);
        if is_loopback(&base) {
            config = config.proxy(None);
        }

        Self {
            agent: config.build().into(),
            base,
            token: Arc::new(RwLock::new(token.into())),
        }
    }

    /// The node that the command line names.
    pub fn at(at: &NodeAt) -> Result<Self, Failure> {
        let config = Config::read(&at.config);
        let url = match (&at.url, &config) {
            (Some(url), _) => url.trim_end_matches('/').to_string(),
            (None, Ok(c)) => format!("http{}://{}", if c.http_tls { "s" } else { "" }, c.http),
            (None, Err(e)) => return Err(e.clone()),
        };

        let given = given_token(at.token.as_deref(), at.token_file.as_deref())?;
        let token = match (given, &config) {
            (Some(token), _) => token,
            (None, Ok(c)) => {
                let path = c.data.join("operator.token");
                std::fs::read_to_string(&path).map_err(|e| {
                    let why = format!(
                        "{}: {e}; did the node run here (a standby did not yet)? Else give \
                         --token-file",
                        path.display()
                    );
                    Failure::new("no_token", why)
                })?
            }
            (None, Err(e)) if at.url.is_some() => {
                let why = format!(
                    "with --url a token is needed: give --token-file, WADI_TOKEN, or the \
                     configuration of a node of this machine ({})",
                    e.why
                );
                return Err(Failure::usage("no_token", why));
            }
            (None, Err(e)) => return Err(e.clone()),
        };

        // A node's own certificate is of the commission's authority, and of no other.
        let tls = match &config {
            Ok(c) if c.http_tls => {
                let path = c.papers.join("ca.pem");
                let bad =
                    |e: String| Failure::new("unreadable", format!("{}: {e}", path.display()));
                let pem = std::fs::read(&path).map_err(|e| bad(e.to_string()))?;
                let ca = Certificate::from_pem(&pem).map_err(|e| bad(e.to_string()))?;

                TlsConfig::builder()
                    .root_certs(RootCerts::new_with_certs(&[ca]))
                    .build()
            }
            _ => TlsConfig::default(),
        };

        Ok(Self::trusting(url, token.trim(), tls))
    }

    fn answer(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Failure> {
        self.text(sent)
            .map(|text| serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The body of a good answer; a problem's code and reason of any other.
    fn text(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, Failure> {
        let mut response = sent.map_err(|e| {
            Failure::new(
                "unreachable",
                format!("{} does not answer: {e}; is the node running?", self.base),
            )
        })?;

        let status = response.status();
        let text = response
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string();

        let text = text.map_err(|e| Failure::new("unreachable", e.to_string()))?;
        if status.is_success() {
            Ok(text)
        } else {
            Err(problem(status, &text))
        }
    }

    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base));
        self.answer(request.header("authorization", self.bearer()).call())
    }

    /// The same for what reads a whole disk through: it takes its time.
    pub fn get_slow(&self, path: &str) -> Result<Value, Failure> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", self.bearer());

        self.answer(
            request
                .config()
                .timeout_global(Some(Duration::from_secs(12 * 3600)))
                .build()
                .call(),
        )
    }

    /// An answer that is no JSON, as it is.
    pub fn get_text(&self, path: &str) -> Result<String, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base));
        self.text(request.header("authorization", self.bearer()).call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base));
        self.answer(
            request
                .header("authorization", self.bearer())
                .send_json(body),
        )
    }

    /// The same with a key that makes it one write however often it is sent.
    pub fn post_once(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("idempotency-key", key);

        self.answer(
            request
                .header("authorization", self.bearer())
                .send_json(body),
        )
    }

    /// Lines of JSON, or of what should be.
    pub fn post_lines(&self, path: &str, body: Vec<u8>) -> Result<Value, Failure> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-ndjson");
        self.answer(request.header("authorization", self.bearer()).send(body))
    }

    /// A request that may take long.
    pub fn post_patiently(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .config()
            .timeout_global(Some(LONG_REQUEST_MAX))
            .build();

        self.answer(
            request
                .header("authorization", self.bearer())
                .send_json(body),
        )
    }

    /// An answer that is no text, as it is.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .config()
            .timeout_global(Some(LONG_REQUEST_MAX))
            .build();

        let sent = request.header("authorization", self.bearer()).call();
        let unreachable =
            |e: ureq::Error| Failure::new("unreachable", format!("{}: {e}", self.base));
        let mut response = sent.map_err(unreachable)?;
        let status = response.status();
        let bytes = response
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_vec()
            .map_err(unreachable)?;

        if status.is_success() {
            Ok(bytes)
        } else {
            Err(problem(status, &String::from_utf8_lossy(&bytes)))
        }
    }

    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Result<Value, Failure> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .config()
            .timeout_global(Some(LONG_REQUEST_MAX))
            .build();

        let request = request.header("content-type", "application/octet-stream");
        self.answer(request.header("authorization", self.bearer()).send(body))
    }

    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.delete(format!("{}{path}", self.base));
        self.answer(request.header("authorization", self.bearer()).call())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        for url in [
            "http://127.0.0.1:7780",
            "https://localhost:1",
            "http://[::1]:7780/",
            "http://127.8.8.8",
            "http://localhost.:7780",
            "http://hub.localhost",
            "http://127.1:7780",
            "http://2130706433",
            "http://[::ffff:127.0.0.1]:7780",
            "http://0.0.0.0:7780",
        ] {
            assert!(is_loopback(url), "{url}");
        }

        for url in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://127.0.0.1.example:80",
            "http://localhosts",
            "http://10.1",
            "http://[::ffff:10.0.0.1]",
            "nonsense",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
