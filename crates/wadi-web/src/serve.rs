//! Serves the routes over connections, and lets nobody take them all.
//!
//! A connection costs a seat. Where all are taken the one that waits longest for its caller gives
//! up its seat: a caller who is slow over a handshake or a request, or has none, keeps out nobody
//! who has one. What is being answered keeps its seat as long as its answer goes on.

use crate::head_refusals::HeadRefusals;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::Sleep,
};
use tower::ServiceExt;

/// Headers of a request at most; past them it is answered with 431.
pub(crate) const HEADERS_MAX: usize = 64;
/// Bytes of a request's line and headers at most: every connection may have so many in memory.
pub(crate) const HEAD_BYTES_MAX: usize = 32 << 10;

/// How long a caller is listened to after the last answer.
const LINGER: Duration = Duration::from_secs(5);
/// Bytes that a caller may send after the last answer, and be sure to hear it: an import that is
/// twice too long.
const UNREAD_BYTES_MAX: usize = 16 << 20;

/// How long callers may take over what, and how many there may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// A TLS handshake.
    pub handshake: Duration,
    /// The head of a request, and the wait between two requests.
    pub head: Duration,
    /// From one part of a request's body to the next.
    pub body_part: Duration,
    /// A request's body, from its first part to its last.
    pub body: Duration,
    /// From one part of an answer to the next, before its connection may be given to somebody else.
    pub answer_part: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Well below the 1,024 open files that a process is usually given.
            connections: 256,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(15),
            body_part: Duration::from_secs(20),
            // The largest body takes as long over 2 Mbit/s.
            body: Duration::from_secs(300),
            // Streams of changes say something every 20 seconds.
            answer_part: Duration::from_secs(60),
        }
    }
}

/// What a connection is at.
#[derive(Clone, Copy)]
enum At {
    /// Its caller has to say something.
    Waiting(Instant),
    /// Its caller has asked; since then, a part of the answer went out at this time.
    Answering(Instant),
}

#[derive(Default)]
struct Seats {
    taken: Mutex<BTreeMap<u64, Seat>>,
}

struct Seat {
    at: At,
    task: Option<AbortHandle>,
}

impl Seats {
    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Seat>> {
        self.taken.lock().expect("no panic holds it")
    }

    fn now_at(&self, id: u64, at: At) {
        if let Some(seat) = self.all().get_mut(&id) {
            seat.at = at;
        }
    }

    fn is_answering(&self, id: u64) -> bool {
        let seats = self.all();
        seats
            .get(&id)
            .is_some_and(|seat| matches!(seat.at, At::Answering(_)))
    }

    /// Frees a seat where all are taken; whether there is one now.
    fn make_room(&self, limits: &Limits) -> bool {
        let mut seats = self.all();
        if seats.len() < limits.connections {
            return true;
        }

        let waiting = seats.iter().filter_map(|(id, seat)| match seat.at {
            At::Waiting(since) => Some((since, *id)),
            At::Answering(_) => None,
        });
        let longest = waiting.min().or_else(|| {
            let stalled = seats.iter().filter_map(|(id, seat)| match seat.at {
                At::Answering(last) if last.elapsed() > limits.answer_part => Some((last, *id)),
                _ => None,
            });
            stalled.min()
        });

        let Some((_, id)) = longest else { return false };
        if let Some(task) = seats.remove(&id).and_then(|seat| seat.task) {
            task.abort();
        }

        true
    }
}

/// A connection's seat, until it is dropped.
struct Seated {
    seats: Arc<Seats>,
    id: u64,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.seats.all().remove(&self.id);
    }
}

