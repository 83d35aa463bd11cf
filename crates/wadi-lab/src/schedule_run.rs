//! A schedule in real time, for the proxies: the schedule itself knows no clock.

use crate::{command::LinkCommand, schedule::LinkSchedule};

/// Hands each command over when it is due, from now on, until none is left.
pub(crate) async fn run_schedule<F: Future<Output = ()>>(
    mut schedule: LinkSchedule,
    mut control: impl FnMut(LinkCommand) -> F,
) {
    let start = tokio::time::Instant::now();
    while let Some(at) = schedule.next_at() {
        tokio::time::sleep_until(start + at).await;
        while let Some(command) = schedule.take_due(start.elapsed()) {
            control(command).await;
        }
    }
}
