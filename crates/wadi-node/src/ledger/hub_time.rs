//! What is believed of the hub's time. A clock is a claim, a hub's too: what it says is held
//! against this machine's clock, the time of the build and of the papers, what others say, and what
//! was heard before. Pure: the time is handed in.

use std::collections::BTreeMap;
use wadi_log::NodeId;

const DAY_S: i64 = 86_400;
/// How far a clock that nobody bears out may lie ahead of all that is known, when it is heard again
/// and again.
const NEAR_S: i64 = 400 * DAY_S;
/// The same after longer, and where nothing was ever heard. Beyond it no clock is believed.
const FAR_S: i64 = 3_660 * DAY_S;
/// How long a claim against all others has to stand before it is believed: a glitch of a moment
/// never is.
const STANDS_S: i64 = 60;
const STANDS_FAR_S: i64 = 600;
/// A hub that was off for longer needs somebody who bears its clock out.
const OFF_S: i64 = 31 * DAY_S;
/// What another's clock said counts as fresh for so long.
const FRESH_S: i64 = 900;
/// Others' clocks remembered at most.
const OTHERS_MAX: usize = 256;

/// The moment at which something is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// This machine's clock, Unix seconds.
    pub machine_s: i64,
    /// Seconds since some moment, whatever the machine's clock does.
    pub steady_s: i64,
    /// It cannot be earlier, Unix seconds.
    pub floor_s: i64,
    /// Clocks that differ by no more agree.
    pub agree_s: i64,
}

impl Now {
    /// Whether the machine's clock shows a time that can be.
    pub fn machine_can_be(&self) -> bool {
        self.machine_s >= self.floor_s
    }

    fn agree(&self, a: i64, b: i64) -> bool {
        a.saturating_sub(b).saturating_abs() <= self.agree_s
    }
}

/// What other nodes' clocks showed lately, as they signed it.
#[derive(Clone, Debug, Default)]
pub struct Others(BTreeMap<NodeId, (i64, i64)>);

impl Others {
    /// A node's clock shows that time now.
    pub fn shows(&mut self, node: NodeId, time_s: i64, now: Now) {
        if self.0.len() < OTHERS_MAX || self.0.contains_key(&node) {
            self.0.insert(node, (time_s, now.steady_s));
        }
    }

    /// Whether one of them bears a time out, `but` that node.
    fn bear_out(&self, time_s: i64, but: Option<NodeId>, now: Now) -> bool {
        let fresh = self
            .0
            .iter()
            .filter(|(node, (_, at))| Some(**node) != but && now.steady_s - at <= FRESH_S);

        fresh
            .into_iter()
            .any(|(_, (said, at))| now.agree(said.saturating_add(now.steady_s - at), time_s))
    }
}

/// How a hub's time was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It says so now.
    Live,
    /// It said so once: what it signed may have been on its way for weeks.
    Past,
}

/// A time that a hub said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeClaim {
    /// Who said it; nobody, where an older version wrote it down.
    pub witness: Option<NodeId>,
    /// What, Unix seconds.
    pub time_s: i64,
    /// What this machine's clock showed then.
    pub machine_s: i64,
    /// When, by the steady clock; none where it was heard before this start.
    pub steady_s: Option<i64>,
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeVerdict {
    /// It is the newest hub time.
    Believed,
    /// It is, and what was believed before was not so.
    Corrected {
        /// What was believed.
        was_s: i64,
    },
    /// Nothing new.
    Known,
    /// It lies before the software was built or the papers were issued.
    TooEarly,
    /// It lies ahead of all that is known.
    TooLate,
    /// It lies behind what this hub said before, which this machine's clock bears out.
    WentBack,
}

/// What a site believes of its hubs' time.
#[derive(Clone, Debug, Default)]
pub struct HubTime {
    believed: Option<TimeClaim>,
    /// A claim against all others, as it was first heard in a row.
    standing: Option<TimeClaim>,
    /// The last claim that was not believed, and what was found of it.
    refused: Option<(TimeClaim, TimeVerdict)>,
}

impl HubTime {
    /// What was believed at the last stop.
    pub fn remembered(believed: Option<TimeClaim>) -> Self {
        Self {
            believed,
            ..Self::default()
        }
    }

    /// The newest hub time that is believed.
    pub fn believed(&self) -> Option<TimeClaim> {
        self.believed
    }

    /// The last claim that was not believed since one was.
    pub fn refused(&self) -> Option<(TimeClaim, TimeVerdict)> {
        self.refused
    }

