//! Keeps the time fresh on a link: what the peer's clock shows, the hub's word, and heads that name
//! it.

use super::{Arriving, Link};
use crate::{door::command::Command, ledger::hub_time::How};
use wadi_log::{Lane, LogId, Role};
use wadi_sync::{Input, Message};

impl Link<'_> {
    /// What the peer signed just now says what its clock shows, a hub's the hub's time; and that it
    /// has seen the log's head.
    pub(super) async fn hear_clock(&self, arriving: &Arriving) {
        let Arriving::Message(Message::Ack {
            log,
            cosignature: Some(cosignature),
            ..
        }) = arriving
        else {
            return;
        };

        if cosignature.witness != self.peer {
            return;
        }

        let time_s = i64::try_from(cosignature.time_s).unwrap_or(i64::MAX);
        self.door.time.shows(self.peer, time_s);

        if self.session.peer().is_some_and(|p| p.role == Role::Hub) {
            self.door.time.is_shown(log);
            self.door
                .put_from(self.peer, Command::HubTime(self.peer, time_s, How::Live))
                .await;
        }
    }

    /// Whether a head that was signed anew is shown to this peer: to a hub, or by a node whose hub
    /// is dark to a neighbour.
    pub(super) fn shows_head(&self, log: &LogId) -> bool {
        match self.session.peer().map(|p| p.role) {
            Some(Role::Hub) => log.node != self.peer,
            Some(Role::Crossing) => self.carrying.to_peer && log.node == self.door.id(),
            _ => false,
        }
    }

    /// Keeps the hub's watermark of a quiet crossing moving: names the newest hub time heard, and
    /// where none was heard for a while, shows the head as it is, for the answer says the time.
    pub(super) async fn keep_fresh(&mut self) {
        if self.door.me.role != Role::Crossing || !self.session.is_idle() {
            return;
        }

        if self.door.time.refresh_due() {
            self.door.put(Command::Refresh { at_once: false }).await;
        } else if self.door.time.ask_due()
            && let Some(log) = self.own_head()
        {
            self.inputs.push_back(Input::HeadRefreshed(log));
        }
    }

    /// The own control log that is written to, or one from before this start.
    fn own_head(&self) -> Option<LogId> {
        let before = |log: &&LogId| log.node == self.door.id() && log.lane == Lane::Control;
        let held = || self.door.frontier().0.keys().find(before).copied();

        self.door.time.head().or_else(held)
    }

    /// Tells a neighbour that asked the newest hub time that this node can show: a hub's
    /// cosignature of its own head.
    pub(super) async fn tell_time(&mut self) {
        if !std::mem::take(&mut self.hub_word.time_asked) {
            return;
        }

        let Some(head) = self.own_head() else { return };
        let Ok(all) = self.door.store.cosignatures(Some(&head)).await else {
            return;
        };
        let of_hubs = all.into_iter().filter(|c| {
            self.door
                .with_control(|k| k.role(&c.cosignature.witness) == Some(Role::Hub))
        });

        let Some(newest) = of_hubs.max_by_key(|c| c.cosignature.time_s) else {
            return;
        };

        if Some(newest.cosignature.time_s) > self.hub_word.time_told_s {
            self.hub_word.time_told_s = Some(newest.cosignature.time_s);
            let checkpoint = Box::new(newest.checkpoint);
            self.inputs.push_back(Input::TellCosigned {
                checkpoint,
                cosignature: newest.cosignature,
            });
        }
    }
}
