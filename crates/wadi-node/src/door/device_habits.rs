//! How often each device gives readings, by the node's own count of what is written here. A device
//! is silent against its habit where many writes passed without one of its own: on a quiet night
//! nothing passes, and nobody is called out of bed.

use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Mutex,
};
use wadi_store::{LocalKey, LocalScope};

/// Habits are kept under this scope, each by its device.
pub(crate) const SCOPE: LocalScope = LocalScope::DeviceHabit;

/// Devices that are remembered; of more, the one that was silent longest goes.
const DEVICES_MAX: usize = 512;
/// Gaps between readings that are remembered of one device.
const GAPS_MAX: usize = 64;
/// Readings that make a habit.
const HABIT_OF: u64 = 20;
/// So many times its longest gap a device may be silent.
const LONGER: u64 = 4;
/// Writes without one of the device's own, at the least, before it counts as silent.
const MISSED_MIN: u64 = 50;
/// It is silent for no less than this either, milliseconds: a rush at the other gates is no fault.
const SILENT_MS: i64 = 1_800_000;

/// The least time between two times that one habit is kept on disk, milliseconds.
const KEPT_EVERY_MS: i64 = 600_000;

/// What is known of one device.
#[derive(Clone, Debug, Default)]
struct Habit {
    readings: u64,
    /// Writes at this node between its last readings.
    gaps: VecDeque<u64>,
    /// The node's count at its last reading, and when that was by the steady clock.
    last: (u64, i64),
    /// How many readings there were when it was kept on disk, and when that was by the steady
    /// clock.
    kept: Option<(u64, i64)>,
}

impl Habit {
    /// Whether it is a habit that the disk does not have yet, or has had for long.
    fn is_unkept(&self, steady_ms: i64) -> bool {
        self.readings >= HABIT_OF
            && self.kept.is_none_or(|(readings, at_ms)| {
                readings != self.readings && steady_ms.saturating_sub(at_ms) >= KEPT_EVERY_MS
            })
    }

    fn key(&self, device: &str) -> LocalKey {
        LocalKey {
            scope: SCOPE,
            key: device.into(),
            value: json!({"readings": self.readings, "gaps": self.gaps}).to_string(),
        }
    }

    /// Reads what [`Self::key`] wrote. A start is no reading: the device is waited for from then
    /// on.
    fn read(value: &str, steady_ms: i64) -> Option<Self> {
        let kept: Json = serde_json::from_str(value).ok()?;
        let readings = kept["readings"].as_u64()?;
        let gaps = kept["gaps"].as_array()?.iter();
        let gaps: Option<VecDeque<u64>> = gaps.take(GAPS_MAX).map(Json::as_u64).collect();

        Some(Self {
            readings,
            gaps: gaps?,
            last: (0, steady_ms),
            kept: Some((readings, steady_ms)),
        })
    }

    /// Whether it is silent for far longer than it ever was.
    fn is_silent(&self, written: u64, steady_ms: i64) -> bool {
        let missed = written.saturating_sub(self.last.0);
        let longest = self.gaps.iter().copied().max().unwrap_or(0);
        self.readings >= HABIT_OF
            && missed >= MISSED_MIN.max(longest.saturating_mul(LONGER))
            && steady_ms.saturating_sub(self.last.1) >= SILENT_MS
    }
}

/// All devices that gave readings, before this start among them.
#[derive(Default)]
pub(crate) struct DeviceHabits(Mutex<DeviceCounts>);

#[derive(Default)]
struct DeviceCounts {
    /// Writes of officers and devices that are durable, since this start.
    written: u64,
    devices: BTreeMap<String, Habit>,
    /// Devices that the disk knows, and that are remembered no longer.
    gone: BTreeSet<String>,
}

impl DeviceHabits {
    /// Takes in the habits that an earlier start kept.
    pub(crate) fn recall(&self, kept: &[LocalKey], steady_ms: i64) {
        let mut counted = self.0.lock().expect("no panic holds it");
        for key in kept {
            match Habit::read(&key.value, steady_ms) {
                Some(habit) if counted.devices.len() < DEVICES_MAX => {
                    counted.devices.insert(key.key.clone(), habit);
                }
                _ => drop(counted.gone.insert(key.key.clone())),
            }
        }
    }

    /// Habits to be kept on disk now, and those to be taken away there. They count as kept.
    pub(crate) fn unkept(&self, steady_ms: i64) -> (Vec<LocalKey>, Vec<(LocalScope, String)>) {
        let mut counted = self.0.lock().expect("no panic holds it");
        let mut keys = Vec::new();
        for (device, habit) in &mut counted.devices {
            if habit.is_unkept(steady_ms) {
                keys.push(habit.key(device));
                habit.kept = Some((habit.readings, steady_ms));
            }
        }

        let gone = std::mem::take(&mut counted.gone);
        (
            keys,
            gone.into_iter().map(|device| (SCOPE, device)).collect(),
        )
    }

