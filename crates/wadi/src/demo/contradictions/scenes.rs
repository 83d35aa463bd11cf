//! What the demonstration shows besides contradictions: a defence that holds, and one that opens.

use super::{Contradictions, OPERATOR, StoryEnd};
use crate::failure::Failure;
use serde_json::{Value, json};

/// Those who search, and let a hold of security go by the hub's token.
const SEARCHERS: [(&str, &str); 2] = [("QAM-sec-1", "SEC"), ("QAM-sec-2", "SEC")];

impl Contradictions {
    /// Whoever moves the barrier does not say which truck came.
    pub(super) fn refused_field(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let (officer, department) = OPERATOR;
        let body = json!({
            "officer": officer, "department": department,
            "fields": {"vehicle.plate_raw": "99-Z-1"},
        });

        match self.trb.post(&format!("/v1/records/{truck}/events"), &body) {
            Ok(_) => Err(Failure::new(
                "not_refused",
                format!("{department} set the plate of {truck}"),
            )),
            Err(refused) if ["no_authority", "guarded_field"].contains(&refused.code.as_str()) => {
                self.show(format!(
                    "a field was refused: {officer} of {department} set vehicle.plate_raw of \
                     {truck}: {} ({})",
                    refused.why, refused.code
                ));
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Al-Qaem lets a hold of security go by a token that the hub issued for the dark.
    pub(super) fn dark_release(&self) -> StoryEnd {
        let token = self.issued_token()?;
        let [who, second] = SEARCHERS;
        let placed =
            json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 21"});
        let fields = json!({"type": "SECURITY", "legal_basis": "order 21"});
        let hold = self.new_record(&self.qam, who, "hold", fields, json!([placed]))?;
        let found = json!({"type": "search.found", "findings": "nothing"});
        self.post_event(&self.qam, who, &hold, found)?;

        let shown = self.qam.get(&format!("/v1/records/{hold}"))?;
        let released = json!({
            "type": "released", "holds": [shown["open_holds"][0]],
            "second_officer": second.0, "token": token,
        });
        self.post_event(&self.qam, who, &hold, released)?;
        self.show(format!(
            "a token for the dark was spent: {} of {} released {hold} at QAM by the hub's token {}",
            who.0,
            who.1,
            token.get(..12).unwrap_or(&token),
        ));
        Ok(())
    }

    /// The token, issued once; the searchers are registered with it.
    fn issued_token(&self) -> Result<String, Failure> {
        if let Some(token) = self.token.borrow().clone() {
            return Ok(token);
        }

        for (officer, department) in SEARCHERS {
            let body = json!({"say": "officer", "officer": officer, "department": department,
                "crossing": "QAM"});
            self.hub.post("/v1/control", &body)?;
        }

        let body = json!({"scope": "SECURITY", "department": "SEC", "crossing": "QAM",
            "hours": 24, "reason": "the line to Al-Qaem is to be cut"});
        let issued: Value = self.hub.post("/v1/release-tokens?person=HUB-1", &body)?;
        let token = issued["token"].as_str().unwrap_or_default().to_string();
        *self.token.borrow_mut() = Some(token.clone());
        Ok(token)
    }

    fn show(&self, scene: String) {
        let mut scenes = self.scenes.lock().expect("no panic holds it");
        scenes.push(scene);
    }
}
