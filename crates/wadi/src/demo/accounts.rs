//! People of the demonstration who may sign in: two auditors at the hub, who check each other, and
//! an officer at each crossing. Their passwords are made up anew each time, and shown.

use super::network::{DemoNetwork, SiteProcess};
use crate::{cli::client::Client, failure::Failure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long all crossings together may take to hear of their officers.
const HEAR_MAX: Duration = Duration::from_secs(10);
/// How often one is asked meanwhile.
const ASK_INTERVAL: Duration = Duration::from_millis(200);

/// What is shown of who may sign in.
#[derive(Default)]
pub struct DemoAccounts {
    /// A link that signs in once.
    pub link: Option<String>,
    /// Node, account and password.
    pub lines: Vec<(String, String, String)>,
}

/// Opens the accounts. A crossing that does not hear of its officer in time is left out.
pub async fn open_accounts(network: &DemoNetwork) -> DemoAccounts {
    let mut opened = DemoAccounts::default();
    let until = Instant::now() + HEAR_MAX;
    for site in &network.sites {
        let officers = match site.name.as_str() {
            "hub" => vec![("HUB-1".into(), "HUB"), ("HUB-2".into(), "HUB")],
            name => vec![(format!("{}-cus-2", name.to_uppercase()), "CUS")],
        };
        for (officer, department) in officers {
            let Some((password, token)) = open_one(site, &officer, department, until).await else {
                continue;
            };
            if opened.link.is_none() {
                opened.link = link_of(site, token).await;
            }
            opened.lines.push((site.name.clone(), officer, password));
        }
    }

    opened
}

/// The password and the token of a first session of an officer, once the node has heard of them.
async fn open_one(
    site: &SiteProcess,
    officer: &str,
    department: &'static str,
    until: Instant,
) -> Option<(String, String)> {
    loop {
        let (client, officer) = (site.client.clone(), officer.to_string());
        let tried = tokio::task::spawn_blocking(move || invite(&client, &officer, department));
        match tried.await {
            Ok(Ok(opened)) => return Some(opened),
            Ok(Err(_)) if Instant::now() < until => tokio::time::sleep(ASK_INTERVAL).await,
            _ => return None,
        }
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().into()
}

fn invite(client: &Client, officer: &str, department: &str) -> Result<(String, String), Failure> {
    let scope = json!({"is": "officer", "officer": officer, "department": department});
    let invited = client.post("/v1/accounts/invitations", &json!({"scope": scope}))?;

    let random: [u16; 4] = rand::random();
    let password = random.map(|part| format!("{part:04x}")).join("-");
    let body = json!({"code": text(&invited, "code"), "password": password});
    let session = client.post("/v1/invitations/accept", &body)?;
    Ok((password, text(&session, "token")))
}

async fn link_of(site: &SiteProcess, token: String) -> Option<String> {
    let client = site.client.with_token(&token);
    let asked = tokio::task::spawn_blocking(move || client.post("/v1/sessions/link", &json!({})));
    let link = asked.await.ok()?.ok()?;
    Some(format!("http://{}{}", site.http, text(&link, "path")))
}
