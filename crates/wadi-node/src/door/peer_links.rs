//! The links to peers that stand: which of several with one peer carries which lanes, and which
//! one leads, that is, speaks of what is said to a peer once and not once a link.
//!
//! A lane belongs to one link at a time. Urgent ones move at once to the link that serves them
//! best, for a hold must not wait; others when nothing of them is on its way any more, so that
//! nothing is sent twice. What was on its way over a link that ends is sent over the next one.

use super::peers::LinkAsk;
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{Notify, mpsc};
use wadi_log::{Lane, LogId, NodeId};
use wadi_sync::{LaneSet, LinkSpec, is_urgent};

/// What a link is told to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct LinkOrder {
    /// Lanes that it sends.
    pub(crate) sends: LaneSet,
    /// Lanes that it gives up: it says when nothing of them is on its way any more.
    pub(crate) gives_up: LaneSet,
    /// It speaks of what is said to the peer once.
    pub(crate) leads: bool,
}

/// What links with one peer tell one link.
#[derive(Debug, Default)]
struct LinkInbox {
    order: Mutex<InboxContent>,
    news: Notify,
}

#[derive(Debug, Default)]
struct InboxContent {
    order: LinkOrder,
    /// How much the peer holds of logs, as its other links learned: as many as there are logs.
    held: BTreeMap<LogId, u64>,
}

/// One link that stands.
#[derive(Debug)]
struct StandingLink {
    number: u64,
    link: Option<LinkSpec>,
    /// Bits a second, where they are known.
    rate_bits_s: Option<u64>,
    asks: mpsc::Sender<LinkAsk>,
    inbox: Arc<LinkInbox>,
    /// What both hold was compared: it can send. None where another one took its place.
    running: bool,
    /// It compares the logs of all lanes.
    is_whole: bool,
    /// It was put down in place of an older one of its name, or is the only one.
    is_newest: bool,
}

impl StandingLink {
    fn name(&self) -> &str {
        self.link.as_ref().map_or("", |link| &link.name)
    }

    /// How well it serves a lane, less being better. A link without a name is flat and for all.
    fn rank(&self, lane: Lane) -> Option<u8> {
        match &self.link {
            Some(link) => link.rank(lane),
            None if is_urgent(lane) => Some(1),
            None => Some(0),
        }
    }

    fn is_metered(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| link.cost == wadi_sync::LinkCost::Metered)
    }
}

/// The links with one peer.
#[derive(Debug, Default)]
struct LinksOfPeer {
    links: Vec<StandingLink>,
    /// Whose each lane is.
    owners: BTreeMap<Lane, u64>,
}

impl LinksOfPeer {
    /// The link that serves a lane best of those that can send.
    fn best(&self, lane: Lane) -> Option<u64> {
        let able = self.links.iter().filter(|l| l.running && l.is_newest);
        let ranked = able.filter_map(|l| Some((l.rank(lane)?, l)));
        let best = ranked.min_by_key(|(rank, l)| {
            let rate = Reverse(l.rate_bits_s.unwrap_or(0));
            (*rank, rate, l.name().to_string(), l.number)
        });
        best.map(|(_, l)| l.number)
    }

    /// The link that leads: one that compares everything before one that does not, a flat one
    /// before one that is paid by the byte.
    fn leader(&self) -> Option<u64> {
        let standing = self.links.iter().filter(|l| l.is_newest);
        let first = standing.min_by_key(|l| {
            let kind = (!l.running, !l.is_whole, l.is_metered());
            (kind, l.name().to_string(), l.number)
        });
        first.map(|l| l.number)
    }

