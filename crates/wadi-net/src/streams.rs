//! Messages and blocks on QUIC streams: the first bidirectional stream carries messages, one
//! unidirectional stream a lane carries blocks, the urgent lanes with the higher priority.

use crate::link_rate::LinkRate;
use quinn::{Connection, RecvStream, SendStream};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wadi_log::{Lane, NodeId};
use wadi_node::{Arriving, Leaving, Node, run_late_link, run_link};
use wadi_sync::{BLOCK_FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Message};

/// Frames that wait between the streams and the link, each way.
const WAITING_MESSAGES_MAX: usize = 8;
/// Bytes that are given to quinn at once. It frees what it keeps to send again only when a whole
/// piece is acknowledged: of one large piece it would keep all until its last byte is, and send
/// nothing behind it meanwhile.
pub(crate) const PIECE_BYTES: usize = 2 * 1024;
/// Messages are small and answer each other: they go before all blocks.
const MESSAGE_PRIORITY: i32 = 100;

/// How long a link whose connection ended may take to come to its own end.
const LINK_END_MAX: Duration = Duration::from_secs(5);

/// Runs a link over one connection; returns why it ended.
pub(crate) async fn run_connection(
    node: Arc<Node>,
    (peer, tls_key): (NodeId, [u8; 32]),
    connection: Connection,
    dialled: bool,
    late: bool,
    rate: LinkRate,
) -> String {
    let (arriving, incoming) = mpsc::channel(WAITING_MESSAGES_MAX);
    let (outgoing, leaving) = mpsc::channel(WAITING_MESSAGES_MAX);
    let streams = async {
        // Whoever dialled opens the message stream; a stream shows itself with its first bytes.
        let (send, recv) = if dialled {
            connection.open_bi().await
        } else {
            connection.accept_bi().await
        }
        .map_err(|e| e.to_string())?;

        tokio::select! {
            r = write_all(&connection, send, leaving) => r,
            r = read_messages(recv, arriving.clone(), &rate) => r,
            r = read_lanes(&connection, arriving) => r,
        }
    };

    let sample = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            node.note_peer(peer, |p| p.rtt_ms = connection.rtt().as_millis() as u64);
        }
    };

    let link = async {
        match late {
            true => run_late_link(node.door().clone(), peer, tls_key, incoming, outgoing).await,
            false => run_link(node.door().clone(), peer, tls_key, incoming, outgoing).await,
        }
    };

    tokio::pin!(link);
    let why = tokio::select! {
        why = &mut link => why,
        ended = streams => {
            // Nothing comes any more: the link ends in order, and writes down what it remembers.
            let _ = tokio::time::timeout(LINK_END_MAX, &mut link).await;
            ended.err().unwrap_or_else(|| "the peer closed its streams".into())
        }
        () = sample => unreachable!("it samples for ever"),
    };

    match connection.close_reason() {
        Some(reason) => reason.to_string(),
        None => why,
    }
}

async fn write_frame(stream: &mut SendStream, bytes: &[u8]) -> Result<(), String> {
    let length = u32::try_from(bytes.len()).map_err(|e| e.to_string())?;
    stream
        .write_all(&length.to_be_bytes())
        .await
        .map_err(|e| e.to_string())?;
    for piece in bytes.chunks(PIECE_BYTES) {
        stream.write_all(piece).await.map_err(|e| e.to_string())?;
    }

    Ok(())
}

/// A frame; its length is checked before anything is allocated for it.
async fn read_frame(stream: &mut RecvStream, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }

    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        return Err(format!(
            "a frame of {length} bytes; the limit is {bytes_max}"
        ));
    }

    let mut bytes = vec![0; length];
    stream
        .read_exact(&mut bytes)
        .await
        .map_err(|e| e.to_string())?;

    Ok(Some(bytes))
}

/// Blocks are written by a task of their lane: one that waits for the window must not hold up the
/// others.
async fn write_all(
    connection: &Connection,
    mut messages: SendStream,
    mut leaving: mpsc::Receiver<Leaving>,
) -> Result<(), String> {
    let _ = messages.set_priority(MESSAGE_PRIORITY);
    let mut lanes: BTreeMap<Lane, mpsc::Sender<Vec<u8>>> = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();

    loop {
        tokio::select! {
            next = leaving.recv() => match next {
                None => return Ok(()),
                Some(Leaving::Message(m)) => write_frame(&mut messages, &m.encode()).await?,
                Some(Leaving::Frame(lane, bytes)) => {
                    if !lanes.contains_key(&lane) {
                        let mut stream = connection.open_uni().await.map_err(|e| e.to_string())?;
                        let _ = stream.set_priority(10 - lane as i32);
                        let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(64);
                        lanes.insert(lane, sender);
                        tasks.spawn(async move {
                            stream.write_all(&[lane as u8]).await.map_err(|e| e.to_string())?;
                            while let Some(bytes) = receiver.recv().await {
                                write_frame(&mut stream, &bytes).await?;
                            }
                            Ok::<(), String>(())
                        });
                    }
                    // The session keeps at most its window in flight: the queue cannot grow beyond
                    // that.
                    let sent = lanes[&lane].send(bytes).await;
                    sent.map_err(|_| "a lane's stream ended".to_string())?;
                }
            },
            Some(ended) = tasks.join_next() => ended.map_err(|e| e.to_string())??,
        }
    }
}

async fn read_messages(
    mut stream: RecvStream,
    arriving: mpsc::Sender<Arriving>,
    rate: &LinkRate,
) -> Result<(), String> {
    while let Some(bytes) = read_frame(&mut stream, MESSAGE_BYTES_MAX).await? {
        let message = Message::decode(&bytes).map_err(|e| e.to_string())?;
        if let Message::Hello { rate_bits_s, .. } = &message {
            rate.peer_told(rate_bits_s.unwrap_or(0));
        }

        if arriving.send(Arriving::Message(message)).await.is_err() {
            return Ok(());
        }
    }

    Ok(())
}

async fn read_lanes(
    connection: &Connection,
    arriving: mpsc::Sender<Arriving>,
) -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_uni() => {
                let mut stream = stream.map_err(|e| e.to_string())?;
                let arriving = arriving.clone();
                tasks.spawn(async move {
                    let mut lane = [0; 1];
                    stream.read_exact(&mut lane).await.map_err(|e| e.to_string())?;
                    let lane = Lane::from_u8(lane[0]).map_err(|e| e.to_string())?;
                    while let Some(bytes) = read_frame(&mut stream, BLOCK_FRAME_BYTES_MAX).await? {
                        if arriving.send(Arriving::Frame(lane, bytes)).await.is_err() {
                            return Ok(());
                        }
                    }
                    Ok::<(), String>(())
                });
            }
            Some(ended) = tasks.join_next() => ended.map_err(|e| e.to_string())??,
        }
    }
}
