//! Queries as text.

use crate::{Problem, strict::utf8};
use axum::{extract::Request, middleware::Next, response::Response};
use wadi_record::percent_decoded;

/// Refuses a query that is no text: read as one, it would lose a letter.
fn check_query(query: &str) -> Result<(), Problem> {
    utf8(&percent_decoded(query.as_bytes())).map(|_| ())
}

/// Refuses requests whose query is no text.
pub(crate) async fn queries_are_text(request: Request, next: Next) -> Result<Response, Problem> {
    check_query(request.uri().query().unwrap_or_default())?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_another_code_page_is_no_text() {
        for (query, is_text) in [
            ("plate=51%20%D8%A8%20n", true),
            ("q=%EF%BF%BD", true),
            ("plate=51%20%C8%20n", false),
        ] {
            assert_eq!(check_query(query).is_ok(), is_text, "{query}");
        }
        let told = check_query("q=%C8").unwrap_err();
        assert_eq!((told.code.as_str(), told.status), ("bad_encoding", 422));
    }
}