    /// What the hub's clock shows by now: what it said, and the time since.
    pub fn estimate(&self, now: Now) -> Option<i64> {
        let since = |c: &TimeClaim| c.steady_s.map_or(0, |s| (now.steady_s - s).max(0));
        self.believed.map(|c| c.time_s.saturating_add(since(&c)))
    }

    /// The latest time that anything known bears out.
    pub fn reach(&self, now: Now) -> i64 {
        now.machine_s
            .max(now.floor_s)
            .max(self.estimate(now).unwrap_or(i64::MIN))
            .saturating_add(now.agree_s)
    }

    /// What was believed is no more: who said it was cut.
    pub fn forget(&mut self, witness: &NodeId) {
        self.believed
            .take_if(|c| c.witness.as_ref() == Some(witness));
        self.standing
            .take_if(|c| c.witness.as_ref() == Some(witness));
    }

    /// Takes what a hub says.
    pub fn hear(
        &mut self,
        witness: NodeId,
        time_s: i64,
        how: How,
        others: &Others,
        now: Now,
    ) -> TimeVerdict {
        let steady_s = Some(now.steady_s);
        let claim = TimeClaim {
            witness: Some(witness),
            time_s,
            machine_s: now.machine_s,
            steady_s,
        };

        let verdict = self.judge(claim, how, others, now);
        match verdict {
            TimeVerdict::Believed | TimeVerdict::Corrected { .. } => {
                self.believed = Some(claim);
                (self.standing, self.refused) = (None, None);
            }
            TimeVerdict::Known => {}
            TimeVerdict::TooEarly | TimeVerdict::TooLate | TimeVerdict::WentBack => {
                self.refused = Some((claim, verdict))
            }
        }

        verdict
    }

    fn judge(&mut self, claim: TimeClaim, how: How, others: &Others, now: Now) -> TimeVerdict {
        let time_s = claim.time_s;
        // Papers are issued on another machine, whose clock may lie a little ahead.
        if time_s < now.floor_s - DAY_S {
            return TimeVerdict::TooEarly;
        }

        let is_bounded = !wadi_log::defence::off("hub-time-bound");
        if is_bounded && time_s > self.reach(now) && !self.may_be(claim, how, others, now) {
            return TimeVerdict::TooLate;
        }

        match self.believed {
            Some(before) if time_s <= before.time_s => self.look_back(claim, before, how, now),
            _ => TimeVerdict::Believed,
        }
    }

    /// Whether a time ahead of all that is known may be right all the same.
    fn may_be(&mut self, claim: TimeClaim, how: How, others: &Others, now: Now) -> bool {
        let known = self.estimate(now);
        let ahead = claim.time_s.saturating_sub(self.reach(now));
        if others.bear_out(claim.time_s, claim.witness, now) {
            return true;
        }

        // This machine's clock is known to be wrong: what the hub says is all there is.
        if !now.machine_can_be() && ahead <= if known.is_some() { NEAR_S } else { FAR_S } {
            return true;
        }

        if how == How::Past {
            return ahead <= NEAR_S;
        }

        let stands = self.stands_s(claim, now);
        ahead <= NEAR_S && stands >= STANDS_S || ahead <= FAR_S && stands >= STANDS_FAR_S
    }

    /// A hub says less than was believed.
    fn look_back(
        &mut self,
        claim: TimeClaim,
        before: TimeClaim,
        how: How,
        now: Now,
    ) -> TimeVerdict {
        let back = now.agree(claim.time_s, before.time_s);
        if how == How::Past || back {
            return TimeVerdict::Known;
        }

        let corrected = TimeVerdict::Corrected {
            was_s: before.time_s,
        };
        let machine_bears_out = now.machine_s.saturating_add(now.agree_s) >= before.time_s;
        if now.machine_can_be() && !machine_bears_out {
            return corrected;
        }

        // Where the machine's clock agrees with what was heard before, only the hub's word moved:
        // that takes longer.
        let hub_alone_moved = self
            .estimate(now)
            .is_some_and(|e| now.agree(e, now.machine_s));
        let needed_s = if hub_alone_moved {
            STANDS_FAR_S
        } else {
            STANDS_S
        };

        if self.stands_s(claim, now) >= needed_s {
            corrected
        } else {
            TimeVerdict::WentBack
        }
    }

