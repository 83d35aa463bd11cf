//! Styles and script, named by what is in them: a browser keeps each for ever, and loads another
//! one as soon as another one is named.

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, sync::LazyLock};

/// A file that pages load.
pub(crate) struct Asset {
    name: String,
    kind: &'static str,
    text: Cow<'static, str>,
}

impl Asset {
    pub(crate) fn new(
        stem: &str,
        ending: &str,
        kind: &'static str,
        text: Cow<'static, str>,
    ) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let digest: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        Self {
            name: format!("{stem}.{digest}.{ending}"),
            kind,
            text,
        }
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> String {
        format!("/console/assets/{}", self.name)
    }

    /// What is in it.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

static STYLES: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        include_str!("../assets/tokens.css"),
        include_str!("../assets/components.css"),
        include_str!("../assets/control.css"),
        include_str!("../assets/findings.css"),
        include_str!("../assets/people.css"),
        include_str!("../assets/records.css"),
        include_str!("../assets/sites.css"),
        include_str!("../assets/today.css"),
    );
    Asset::new("console", "css", "text/css; charset=utf-8", text.into())
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        include_str!("../assets/script/begin.js"),
        include_str!("../assets/script/findings.js"),
        include_str!("../assets/script/live.js"),
        include_str!("../assets/script/passkeys.js"),
        include_str!("../assets/script/records.js"),
        include_str!("../assets/script/today.js"),
    );
    Asset::new(
        "console",
        "js",
        "text/javascript; charset=utf-8",
        text.into(),
    )
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", text.into())
});

/// The path of the picture that a browser shows beside a page's title.
pub(crate) fn icon_path() -> String {
    ICON.path()
}

/// The path of the styles.
pub(crate) fn styles_path() -> String {
    STYLES.path()
}

/// The path of the script.
pub(crate) fn script_path() -> String {
    SCRIPT.path()
}

/// Serves an asset. A name of an older build is gone: the page that names it is loaded anew.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let all: [&Asset; 4] = [&STYLES, &SCRIPT, &ICON, crate::sites::outline()];
    let asset = all.into_iter().find(|a| a.name == name);
    let Some(asset) = asset else {
        return StatusCode::NOT_FOUND.into_response();
    };

    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, kept),
    ];
    (headers, asset.text.as_ref()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// All styles are one file for the browser: a name that two pages use for two things makes one
    /// of them look as the other.
    #[test]
    fn no_class_is_described_by_the_styles_of_two_pages() {
        let files = [
            ("components", include_str!("../assets/components.css")),
            ("control", include_str!("../assets/control.css")),
            ("findings", include_str!("../assets/findings.css")),
            ("people", include_str!("../assets/people.css")),
            ("records", include_str!("../assets/records.css")),
            ("sites", include_str!("../assets/sites.css")),
            ("today", include_str!("../assets/today.css")),
        ];

        let mut described: BTreeMap<&str, &str> = BTreeMap::new();
        for (file, text) in files {
            let rules = text.lines().filter(|line| line.starts_with('.'));
            let selectors = rules.filter_map(|line| line.split_once('{'));
            let classes = selectors.flat_map(|(selectors, _)| selectors.split(','));
            for class in classes.map(str::trim) {
                let is_alone = class
                    .strip_prefix('.')
                    .is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
                if !is_alone {
                    continue;
                }

                let first = described.insert(class, file);
                assert!(
                    first.is_none_or(|first| first == file),
                    "{class}: {first:?}, {file}"
                );
            }
        }
        assert!(described.len() > 50, "{}", described.len());
    }
}
