//! One write: where it belongs, what it is based on, whether it counts, and what its author is
//! told.

use crate::{
    door::{
        based_on::{base_as_given, base_of_heads},
        error::{NodeError, WriteError},
        write::{Based, Target, Write, Written, run_in_entry},
    },
    pipeline::{
        author::refusal,
        changed::{StoodBefore, changed, lack_warnings},
        commit::Commit,
        repeats::Sent,
        rested_on::{change_warnings, unsigned_warnings},
        sequencer::Sequencer,
    },
};
use std::collections::BTreeSet;
use wadi_log::{
    Body, Change, Common, Crossing, Entry, LogId, RecordId, Reference, Role, VerifiedEntry,
};
use wadi_record::{Draft, DraftContext, Kind, Record, is_decision, warnings};

/// How far ahead of this node's clock a time of what has happened may lie without a word, in
/// milliseconds, where the policy is not laxer: people write down full hours.
const AHEAD_MS: i64 = 3_600_000;

/// The record that a write belongs to, and the crossing whose log takes it. None begins a record.
struct WritePlace {
    record: Option<RecordId>,
    crossing: Crossing,
}

/// What there is to tell of a write before it is made.
struct ToldBefore {
    /// The fields that it puts.
    names: Vec<String>,
    /// What stood there; none where it begins a record.
    before: Option<StoodBefore>,
    /// The decisions that are said with it.
    decisions: Vec<String>,
    of_draft: Vec<String>,
    of_clocks: Vec<String>,
    /// Of its device's number.
    of_number: Option<String>,
}

impl ToldBefore {
    /// What was written, once the record holds it.
    fn written(self, record: &Record, entry: Reference, is_matched: bool) -> Written {
        let come_to = record.come_to(&entry);
        let of_changes = change_warnings(record, &entry, is_matched);
        let unsigned = unsigned_warnings(record, &entry);
        let warnings = lack_warnings(&come_to)
            .into_iter()
            .chain(self.of_draft)
            .chain(of_changes)
            .chain(unsigned)
            .chain(self.of_number)
            .chain(self.of_clocks)
            .collect();

        Written {
            record: record.id(),
            printed: record.printed(),
            entry,
            repeated: false,
            warnings,
            decisions: self.decisions,
            changed: Some(changed(self.before, &self.names, record, &come_to.state)),
        }
    }
}

/// The types of a draft's events.
fn types(draft: &Draft) -> impl Iterator<Item = &str> {
    let events = draft.events.iter();
    events.filter_map(|event| event.get("type")?.as_str())
}

impl Sequencer {
    /// Judges a write and appends it. What would not count is told to whoever says it, and leaves
    /// no trace.
    pub(super) async fn write_one(
        &mut self,
        g: &mut Commit,
        write: Write,
    ) -> Result<Written, NodeError> {
        if self.me.role == Role::Observer {
            let node = self.me.name.clone();
            return Err(WriteError::Observer { node }.into());
        }

        write.check_names()?;
        let mut marks = match self.sent_before(g, &write).await? {
            Sent::Before(written) => return Ok(*written),
            Sent::First(marks) => marks,
        };

        let (puts, events) = write.draft.check()?;
        let kind = write.draft.kind;
        let place = self.place_of(g, &write.target, kind).await?;
        let based_on = self.base_of(g, &write.based_on, place.record).await?;

        let epoch = self.open_epoch(g)?;
        let log = self.ledger.own_log(epoch, kind.lane(), place.crossing);
        self.say_what_was_seen(g, log, &write).await?;
        self.check_unspent(g, &events).await?;

        let mut told = self.told_before(g, &write, &place).await?;
        told.of_number = marks.warning.take();
        let device = write.device.clone();
        let run = run_in_entry(std::mem::take(&mut marks.run));

        let body = Body::Change(Change {
            record: place.record,
            based_on,
            puts,
            events,
        });
        let entry = Entry {
            common: self.common_of(write, run),
            body,
        };
        let own = VerifiedEntry::author(log, self.ledger.held(&log), &entry)?;
        wadi_store::defence::trip("write", own.bytes());
        let reference = own.reference();
        let id = place
            .record
            .unwrap_or_else(|| RecordId::of_first(&reference));

        let is_matched = self.judge(g, id, &own).await?;
        self.append_made(g, own.clone());
        g.batch.project.about.push((id, reference));
        g.fresh.entry(id).or_default().push(own);
        g.touched.insert(id);

        marks.keep(&mut g.batch, id, reference);
        g.read_by.push(device);
        Ok(told.written(&g.records[&id], reference, is_matched))
    }

    /// What stands in the record before a write, and what is strange about it.
    async fn told_before(
        &mut self,
        g: &mut Commit,
        write: &Write,
        place: &WritePlace,
    ) -> Result<ToldBefore, NodeError> {
        let of_draft = self.draft_warnings(g, write, place.record).await?;
        let names: Vec<String> = write.draft.fields.keys().cloned().collect();
        let before = match place.record {
            Some(id) => {
                let record = self.record(g, id).await?;
                record.map(|record| StoodBefore::of(record, &names))
            }
            None => None,
        };

        let decisions = types(&write.draft).filter(|kind| is_decision(kind));
        Ok(ToldBefore {
            names,
            before,
            decisions: decisions.map(String::from).collect(),
            of_draft,
            of_clocks: self.clock_warnings(write),
            of_number: None,
        })
    }

