//! Follows a node's feed of changes.

use crate::{PATIENCE, Site};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

impl Site {
    /// The first `count` server-sent events of a stream, as their data.
    pub fn listen(&self, path: &str, count: usize) -> Vec<Value> {
        self.listen_as(&self.token(), path, count)
    }

    /// The same under another token.
    pub fn listen_as(&self, token: &str, path: &str, count: usize) -> Vec<Value> {
        let heard = self.follow_as(token, path, None, count).expect("a stream");
        heard.into_iter().map(|(_, data)| data).collect()
    }

    /// The same with the cursor of each, after the last one seen; a problem is the error.
    pub fn follow(
        &self,
        path: &str,
        last_seen: Option<&str>,
        count: usize,
    ) -> Result<Vec<(String, Value)>, Value> {
        self.follow_as(&self.token(), path, last_seen, count)
    }

    fn follow_as(
        &self,
        token: &str,
        path: &str,
        last_seen: Option<&str>,
        count: usize,
    ) -> Result<Vec<(String, Value)>, Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent
            .get(format!("http://{}{path}", self.http))
            .header("authorization", format!("Bearer {token}"));
        if let Some(cursor) = last_seen {
            request = request.header("last-event-id", cursor);
        }

        let mut response = request.call().expect("an answer");
        if !response.status().is_success() {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            return Err(serde_json::from_str(&text).unwrap_or(json!({"text": text})));
        }

        let lines = BufReader::new(response.body_mut().as_reader()).lines();
        let mut cursor = String::new();
        let events = lines.map_while(Result::ok).filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            match name {
                "id" => cursor = value.into(),
                "data" => return Some((cursor.clone(), serde_json::from_str(value).ok()?)),
                _ => {}
            }
            None
        });

        Ok(events.take(count).collect())
    }
}
