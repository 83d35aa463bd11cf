//! Witnesses of others: they are asked to cosign each checkpoint, with a proof that it follows on
//! the one that they cosigned last.

use super::{Country, CountryPlan, Published};
use crate::door::error::NodeError;
use async_trait::async_trait;
use std::time::{Duration, Instant};
use wadi_country::{CosignAnswer, SignedHead, VKey, ask_for_cosignature, read_answer};
use wadi_log::{Hash, proof};

/// The alarm of witnesses that do not cosign.
const ABOUT: &str = "country_witnesses";
/// How long one may take over an answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// Pause before one that did not cosign is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);
/// Questions of one checkpoint: the first may be answered with the size to prove from.
const QUESTIONS_MAX: usize = 2;
/// Characters of a witness's reason that are told.
const WHY_CHARS_MAX: usize = 200;

/// A witness to ask.
#[derive(Clone, Debug)]
pub struct WitnessPlan {
    /// Where `add-checkpoint` is asked for: its submission prefix.
    pub url: String,
    /// The keys under which it cosigns.
    pub vkeys: Vec<VKey>,
}

impl WitnessPlan {
    pub(super) fn name(&self) -> &str {
        self.vkeys.first().map_or(self.url.as_str(), VKey::name)
    }

    pub(super) fn has_cosigned(&self, note: &str) -> bool {
        let signed = SignedHead::parse(note);
        let by = |key| matches!(&signed, Ok(s) if matches!(s.signed_by(key), Ok(Some(_))));
        self.vkeys.iter().any(by)
    }
}

/// How witnesses are reached.
#[async_trait]
pub trait WitnessTransport: Send + Sync {
    /// Posts a body to `add-checkpoint` below a URL: the status and the body of the answer, of
    /// [`wadi_country::ANSWER_BYTES_MAX`] bytes at most, or why there is none.
    async fn add_checkpoint(&self, url: &str, body: String) -> Result<(u16, String), String>;
}

/// What is remembered of a witness in this process: it says itself what it cosigned before.
#[derive(Clone, Debug, Default)]
pub(super) struct WitnessMemory {
    /// Of which log, and the size that it cosigned last.
    cosigned: (String, u64),
    /// When it is asked again.
    rests_until: Option<Instant>,
    /// Why it did not cosign the newest checkpoint.
    pub(super) trouble: Option<String>,
}

impl Country {
    /// Asks each witness that has not cosigned the newest checkpoint yet.
    pub(super) async fn ask_witnesses(&self, plan: &CountryPlan) -> Result<(), NodeError> {
        let newest = self.shown.read().expect("no panic holds it").newest.clone();
        let Some(mut newest) = newest.filter(|_| !plan.witnesses.is_empty()) else {
            return Ok(());
        };

        let mut memory = self.memory.lock().await;
        let (mut troubles, mut changed) = (Vec::new(), false);
        for witness in &plan.witnesses {
            let of = memory.entry(witness.name().to_string()).or_default();
            if of.cosigned.0 != newest.origin {
                of.cosigned = (newest.origin.clone(), 0);
            }

            let rests = of.rests_until.is_some_and(|until| Instant::now() < until);
            if !witness.has_cosigned(&newest.note) && !rests {
                let answer = self.ask(plan, witness, of, &newest).await?;
                (of.trouble, of.rests_until) = match answer {
                    Ok(lines) => {
                        newest.note += &lines;
                        newest.cosigned += 1;
                        of.cosigned.1 = newest.size;
                        changed = true;
                        (None, None)
                    }
                    Err(why) => {
                        let why = why.chars().take(WHY_CHARS_MAX).collect();
                        (Some(why), Some(Instant::now() + RETRY_PAUSE))
                    }
                };
            }

            if let Some(why) = &of.trouble {
                troubles.push(format!("{}: {why}", witness.name()));
            }
        }

        let text = format!(
            "the country log's newest checkpoint is not cosigned by {}",
            troubles.join("; ")
        );
        let alarm = (!troubles.is_empty()).then_some(text);
        self.door.set_alarm(ABOUT, alarm);
        if changed {
            self.show(newest).await?;
        }
        Ok(())
    }

    /// The lines with which it cosigned, or why it did not.
    async fn ask(
        &self,
        plan: &CountryPlan,
        witness: &WitnessPlan,
        memory: &mut WitnessMemory,
        newest: &Published,
    ) -> Result<Result<String, String>, NodeError> {
        let mut why = String::new();
        for _ in 0..QUESTIONS_MAX {
            let old = memory.cosigned.1;
            if old > newest.size {
                why = format!(
                    "it cosigned {old} leaves of {}, which has {}: this hub lost some, or \
                     somebody signs with its key",
                    newest.origin, newest.size
                );
                memory.cosigned.1 = 0;
                break;
            }

            let path = self.consistency(old, newest.size).await?;
            let body = ask_for_cosignature(old, &path, &newest.note);
            let asked = plan.transport.add_checkpoint(&witness.url, body);
            let (status, text) = match tokio::time::timeout(ANSWER_TIME, asked).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => return Ok(Err(error)),
                Err(_) => return Ok(Err("it does not answer".into())),
            };

            match read_answer(status, &text, &newest.note, &witness.vkeys) {
                CosignAnswer::Cosigned(lines) => return Ok(Ok(lines)),
                CosignAnswer::HasCosigned(size) => {
                    memory.cosigned.1 = size;
                    why = format!("it says that it cosigned {size} leaves");
                }
                CosignAnswer::Refused(said) => return Ok(Err(said)),
            }
        }

        Ok(Err(why))
    }

    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, NodeError> {
        let mut kept = self.kept.lock().await;
        match kept.as_mut() {
            Some(log) => {
                let ranges = proof::consistency_ranges(old, new);
                log.roots(&self.door, &ranges).await
            }
            None => Ok(vec![]),
        }
    }
}
