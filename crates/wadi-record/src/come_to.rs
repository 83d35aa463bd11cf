//! What a record has come to with one entry, for the answer to whoever wrote it: nothing is made of
//! the record for lists or rules.

use crate::{
    contained::contained,
    forms::Lack,
    record::Record,
    state::{Fold, State, unreadable},
};
use wadi_log::Reference;

/// An act of an entry that counts and lacks what it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LackingAct {
    /// The event's type.
    pub event: String,
    /// What it lacks.
    pub lacks: Vec<Lack>,
}

/// What a record has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComeTo {
    /// Its state.
    pub state: State,
    /// Acts of the entry that lack what they need.
    pub lacking: Vec<LackingAct>,
}

impl Record {
    /// What the record has come to, and which acts of an entry lack what they need.
    pub fn come_to(&self, entry: &Reference) -> ComeTo {
        let folded = contained(|| {
            let fold = Fold::of(self);
            let own = fold.unfounded.iter();
            let own = own.filter(|act| act.event.reference == *entry);
            let lacking = own.map(|act| LackingAct {
                event: act.event.kind().into(),
                lacks: act.lacks.clone(),
            });

            ComeTo {
                lacking: lacking.collect(),
                state: fold.state,
            }
        });

        folded.unwrap_or_else(|| ComeTo {
            state: unreadable(self),
            lacking: Vec::new(),
        })
    }
}
