//! What a caller is told whose request has a head that is longer than may be.
//!
//! The HTTP library refuses such a head by itself, before any route is asked, by a status and
//! nothing more. It is told here as everything else is that was refused: as a problem.

use crate::{
    Problem,
    serve::{HEAD_BYTES_MAX, HEADERS_MAX},
};
use axum::http::StatusCode;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wadi_words::Language;

/// How the library's own refusal begins.
const BARE_REFUSAL: &[u8] = b"HTTP/1.1 431 ";

/// A connection on which the library's refusal of a head goes out as a problem.
pub(crate) struct HeadRefusals<Io, F> {
    io: Io,
    /// Whether a request is being answered: what is written then is no refusal of a head.
    is_answering: F,
    /// What is written in place of the refusal; empty as long as there is none.
    told: Vec<u8>,
    /// How much of that is written.
    written: usize,
}

impl<Io, F: Fn() -> bool> HeadRefusals<Io, F> {
    pub(crate) fn on(io: Io, is_answering: F) -> Self {
        Self {
            io,
            is_answering,
            told: Vec::new(),
            written: 0,
        }
    }

    /// Whether these bytes are a refusal, or follow on one: after it the library says nothing that
    /// the caller has to hear.
    fn is_refused(&mut self, bytes: &[u8]) -> bool {
        if self.told.is_empty() && bytes.starts_with(BARE_REFUSAL) && !(self.is_answering)() {
            self.told = refusal();
        }

        !self.told.is_empty()
    }
}

/// The whole answer. Of a head that was not read nobody knows which language it asks for.
fn refusal() -> Vec<u8> {
    let why = format!(
        "the head of the request is too long: {HEADERS_MAX} headers and {HEAD_BYTES_MAX} bytes \
         with the request's line are the most"
    );
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let problem = Problem::new(status, "head_too_large", why).in_words(Language::English);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: \
         application/problem+json\r\ncontent-language: en\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n",
        body.len()
    );

    (head + &body).into_bytes()
}

impl<Io: AsyncWrite + Unpin, F> HeadRefusals<Io, F> {
    /// Writes the rest of the answer. The library is told that its own went out when it did.
    fn poll_told(&mut self, cx: &mut Context<'_>, of_bytes: usize) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.told.get(self.written..).filter(|r| !r.is_empty()) {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written = self.written.saturating_add(written);
        }

        Poll::Ready(Ok(of_bytes))
    }
}

impl<Io: AsyncRead + Unpin, F: Unpin> AsyncRead for HeadRefusals<Io, F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
    }
}

impl<Io: AsyncWrite + Unpin, F: Fn() -> bool + Unpin> AsyncWrite for HeadRefusals<Io, F> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.is_refused(bytes) {
            true => this.poll_told(cx, bytes.len()),
            false => Pin::new(&mut this.io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = parts.iter().find(|part| !part.is_empty());
        match first.is_some_and(|first| this.is_refused(first)) {
            true => this.poll_told(cx, parts.iter().map(|part| part.len()).sum()),
            false => Pin::new(&mut this.io).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What comes out of a connection into which this is written, a few bytes at a time.
    async fn comes_of(text: &[u8], is_answering: bool) -> String {
        let (near, mut far) = tokio::io::duplex(7);
        let text = text.to_vec();
        let write = async move {
            let mut near = HeadRefusals::on(near, move || is_answering);
            near.write_all(&text).await.unwrap();
            near.shutdown().await.unwrap();
        };

        let mut came = String::new();
        let ((), read) = tokio::join!(write, far.read_to_string(&mut came));
        read.unwrap();
        came
    }

    #[tokio::test]
    async fn a_bare_refusal_goes_out_as_a_problem_and_nothing_else_is_changed() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        let came = comes_of(bare, false).await;
        let (head, body) = came.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        assert!(
            head.contains("content-type: application/problem+json\r\n"),
            "{head}"
        );
        let length = format!("content-length: {}\r\n", body.len());
        assert!(head.contains(&length), "{head}");
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "head_too_large");
        assert_eq!(problem["status"], 431);
        assert!(problem["help"].is_string(), "{problem}");

        // What a route answers goes out as it is, whatever it says.
        for (text, is_answering) in [
            (&bare[..], true),
            (&b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 431 "[..], false),
        ] {
            let came = comes_of(text, is_answering).await;
            assert_eq!(came.as_bytes(), text);
        }
    }
}
