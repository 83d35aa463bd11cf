//! Proxies that end browsers' TLS before a node, and say whom they speak for.
//!
//! What they say is taken from the addresses that the node's configuration names, and from nobody
//! else: whoever could say it of himself would guess passwords from an address of his choice.

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use wadi_console::OverTls;

/// The addresses that a request came through, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// What the browser and the proxy speak: `https` or `http`.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Who stands between browsers and a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Front {
    /// Addresses of proxies that are believed.
    pub(super) proxies: Arc<[IpAddr]>,
    /// Whether the node itself speaks TLS.
    pub(super) over_tls: bool,
}

impl Front {
    fn believes(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.proxies.iter().any(|proxy| proxy.to_canonical() == ip)
    }

    /// Whom a proxy speaks for: the last address that is no proxy's. What stands before it was told
    /// by the caller. None where the proxy names nobody, or names him in no way that is known.
    fn caller_named(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut named = elements(headers, FORWARDED_FOR);
        named.reverse();
        for name in named {
            let ip = address(name)?;
            if !self.believes(ip) {
                return Some(ip);
            }
        }

        None
    }
}

/// The elements of a list that may stand in several headers.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect()
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|at: SocketAddr| at.ip()))
}

/// Puts the caller in the proxy's place, and says whether the browser speaks TLS.
pub(super) async fn look_through(
    State(front): State<Front>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from = from.map(|at| at.0);
    let mut over_tls = front.over_tls;
    if from.is_some_and(|from| front.believes(from.ip())) {
        let spoken = elements(request.headers(), FORWARDED_PROTO);
        over_tls |= spoken
            .last()
            .is_some_and(|last| last.eq_ignore_ascii_case("https"));

        if let Some(caller) = front.caller_named(request.headers()) {
            let caller = SocketAddr::new(caller, 0);
            request.extensions_mut().insert(ConnectInfo(caller));
        }
    }

    request.extensions_mut().insert(OverTls(over_tls));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &[&str]) -> Option<IpAddr> {
        let front = Front {
            proxies: ["127.0.0.1", "10.0.0.2"]
                .map(|ip| ip.parse().unwrap())
                .into(),
            over_tls: false,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }

        front.caller_named(&headers)
    }

    #[test]
    fn the_nearest_address_that_is_no_proxys_is_the_callers() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(named(&["192.0.2.7"]), ip("192.0.2.7"));
        assert_eq!(named(&["192.0.2.7:4711"]), ip("192.0.2.7"));
        assert_eq!(named(&["[2001:db8::7]:4711"]), ip("2001:db8::7"));
        assert_eq!(named(&["2001:db8::7"]), ip("2001:db8::7"));

        // What a caller wrote himself stands before what the proxy added.
        assert_eq!(
            named(&["203.0.113.9, 192.0.2.7, 10.0.0.2"]),
            ip("192.0.2.7")
        );
        assert_eq!(named(&["203.0.113.9", "192.0.2.7"]), ip("192.0.2.7"));

        // Nobody is named.
        assert_eq!(named(&[]), None);
        assert_eq!(named(&["10.0.0.2"]), None);
        assert_eq!(named(&["203.0.113.9, unknown"]), None);
    }
}