/// Serves until it is dropped, and with it every connection. `open` makes of an accepted connection
/// what is spoken over: the same, or its TLS.
pub async fn serve<Open, Opening, Io>(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    open: Open,
) where
    Open: Fn(TcpStream) -> Opening,
    Opening: Future<Output = io::Result<Io>> + Send + 'static,
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let seats: Arc<Seats> = Arc::default();
    let mut tasks = JoinSet::new();
    let mut next = 0;

    loop {
        while tasks.try_join_next().is_some() {}
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "HTTP connection not accepted");
                // It may be that no file can be opened any more: an idle connection is one.
                seats.make_room(&Limits {
                    connections: 0,
                    ..limits
                });
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };

        if !seats.make_room(&limits) {
            tracing::warn!(
                connections = limits.connections,
                "HTTP connection refused: all are being answered"
            );
            continue;
        }

        next += 1;
        seats.all().insert(
            next,
            Seat {
                at: At::Waiting(Instant::now()),
                task: None,
            },
        );

        let seated = Seated {
            seats: seats.clone(),
            id: next,
        };
        let _ = stream.set_nodelay(true);
        let opening = open(stream);
        let app = app.clone();
        let task = tasks.spawn(async move {
            if let Ok(Ok(io)) = tokio::time::timeout(limits.handshake, opening).await {
                converse(io, from, app, limits, &seated).await;
            }
        });

        if let Some(seat) = seats.all().get_mut(&next) {
            seat.task = Some(task);
        }
    }
}

/// Answers one request after the other, until the caller goes or has nothing to say for too long.
async fn converse<Io>(io: Io, from: SocketAddr, app: Router, limits: Limits, seated: &Seated)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let id = seated.id;
    let seats = &seated.seats;
    let service = service_fn(|request: Request<Incoming>| {
        let app = app.clone();
        let turn = Turn {
            seats: seats.clone(),
            id,
        };

        turn.goes_on();
        async move {
            let mut request = request.map(|body| Body::new(Patient::new(body, &limits)));
            request.extensions_mut().insert(ConnectInfo(from));
            let answer = app.oneshot(request).await?;
            Ok::<_, Infallible>(answer.map(|body| AnswerBody { body, turn }))
        }
    });

    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);

    let asked = seats.clone();
    let mut io = HeadRefusals::on(io, move || asked.is_answering(id));
    let talk = builder.serve_connection(TokioIo::new(&mut io), service);
    // A caller that goes in the middle of a word is nothing to be told.
    let _ = talk.await;
    let _ = tokio::time::timeout(LINGER, read_out(&mut io)).await;
}

/// Ends what is said, and reads what the caller still sends.
///
/// Whoever is refused before all was read is still sending. A connection that is closed with
/// unread bytes is reset, and the caller may lose the answer with it (RFC 9112, 9.6).
async fn read_out(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut rest = UNREAD_BYTES_MAX;
    let mut unread = vec![0; 8 << 10];

    if io.shutdown().await.is_err() {
        return;
    }
    while rest > 0 {
        match io.read(&mut unread).await {
            Ok(read) if read > 0 => rest = rest.saturating_sub(read),
            Ok(_) | Err(_) => return,
        }
    }
}

/// While it lives its connection is being answered.
struct Turn {
    seats: Arc<Seats>,
    id: u64,
}

impl Turn {
    fn goes_on(&self) {
        self.seats.now_at(self.id, At::Answering(Instant::now()));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.seats.now_at(self.id, At::Waiting(Instant::now()));
    }
}

/// An answer's body, which says as it goes out that it does.
struct AnswerBody {
    body: Body,
    turn: Turn,
}

impl HttpBody for AnswerBody {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.turn.goes_on();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request's body that has to come in time.
struct Patient {
    body: Incoming,
    part: Duration,
    part_due: Pin<Box<Sleep>>,
    due: Pin<Box<Sleep>>,
}

impl Patient {
    fn new(body: Incoming, limits: &Limits) -> Self {
        let part = limits.body_part;
        Self {
            body,
            part,
            part_due: Box::pin(tokio::time::sleep(part)),
            due: Box::pin(tokio::time::sleep(limits.body)),
        }
    }
}

impl HttpBody for Patient {
    type Data = axum::body::Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let due = tokio::time::Instant::now() + self.part;
            self.part_due.as_mut().reset(due);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }

        let late =
            self.part_due.as_mut().poll(cx).is_ready() || self.due.as_mut().poll(cx).is_ready();
        match late {
            true => Poll::Ready(Some(Err("the body did not come in time".into()))),
            false => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(300);
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn listen(limits: Limits) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endless = || async {
            let parts = futures_util::stream::pending::<Result<&'static str, io::Error>>();
            Body::from_stream(futures_util::StreamExt::chain(
                futures_util::stream::iter([Ok("first")]),
                parts,
            ))
        };

        let app = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/", post(|body: String| async move { body }))
            .route("/stream", get(endless));
        let mut task = JoinSet::new();

        task.spawn(
            async move { serve(listener, app, limits, |stream| async { Ok(stream) }).await },
        );

        (address, task)
    }

