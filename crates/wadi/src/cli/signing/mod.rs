//! An officer's own signature over a decision: what is signed is made by the node, held against
//! what was asked for, shown, and signed here. The key never leaves the file or the agent.

mod agent;

use crate::{
    cli::client::Client,
    failure::Failure,
    print::{self, shown},
    words,
};
use agent::Agent;
use clap::Args;
use serde_json::{Map, Value, json};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use wadi_log::{SshKey, SshSignature};
use wadi_record::{DECISION_NAMESPACE, signature_event};
use wadi_words::Filling;

/// Bytes of a private key's file at most.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// With what a decision is signed.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct SigningArgs {
    /// Signs with the officer's own key: the file of an OpenSSH private key, type ed25519. Its
    /// passphrase is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_agent")]
    sign_key: Option<PathBuf>,
    /// Signs with the officer's own key in the agent at SSH_AUTH_SOCK, which may have it on a card.
    #[arg(long)]
    ssh_agent: bool,
}

/// Where the officer's key is.
enum Signer {
    File { key: SshKey, seed: [u8; 32] },
    Agent(Agent),
}

/// What came of a statement that was signed.
pub(super) struct Signed {
    pub(super) signature: SshSignature,
    pub(super) signed_at_ms: i64,
    /// The entries that the write has to be based on.
    pub(super) based_on: Value,
}

impl SigningArgs {
    /// Whether anything is to be signed.
    pub(super) fn is_asked(&self) -> bool {
        self.sign_key.is_some() || self.ssh_agent
    }

    /// Signs what a node would write for that body. `is_meant` holds what the statement says
    /// against what was asked for.
    pub(super) fn sign(
        &self,
        client: &Client,
        path: &str,
        body: &Value,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Signed, Failure> {
        let signer = self.signer()?;
        let told = client.post(path, body)?;
        let text = told["statement"].as_str().unwrap_or_default();
        let statement: Value = serde_json::from_str(text).unwrap_or_default();

        // A node that was captured would have another decision signed than the one that is shown.
        let is_decision = statement["statement"] == "wadi-decision/v1"
            && statement["signed_at_ms"] == told["signed_at_ms"]
            && statement["based_on"] == told["based_on"]
            && told["namespace"] == DECISION_NAMESPACE;
        if !is_decision || !is_meant(&statement) {
            let why = format!(
                "the node asks to sign something else than was asked for, and nothing was signed: \
                 {}",
                shown(text.trim_end())
            );
            return Err(Failure::new("decision_signature", why));
        }

        let known = told["keys"].as_array().into_iter().flatten();
        let known: Vec<&str> = known.filter_map(Value::as_str).collect();
        print::print_error!("signing: {}", shown(text.trim_end()));

        Ok(Signed {
            signature: signer.sign(&known, text.as_bytes())?,
            signed_at_ms: told["signed_at_ms"].as_i64().unwrap_or_default(),
            based_on: told["based_on"].clone(),
        })
    }

    /// The body of a write on a record, signed where that is asked for.
    pub(super) fn signed_write(
        &self,
        client: &Client,
        record: &str,
        mut body: Value,
    ) -> Result<Value, Failure> {
        if !self.is_asked() {
            return Ok(body);
        }

        let path = format!("/v1/records/{record}/statement");
        let signed = self.sign(client, &path, &body, |statement| says(statement, &body))?;
        let event = signature_event(&signed.signature, signed.signed_at_ms);
        body["based_on"] = signed.based_on;
        match body["events"].as_array_mut() {
            Some(events) => events.push(Value::Object(event)),
            None => body["events"] = json!([event]),
        }

        Ok(body)
    }

    fn signer(&self) -> Result<Signer, Failure> {
        match &self.sign_key {
            Some(file) => read_key(file),
            None => Agent::connect().map(Signer::Agent),
        }
    }
}

/// Whether a statement says what a body asks for: its fields, and its events but for the ids of
/// records, which the node writes in full.
fn says(statement: &Value, body: &Value) -> bool {
    let without_ids = |event: &Value| {
        let mut event: Map<String, Value> = event.as_object().cloned().unwrap_or_default();
        if event.get("type").is_some_and(|t| t == "link") {
            event.remove("record");
        }
        event
    };
    let events = |of: &Value| -> Vec<Map<String, Value>> {
        let all = of["events"].as_array().into_iter().flatten();
        all.map(without_ids).collect()
    };

    let fields = body["fields"].as_object().into_iter().flatten();
    let mut fields = fields.map(|(name, value)| statement["puts"].get(name) == Some(value));
    let officer = &body["officer"];
    let is_officers = officer.is_null() || statement["officer"] == *officer;

    is_officers && events(statement) == events(body) && fields.all(|is_said| is_said)
}

impl Signer {
    /// Signs with a key that the node knows as the officer's; where it knows none of them, with
    /// none.
    fn sign(self, known: &[&str], statement: &[u8]) -> Result<SshSignature, Failure> {
        let is_known = |key: &SshKey| known.contains(&key.fingerprint().as_str());
        match self {
            Self::File { key, seed } if is_known(&key) => {
                Ok(SshSignature::sign(&seed, DECISION_NAMESPACE, statement))
            }
            Self::File { key, .. } => Err(not_known(&[key])),
            Self::Agent(mut agent) => {
                let held = agent.keys()?;
                match held.iter().find(|key| is_known(key)) {
                    Some(key) => agent.sign(key, statement),
                    None => Err(not_known(&held)),
                }
            }
        }
    }
}

fn not_known(held: &[SshKey]) -> Failure {
    let held: Vec<String> = held.iter().map(SshKey::fingerprint).collect();
    let held = match held.is_empty() {
        true => "none of type ed25519".to_string(),
        false => held.join(", "),
    };
    let why = format!(
        "no key at hand ({held}) is one that the hub named as this officer's, and nothing was \
         signed; `wadi officers` lists those, `wadi say officer-key` at the hub names one"
    );
    Failure::new("decision_key", why)
}

/// What a key's file begins with, as far as one may be long.
fn read_key_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;

