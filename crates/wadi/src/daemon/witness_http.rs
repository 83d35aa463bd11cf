//! Asks witnesses over HTTP.

use crate::cli::client::is_loopback;
use async_trait::async_trait;
use std::time::Duration;
use wadi_node::{ANSWER_BYTES_MAX, WitnessTransport};

/// How long one may take over an answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// An HTTP client that trusts the usual authorities, and follows nobody elsewhere.
pub(super) struct WitnessHttp;

#[async_trait]
impl WitnessTransport for WitnessHttp {
    async fn add_checkpoint(&self, url: &str, body: String) -> Result<(u16, String), String> {
        let url = format!("{url}/add-checkpoint");
        let asked = tokio::task::spawn_blocking(move || post(&url, &body));
        asked.await.map_err(|error| error.to_string())?
    }
}

fn post(url: &str, body: &str) -> Result<(u16, String), String> {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(ANSWER_TIME));
    if is_loopback(url) {
        config = config.proxy(None);
    }

    let agent: ureq::Agent = config.build().into();
    let sent = agent
        .post(url)
        .content_type("text/plain; charset=utf-8")
        .send(body);
    let mut answer = sent.map_err(|error| format!("{url}: {error}"))?;
    let text = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX as u64)
        .read_to_string()
        .map_err(|error| format!("{url}: {error}"))?;

    Ok((answer.status().as_u16(), text))
}
