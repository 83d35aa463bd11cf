//! The frames of a lane over a real connection, where a copy comes before its frame.

use crate::{
    LinkRate,
    copies::{WaitingCopies, read_copies},
    streams::{ArrivingMemory, read_lane},
    transport::Transport,
};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wadi_log::{Lane, NodeId};
use wadi_node::Arriving;

/// Two ends of a connection on loopback, and their endpoints.
async fn connection() -> ([Connection; 2], [Endpoint; 2]) {
    let transport = Transport {
        idle: Duration::from_secs(30),
        own_links: true,
    };
    let transport = Arc::new(transport.config(&LinkRate::default()));
    let signed = rcgen::generate_simple_self_signed(vec!["hub".into()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let certificate = signed.cert.der().clone();

    let mut server = ServerConfig::with_single_cert(vec![certificate.clone()], key).unwrap();
    server.transport_config(transport.clone());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
    client.transport_config(transport);

    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let hub = Endpoint::server(server, any).unwrap();
    let site = Endpoint::client(any).unwrap();
    let to = hub.local_addr().unwrap();
    let dialled = site.connect_with(client, to, "hub").unwrap();
    let (dialled, taken) = tokio::join!(dialled, async { hub.accept().await.unwrap().await });
    ([dialled.unwrap(), taken.unwrap()], [site, hub])
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

fn copy(number: u64, bytes: &[u8]) -> Vec<u8> {
    [&[Lane::Hold as u8], &number.to_be_bytes()[..], bytes].concat()
}

#[tokio::test]
async fn a_copy_is_handed_on_while_its_frame_is_missing_and_the_frame_is_not_handed_on_again() {
    let ([site, hub], _endpoints) = connection().await;
    let mut stream = site.open_uni().await.unwrap();
    let (arriving, mut arrived) = mpsc::channel(8);
    let copies = Arc::new(WaitingCopies::default());
    let memory = ArrivingMemory {
        holdings: Arc::default(),
        peer: NodeId([3; 16]),
    };
    let reader = {
        let (hub, copies) = (hub.clone(), copies.clone());
        tokio::spawn(async move {
            let lane = hub.accept_uni().await.unwrap();
            tokio::select! {
                read = read_lane(lane, (arriving, memory), copies.clone(), Arc::default()) => read,
                why = read_copies(&hub, &copies) => Err(why),
            }
        })
    };

    let mut next = async || match arrived.recv().await {
        Some(Arriving::Frame(Lane::Hold, bytes)) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };

    // Of the first frame half has come; the rest is lost for now.
    let first = frame(b"first");
    stream.write_all(&[Lane::Hold as u8]).await.unwrap();
    stream.write_all(&first[..6]).await.unwrap();
    site.send_datagram(copy(1, b"second").into()).unwrap();
    site.send_datagram(copy(0, b"first").into()).unwrap();
    assert_eq!(next().await, "first");
    assert_eq!(next().await, "second", "it waited for its turn");

    // What is missing comes, and more.
    stream.write_all(&first[6..]).await.unwrap();
    stream.write_all(&frame(b"second")).await.unwrap();
    stream.write_all(&frame(b"third")).await.unwrap();
    assert_eq!(next().await, "third");

    // A copy that comes too late changes nothing.
    site.send_datagram(copy(2, b"third").into()).unwrap();
    stream.write_all(&frame(b"fourth")).await.unwrap();
    assert_eq!(next().await, "fourth");

    stream.finish().unwrap();
    assert_eq!(reader.await.unwrap(), Ok(()));
}
