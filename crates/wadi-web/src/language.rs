//! In which language a node answers: what a problem is called and what to do about it, and the
//! whole catalogue for those who draw screens.

use crate::{Problem, Token, answers::WordsAnswer};
use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use wadi_words::{Group, Language, every_text};

/// The language of whoever bears the token of a request, once the token was read.
#[derive(Clone, Default)]
pub(crate) struct BearersLanguage(Arc<OnceLock<Language>>);

impl BearersLanguage {
    /// The token of the request was read.
    pub(crate) fn tell(&self, token: &Token) {
        if let Some(language) = language_of_token(token) {
            // A request bears one token.
            let _ = self.0.set(language);
        }
    }
}

fn language_of_token(token: &Token) -> Option<Language> {
    token.language.as_deref().and_then(Language::of_tag)
}

/// The language in which a bearer is answered: the one that the request asks for, else the
/// token's own.
pub(crate) fn language_for(headers: &HeaderMap, token: &Token) -> Language {
    match language_of_token(token) {
        Some(own) if !headers.contains_key(header::ACCEPT_LANGUAGE) => own,
        _ => asked_for(headers),
    }
}

/// The language that a request likes best; English where it likes none that is here.
fn asked_for(headers: &HeaderMap) -> Language {
    let all = headers.get_all(header::ACCEPT_LANGUAGE).iter();
    let all: Vec<_> = all.filter_map(|value| value.to_str().ok()).collect();
    Language::of_header(&all.join(","))
}

/// Says in which language an answer is, and that another one may be asked for.
fn name_language(answer: &mut Response, language: Language) {
    let headers = answer.headers_mut();
    let tag = HeaderValue::from_static(language.tag());
    headers.insert(header::CONTENT_LANGUAGE, tag);
    headers.append(header::VARY, HeaderValue::from_static("accept-language"));
}

/// Tells every problem in the language that was asked for. Its code stays as it is.
pub(crate) async fn problems_in_words(mut request: Request, next: Next) -> Response {
    let asks = request.headers().contains_key(header::ACCEPT_LANGUAGE);
    let asked = asked_for(request.headers());
    let bearers = BearersLanguage::default();
    request.extensions_mut().insert(bearers.clone());

    let answer = next.run(request).await;
    let own = bearers.0.get().copied().filter(|_| !asks);
    let language = own.unwrap_or(asked);
    let Some(problem) = answer.extensions().get::<Problem>() else {
        return answer;
    };

    let problem = problem.clone().in_words(language);
    let mut told = problem.in_place_of(answer.headers());
    name_language(&mut told, language);
    told
}

/// Every text that people read, by group and code, in the language that `Accept-Language` asks for.
/// It holds nothing of any record.
#[utoipa::path(
    get,
    path = "/v1/words",
    tag = "sites",
    params(("Accept-Language" = Option<String>, Header, description = "as RFC 9110 has it")),
    responses(
        (status = 200, description = "the catalogue of texts", body = WordsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn words(token: Token, headers: HeaderMap) -> Result<Response, Problem> {
    token.no_device()?;
    let language = language_for(&headers, &token);
    let texts = every_text(language);
    let group = |group: Group| {
        let texts = texts.get(&group).into_iter().flatten();
        let texts = texts.map(|(name, text)| {
            let told = match &text.text {
                Some(more) => json!({"title": text.title, "text": more}),
                None => json!({"title": text.title}),
            };
            (name.clone(), told)
        });
        Value::Object(texts.collect())
    };

    let groups: Map<String, Value> = Group::ALL
        .into_iter()
        .map(|g| (g.name().into(), group(g)))
        .collect();
    let answer = json!({
        "language": language.tag(),
        "direction": language.direction(),
        "words": groups,
    });

    let mut answer = Json(answer).into_response();
    name_language(&mut answer, language);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Router,
        body::{Body, to_bytes},
        http::StatusCode,
        middleware::from_fn,
        routing::get,
    };
    use tower::ServiceExt;

    async fn told(accepts: Option<&str>) -> (HeaderMap, Value) {
        let refused = || async {
            let problem = Problem::new(StatusCode::CONFLICT, "key_reused", "the key \"k\" again");
            ([(header::RETRY_AFTER, "7")], problem).into_response()
        };
        let app = Router::new()
            .route("/", get(refused))
            .layer(from_fn(problems_in_words));

        let mut request = Request::get("/");
        if let Some(accepts) = accepts {
            request = request.header(header::ACCEPT_LANGUAGE, accepts);
        }

        let answer = app.oneshot(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = answer.unwrap().into_parts();
        assert_eq!(parts.status, StatusCode::CONFLICT);
        let body = to_bytes(body, 65_536).await.unwrap();
        (parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_problem_is_told_in_arabic_and_keeps_its_code_and_its_headers() {
        let (headers, problem) = told(Some("ar-IQ, en;q=0.5")).await;
        assert_eq!(headers[header::CONTENT_LANGUAGE], "ar");
        assert_eq!(headers[header::VARY], "accept-language");
        assert_eq!(headers[header::RETRY_AFTER], "7");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");

        assert_eq!(problem["code"], "key_reused");
        assert_eq!(
            problem["detail"], "the key \"k\" again",
            "no catalogue has it: it stays as it was said"
        );
        assert_eq!(problem["title"], "المفتاح مستعمل لشيء آخر");
        let help = problem["help"].as_str().unwrap();
        assert!(help.starts_with("لم يُدوّن شيء"), "{help}");
    }

    #[test]
    fn a_token_has_a_language_where_the_request_asks_for_none() {
        let mut token = Token::new("t", crate::TokenScope::Reader);
        let mut headers = HeaderMap::new();
        assert_eq!(language_for(&headers, &token), Language::English);
        token.language = Some("ar".into());
        assert_eq!(language_for(&headers, &token), Language::Arabic);
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
        assert_eq!(language_for(&headers, &token), Language::English);
        token.language = Some("of tomorrow".into());
        assert_eq!(language_for(&HeaderMap::new(), &token), Language::English);
    }

    #[tokio::test]
    async fn whoever_asks_for_no_language_that_is_here_is_told_in_english() {
        for accepts in [None, Some("fr"), Some("ar;q=0, en")] {
            let (headers, problem) = told(accepts).await;
            assert_eq!(headers[header::CONTENT_LANGUAGE], "en");
            assert_eq!(headers[header::VARY], "accept-language");
            assert_eq!(problem["title"], "Key stands for something else");
            assert!(problem["help"].as_str().unwrap().starts_with("Nothing"));
        }
    }
}
