//! Who is speaking: bearer tokens that carry an officer and a department, a device, or the operator
//! of this machine.

use crate::Problem;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::Node;

/// What a token's bearer may say.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TokenScope {
    /// An officer of a department.
    Officer {
        /// The service number.
        officer: String,
        /// The department.
        department: String,
    },
    /// A device, which says readings with its own sequence numbers.
    Device {
        /// The device's name.
        device: String,
    },
    /// The operator of this machine: may name any officer and department, and issue tokens.
    Operator,
    /// May read and nothing else.
    Reader,
}

/// A token as kept: never the token itself, only its hash.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The token's name, for people.
    pub name: String,
    /// What its bearer may say.
    pub scope: TokenScope,
}

/// The key under which a token is kept: SHA-256 in hexadecimal.
pub fn hash_token(token: &str) -> String {
    hash_bytes(token.as_bytes())
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A token's text out of 32 random bytes.
pub fn new_token(random: [u8; 32]) -> String {
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("wadi_{hex}")
}

impl FromRequestParts<Arc<Node>> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let denied = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", why);
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|h| h.to_str().ok());
        let token = header
            .and_then(|h| h.strip_prefix("Bearer "))
            .ok_or_else(|| {
                denied("send Authorization: Bearer TOKEN; `wadi token issue` makes one")
            })?;

        let kept = node.tokens().scope_of(&hash_token(token)).await?;
        let kept = kept.ok_or_else(|| denied("the token is unknown here, or was revoked"))?;
        serde_json::from_str(&kept).map_err(|_| denied("the token does not read"))
    }
}

impl Token {
    /// Refuses all but the operator.
    pub(crate) fn operator(&self) -> Result<(), Problem> {
        match self.scope {
            TokenScope::Operator => Ok(()),
            _ => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "operator_only",
                "only the operator of this machine may do that",
            )),
        }
    }
}
