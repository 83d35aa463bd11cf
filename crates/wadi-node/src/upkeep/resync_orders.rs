//! Orders of resyncs and the reports on them, as a runner hears of them.

use crate::{
    door::{Door, error::NodeError, resync_state::ResyncState},
    upkeep::{resync::Resyncs, resync_row::Resync, resync_run::Runner},
};
use serde_json::Value;
use std::collections::BTreeMap;
use wadi_log::{NodeId, Reference, ResyncOrder, Role};

/// Whether a node is one of the crossing that an order is for: nobody else's report answers it.
fn is_there(door: &Door, by: &NodeId, order: &ResyncOrder) -> bool {
    door.with_control(|c| {
        c.enrolment(by)
            .is_some_and(|e| e.role == Role::Crossing && e.crossing == Some(order.crossing))
    })
}

impl Runner {
    fn count(&self) -> (usize, usize) {
        let held = self.orders.lock().expect("no panic holds it");
        (
            held.orders.len(),
            held.reports.values().map(BTreeMap::len).sum(),
        )
    }

    /// Whether orders or reports came since they were last looked at.
    pub(super) fn hears(&self) -> bool {
        *self.heard.lock().expect("no panic holds it") != Some(self.count())
    }

    /// Orders for this crossing that it has not begun yet, and reports on orders that this hub
    /// gave.
    pub(super) async fn take_orders(&self, resyncs: &Resyncs) -> Result<(), NodeError> {
        if !self.hears() {
            return Ok(());
        }

        let heard = self.count();
        let (orders, reports) = {
            let held = self.orders.lock().expect("no panic holds it");
            (held.orders.clone(), held.reports.clone())
        };
        let known = if orders.is_empty() {
            Vec::new()
        } else {
            resyncs.all().await?
        };

        for (at, order) in orders {
            // What a hub said past its own cut orders nothing.
            if !resyncs.door.with_control(|c| c.fact_counts(&at)) {
                continue;
            }

            let told = reports
                .get(&at)
                .into_iter()
                .flatten()
                .find(|told| is_there(&resyncs.door, told.0, &order));

            let reported = reports
                .get(&at)
                .is_some_and(|by| by.contains_key(&resyncs.door.id()));
            let row = known.iter().find(|r| r.id == order.id);
            let for_me = resyncs.door.me.role == Role::Crossing
                && resyncs.door.me.crossing == Some(order.crossing);

            if for_me && row.is_none() && !reported {
                begin_ordered(resyncs, &at, order).await?;
            } else if let (Some(row), Some((reporter, text))) = (row, told)
                && row.state == ResyncState::Ordered
            {
                end_ordered(resyncs, row, reporter, text).await?;
            }
        }

        *self.heard.lock().expect("no panic holds it") = Some(heard);
        Ok(())
    }
}

/// Begins, on the node that it is for, what a hub ordered.
async fn begin_ordered(
    resyncs: &Resyncs,
    at: &Reference,
    order: ResyncOrder,
) -> Result<(), NodeError> {
    tracing::warn!(
        order = %order.id,
        by = %order.approved_by,
        "the hub orders a resync",
    );

    let hub = resyncs
        .door
        .with_control(|c| c.enrolment(&at.log.node).map(|e| e.name.clone()))
        .unwrap_or_default();

    let made_ms = resyncs.door.now_ms();
    let begun = Resync::begun(
        order.id,
        &order.reason,
        &order.approved_by,
        made_ms,
        Some(at.to_string()),
    );

    resyncs
        .keep_row(&Resync {
            node: resyncs.door.me.name.clone(),
            peer: hub,
            ..begun
        })
        .await
}

/// Notes, on the hub that ordered it, what a node reported.
async fn end_ordered(
    resyncs: &Resyncs,
    row: &Resync,
    reporter: &NodeId,
    text: &str,
) -> Result<(), NodeError> {
    let mut done = row.clone();
    done.node = resyncs
        .door
        .with_control(|c| c.enrolment(reporter).map_or(done.node, |e| e.name.clone()));

    let told: Value = serde_json::from_str(text).unwrap_or_default();
    let failed = told["equal"] != true;
    done.state = if failed {
        ResyncState::Failed
    } else {
        ResyncState::Done
    };

    done.waits_for = String::new();
    done.outcome = told;
    resyncs.change(&mut done).await
}