    /// Gives each lane to the link that serves it best, and tells all what changed for them.
    fn settle(&mut self) {
        let mut given_up: BTreeMap<u64, Vec<Lane>> = BTreeMap::new();
        for lane in Lane::ALL {
            let Some(best) = self.best(lane) else {
                self.owners.remove(&lane);
                continue;
            };

            let stands = |n: &u64| self.links.iter().any(|l| l.number == *n && l.running);
            let owner = self.owners.get(&lane).copied().filter(stands);
            match owner {
                Some(owner) if owner != best && !is_urgent(lane) => {
                    given_up.entry(owner).or_default().push(lane);
                }
                _ => {
                    self.owners.insert(lane, best);
                }
            }
        }

        let leader = self.leader();
        for link in &self.links {
            let gives_up: LaneSet = given_up
                .get(&link.number)
                .into_iter()
                .flatten()
                .copied()
                .collect();
            let owned = self.owners.iter().filter(|(_, n)| **n == link.number);
            let sends = owned
                .map(|(lane, _)| *lane)
                .filter(|lane| !gives_up.contains(*lane))
                .collect();
            let order = LinkOrder {
                sends,
                gives_up,
                leads: leader == Some(link.number),
            };

            let mut content = link.inbox.order.lock().expect("no panic holds it");
            if content.order != order {
                content.order = order;
                link.inbox.news.notify_one();
            }
        }
    }
}

/// The links to all peers.
#[derive(Debug, Default)]
pub(crate) struct PeerLinks(Mutex<AllLinks>);

#[derive(Debug, Default)]
struct AllLinks {
    /// How many there were so far.
    count: u64,
    by_peer: BTreeMap<NodeId, LinksOfPeer>,
}

/// What a link is when it begins.
pub(crate) struct BeginningLink {
    pub(crate) peer: NodeId,
    /// Which of several it is.
    pub(crate) link: Option<LinkSpec>,
    pub(crate) rate_bits_s: Option<u64>,
    /// What it is asked to find out.
    pub(crate) asks: mpsc::Sender<LinkAsk>,
}

impl PeerLinks {
    /// A link begins. It takes the place of an older one of its name.
    pub(crate) fn begin(&self, new: BeginningLink) -> LinkPlace {
        let mut all = self.0.lock().expect("no panic holds it");
        all.count += 1;
        let number = all.count;
        let inbox = Arc::new(LinkInbox::default());
        let of_peer = all.by_peer.entry(new.peer).or_default();
        let standing = StandingLink {
            number,
            link: new.link,
            rate_bits_s: new.rate_bits_s,
            asks: new.asks,
            inbox: inbox.clone(),
            running: false,
            is_whole: false,
            is_newest: true,
        };

        let replaced = of_peer.links.iter_mut();
        for older in replaced.filter(|l| l.name() == standing.name()) {
            older.is_newest = false;
            older.running = false;
        }
        of_peer.links.push(standing);
        of_peer.settle();

        LinkPlace {
            peer: new.peer,
            number,
            inbox,
        }
    }

    /// A link can send from now on. `is_whole` says whether it compares the logs of all lanes.
    pub(crate) fn runs(&self, place: &LinkPlace, is_whole: bool) {
        self.change(place, |of_peer, number| {
            if let Some(link) = of_peer.links.iter_mut().find(|l| l.number == number) {
                link.running = link.is_newest;
                link.is_whole = is_whole;
            }
        });
    }

    /// Nothing of these lanes is on its way over a link any more.
    pub(crate) fn gave_up(&self, place: &LinkPlace, lanes: LaneSet) {
        self.change(place, |of_peer, number| {
            let is_given = |lane: &Lane, owner: &u64| *owner == number && lanes.contains(*lane);
            of_peer.owners.retain(|lane, owner| !is_given(lane, owner));
        });
    }

    /// A link ends. Whether it led.
    pub(crate) fn end(&self, place: &LinkPlace) -> bool {
        let led = place.order().leads;
        self.change(place, |of_peer, number| {
            of_peer.links.retain(|l| l.number != number);
        });

        let mut all = self.0.lock().expect("no panic holds it");
        all.by_peer.retain(|_, of_peer| !of_peer.links.is_empty());
        led
    }

