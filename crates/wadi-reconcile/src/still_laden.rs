//! Trucks that a scale shows as heavy as before, once goods are said to have come off them.

use crate::{Dossier, Fact, Facts, numbers::total, shown_load::allowed_kg};

/// Whether a truck, of which these are the records, is known to have had goods on it that were
/// unloaded by what is said: an attested weighing since, written by a time, Unix milliseconds,
/// shows no less than before. What is too light for a scale, beside others' goods, it cannot tell.
/// `is_all` is whether all of these entries is said to have come off this truck.
pub(crate) fn is_still_laden(
    dossier: &Dossier,
    trucks: &[&Facts],
    (entries, is_all): (&[&Facts], bool),
    by_ms: i64,
) -> bool {
    let masses = entries.iter().map(|entry| entry.sum("goods", "gross_g"));
    let masses: Option<Vec<i64>> = masses.collect();
    let unloaded = UnloadedGoods {
        entries,
        declared_kg: masses.map(|all| total(all) / 1_000),
        is_all,
    };
    let is_laden = |truck: &&Facts| unloaded.is_still_on(dossier, truck, by_ms);
    trucks.iter().any(is_laden)
}

/// Goods that are said to have come off a truck.
struct UnloadedGoods<'e> {
    /// The entries that declare them.
    entries: &'e [&'e Facts],
    /// What they weigh, as is declared, kilograms; none where not all of it tells.
    declared_kg: Option<i64>,
    /// Whether all of them came off it.
    is_all: bool,
}

impl UnloadedGoods<'_> {
    /// Whether the truck carried nothing else.
    fn is_whole_load(&self, dossier: &Dossier) -> bool {
        let is_own = |other: &Facts| self.entries.iter().any(|entry| entry.id == other.id);
        dossier.entries_of_journey().all(is_own)
    }

    fn is_still_on(&self, dossier: &Dossier, truck: &Facts, by_ms: i64) -> bool {
        let is_known = |e: &Fact<'_>| e.known_from_ms() <= by_ms;
        let unloaded = truck.events("unloaded").filter(is_known);
        let unloaded = unloaded.filter(|e| e.packages_moved().is_some());
        let times: Vec<i64> = unloaded.map(|e| e.at_ms()).collect();
        let (Some(first_ms), Some(last_ms)) = (times.iter().min(), times.iter().max()) else {
            return false;
        };

        let attested = truck.weighings().filter(Fact::attested);
        let attested: Vec<Fact<'_>> = attested.filter(is_known).collect();
        let after = attested.iter().filter(|w| w.at_ms() >= *last_ms);
        let Some(after) = after.max_by_key(|w| (w.at_ms(), w.entered_ms())) else {
            return false;
        };

        let before = attested.iter().filter(|w| w.at_ms() < *first_ms);
        let both = before.filter_map(|w| both_kg(w, after));
        match both.max_by_key(|(before_kg, _)| *before_kg) {
            Some(both) => self.is_kept(dossier, after, both),
            None => self.is_shown_by(after) && self.is_whole_load(dossier),
        }
    }

    /// Whether two weighings show that they did not come off between them.
    fn is_kept(&self, dossier: &Dossier, after: &Fact<'_>, (was_kg, is_kg): (i64, i64)) -> bool {
        let allowed = allowed_kg(dossier, was_kg);
        let is_laden = after.net_kg().is_none_or(|net| net > allowed);
        let is_weighable = match self.declared_kg {
            Some(kg) => kg > allowed,
            None => after.shows_a_load() && self.is_whole_load(dossier),
        };

        let came_off = was_kg.saturating_sub(is_kg);
        let declared_kg = self.declared_kg.filter(|_| self.is_all);
        let is_most_on = declared_kg.is_some_and(|kg| came_off < kg / 2);
        is_laden && is_weighable && (came_off <= allowed || is_most_on)
    }

    /// Whether a weighing alone shows that most of them is there.
    fn is_shown_by(&self, after: &Fact<'_>) -> bool {
        let half_kg = self.declared_kg.map_or(0, |kg| kg / 2);
        after.shows_a_load() && after.net_kg().is_some_and(|net| net > half_kg)
    }
}

