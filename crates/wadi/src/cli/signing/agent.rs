//! The two questions of ssh-agent's protocol (draft-ietf-sshm-ssh-agent) that signing asks: which
//! keys there are, and a signature by one of them. Every answer has a limit and a time.

use crate::failure::Failure;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};
use wadi_log::{SshKey, SshSignature, ssh_signed_bytes, ssh_string};
use wadi_record::DECISION_NAMESPACE;

/// Bytes of an answer at most: agents refuse messages that are larger, too.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Keys of an agent that are looked at.
const KEYS_MAX: usize = 256;
/// How long an agent may take to say which keys it has.
const LIST_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to sign: somebody types a PIN, or touches a card.
const SIGN_WITHIN: Duration = Duration::from_secs(300);

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// An agent that holds keys.
pub(super) struct Agent<S = UnixStream> {
    stream: S,
}

fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::new(
        "no_agent",
        format!("ssh-agent: {why}; `ssh-add -l` shows what it holds"),
    )
}

impl Agent {
    /// The agent at SSH_AUTH_SOCK.
    pub(super) fn connect() -> Result<Self, Failure> {
        let at = std::env::var_os("SSH_AUTH_SOCK").filter(|at| !at.is_empty());
        let at = at.ok_or_else(|| failed("SSH_AUTH_SOCK is not set"))?;
        let stream = UnixStream::connect(&at)
            .map_err(|e| failed(format!("{}: {e}", at.to_string_lossy())))?;
        stream
            .set_write_timeout(Some(LIST_WITHIN))
            .map_err(failed)?;
        Ok(Self { stream })
    }

    /// Its Ed25519 keys.
    pub(super) fn keys(&mut self) -> Result<Vec<SshKey>, Failure> {
        self.stream
            .set_read_timeout(Some(LIST_WITHIN))
            .map_err(failed)?;
        self.list()
    }

    /// Its signature over a statement.
    pub(super) fn sign(&mut self, key: &SshKey, statement: &[u8]) -> Result<SshSignature, Failure> {
        self.stream
            .set_read_timeout(Some(SIGN_WITHIN))
            .map_err(failed)?;
        self.signed(key, statement)
    }
}

impl<S: Read + Write> Agent<S> {
    fn ask(&mut self, request: &[u8], expected: u8) -> Result<Vec<u8>, Failure> {
        self.stream
            .write_all(&ssh_string(request))
            .map_err(failed)?;

        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(failed)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES_MAX {
            return Err(failed(format!("an answer of {length} bytes")));
        }

        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).map_err(failed)?;
        match answer.split_first() {
            Some((kind, rest)) if *kind == expected => Ok(rest.to_vec()),
            Some(_) => Err(failed("it refuses")),
            None => Err(failed("an empty answer")),
        }
    }

    fn list(&mut self) -> Result<Vec<SshKey>, Failure> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        let mut rest = answer.as_slice();
        let count = take_number(&mut rest).ok_or_else(|| failed("an answer that is cut"))?;

        let mut out = Vec::new();
        for _ in 0..(count as usize).min(KEYS_MAX) {
            let blob = take_string(&mut rest);
            let comment = take_string(&mut rest);
            let (Some(blob), Some(_)) = (blob, comment) else {
                return Err(failed("an answer that is cut"));
            };
            out.extend(SshKey::from_blob(blob));
        }

        Ok(out)
    }

    fn signed(&mut self, key: &SshKey, statement: &[u8]) -> Result<SshSignature, Failure> {
        let request = [
            vec![SIGN_REQUEST],
            ssh_string(&key.blob()),
            ssh_string(&ssh_signed_bytes(DECISION_NAMESPACE, statement)),
            0u32.to_be_bytes().to_vec(),
        ];
        let answer = self.ask(&request.concat(), SIGN_RESPONSE)?;

        let bad = || failed("its signature is none of Ed25519");
        let mut rest = take_string(&mut answer.as_slice()).ok_or_else(bad)?;
        if take_string(&mut rest) != Some(b"ssh-ed25519") {
            return Err(bad());
        }
        let signature = take_string(&mut rest).and_then(|s| s.try_into().ok());
        let signature = SshSignature {
            key: *key,
            signature: signature.ok_or_else(bad)?,
        };

        let holds = signature.verify(DECISION_NAMESPACE, statement);
        holds.map_err(|_| failed("its signature does not hold"))?;
        Ok(signature)
    }
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (string, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// An agent that answers what it is given, whatever it is asked.
    struct Answers(Cursor<Vec<u8>>);

    impl Read for Answers {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for Answers {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn agent(answer: Vec<u8>) -> Agent<Answers> {
        Agent {
            stream: Answers(Cursor::new(answer)),
        }
    }

    #[test]
    fn an_agent_that_answers_nonsense_is_told_of_and_nothing_is_allocated_for_it() {
        let endless = u32::MAX.to_be_bytes().to_vec();
        let many = ssh_string(&[&[IDENTITIES_ANSWER][..], &u32::MAX.to_be_bytes()].concat());
        let long = ssh_string(
            &[
                &[IDENTITIES_ANSWER][..],
                &1u32.to_be_bytes(),
                &u32::MAX.to_be_bytes(),
            ]
            .concat(),
        );
        for answer in [
            endless,
            many,
            long,
            vec![],
            ssh_string(&[]),
            ssh_string(&[5]),
        ] {
            assert!(agent(answer.clone()).list().is_err(), "{answer:?}");
            let key = SshKey([1; 32]);
            assert!(agent(answer).signed(&key, b"x").is_err());
        }
    }

    #[test]
    fn a_signature_that_does_not_hold_is_not_passed_on() {
        let inner = [ssh_string(b"ssh-ed25519"), ssh_string(&[7; 64])].concat();
        let answer = [vec![SIGN_RESPONSE], ssh_string(&inner)].concat();
        let key = SshKey::from_openssh(&SshSignature::sign(&[5; 32], "any", b"x").key.to_openssh());
        assert!(
            agent(ssh_string(&answer))
                .signed(&key.unwrap(), b"x")
                .is_err()
        );
    }
}
