//! What a captured node says that an officer had taken in, to blame the officer: it is told to
//! nobody as if it were so, and it is found.

use super::*;
use crate::api::history::Knew;

/// Traibeel's captors write an officer's word that lets a truck out, on which Al-Qaem has a hold:
/// the truck, what Al-Qaem wrote up to that hold and what it wrote after it, and the log of its
/// holds as it stands in the end.
struct LetOut {
    trb: Forger,
    came: Reference,
    truck: RecordId,
    early: Logs,
    late: Logs,
    holds: Head,
}

impl LetOut {
    async fn of(scene: &Scene) -> Self {
        let mut trb = Forger::new(77, Lane::Passage, now(scene));
        let came = Passage::announce("in")
            .plate("33-C-3", "IQ")
            .gate_in("G1", "R1");
        let came = trb.say("PORT", None, &[], came);
        let truck = RecordId::of_first(&came);

        let qam = &scene.sites[1];
        let (mut taken, mut early, mut late) = (BTreeMap::new(), Logs::new(), Logs::new());
        for part in [&mut early, &mut late] {
            let hold = QuarantineHold::place(HoldType::Customs, "order 6");
            let target = match taken.is_empty() {
                true => truck,
                false => scene.truck,
            };
            let hold = hold.link(&target.to_string(), "suspected");
            write(qam, "CUS", Target::New(None), hold).await;
            blocks(qam, &mut taken, part).await;
        }

        let tip = qam.frontier().0[&scene.holds.log];
        let holds = Head {
            log: scene.holds.log,
            size: tip.size,
            root: tip.root,
        };

        Self {
            trb,
            came,
            truck,
            early,
            late,
            holds,
        }
    }

    /// The officer's word, after what the captors say that the node had seen by then.
    fn word(mut self, seen: Vec<Head>) -> (Logs, RecordId) {
        self.trb.saw(seen);
        let out = Passage::on().gate_out("G2", "R2");
        self.trb.say("PORT", Some(self.truck), &[self.came], out);
        (self.trb.logs(), self.truck)
    }
}

/// What the history tells of the officer who let the truck out.
async fn known_at_exit(hub: &Node, truck: &RecordId) -> Knew {
    let history = hub.reads().history(truck).await.unwrap();
    let mut entries = history.entries.into_iter();
    entries.find_map(|entry| entry.knew).expect("a decision")
}

/// Of the hold on the truck: whether it was taken in, and whether that is said and not borne out.
fn told_of_hold(knew: &Knew) -> (bool, bool) {
    assert_eq!(knew.holds.len(), 1, "{knew:?}");
    let hold = &knew.holds[0];
    (hold["taken_in"] == true, hold["claimed"] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forges_what_an_officer_had_taken_in_blames_nobody_and_is_found() {
    for (size, root) in [
        (Some(1 << 60), Hash([0; 32])),
        (None, Hash([0; 32])),
        (None, Hash([7; 32])),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let scene = scene(dir.path()).await;
        let out = LetOut::of(&scene).await;
        let (early, late) = (out.early.clone(), out.late.clone());
        let size = size.unwrap_or(out.holds.size);
        let claimed = Head {
            size,
            root,
            ..out.holds
        };

        let (trb, truck) = out.word(vec![scene.control, claimed]);
        hear_all(&scene.hub);
        hear_hub(&scene.hub, i64::MAX);
        deliver_all(&scene.hub, &[&early, &late, &trb]).await;
        looked(&scene.hub).await;

        let knew = known_at_exit(&scene.hub, &truck).await;
        assert_eq!(told_of_hold(&knew), (false, true), "size {size}");
        assert_eq!(
            knew.control[&scene.control.log.origin()],
            scene.control.size
        );
        assert!(knew.claimed_control.is_empty(), "{knew:?}");

        let claims = of_rule(&scene.hub, "R33").await;
        assert_eq!(claims.len(), 1, "size {size}: {claims:?}");
        assert_eq!(
            (claims[0].anchor, claims[0].phase.as_str()),
            (truck, "FIRM")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_officer_had_taken_in_is_told_once_the_hub_can_bear_it_out() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let out = LetOut::of(&scene).await;
    let (early, late, holds) = (out.early.clone(), out.late.clone(), out.holds);
    let (trb, truck) = out.word(vec![scene.control, holds]);

    deliver_all(&scene.hub, &[&early, &trb]).await;
    let knew = known_at_exit(&scene.hub, &truck).await;
    assert_eq!(told_of_hold(&knew), (false, true), "not yet");
    let phases = of_rule(&scene.hub, "R33").await;
    let phases: Vec<&str> = phases.iter().map(|f| f.phase.as_str()).collect();
    assert_eq!(phases, ["PENDING"]);

    deliver_all(&scene.hub, &[&late]).await;
    looked(&scene.hub).await;
    let knew = known_at_exit(&scene.hub, &truck).await;
    assert_eq!(told_of_hold(&knew), (true, false));
    assert_eq!(of_rule(&scene.hub, "R33").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_another_policy_than_there_is_is_found_at_whatever_was_decided() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let out = LetOut::of(&scene).await;
    let (early, late) = (out.early.clone(), out.late.clone());
    let control = Head {
        root: Hash([7; 32]),
        ..scene.control
    };
    let (trb, truck) = out.word(vec![control]);
    deliver_all(&scene.hub, &[&early, &late, &trb]).await;
    looked(&scene.hub).await;

    let knew = known_at_exit(&scene.hub, &truck).await;
    assert_eq!(told_of_hold(&knew), (false, false), "nobody says so");
    assert!(knew.control.is_empty(), "{knew:?}");
    let claimed = &knew.claimed_control[&control.log.origin()];
    assert_eq!(*claimed, control.size);

    let claims = of_rule(&scene.hub, "R33").await;
    assert_eq!(claims.len(), 1, "{claims:?}");
    assert_eq!(
        (claims[0].anchor, claims[0].phase.as_str()),
        (truck, "FIRM")
    );
}