/// What two weighings show of one truck, kilograms: its gross, else its net mass.
fn both_kg(before: &Fact<'_>, after: &Fact<'_>) -> Option<(i64, i64)> {
    let gross = before.int("gross_kg").zip(after.int("gross_kg"));
    gross.or_else(|| before.net_kg().zip(after.net_kg()))
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn weighed(at_ms: i64, gross_kg: i64, tare_kg: i64) -> Json {
        let data = json!({"gross_kg": gross_kg, "tare_kg": tare_kg});
        let mut weighed = event("weighed", at_ms, data);
        weighed["attested"] = true.into();
        weighed
    }

    /// Twenty tonnes are held, unloaded at two by what one officer says, and stored at three by
    /// what another one says; the truck leaves at ten.
    fn found(weighings: &[Json], declared_kg: i64, more: &[crate::Facts]) -> Vec<Phase> {
        let goods = json!({"total_packages": 200, "goods.1.gross_g": declared_kg * 1_000});
        let goods = entry("E1", goods, &[event("registered", 0, json!({}))]);
        let on_hold = [
            event("hold.placed", 1, json!({})),
            event("link", 1, json!({"record": "E1"})),
            said_by("OF-3", "store.in", 3 * H, json!({"packages": 200})),
        ];
        let on_truck = [
            event("gate.in", H, json!({})),
            said_by("OF-2", "unloaded", 2 * H, json!({"packages": 200})),
            said_by("OF-9", "gate.out", 10 * H, json!({})),
        ];
        let events = [&on_truck, weighings].concat();
        let truck = passage("P1", json!({"direction": "in"}), &events);
        let held = hold("H1", json!({}), &on_hold);
        firm("R02", goods, [&[held, truck], more].concat())
    }

    #[test]
    fn what_a_scale_shows_on_the_truck_does_not_lie_in_the_store() {
        let came = || weighed(H, 35_000, 15_000);
        let found = |weighings: &[Json]| found(weighings, 20_000, &[]);

        assert_eq!(
            found(&[came(), weighed(4 * H, 35_000, 15_000)]),
            [Phase::Firm]
        );
        assert_eq!(found(&[weighed(4 * H, 35_000, 15_000)]), [Phase::Firm]);
        let most = weighed(4 * H, 30_000, 15_000);
        assert_eq!(found(&[came(), most]), [Phase::Firm], "a part came off");
        let beside = weighed(10 * H + 60_000, 35_000, 15_000);
        assert_eq!(found(&[came(), beside]), [Phase::Firm], "at the gate");

        assert_eq!(found(&[came()]), [], "nobody weighed it since");
        assert_eq!(found(&[came(), weighed(4 * H, 15_000, 15_000)]), []);
        let later = weighed(20 * H, 35_000, 15_000);
        assert_eq!(found(&[came(), later]), [], "said when it was gone");
        let mut alone = weighed(4 * H, 35_000, 15_000);
        alone["attested"] = false.into();
        assert_eq!(found(&[came(), alone]), [], "nobody stands for it");
        let twice = [
            came(),
            weighed(4 * H, 35_000, 15_000),
            weighed(5 * H, 15_000, 15_000),
        ];
        assert_eq!(found(&twice), [], "it was empty when it left");
    }

    #[test]
    fn a_scale_does_not_tell_a_few_parcels_from_none_beside_the_goods_of_others() {
        let fields = json!({"goods.1.gross_g": 20_000_000});
        let registered = event("registered", 0, json!({}));
        let others = [entry("E2", fields, &[registered])];
        let both = [weighed(H, 35_300, 15_000), weighed(4 * H, 35_000, 15_000)];

        assert_eq!(found(&both, 300, &others), []);
        let since = &both[1..];
        assert_eq!(found(since, 20_000, &others), [], "it may be theirs");
        assert_eq!(found(&both, 15_000, &others), [Phase::Firm]);
    }
}
