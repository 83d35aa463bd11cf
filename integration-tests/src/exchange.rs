//! Requests to a node under other tokens, and with whatever they answer.

use crate::{PATIENCE, Site};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use ureq::{Body, http::Response};

/// The person who acts with the machines' own tokens, which are nobody's.
pub const OPERATOR: &str = "Layla Hasan";

/// What an answer says; a problem is the error.
fn answer_of(mut response: Response<Body>) -> Result<Value, Value> {
    let text = response.body_mut().read_to_string().unwrap_or_default();
    let value = serde_json::from_str(&text).unwrap_or(json!({"text": text}));

    match response.status().is_success() {
        true => Ok(value),
        false => Err(value),
    }
}

impl Site {
    /// Status and body of a request as the operator. Text goes to imports as it is.
    pub fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let text = body.map(|body| match body {
            Value::Null => String::new(),
            Value::String(lines) => lines.clone(),
            other => other.to_string(),
        });
        let (status, answer) = self.send(method, path, text.as_deref());
        (status.unwrap_or(0), answer)
    }

    /// A file that it serves.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let mut response = ureq::get(format!("http://{}{path}", self.http))
            .header("authorization", format!("Bearer {}", self.token()))
            .call()
            .expect("a file");

        response.body_mut().read_to_vec().expect("it comes whole")
    }

    /// A fresh operator's token of a person's own.
    pub fn token_of(&self, person: &str) -> String {
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        let name = format!("{person} {}", ISSUED.fetch_add(1, Ordering::Relaxed));
        let body = json!({"name": name, "scope": {"is": "operator"}, "person": person});
        let issued = self.post("/v1/tokens", &body).expect("a token");
        issued["token"].as_str().expect("a token").into()
    }

    /// POST of a file as the operator; a problem is the error.
    pub fn post_bytes(&self, path: &str, bytes: &[u8]) -> Result<Value, Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let response = agent
            .post(format!("{}{path}", self.url()))
            .header("authorization", format!("Bearer {}", self.token()))
            .header("content-type", "application/octet-stream")
            .send(bytes)
            .expect("an answer");
        answer_of(response)
    }

    /// GET under another token; a problem is the error.
    pub fn get_as(&self, token: &str, path: &str) -> Result<Value, Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let response = agent
            .get(format!("http://{}{path}", self.http))
            .header("authorization", format!("Bearer {token}"))
            .call()
            .map_err(|e| json!({"code": e.to_string()}))?;
        answer_of(response)
    }

    /// A request under another token, with a key that makes it one write however often it is sent.
    pub fn post_as(
        &self,
        token: &str,
        key: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Result<Value, Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent
            .post(format!("http://{}{path}", self.http))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }

        let mut response = request
            .send(body.to_string())
            .map_err(|e| json!({"code": e.to_string()}))?;
        let value = serde_json::from_str(&response.body_mut().read_to_string().unwrap_or_default())
            .unwrap_or_default();

        if response.status().is_success() {
            Ok(value)
        } else {
            Err(value)
        }
    }
}