    /// Where a write belongs. A crossing begins records of its own alone.
    async fn place_of(
        &mut self,
        g: &mut Commit,
        target: &Target,
        kind: Kind,
    ) -> Result<WritePlace, NodeError> {
        let id = match target {
            Target::On(id) => *id,
            Target::New(crossing) => {
                let own = self.ledger.own_crossing();
                let crossing = crossing.unwrap_or(own);
                if self.me.role == Role::Crossing && Some(crossing) != self.me.crossing {
                    return Err(WriteError::ForeignCrossing { own, crossing }.into());
                }

                return Ok(WritePlace {
                    record: None,
                    crossing,
                });
            }
        };

        let record = self
            .record(g, id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;
        // What is of no kind takes nobody's word: judging the write says why.
        if let Some(is) = record.kind().filter(|is| *is != kind) {
            let is = is.name();
            return Err(WriteError::WrongKind {
                record: record.printed(),
                is,
                draft: kind,
            }
            .into());
        }

        Ok(WritePlace {
            record: Some(id),
            crossing: record.crossing(),
        })
    }

    /// The entries that a write is based on: those it names, or the record's heads.
    async fn base_of(
        &mut self,
        g: &mut Commit,
        based: &Based,
        record: Option<RecordId>,
    ) -> Result<Vec<Reference>, NodeError> {
        let Some(id) = record else {
            return Ok(Vec::new());
        };
        let record = self
            .record(g, id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;
        let given = match based {
            Based::Heads => return Ok(base_of_heads(record.heads())),
            Based::Entries(given) => given,
        };

        if let Some(unknown) = given.iter().find(|r| record.row(r).is_none()) {
            return Err(NodeError::UnknownEntry(unknown.to_string()));
        }

        Ok(base_as_given(given)?)
    }

    /// Says before an officer's write what this node had taken in. Every put is judged like an
    /// event: by the policy and the officers known here.
    async fn say_what_was_seen(
        &mut self,
        g: &mut Commit,
        log: LogId,
        write: &Write,
    ) -> Result<(), NodeError> {
        if write.officer.is_empty() {
            return Ok(());
        }

        let decides = types(&write.draft).any(is_decision);
        self.write_seen(g, log, decides).await
    }

    /// What is strange about a draft, in itself and beside its record and what this node knows.
    async fn draft_warnings(
        &mut self,
        g: &mut Commit,
        write: &Write,
        record: Option<RecordId>,
    ) -> Result<Vec<String>, NodeError> {
        let draft = &write.draft;
        let record = match record {
            Some(id) => self.record(g, id).await?,
            None => None,
        };
        let (now_ms, doubt_ms) = (self.clock.now_ms(), self.clock_doubt_ms());
        let known = || -> BTreeSet<Crossing> {
            let enrolled = self.ledger.control().enrolments();
            let crossings = enrolled.filter_map(|e| e.crossing);
            crossings
                .chain(self.me.crossing)
                .chain([Crossing::HUB])
                .collect()
        };

        let said = write.happened.as_ref().map(|(at_ms, _)| *at_ms);
        let context = DraftContext {
            now_ms,
            ahead_ms: doubt_ms.max(AHEAD_MS),
            said_ms: said.map_or(now_ms, |at_ms| now_ms.min(at_ms)),
            record: record.as_deref(),
            crossings: &known,
        };
        let of_digits = draft.fields.iter().filter_map(|(k, v)| warnings(k, v));
        Ok(of_digits.chain(draft.doubts(&context)).collect())
    }

    /// What is said of the write's time and of this node's clock.
    fn clock_warnings(&mut self, write: &Write) -> Vec<String> {
        let doubt_ms = self.clock_doubt_ms();
        let ahead = write.time_warning(self.clock.now_ms(), doubt_ms);
        let off = self.time.clock_warning(doubt_ms / 1_000);
        ahead.into_iter().chain(off).collect()
    }

    /// Who says a write, and when.
    fn common_of(&self, write: Write, device_run: String) -> Common {
        Common {
            device_run,
            officer: write.officer,
            department: write.department,
            device: write.device,
            device_seq: write.device_seq,
            happened_ms: write.happened.as_ref().map(|(at, _)| *at),
            happened_source: write.happened.map(|(_, source)| source).unwrap_or_default(),
            ..self.common_now()
        }
    }

    /// Takes an own entry into its record, or says why it would not count. Answers whether what it
    /// changes is matched by other records.
    async fn judge(
        &mut self,
        g: &mut Commit,
        id: RecordId,
        own: &VerifiedEntry,
    ) -> Result<bool, NodeError> {
        let said = self
            .said(own)
            .await?
            .map_err(|missing| NodeError::UnknownEntry(missing.to_string()))?;
        let is_matched = self.is_matched(g, id, &said.change.puts).await?;

        if let Some(record) = g.records.get_mut(&id) {
            if let Some(objection) = record.objection_to(&said, is_matched) {
                return Err(refusal(objection));
            }

            record.add(said);
            return Ok(is_matched);
        }

        let record = Record::build(id, [said]).expect("one row");
        if let Some(objection) = record.objection(&own.reference()) {
            return Err(refusal(objection));
        }

        g.records.insert(id, record);
        Ok(is_matched)
    }
}