    fn change(&self, place: &LinkPlace, change: impl FnOnce(&mut LinksOfPeer, u64)) {
        let mut all = self.0.lock().expect("no panic holds it");
        if let Some(of_peer) = all.by_peer.get_mut(&place.peer) {
            change(of_peer, place.number);
            of_peer.settle();
        }
    }

    /// Tells the other links with a peer how much it holds of a log.
    pub(crate) fn tell_held(&self, place: &LinkPlace, log: LogId, size: u64) {
        let all = self.0.lock().expect("no panic holds it");
        let of_peer = all.by_peer.get(&place.peer);
        let others = of_peer.into_iter().flat_map(|p| &p.links);
        for other in others.filter(|l| l.number != place.number) {
            let mut content = other.inbox.order.lock().expect("no panic holds it");
            let held = content.held.entry(log).or_default();
            if *held < size {
                *held = size;
                other.inbox.news.notify_one();
            }
        }
    }

    /// Where the link is asked that leads with a peer.
    pub(crate) fn asks_of(&self, peer: &NodeId) -> Option<mpsc::Sender<LinkAsk>> {
        let all = self.0.lock().expect("no panic holds it");
        let of_peer = all.by_peer.get(peer)?;
        let leader = of_peer.leader()?;
        let link = of_peer.links.iter().find(|l| l.number == leader)?;
        Some(link.asks.clone())
    }

    /// The peers with which a link stands.
    pub(crate) fn peers(&self) -> Vec<NodeId> {
        let all = self.0.lock().expect("no panic holds it");
        all.by_peer.keys().copied().collect()
    }

    /// The lanes that each link with a peer sends, by its name.
    pub(crate) fn lanes_of(&self, peer: &NodeId) -> BTreeMap<String, LaneSet> {
        let all = self.0.lock().expect("no panic holds it");
        let of_peer = all.by_peer.get(peer);
        let links = of_peer.into_iter().flat_map(|p| &p.links);
        links
            .filter(|l| l.is_newest)
            .map(|l| {
                let content = l.inbox.order.lock().expect("no panic holds it");
                (l.name().to_string(), content.order.sends)
            })
            .collect()
    }
}

/// A link's place among those with its peer.
pub(crate) struct LinkPlace {
    pub(crate) peer: NodeId,
    number: u64,
    inbox: Arc<LinkInbox>,
}

impl LinkPlace {
    /// What it is told to do.
    pub(crate) fn order(&self) -> LinkOrder {
        let content = self.inbox.order.lock().expect("no panic holds it");
        content.order.clone()
    }

    /// How much the peer holds of logs, as its other links learned since this was asked last.
    pub(crate) fn take_held(&self) -> Vec<(LogId, u64)> {
        let mut content = self.inbox.order.lock().expect("no panic holds it");
        std::mem::take(&mut content.held).into_iter().collect()
    }

    /// Waits until there is something new to do or to know. Nothing is lost where nobody waits.
    pub(crate) async fn news(&self) {
        self.inbox.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch};
    use wadi_sync::{LinkCost, LinkPurpose};

    const HUB: NodeId = NodeId([9; 16]);

    fn spec(name: &str, cost: LinkCost, purpose: LinkPurpose) -> Option<LinkSpec> {
        Some(LinkSpec {
            name: name.into(),
            cost,
            purpose,
        })
    }

    fn begin(links: &PeerLinks, link: Option<LinkSpec>) -> LinkPlace {
        links.begin(BeginningLink {
            peer: HUB,
            link,
            rate_bits_s: None,
            asks: mpsc::channel(1).0,
        })
    }

    /// A flat link for everything, and a dear one for what is urgent.
    fn two(links: &PeerLinks) -> (LinkPlace, LinkPlace) {
        let flat = begin(links, spec("vsat", LinkCost::Flat, LinkPurpose::All));
        let dear = begin(links, spec("sat", LinkCost::Metered, LinkPurpose::Urgent));
        links.runs(&flat, true);
        links.runs(&dear, false);
        (flat, dear)
    }