    /// What was to be kept was not: all of it is to be kept once more.
    pub(crate) fn keep_again(&self) {
        let mut counted = self.0.lock().expect("no panic holds it");
        counted
            .devices
            .values_mut()
            .for_each(|habit| habit.kept = None);
    }

    /// Takes in durable writes in their order, each by its device; empty for an officer's.
    pub(crate) fn count(&self, devices: &[String], steady_ms: i64) {
        let mut counted = self.0.lock().expect("no panic holds it");
        for device in devices {
            counted.written = counted.written.saturating_add(1);
            if !device.is_empty() {
                counted.take_reading(device, steady_ms);
            }
        }
    }

    /// What is to be told of devices that are silent against their habits.
    pub(crate) fn alarm(&self, steady_ms: i64) -> Option<String> {
        let counted = self.0.lock().expect("no panic holds it");
        let silent = counted.devices.iter();
        let mut silent: Vec<(&str, u64, i64)> = silent
            .filter(|(_, habit)| habit.is_silent(counted.written, steady_ms))
            .map(|(name, habit)| {
                let missed = counted.written.saturating_sub(habit.last.0);
                let minutes = steady_ms.saturating_sub(habit.last.1) / 60_000;
                (name.as_str(), missed, minutes)
            })
            .collect();

        silent.sort_by_key(|(name, missed, _)| (std::cmp::Reverse(*missed), *name));
        let (name, missed, minutes) = silent.first()?;
        let others = match silent.len() {
            1 => String::new(),
            all => format!("; {} more devices are silent, too", all.saturating_sub(1)),
        };
        Some(format!(
            "device {name:?} gave no reading for {minutes} min, while {missed} others were \
             written here: look at its cable, its feed and its power{others}"
        ))
    }
}

impl DeviceCounts {
    fn take_reading(&mut self, device: &str, steady_ms: i64) {
        let written = self.written;
        if !self.devices.contains_key(device) && self.devices.len() >= DEVICES_MAX {
            let oldest = self.devices.iter().min_by_key(|(_, h)| h.last.0);
            let oldest = oldest.map(|(name, _)| name.clone());
            if let Some(name) = oldest
                && let Some(forgotten) = self.devices.remove(&name)
                && forgotten.kept.is_some()
            {
                self.gone.insert(name);
            }
        }

        self.gone.remove(device);

        let habit = self.devices.entry(device.into()).or_default();
        if habit.readings > 0 {
            habit.gaps.push_back(written.saturating_sub(habit.last.0));
            if habit.gaps.len() > GAPS_MAX {
                habit.gaps.pop_front();
            }
        }

        habit.readings = habit.readings.saturating_add(1);
        habit.last = (written, steady_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// A busy day: the gate reads every third write, each a minute apart.
    fn day() -> DeviceHabits {
        let habits = DeviceHabits::default();
        for n in 0..90 {
            let by = if n % 3 == 0 { "gate-1" } else { "" };
            habits.count(&[by.to_string()], n * MINUTE);
        }
        habits
    }

    fn officers(habits: &DeviceHabits, count: usize, at_ms: i64) {
        habits.count(&vec![String::new(); count], at_ms);
    }

    #[test]
    fn a_device_that_is_silent_while_others_write_is_told_until_it_reads_again() {
        let habits = day();
        officers(&habits, 60, 100 * MINUTE);
        assert_eq!(habits.alarm(100 * MINUTE), None, "a rush of ten minutes");

        let told = habits.alarm(120 * MINUTE).unwrap();
        assert!(
            told.contains("\"gate-1\"") && told.contains("62 others"),
            "{told}"
        );
        habits.count(&["gate-1".into()], 121 * MINUTE);
        assert_eq!(habits.alarm(121 * MINUTE), None);
    }

    #[test]
    fn a_quiet_night_calls_nobody() {
        let habits = day();
        assert_eq!(habits.alarm(10 * 60 * MINUTE), None);
        officers(&habits, 5, 10 * 60 * MINUTE);
        assert_eq!(habits.alarm(10 * 60 * MINUTE), None);
    }

    #[test]
    fn a_device_that_reads_now_and_then_has_a_longer_habit() {
        let habits = DeviceHabits::default();
        for _ in 0..HABIT_OF {
            officers(&habits, 99, 0);
            habits.count(&["scale-2".into()], 0);
        }
        officers(&habits, 399, 0);
        assert_eq!(habits.alarm(SILENT_MS), None);
        officers(&habits, 1, 0);
        assert!(habits.alarm(SILENT_MS).is_some());
    }

    #[test]
    fn a_few_readings_are_no_habit_and_invented_names_take_bounded_room() {
        let habits = DeviceHabits::default();
        for n in 0..2_000 {
            habits.count(&[format!("d{n}")], 0);
        }
        assert_eq!(habits.alarm(i64::MAX), None);
        let counted = habits.0.lock().unwrap();
        assert_eq!(counted.devices.len(), DEVICES_MAX);
        assert!(counted.devices.contains_key("d1999"));
    }
}
