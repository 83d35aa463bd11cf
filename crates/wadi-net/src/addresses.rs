//! The addresses of a peer: a name may have several, of both families, and the first of them may be
//! one that nobody answers at.

use std::net::SocketAddr;

/// Whether a socket that listens there sends to this address. One of IPv6 that listens on all
/// addresses carries IPv4 as well; one of a single address, or of IPv4, its own family alone.
fn can_send(listen: SocketAddr, to: SocketAddr) -> bool {
    listen.is_ipv6() == to.is_ipv6() || listen.is_ipv6() && listen.ip().is_unspecified()
}

/// Why none of a peer's addresses can be dialled from here, and what to do; nothing where one can.
pub fn unreachable_from(listen: SocketAddr, found: &[SocketAddr]) -> Option<String> {
    let Some(first) = found.first() else {
        return Some("the peer's address does not resolve".into());
    };

    if found.iter().any(|to| can_send(listen, *to)) {
        return None;
    }

    let wanted = match first.is_ipv6() {
        true => "IPv6: listen on [::], which takes both",
        false => "IPv4: listen on 0.0.0.0, or on [::], which takes both",
    };
    let ip = first.ip();
    Some(format!(
        "{ip} cannot be reached from listen = {listen}, it is of {wanted}"
    ))
}

/// Whose turn it is: the address that answered last keeps it, one that did not gives it on.
#[derive(Default)]
pub(crate) struct Turns {
    failed: usize,
}

impl Turns {
    /// The address to dial now.
    pub(crate) fn next(
        &self,
        listen: SocketAddr,
        found: &[SocketAddr],
    ) -> Result<SocketAddr, String> {
        if let Some(why) = unreachable_from(listen, found) {
            return Err(why);
        }

        let dialled: Vec<SocketAddr> = found
            .iter()
            .copied()
            .filter(|to| can_send(listen, *to))
            .collect();
        Ok(dialled[self.failed % dialled.len()])
    }

    /// Nobody answered there.
    pub(crate) fn pass_on(&mut self) {
        self.failed = self.failed.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_does_not_answer_gives_its_turn_on() {
        let found = [at("[::1]:7700"), at("127.0.0.1:7700"), at("10.0.0.1:7700")];
        let mut turns = Turns::default();
        let all = at("[::]:7701");
        assert_eq!(turns.next(all, &found), Ok(found[0]));
        assert_eq!(turns.next(all, &found), Ok(found[0]), "it has not failed");

        turns.pass_on();
        assert_eq!(turns.next(all, &found), Ok(found[1]));
        turns.pass_on();
        turns.pass_on();
        assert_eq!(turns.next(all, &found), Ok(found[0]), "round and round");

        // Of another family than the socket's is none of the turns.
        let turns = Turns::default();
        assert_eq!(turns.next(at("0.0.0.0:7701"), &found), Ok(found[1]));
    }

    #[test]
    fn families_that_do_not_fit_are_named_with_what_to_do() {
        let why = unreachable_from(at("0.0.0.0:7701"), &[at("[::1]:7700")]).unwrap();
        assert!(why.contains("listen on [::]"), "{why}");
        let why = unreachable_from(at("[::1]:7701"), &[at("10.0.0.1:7700")]).unwrap();
        assert!(why.contains("listen on 0.0.0.0"), "{why}");
        assert_eq!(
            unreachable_from(at("[::]:7701"), &[at("10.0.0.1:7700")]),
            None
        );
        assert!(unreachable_from(at("[::]:7701"), &[]).is_some());
    }
}
