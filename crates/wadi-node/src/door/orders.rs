//! Orders of resyncs and the reports that answer them, as the control logs have them.

use std::collections::BTreeMap;
use wadi_log::{Body, NodeId, Reference, ResyncOrder};

/// Orders and reports as the control logs have them.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: BTreeMap<Reference, ResyncOrder>,
    /// By order: who reported, and what.
    pub(crate) reports: BTreeMap<Reference, BTreeMap<NodeId, String>>,
}

impl Orders {
    /// Takes in an entry of a control log whose author may say it.
    pub(crate) fn learn(&mut self, at: Reference, body: &Body) -> bool {
        match body {
            Body::ResyncOrder(order) => self.orders.insert(at, order.clone()).is_none(),
            Body::ResyncReport(report) => self
                .reports
                .entry(report.order)
                .or_default()
                .insert(at.log.node, report.text.clone())
                .is_none(),
            _ => false,
        }
    }
}
