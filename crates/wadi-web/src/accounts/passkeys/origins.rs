//! Where passkeys are used: a browser gives one to the pages of one host alone, and signs the
//! origin of the page that asked.

use url::{Host, Url};
use webauthn_rp::request::{AsciiDomain, RpId};

/// Origins at most: names and ports of one console.
const ORIGINS_MAX: usize = 8;

/// The origins of this node's console, all of one host.
#[derive(Clone, PartialEq, Debug)]
pub struct PasskeyOrigins {
    host: String,
    origins: Vec<String>,
}

impl PasskeyOrigins {
    /// Reads origins as a configuration names them; none where the list is empty.
    ///
    /// # Errors
    ///
    /// A sentence for whoever wrote the list: an origin that does not read, that is no secure
    /// context of a browser (W3C Secure Contexts, 3.1), that names an address, or another host than
    /// the one before.
    pub fn parse(given: &[String]) -> Result<Option<Self>, String> {
        let Some(first) = given.first() else {
            return Ok(None);
        };
        if given.len() > ORIGINS_MAX {
            return Err(format!("at most {ORIGINS_MAX} origins"));
        }

        let host = host_of(first)?;
        for origin in given {
            let other = host_of(origin)?;
            if other != host {
                return Err(format!(
                    "{origin:?}: all are of one host, which passkeys are bound to; the first names \
                     {host}"
                ));
            }
        }

        Ok(Some(Self {
            host,
            origins: given.to_vec(),
        }))
    }

    /// The host that passkeys are bound to (the relying party's id).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origins of pages that may ask for one.
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The relying party, as the ceremonies name it.
    pub(super) fn party(&self) -> RpId {
        let domain = AsciiDomain::try_from(self.host.clone());
        RpId::Domain(domain.expect("it was read as one"))
    }
}

/// The host of an origin that is written as a browser writes it.
fn host_of(origin: &str) -> Result<String, String> {
    let form = "https://HOST or https://HOST:PORT is needed, as a browser shows it, without a path";
    let read = Url::parse(origin).map_err(|_| format!("{origin:?}: {form}"))?;
    let host = match read.host() {
        Some(Host::Domain(host)) => host.to_string(),
        Some(_) => {
            return Err(format!(
                "{origin:?}: browsers give passkeys to a host's name, and to no address"
            ));
        }
        None => return Err(format!("{origin:?}: {form}")),
    };

    let is_this_machine = host == "localhost" || host.ends_with(".localhost");
    match read.scheme() {
        "https" => {}
        "http" if is_this_machine => {}
        "http" => {
            return Err(format!(
                "{origin:?}: without TLS browsers give passkeys to http://localhost alone"
            ));
        }
        _ => return Err(format!("{origin:?}: {form}")),
    }
    if AsciiDomain::try_from(host.clone()).is_err() || host.ends_with('.') {
        return Err(format!("{origin:?}: {host:?} is no name of a host"));
    }

    let written = read.origin().ascii_serialization();
    match written == origin {
        true => Ok(host),
        false => Err(format!("{origin:?}: write {written:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &[&str]) -> Result<Option<PasskeyOrigins>, String> {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        PasskeyOrigins::parse(&given)
    }

    #[test]
    fn origins_of_one_host_in_a_secure_context_are_taken() {
        assert_eq!(parsed(&[]), Ok(None));
        for (given, host) in [
            (&["https://console.hub.example"][..], "console.hub.example"),
            (
                &["https://hub.example", "https://hub.example:7443"],
                "hub.example",
            ),
            (&["http://localhost:7780"], "localhost"),
        ] {
            let read = parsed(given).unwrap().unwrap();
            assert_eq!((read.host(), read.origins().len()), (host, given.len()));
            read.party();
        }
    }

    #[test]
    fn whatever_no_browser_would_give_a_passkey_to_is_refused_with_what_to_write() {
        for (given, told) in [
            (&["console.hub.example"][..], "https://HOST"),
            (&["https://10.0.0.7:7443"], "to no address"),
            (&["https://[2001:db8::1]"], "to no address"),
            (&["http://hub.example"], "http://localhost alone"),
            (
                &["https://hub.example/console"],
                "write \"https://hub.example\"",
            ),
            (
                &["https://hub.example:443"],
                "write \"https://hub.example\"",
            ),
            (&["https://Hub.Example"], "write \"https://hub.example\""),
            (&["ftp://hub.example"], "https://HOST"),
            (&["https://hub.example."], "no name of a host"),
            (
                &["https://hub.example", "https://spare.example"],
                "all are of one host",
            ),
            (&["https://hub.example"; 9], "at most 8"),
        ] {
            let why = parsed(given).unwrap_err();
            assert!(why.contains(told), "{given:?}: {why}");
        }
    }
}
