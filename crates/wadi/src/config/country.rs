//! The country log of `node.toml`, `[country]`: how often a hub lists, who may read, who cosigns.

use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use wadi_node::{CountryPlan, SignatureKind, VKey, WitnessPlan, WitnessTransport};

/// The keys of `[country]`.
pub(super) const COUNTRY_KEYS: [&str; 4] = ["keep", "every_s", "public", "witness"];
/// The keys of `[[country.witness]]`.
pub(super) const WITNESS_KEYS: [&str; 2] = ["url", "vkeys"];
/// Witnesses at most: a checkpoint has their lines, and readers take sixteen for sure.
const WITNESSES_MAX: usize = 12;
/// Keys of one witness at most.
const VKEYS_MAX: usize = 2;
/// Seconds from one listing to the next at most: a day's policy is to be seen on that day.
const EVERY_S_MAX: u64 = 24 * 3_600;

/// The country log of a hub.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub struct CountryConfig {
    /// Whether a hub keeps one.
    pub keep: bool,
    /// Seconds from one listing to the next.
    pub every_s: u64,
    /// Whether it is read without a token.
    pub public: bool,
    /// Who is asked to cosign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<WitnessConfig>,
}

/// A witness, `[[country.witness]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WitnessConfig {
    /// Its submission prefix.
    pub url: String,
    /// The keys under which it cosigns, as it publishes them.
    pub vkeys: Vec<String>,
}

impl Default for CountryConfig {
    fn default() -> Self {
        Self {
            keep: true,
            every_s: 3_600,
            public: false,
            witness: Vec::new(),
        }
    }
}

impl CountryConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.every_s == 0 || self.every_s > EVERY_S_MAX {
            let every_s = self.every_s;
            return Err(format!("country.every_s = {every_s}: 1 to {EVERY_S_MAX}"));
        }

        if self.witness.len() > WITNESSES_MAX {
            return Err(format!("at most {WITNESSES_MAX} [[country.witness]]"));
        }

        self.witness.iter().try_for_each(|w| w.plan().map(drop))
    }

    /// What the hub is to do. The configuration was checked.
    pub fn plan(&self, transport: Arc<dyn WitnessTransport>) -> CountryPlan {
        let witnesses = self.witness.iter().filter_map(|w| w.plan().ok());
        CountryPlan {
            every: Duration::from_secs(self.every_s),
            public: self.public,
            witnesses: witnesses.collect(),
            transport,
        }
    }
}

impl WitnessConfig {
    fn plan(&self) -> Result<WitnessPlan, String> {
        let url = self.url.trim_end_matches('/').to_string();
        let is_http = ["https://", "http://"].iter().any(|s| url.starts_with(s));
        if !is_http {
            let given = &self.url;
            return Err(format!(
                "country.witness.url = {given:?}: https://… or http://…"
            ));
        }

        if self.vkeys.is_empty() || self.vkeys.len() > VKEYS_MAX {
            return Err(format!(
                "country.witness.vkeys of {url}: 1 to {VKEYS_MAX} keys"
            ));
        }

        let key = |text: &String| match VKey::parse(text) {
            Ok(key) if key.kind() == SignatureKind::Ed25519 => Err(format!(
                "country.witness.vkeys: {text} is a log's key, no witness's"
            )),
            Ok(key) => Ok(key),
            Err(error) => Err(format!("country.witness.vkeys: {text}: {error}")),
        };
        let vkeys = self.vkeys.iter().map(key).collect::<Result<_, _>>()?;
        Ok(WitnessPlan { url, vkeys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a section, where something is.
    fn wrong(text: &str) -> Option<String> {
        let read: CountryConfig = toml::from_str(text).expect("the members are right");
        read.check().err()
    }

    #[test]
    fn what_a_country_log_cannot_be_kept_by_is_refused_with_the_member_and_the_bounds() {
        assert_eq!(wrong(""), None);
        let bad_key = "[[witness]]\nurl = \"https://w.example\"\nvkeys = [\"W1+x\"]\n";
        let no_key = "[[witness]]\nurl = \"https://w.example\"\nvkeys = []\n";
        let no_url = "[[witness]]\nurl = \"w.example\"\nvkeys = []\n";
        for (text, said) in [
            ("every_s = 0", "country.every_s = 0: 1 to 86400".to_string()),
            (
                "every_s = 86401",
                "country.every_s = 86401: 1 to 86400".into(),
            ),
            (
                no_key.repeat(13).as_str(),
                "at most 12 [[country.witness]]".into(),
            ),
            (
                no_url,
                "country.witness.url = \"w.example\": https://… or http://…".into(),
            ),
            (
                no_key,
                "country.witness.vkeys of https://w.example: 1 to 2 keys".into(),
            ),
            (bad_key, "country.witness.vkeys: W1+x: ".into()),
        ] {
            let told = wrong(text).expect(text);
            assert!(told.starts_with(&said), "{text}: {told}");
        }
    }
}
