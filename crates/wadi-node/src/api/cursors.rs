//! Cursors of the feed of changes, which say of which store they are.
//!
//! A store numbers its changes. A store that was filled anew, or restored from an older copy, gives
//! the same numbers to other changes, and whoever follows would miss some without a word. So each
//! start of the node names a life, and a cursor is `life-number`: the store keeps which number each
//! of its lives began after. A life that it does not know, and a number beyond the end of its life
//! as it knows it, are of a store that is no more.

use crate::door::{Door, error::NodeError};
use std::collections::BTreeMap;
use wadi_store::{LocalKey, LocalScope, RecordFilter, StoreError};

/// Lives that are remembered. Each had a change of its own: at a start a week that is a lifetime.
const LIVES_MAX: usize = 4_096;

/// The lives of a store.
#[derive(Clone, Debug)]
pub(crate) struct Cursors {
    /// This life's name.
    name: String,
    /// Every life's name by the number after which it began. Each had a change before the next.
    lives: BTreeMap<i64, String>,
}

/// Why a cursor is not followed on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CursorGone {
    /// It is no cursor of a feed.
    Unread,
    /// It is of a store that was lost, restored or filled anew since, or of too long ago.
    OtherStore,
}

impl CursorGone {
    /// Why, for whoever follows.
    pub fn why(self) -> &'static str {
        match self {
            Self::Unread => "this is no cursor that the feed of changes gave",
            Self::OtherStore => {
                "this cursor is of a store that was restored or filled anew since, or of too long \
                 ago: changes may have been missed"
            }
        }
    }
}

impl Cursors {
    /// Begins a life after the change `newest`; the lives before it, as the store keeps them.
    /// Returns the names of those that need not be kept.
    fn begin(kept: &[LocalKey], newest: i64, name: String) -> (Self, Vec<String>) {
        let mut lives = BTreeMap::new();
        let mut gone = Vec::new();
        for key in kept {
            match key.value.parse::<i64>() {
                // A life that had no change gave no cursor.
                Ok(after) if after < newest => gone.extend(lives.insert(after, key.key.clone())),
                _ => gone.push(key.key.clone()),
            }
        }

        lives.insert(newest, name.clone());
        while lives.len() > LIVES_MAX {
            gone.extend(lives.pop_first().map(|(_, name)| name));
        }

        (Self { name, lives }, gone)
    }

    /// Begins a life of the node's store and writes it down. Where that fails, as on a full disk,
    /// the cursors of this life are not known after it.
    pub(crate) async fn start(door: &Door) -> Result<Self, StoreError> {
        let filter = RecordFilter {
            limit: 1,
            ..RecordFilter::default()
        };
        let newest = door.store.records(&filter).await?;
        let newest = newest.first().map_or(0, |row| row.changed);
        let kept = door.store.local_all(&LocalScope::Cursor).await?;
        let name = wadi_log::hex(&rand::random::<[u8; 8]>());

        let (cursors, gone) = Self::begin(&kept, newest, name);
        let key = LocalKey {
            scope: LocalScope::Cursor,
            key: cursors.name.clone(),
            value: newest.to_string(),
        };
        let gone = gone.into_iter().map(|name| (LocalScope::Cursor, name));
        if let Err(error) = door.set_local(vec![key], gone.collect()).await {
            tracing::warn!(%error, "cursors of this start are not known after it");
        }

        Ok(cursors)
    }

    /// The cursor of a change that is read now.
    pub(crate) fn text(&self, number: i64) -> String {
        format!("{}-{number}", self.name)
    }

    /// The number to go on after, where no change before it can have been missed. `newest` is the
    /// newest change that the store holds; 0 alone begins anew.
    pub(crate) fn after(&self, cursor: &str, newest: i64) -> Result<i64, CursorGone> {
        if cursor == "0" {
            return Ok(0);
        }

        let (life, number) = cursor.split_once('-').ok_or(CursorGone::Unread)?;
        let number: i64 = number.parse().map_err(|_| CursorGone::Unread)?;
        let found = self.lives.iter().find(|(_, name)| *name == life);
        let began = *found.ok_or(CursorGone::OtherStore)?.0;
        let next = self
            .lives
            .range(began + 1..)
            .next()
            .map(|(after, _)| *after);

        // A life gave the numbers after its beginning, to where the next one began.
        match number > began && number <= next.unwrap_or(newest) {
            true => Ok(number),
            false => Err(CursorGone::OtherStore),
        }
    }
}

impl super::Reads {
    /// The cursor of a change.
    pub fn cursor_text(&self, number: i64) -> String {
        self.cursors.text(number)
    }

    /// The number of the change to go on after; an error inside where the one who follows has to
    /// begin anew.
    pub async fn cursor_after(&self, cursor: &str) -> Result<Result<i64, CursorGone>, NodeError> {
        let filter = RecordFilter {
            limit: 1,
            ..RecordFilter::default()
        };
        let newest = self.door.store.records(&filter).await?;
        let newest = newest.first().map_or(0, |row| row.changed);
        Ok(self.cursors.after(cursor, newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lives: &[(&str, i64)]) -> Vec<LocalKey> {
        let key = |(name, after): &(&str, i64)| LocalKey {
            scope: LocalScope::Cursor,
            key: (*name).into(),
            value: after.to_string(),
        };
        lives.iter().map(key).collect()
    }

    #[test]
    fn cursors_of_every_life_of_one_store_go_on() {
        let (cursors, gone) = Cursors::begin(&kept(&[("a", 0), ("b", 10)]), 25, "c".into());
        assert!(gone.is_empty());
        assert_eq!(cursors.text(26), "c-26");
        for (cursor, number) in [
            ("0", 0),
            ("a-1", 1),
            ("a-10", 10),
            ("b-25", 25),
            ("c-30", 30),
        ] {
            assert_eq!(cursors.after(cursor, 30), Ok(number), "{cursor}");
        }
    }

    #[test]
    fn a_cursor_of_another_store_or_of_what_was_undone_is_gone() {
        let (cursors, _) = Cursors::begin(&kept(&[("a", 0), ("b", 10)]), 25, "c".into());
        // `b` came to 40 before the store was restored to where it held 25 changes.
        for cursor in ["b-26", "b-40", "b-10", "a-11", "a-0", "x-5", "c-31", "c-25"] {
            let found = cursors.after(cursor, 30);
            assert_eq!(found, Err(CursorGone::OtherStore), "{cursor}");
        }

        for cursor in ["", "7", "a", "a-", "a-x", "a--", "0-"] {
            assert_eq!(
                cursors.after(cursor, 30),
                Err(CursorGone::Unread),
                "{cursor}"
            );
        }
    }

    #[test]
    fn lives_without_a_change_are_not_kept_and_others_to_a_bound() {
        let (cursors, gone) = Cursors::begin(&kept(&[("a", 0), ("b", 10)]), 10, "c".into());
        assert_eq!(gone, ["b"]);
        assert_eq!(cursors.after("b-10", 10), Err(CursorGone::OtherStore));
        assert_eq!(cursors.after("a-10", 10), Ok(10));

        let names: Vec<String> = (0..=LIVES_MAX).map(|n| format!("l{n}")).collect();
        let many: Vec<(&str, i64)> = names
            .iter()
            .zip(0..)
            .map(|(n, at)| (n.as_str(), at))
            .collect();
        let (cursors, gone) = Cursors::begin(&kept(&many), 10_000, "new".into());
        assert_eq!(cursors.lives.len(), LIVES_MAX);
        assert_eq!(gone, ["l0", "l1"], "the oldest");
    }
}
