//! Receipts: what this node holds, for whoever sent it bundles; and what a receipt tells the
//! sender.

use crate::{
    bundles::{
        Bundles,
        parts::{LAST_FROM, LOCAL_SCOPE},
    },
    door::{
        command::Command,
        error::{BundleError, NodeError},
    },
};
use wadi_log::{Cosignature, Enrolment, Frontier, SignedCheckpoint};
use wadi_sync::{Party, Receipt, both_may_see};

impl Bundles {
    /// A receipt for a node: what this one holds of all that both may see, and what it has
    /// cosigned. Without a name it is for the node whose bundle came last.
    pub async fn receipt(&self, to: Option<&str>) -> Result<String, NodeError> {
        let to = match to {
            Some(to) => self.member(to)?,
            None => {
                let last = self.door.store.local(&LOCAL_SCOPE, LAST_FROM).await?;
                self.member(&last.ok_or(BundleError::ReceiptForWhom)?)?
            }
        };

        if to.node() == self.door.id() {
            return Err(BundleError::ReceiptForMyself.into());
        }

        let carried = self.carried_by(&to.node()).await?;
        let mut held: Frontier = self.door.frontier().as_ref().clone();
        held.0.retain(|log, tip| {
            tip.size > 0 && (both_may_see(&self.door.me, &to, log) || carried.contains(log))
        });

        let heads = self.cosigned_for(&to, false).await?;
        let cosigned: Vec<(SignedCheckpoint, Cosignature)> = heads
            .into_iter()
            .map(|h| (h.checkpoint, h.cosignature))
            .collect();
        let made_s = self.door.time.now_s();
        let receipt = Receipt::new(
            Party::of(&self.door.me),
            Party::of(&to),
            made_s,
            &held,
            &cosigned,
        );

        Ok(receipt.seal(&self.door.keys.log_key))
    }

    /// Checks a receipt and takes in the cosignatures it carries; returns what its maker holds. A
    /// receipt that another node made, that is for another one, or that was changed tells nothing,
    /// and nothing of it is taken.
    pub(crate) async fn take_receipt(
        &self,
        by: &Enrolment,
        text: &str,
    ) -> Result<Frontier, NodeError> {
        let (receipt, seal) = Receipt::read(text)?;
        if !receipt.by.is(&by.node()) {
            return Err(BundleError::ReceiptNotTheirs {
                by: receipt.by.name,
                recipient: by.name.clone(),
            }
            .into());
        }

        seal.verify(by)?;
        if !receipt.to.is(&self.door.id()) {
            return Err(BundleError::ReceiptNotForMe {
                recipient: receipt.to.name,
                me: self.door.me.name.clone(),
            }
            .into());
        }

        let (held, cosigned) = (receipt.held()?, receipt.cosignatures()?);
        let known = self.cosigned().await?;
        for (checkpoint, cosignature) in cosigned {
            if known.is_news(&checkpoint, &cosignature) {
                self.door
                    .put(Command::Cosigned(Box::new(checkpoint), cosignature))
                    .await;
            }
        }

        // What was put before is durable when this is answered.
        self.door.set_local(vec![], vec![]).await?;
        Ok(held)
    }
}