    #[test]
    fn urgent_lanes_go_over_the_dear_link_and_the_others_over_the_flat_one() {
        let links = PeerLinks::default();
        let (flat, dear) = two(&links);
        assert_eq!(flat.order().sends, LaneSet::bulk());
        assert_eq!(dear.order().sends, LaneSet::urgent());
        assert!(flat.order().leads && !dear.order().leads);

        // The dear one is lost: what is urgent goes over what there is.
        assert!(!links.end(&dear));
        assert_eq!(flat.order().sends, LaneSet::all());
    }

    #[test]
    fn a_dear_link_that_is_not_for_it_carries_no_bulk_even_alone() {
        let links = PeerLinks::default();
        let (flat, dear) = two(&links);
        assert!(links.end(&flat));
        assert_eq!(dear.order().sends, LaneSet::urgent());
        assert!(dear.order().leads, "somebody has to");

        // The flat one comes back, and has bulk at once: nobody has to give it up.
        let flat = begin(&links, spec("vsat", LinkCost::Flat, LinkPurpose::All));
        assert!(flat.order().sends.is_empty(), "nothing is compared yet");
        links.runs(&flat, true);
        assert_eq!(flat.order().sends, LaneSet::bulk());
    }

    #[test]
    fn bulk_moves_when_nothing_of_it_is_on_its_way_and_urgent_lanes_at_once() {
        let links = PeerLinks::default();
        let dear = begin(&links, spec("sat", LinkCost::Metered, LinkPurpose::All));
        links.runs(&dear, true);
        assert_eq!(dear.order().sends, LaneSet::all());

        let flat = begin(&links, spec("vsat", LinkCost::Flat, LinkPurpose::All));
        links.runs(&flat, true);
        assert_eq!(dear.order().sends, LaneSet::urgent());
        assert_eq!(dear.order().gives_up, LaneSet::bulk());
        assert!(
            flat.order().sends.is_empty(),
            "it is on its way over the other"
        );

        links.gave_up(&dear, LaneSet::bulk());
        assert_eq!(flat.order().sends, LaneSet::bulk());
        assert!(dear.order().gives_up.is_empty());
    }

    #[test]
    fn what_one_link_learns_the_others_are_told_and_itself_is_not() {
        let links = PeerLinks::default();
        let (flat, dear) = two(&links);
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Hold,
            crossing: Crossing::HUB,
        };
        links.tell_held(&dear, log, 7);
        links.tell_held(&dear, log, 5);
        assert_eq!(flat.take_held(), [(log, 7)]);
        assert!(flat.take_held().is_empty() && dear.take_held().is_empty());
    }

    #[test]
    fn a_link_dialled_anew_takes_the_place_of_its_last_connection_and_of_no_other() {
        let links = PeerLinks::default();
        let (flat, dear) = two(&links);
        let again = begin(&links, spec("vsat", LinkCost::Flat, LinkPurpose::All));
        assert!(flat.order().sends.is_empty());
        assert_eq!(dear.order().sends, LaneSet::urgent());
        links.runs(&flat, true);
        assert!(flat.order().sends.is_empty(), "it comes to its end");

        links.runs(&again, true);
        assert_eq!(again.order().sends, LaneSet::bulk());
        links.end(&flat);
        assert_eq!(again.order().sends, LaneSet::bulk());
        assert_eq!(links.peers(), [HUB]);

        links.end(&again);
        links.end(&dear);
        assert!(links.peers().is_empty() && links.asks_of(&HUB).is_none());
    }

    #[tokio::test]
    async fn news_that_come_while_nobody_waits_are_heard() {
        let links = PeerLinks::default();
        let (flat, _dear) = two(&links);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(5), flat.news());
        waited.await.expect("it was told before it waited");
    }

    #[test]
    fn one_link_without_a_name_carries_everything() {
        let links = PeerLinks::default();
        let only = begin(&links, None);
        links.runs(&only, true);
        assert_eq!(only.order().sends, LaneSet::all());
        assert!(only.order().leads);
    }
}
