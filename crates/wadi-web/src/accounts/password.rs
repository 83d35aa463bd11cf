//! Passwords: which are taken, and how they are kept.
//!
//! What is asked of one is its length, and that it is none of those that everybody tries (NIST SP
//! 800-63B: no rules of composition, no end by date). It is kept by argon2id with the parameters of
//! OWASP. That costs memory and time on purpose, so few are worked out at once, off the threads
//! that answer.

use crate::{Problem, problem::unprocessable};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::http::StatusCode;
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Characters of a password at least.
pub(crate) const CHARS_MIN: usize = 12;
/// Bytes of a password at most: more would be work for nothing.
const BYTES_MAX: usize = 1_024;
/// Different characters at least: what repeats itself is guessed first.
const DIFFERENT_MIN: usize = 5;
/// A part of a name that is too short to give a password away.
const NAME_PART_CHARS: usize = 4;
/// Memory in KiB, and turns, as OWASP has them for argon2id.
const COST: (u32, u32) = (19_456, 2);
/// Passwords that are worked out at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What is compared with where there is no account of that name: it costs the same, and is
/// nobody's.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Beginnings that everybody tries, without digits and signs.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "administrator",
    "adminadmin",
    "welcome",
    "letmein",
    "iloveyou",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfgh",
    "zxcvbn",
    "abcdef",
    "changeme",
    "secret",
    "wadiwadi",
    "iraq",
    "baghdad",
    "customs",
    "border",
    "كلمةالسر",
    "كلمةالمرور",
    "العراق",
    "بغداد",
    "جمارك",
];

fn weak(why: impl Into<String>) -> Problem {
    unprocessable("weak_password", why)
}

/// One password is one, however a keyboard composed it.
fn composed(password: &str) -> String {
    password.nfkc().collect()
}

/// Refuses a password that is too short or too easily guessed. `names` are those that it must not
/// be made of.
pub(crate) fn check_password(password: &str, names: &[&str]) -> Result<(), Problem> {
    let password = composed(password);
    if password.chars().count() < CHARS_MIN {
        return Err(weak(format!("it has fewer than {CHARS_MIN} characters")));
    }
    if password.len() > BYTES_MAX {
        return Err(weak(format!("it has more than {BYTES_MAX} bytes")));
    }
    if password.chars().collect::<BTreeSet<_>>().len() < DIFFERENT_MIN {
        return Err(weak("it repeats the same few characters"));
    }

    let small = password.to_lowercase();
    let parts = names.iter().flat_map(|name| name.split_whitespace());
    let mut parts = parts.map(|part| composed(part).to_lowercase());
    let told = |part: &String| part.chars().count() >= NAME_PART_CHARS && small.contains(part);
    if parts.any(|part| told(&part)) {
        return Err(weak("it holds a name of yours"));
    }

    let letters: String = small.chars().filter(|c| c.is_alphabetic()).collect();
    let counts_up = |text: &str| {
        let codes: Vec<u32> = text.chars().map(u32::from).collect();
        codes
            .windows(2)
            .filter(|w| w[1].abs_diff(w[0]) == 1)
            .count()
            * 4
            >= codes.len() * 3
    };
    let is_common = COMMON.iter().any(|common| {
        letters.starts_with(common) && letters.chars().count() <= common.chars().count() + 3
    });
    if is_common || counts_up(&small) {
        return Err(weak("it is one of those that are tried first"));
    }

    Ok(())
}

/// Works out something about a password when its turn comes.
async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let busy = || {
        let why = "too many sign in at once; try again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
    };
    let turn = tokio::time::timeout(PATIENCE, TURNS.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(busy());
    };

    tokio::task::spawn_blocking(work).await.map_err(|_| busy())
}

fn argon() -> Argon2<'static> {
    let params = Params::new(COST.0, COST.1, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A password as it is kept.
pub(crate) async fn hash_password(password: &str) -> Result<String, Problem> {
    let password = composed(password);
    let hashed = in_turn(move || {
        let hashed = argon().hash_password(password.as_bytes());
        hashed.map(|hash| hash.to_string())
    });
    hashed.await?.map_err(|error| {
        let why = format!("the password could not be kept: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "password", why)
    })
}

/// Whether a password is the one that is kept. Where none is kept it costs the same, and is not.
pub(crate) async fn is_password(password: &str, kept: Option<String>) -> Result<bool, Problem> {
    let password: String = composed(password);
    if password.len() > BYTES_MAX {
        return Ok(false);
    }

    in_turn(move || {
        let is_known = kept.is_some();
        let kept = kept.unwrap_or_else(|| NOBODYS.into());
        let is_equal = PasswordHash::new(&kept)
            .is_ok_and(|kept| argon().verify_password(password.as_bytes(), &kept).is_ok());
        is_equal && is_known
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_none_that_is_tried_first() {
        for good in [
            "four lorries at dusk",
            "شاحنة زرقاء عند الفجر",
            "zK3 tb9 mm2 qp7",
        ] {
            check_password(good, &["OF-7", "Ali Hussein"]).unwrap();
        }

        for bad in [
            "short",
            "aaaaaaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "Password1234",
            "qwerty123456!",
            "the hussein house",
            "كلمة السر 12",
        ] {
            let refused = check_password(bad, &["OF-7", "Ali Hussein"]).unwrap_err();
            assert_eq!(refused.code, "weak_password", "{bad}");
        }
    }

    #[tokio::test]
    async fn a_password_is_kept_so_that_it_cannot_be_read() {
        let kept = hash_password("four lorries at dusk").await.unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        let is = async |word: &str, kept: &str| is_password(word, Some(kept.into())).await.unwrap();
        assert!(is("four lorries at dusk", &kept).await);
        assert!(!is("four lorries at dawn", &kept).await);
        assert_ne!(kept, hash_password("four lorries at dusk").await.unwrap());

        // What is compared for nobody reads, costs the same, and lets nobody in.
        assert!(PasswordHash::new(NOBODYS).is_ok());
        assert!(!is_password("", None).await.unwrap());
    }
}