    /// For how long a claim has stood against all others.
    fn stands_s(&mut self, claim: TimeClaim, now: Now) -> i64 {
        let first = self.standing.filter(|first| {
            let since = now.steady_s - first.steady_s.unwrap_or(now.steady_s);
            first.witness == claim.witness
                && now.agree(first.time_s.saturating_add(since), claim.time_s)
        });

        let first = *self.standing.insert(first.unwrap_or(claim));
        now.steady_s - first.steady_s.unwrap_or(now.steady_s)
    }
}

/// A hub's own time: what it signs.
#[derive(Clone, Debug, Default)]
pub struct OwnTime {
    /// What it goes by: a time, when that was by the steady clock, and whether the machine's clock
    /// said it.
    anchor: Option<(i64, i64, bool)>,
    /// What the machine's clock showed when it was found wrong, and when that was by the steady
    /// clock.
    wrong: Option<(i64, i64)>,
    /// The latest time that it signed.
    signed_s: Option<i64>,
}

impl OwnTime {
    /// The past that counts of a hub, from the times that it signed and the latest that each other
    /// witness did. One that signed years ahead of everybody did so by a clock that jumped; it is
    /// not to stay there.
    pub fn past(own: &[i64], others: &[i64], now: Now) -> Option<i64> {
        let mut others: Vec<i64> = others.to_vec();
        others.sort_unstable();
        let most = others
            .get(others.len() / 2)
            .map(|middle| now.machine_s.max(*middle).saturating_add(NEAR_S));

        own.iter()
            .copied()
            .filter(|t| most.is_none_or(|most| *t <= most))
            .max()
    }

    /// A hub that has signed times before.
    pub fn after(past_s: Option<i64>) -> Self {
        Self {
            signed_s: past_s,
            ..Self::default()
        }
    }

    /// The time that it is by all that this hub knows.
    pub fn read(&mut self, others: &Others, now: Now) -> i64 {
        let machine_s = now.machine_s;
        // Two clocks may be wrong alike: machines of one delivery, or of one image.
        let past_s = self.signed_s.map_or(now.floor_s, |s| s.max(now.floor_s));
        let can_be = now.machine_can_be() && machine_s <= past_s.saturating_add(FAR_S);
        let born_out = can_be && others.bear_out(machine_s, None, now);
        let (time_s, by_machine) = match self.anchor {
            None if self.can_follow(self.signed_s, OFF_S, now) || born_out => (machine_s, true),
            None => (self.signed_s.unwrap_or(now.floor_s).max(now.floor_s), false),
            Some((time_s, at, by_machine)) => {
                let expected = time_s.saturating_add((now.steady_s - at).max(0));
                let runs_on = by_machine && now.agree(machine_s, expected);
                let right_again = !by_machine && self.is_set(expected, now);

                if runs_on || right_again || born_out {
                    (machine_s, true)
                } else {
                    (expected, by_machine)
                }
            }
        };

        self.anchor = Some((time_s, now.steady_s, by_machine));
        self.wrong = if by_machine {
            None
        } else {
            self.wrong.or(Some((machine_s, now.steady_s)))
        };

        time_s
    }

    /// Whether a clock that was found wrong was set since, to a time that can be; or may be right
    /// as it is.
    fn is_set(&self, expected_s: i64, now: Now) -> bool {
        let as_wrong = |(shown, at): (i64, i64)| {
            now.agree(shown.saturating_add(now.steady_s - at), now.machine_s)
        };
        let ahead_s = if self.wrong.is_some_and(as_wrong) {
            OFF_S
        } else {
            NEAR_S
        };

        self.can_follow(Some(expected_s), ahead_s, now)
    }

    /// Whether the machine's clock can be right, after what was signed or gone by.
    fn can_follow(&self, past_s: Option<i64>, ahead_s: i64, now: Now) -> bool {
        let most = past_s.map_or(now.floor_s.saturating_add(FAR_S), |past| {
            past.max(now.floor_s).saturating_add(ahead_s)
        });
        let least = past_s.map_or(now.floor_s, |past| past.saturating_sub(now.agree_s));
        now.machine_can_be() && (least..=most).contains(&now.machine_s)
    }

    /// The time to sign with: never less than what was signed before.
    pub fn sign(&mut self, others: &Others, now: Now) -> i64 {
        let time_s = self
            .read(others, now)
            .max(self.signed_s.unwrap_or(i64::MIN))
            .max(0);
        self.signed_s = Some(time_s);
        time_s
    }

    /// The latest time signed.
    pub fn signed_s(&self) -> Option<i64> {
        self.signed_s
    }
}

#[cfg(test)]
#[path = "hub_time_tests.rs"]
mod tests;