    async fn ask(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await?;
        Ok(stream)
    }

    async fn hears(stream: &mut TcpStream, word: &str) -> bool {
        let mut heard = Vec::new();
        let read = async {
            let mut part = [0; 1024];
            while let Ok(n) = stream.read(&mut part).await
                && n > 0
            {
                heard.extend_from_slice(&part[..n]);
                if String::from_utf8_lossy(&heard).contains(word) {
                    return true;
                }
            }

            false
        };

        tokio::time::timeout(PATIENCE, read).await.unwrap_or(false)
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn callers_who_say_nothing_keep_out_nobody() {
        let limits = Limits {
            connections: 8,
            head: Duration::from_secs(600),
            ..Limits::default()
        };

        let (address, _task) = listen(limits).await;
        let mut mute = Vec::new();
        for n in 0..40 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
            }
            mute.push(stream);
        }

        assert!(hears(&mut ask(address, "/").await.unwrap(), "here").await);
        assert!(
            is_closed(&mut mute[0]).await,
            "the first of them gave up its seat"
        );
    }

    #[tokio::test]
    async fn what_is_being_answered_keeps_its_seat_and_others_are_turned_away() {
        let limits = Limits {
            connections: 2,
            ..Limits::default()
        };
        let (address, _task) = listen(limits).await;
        let mut first = ask(address, "/stream").await.unwrap();
        assert!(hears(&mut first, "first").await);

        let mut second = ask(address, "/stream").await.unwrap();
        assert!(hears(&mut second, "first").await);
        assert!(!hears(&mut ask(address, "/").await.unwrap(), "here").await);

        drop(second);
        let deadline = Instant::now() + PATIENCE;

        while !hears(&mut ask(address, "/").await.unwrap(), "here").await {
            assert!(
                Instant::now() < deadline,
                "the seat that was given up is nobody's"
            );
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused_with_a_problem() {
        let (address, _task) = listen(Limits::default()).await;
        let many = "x: y\r\n".repeat(HEADERS_MAX + 1);
        let many = format!("GET / HTTP/1.1\r\n{many}\r\n");
        // Just as many bytes as are read of a head, and no end of it.
        let long = format!("GET / HTTP/1.1\r\nx: {:y>1$}", "", HEAD_BYTES_MAX - 19);
        assert_eq!(long.len(), HEAD_BYTES_MAX);

        for head in [many, long] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            assert!(hears(&mut stream, "\"code\":\"head_too_large\"").await);
        }
        assert!(hears(&mut ask(address, "/").await.unwrap(), "here").await);
    }

    #[tokio::test]
    async fn who_is_refused_before_all_was_read_hears_why() {
        let (address, _task) = listen(Limits::default()).await;
        let body = vec![b'x'; UNREAD_BYTES_MAX / 2];
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        assert!(hears(&mut stream, "413 Payload Too Large").await);
        assert!(is_closed(&mut stream).await);
    }

    #[tokio::test]
    async fn heads_bodies_and_idle_connections_end_in_time() {
        let limits = Limits {
            head: SHORT,
            body_part: SHORT,
            body: SHORT * 4,
            ..Limits::default()
        };

        let (address, _task) = listen(limits).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HT").await.unwrap();

        let mut mute = TcpStream::connect(address).await.unwrap();
        let mut idle = ask(address, "/").await.unwrap();
        assert!(hears(&mut idle, "here").await);

        for stream in [&mut half, &mut mute, &mut idle] {
            assert!(is_closed(stream).await);
        }

        // One that stops in the middle, and one that goes on byte by byte.
        let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
        let mut stops = TcpStream::connect(address).await.unwrap();
        stops.write_all(head).await.unwrap();
        assert!(is_closed(&mut stops).await);

        let mut drips = TcpStream::connect(address).await.unwrap();
        drips.write_all(head).await.unwrap();
        let deadline = Instant::now() + PATIENCE;

        while drips.write_all(b"x").await.is_ok() {
            assert!(Instant::now() < deadline, "it may drip for ever");
            tokio::time::sleep(SHORT / 4).await;
        }
    }
}
