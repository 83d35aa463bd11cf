//! What a customs entry declares, as somebody saw it who had seen some of its entries.

use crate::{Kind, ancestry::Past, fields::known_field, normal::says_nothing, record::Record};
use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
};
use wadi_log::Value;

/// What begins the names of the fields of an entry's items.
const ITEMS: &str = "goods.";

/// Screens on which less stood than now that are looked at. Nobody takes money from so many old
/// ones: of those beyond nothing is taken for declared.
const SCREENS_MAX: usize = 100;

/// The goods that a customs entry declares.
pub(super) struct DeclaredGoods<'a> {
    record: &'a Record,
    /// Names of the fields of its items.
    fields: Vec<&'a str>,
    /// Entries with a present value of one of them, or of the invoice.
    said_by: Past,
    /// Whether those who have seen all of that see goods declared.
    declared_now: OnceCell<bool>,
    /// How many other screens were looked at.
    screens: Cell<usize>,
}

/// What is said of an item.
#[derive(Default)]
struct ItemParts {
    code: bool,
    mass: bool,
    value: bool,
}

impl<'a> DeclaredGoods<'a> {
    /// The value of all items together.
    const INVOICE: &'static str = "invoice_minor";

    pub(super) fn of(record: &'a Record) -> DeclaredGoods<'a> {
        let document = &record.now().document;
        let is_of_item = |name: &&str| {
            name.starts_with(ITEMS) && known_field(Kind::CustomsEntry, name).is_some()
        };
        let names = document.field_names().map(String::as_str);
        let fields: Vec<&str> = names.filter(is_of_item).collect();

        let mut said_by = Past::default();
        for name in fields.iter().copied().chain([Self::INVOICE]) {
            let claims = document.claims(name).into_iter();
            claims.for_each(|put| said_by.insert(put.entry));
        }

        DeclaredGoods {
            record,
            fields,
            said_by,
            declared_now: OnceCell::new(),
            screens: Cell::new(0),
        }
    }

    /// What a field holds for somebody who had seen these entries.
    fn values(&self, name: &str, seen: &Past) -> impl Iterator<Item = &'a Value> {
        let claims = self.record.now().document.claims_within(name, seen);
        let record = self.record;
        claims.into_iter().map(move |put| record.value(put))
    }

    fn is_said(&self, name: &str, seen: &Past) -> bool {
        self.values(name, seen).any(|value| match value {
            Value::Null => false,
            Value::Text(text) => !says_nothing(text),
            Value::Int(_) | Value::Flag(_) => true,
        })
    }

    /// Whether somebody who had seen these entries saw an item at least, and of each of them what
    /// is assessed: code, mass and value.
    pub(super) fn are_declared(&self, seen: &Past) -> bool {
        match seen.has_all_of(&self.said_by) {
            true => *self
                .declared_now
                .get_or_init(|| self.are_declared_within(seen)),
            false => {
                self.screens.set(self.screens.get().saturating_add(1));
                self.screens.get() <= SCREENS_MAX && self.are_declared_within(seen)
            }
        }
    }

    fn are_declared_within(&self, seen: &Past) -> bool {
        let mut items: BTreeMap<&str, ItemParts> = BTreeMap::new();
        for name in self.fields.iter().copied() {
            let part = name.strip_prefix(ITEMS).and_then(|n| n.split_once('.'));
            let Some((item, part)) = part.filter(|_| self.is_said(name, seen)) else {
                continue;
            };

            let parts = items.entry(item).or_default();
            match part {
                "hs_code" => parts.code = true,
                "gross_g" | "net_g" => parts.mass = true,
                "statistical_value_minor" => parts.value = true,
                _ => {}
            }
        }

        let has_invoice = self.is_said(Self::INVOICE, seen);
        let is_whole = |item: &ItemParts| item.code && item.mass && (item.value || has_invoice);
        !items.is_empty() && items.values().all(is_whole)
    }

    /// The duty that the items tell themselves, where one does. An invoice in another currency than
    /// the assessment may tell it in that one: then it is compared with an assessment of nothing
    /// alone.
    pub(super) fn duty(&self, seen: &Past, assessed: i64, currency: Option<&str>) -> Option<i64> {
        let mut currencies = self
            .values("currency", seen)
            .filter_map(|value| match value {
                Value::Text(text) if !text.is_empty() => Some(text.as_str()),
                _ => None,
            });
        let is_other = currencies.any(|other| Some(other) != currency);
        if is_other && assessed != 0 {
            return None;
        }

        // Of a contested field the least is meant.
        let of_item = |name: &&str| {
            let values = self.values(name, seen).filter_map(|value| match value {
                Value::Int(minor) => Some(*minor),
                _ => None,
            });
            values.min()
        };
        let duties = self.fields.iter().filter(|n| n.ends_with(".duty_minor"));
        let all: Vec<i64> = duties.filter_map(of_item).collect();
        let total = all.iter().copied().fold(0, i64::saturating_add);
        (!all.is_empty()).then_some(total)
    }
}
