//! What a handshake costs, in virtual time, and what it would cost with hybrid post-quantum key
//! exchange.

use crate::{LinkRate, thin_link_tests::end};
use rustls::{
    Error, NamedGroup,
    crypto::{
        ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup,
        ring,
    },
};
use std::time::Duration;
use wadi_lab::{HUB, Heading, LinkProfile, SITE, VirtualWorld};

/// Bytes that ML-KEM-768 adds to X25519's: an encapsulation key on the way there, a ciphertext on
/// the way back (draft-ietf-tls-ecdhe-mlkem).
const ENCAPSULATION_KEY_BYTES: usize = 1_184;
const CIPHERTEXT_BYTES: usize = 1_088;

/// X25519 with as many bytes around it as X25519MLKEM768 has. It measures sizes, and keeps no
/// secret better: our TLS provider has no ML-KEM.
#[derive(Debug)]
struct AsLongAsHybrid;

struct LongShare {
    inner: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

fn padded(share: &[u8], by: usize) -> Vec<u8> {
    [vec![7; by], share.to_vec()].concat()
}

/// X25519's share, which stands at the end.
fn classical(share: &[u8]) -> Result<&[u8], Error> {
    let share = share.len().checked_sub(32).and_then(|n| share.get(n..));
    share.ok_or_else(|| Error::General("a short share".into()))
}

impl SupportedKxGroup for AsLongAsHybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let inner = ring::kx_group::X25519.start()?;
        let share = padded(inner.pub_key(), ENCAPSULATION_KEY_BYTES);
        Ok(Box::new(LongShare { inner, share }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let done = ring::kx_group::X25519.start_and_complete(classical(client_share)?)?;
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: padded(&done.pub_key, CIPHERTEXT_BYTES),
            secret: done.secret,
        })
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

impl ActiveKeyExchange for LongShare {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        self.inner.complete(classical(server_share)?)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// Bytes up and down of a handshake over VSAT, and how long it took until the hub had 100 bytes.
fn handshake(provider: CryptoProvider) -> ([u64; 2], Duration) {
    let profile = LinkProfile::named("vsat-256").expect("a known name");
    let rate = || LinkRate::provisioned(256_000);
    let mut world = VirtualWorld::with_provider(profile, 1, end(rate()), end(rate()), provider);

    let request = world.send(SITE, 1, 100);
    world.connect();
    world.settle(Duration::from_secs(10));
    let taken = world.taken(request).expect("it arrived");
    assert_eq!((world.established(SITE), world.established(HUB)), (1, 1));

    // Until everything is acknowledged, and before the first keep-alive.
    world.run_for(Duration::from_secs(5));
    let bytes = Heading::BOTH.map(|way| world.counters(way).offered.bytes);
    (bytes, taken)
}

#[test]
fn a_handshake_costs_as_much_as_is_written_down() {
    let (classical, classical_time) = handshake(ring::default_provider());
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![&AsLongAsHybrid];
    let (hybrid, hybrid_time) = handshake(provider);

    println!("classical: {classical:?} bytes up and down, request after {classical_time:?}");
    println!("hybrid:    {hybrid:?} bytes up and down, request after {hybrid_time:?}");

    // Exact, with papers of Ed25519. Of hybrid key exchange's first flight a second packet is
    // needed, which is padded as the first is, and sent again as it is.
    assert_eq!(classical, [2_459, 1_266]);
    assert_eq!(hybrid, [4_859, 2_514]);
}