    Ok(text)
}

fn read_key(path: &Path) -> Result<Signer, Failure> {
    let bad = |why: String| Failure::new("bad_key", format!("{}: {why}", path.display()));
    let text = read_key_file(path).map_err(|e| bad(e.to_string()))?;
    let mut key = ssh_key::PrivateKey::from_openssh(&text).map_err(|e| bad(e.to_string()))?;
    if key.is_encrypted() {
        let prompt = format!("Passphrase of {}: ", path.display());
        let passphrase = rpassword::prompt_password(prompt)
            .map_err(|e| bad(format!("no passphrase: {e}; an agent asks for it once")))?;
        key = key
            .decrypt(passphrase)
            .map_err(|_| bad("the passphrase is another one".into()))?;
    }

    let Some(pair) = key.key_data().ed25519() else {
        let why = format!("a key of type {}; only ed25519 signs", key.algorithm());
        return Err(bad(why));
    };

    Ok(Signer::File {
        key: SshKey(pair.public.0),
        seed: pair.private.to_bytes(),
    })
}

/// The line of a public key's file.
pub(super) fn read_public_key(path: &Path) -> Result<String, Failure> {
    let bad = |why: String| Failure::usage("bad_key", format!("{}: {why}", path.display()));
    let text = read_key_file(path).map_err(|e| bad(e.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    let key = SshKey::from_openssh(line).map_err(|e| bad(e.to_string()))?;
    Ok(key.to_openssh())
}

/// What a history tells of an officer's signature, in words. Nothing is verified here.
pub(super) fn signature_words(signature: &Value) -> Option<String> {
    let text = |member: &str| shown(signature[member].as_str().unwrap_or_default()).into_owned();
    let language = words::language();
    Some(match signature["state"].as_str()? {
        "signed" => {
            let key = text("key");
            let english = || format!("signed by the officer's own key {key}");
            let key = [("key", Filling::from(key.clone()))];
            words::told(language, "records-signed", key, english)
        }
        "unsigned" => {
            let english = || "not signed by the officer".into();
            words::told(language, "records-unsigned", [], english)
        }
        _ => {
            let english = || format!("NOT SIGNED BY THE OFFICER: {}", text("why"));
            words::told(language, "records-badly-signed", [], english)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_says_what_was_asked_for_or_is_not_signed() {
        let body = json!({"events": [{"type": "seized", "seizure_no": "7"}], "officer": "OF-1"});
        let statement = json!({
            "events": [{"type": "seized", "seizure_no": "7"}], "puts": {}, "officer": "OF-1",
        });
        assert!(says(&statement, &body));

        let mut other = statement.clone();
        other["events"][0]["seizure_no"] = "8".into();
        assert!(!says(&other, &body));

        let mut more = statement.clone();
        more["events"] = json!([{"type": "seized", "seizure_no": "7"}, {"type": "remark"}]);
        assert!(!says(&more, &body));

        let mut anothers = statement;
        anothers["officer"] = "OF-2".into();
        assert!(!says(&anothers, &body));
    }
}
