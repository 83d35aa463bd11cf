//! Where the console offers passkeys.

use super::Config;
use wadi_web::PasskeyOrigins;

/// Refuses origins at which no browser would find this node's console in a secure context.
pub(super) fn check_passkeys(config: &Config) -> Result<(), String> {
    let bad = |why: String| format!("http_passkeys: {why}");
    let origins = PasskeyOrigins::parse(&config.http_passkeys).map_err(bad)?;
    let mut named = origins.iter().flat_map(PasskeyOrigins::origins);
    let has_tls = config.http_tls || !config.http_proxies.is_empty();
    match named.find(|origin| origin.starts_with("https:") && !has_tls) {
        Some(origin) => Err(bad(format!(
            "{origin:?}: nobody speaks TLS there: set http_tls = true, or name the proxy that does \
             in http_proxies"
        ))),
        None => Ok(()),
    }
}

impl Config {
    /// Where passkeys are offered, as [`Config::read`] checked it.
    pub(crate) fn passkeys(&self) -> Option<PasskeyOrigins> {
        PasskeyOrigins::parse(&self.http_passkeys).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let base = "papers = 'p'\nlisten = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\n";
        std::fs::write(&path, format!("{base}{more}\n")).unwrap();
        Config::read(&path).map_err(|failure| failure.why)
    }

    #[test]
    fn passkeys_are_offered_where_the_configuration_names_an_origin_and_nowhere_else() {
        assert_eq!(read("").unwrap().passkeys(), None);

        let here = read("http_passkeys = ['http://localhost:2']").unwrap();
        assert_eq!(here.passkeys().unwrap().host(), "localhost");
        let behind = "http_proxies = ['127.0.0.1']\nhttp_passkeys = ['https://hub.example']";
        assert_eq!(
            read(behind).unwrap().passkeys().unwrap().host(),
            "hub.example"
        );

        for (bad, told) in [
            ("['https://hub.example']", "nobody speaks TLS there"),
            ("['https://10.0.0.7']", "to no address"),
            ("['hub.example']", "https://HOST"),
        ] {
            let why = read(&format!("http_passkeys = {bad}")).unwrap_err();
            assert!(
                why.contains("http_passkeys: ") && why.contains(told),
                "{why}"
            );
        }
    }
}
