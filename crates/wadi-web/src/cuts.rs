//! Cuts of nodes as operators say them, cuts that the commission's root signed, and spares.

use crate::{
    Problem,
    control::{bad_control, check_past, check_reason},
    problem::unprocessable,
};
use wadi_log::{Cut, CutTarget, Enrolment, Head, NodeId, Role, SPARE_REASON_BYTES_MAX, SpareEntry};
use wadi_node::{Node, NodeError};

/// The cut of a node, in as many parts as its heads need: at what is held of it, at what a hub had
/// cosigned by a time, or at nothing at all.
pub(crate) async fn cut_of_node(
    node: &Node,
    name: &str,
    reason: String,
    all: bool,
    since_ms: Option<i64>,
) -> Result<Vec<Cut>, Problem> {
    let id = node_named(node, name)?;
    check_reason(&reason)?;
    let heads: Vec<Head> = match (all, since_ms) {
        (true, Some(_)) => {
            let why = "`all` and `since_ms`: one of the two says where the cut falls";
            return Err(bad_control(why.into()));
        }
        (true, None) => Vec::new(),
        (false, Some(since_ms)) => {
            let unit = "Unix time in milliseconds";
            check_past(node, "since_ms", since_ms, since_ms, unit)?;
            let since_s = u64::try_from(since_ms / 1_000)
                .map_err(|_| bad_control("since_ms: it lies before 1970".into()))?;
            let reads = node.reads();
            let heads = reads.heads_cosigned_by(&id, since_s).await;
            heads.map_err(NodeError::from)?
        }
        (false, None) => node.heads_of(&id),
    };

    Ok(Cut::of(CutTarget::Node(id), heads, reason).in_parts())
}

/// The end of a node in whose place another one goes on: at all that is held of it.
pub(crate) fn succession(
    node: &Node,
    name: &str,
    by: &str,
    reason: String,
) -> Result<Vec<Cut>, Problem> {
    let (old, new) = (node_named(node, name)?, node_named(node, by)?);
    check_reason(&reason)?;
    let known = |id: &NodeId| {
        node.with_control(|c| {
            let e = c.enrolment(id);
            (e.map(|e| e.role), e.and_then(|e| e.crossing), c.is_cut(id))
        })
    };
    let ((role, crossing, is_cut), (new_role, new_crossing, new_is_cut)) =
        (known(&old), known(&new));

    let wrong = match () {
        () if old == new => Some(format!("{name} is no successor of itself")),
        () if role != Some(Role::Crossing) => Some(format!(
            "{name} is no crossing's node; a hub is cut by the root alone"
        )),
        () if (new_role, new_crossing) != (role, crossing) => {
            Some(format!("{by} is not enrolled for the crossing of {name}"))
        }
        () if is_cut => Some(format!("{name} is cut already")),
        () if new_is_cut => Some(format!("{by} is cut itself")),
        () => None,
    };
    if let Some(why) = wrong {
        return Err(bad_control(why));
    }

    let cut = Cut {
        successor: Some(new),
        ..Cut::of(CutTarget::Node(old), node.heads_of(&old), reason)
    };
    Ok(cut.in_parts())
}

/// What takes back all that stands against a node as a whole, and was said by hubs.
pub(crate) fn uncut(node: &Node, name: &str, reason: String) -> Result<Cut, Problem> {
    let id = node_named(node, name)?;
    check_reason(&reason)?;
    let standing = node.with_control(|c| match c.is_cut(&id) {
        true => c.standing_cuts(&id),
        false => Default::default(),
    });
    if standing.is_empty() {
        return Err(bad_control(format!("{name} is not cut")));
    }

    Ok(Cut {
        extends: standing.into_iter().collect(),
        lifted: true,
        ..Cut::of(CutTarget::Node(id), Vec::new(), reason)
    })
}

/// A cut that the root signed, out of the file that `wadi pki cut` wrote.
pub(crate) fn signed_cut(node: &Node, text: &str) -> Result<Vec<Cut>, Problem> {
    let bad = |why: String| bad_control(format!("cut: {why}"));
    let root = node.with_control(|c| *c.root());
    let mut parts = Vec::new();
    for line in text.split_whitespace() {
        let bytes = wadi_log::unhex(line).ok_or_else(|| bad("it is not hexadecimal".into()))?;
        let cut = Cut::from_bytes(&bytes).map_err(|e| bad(e.to_string()))?;
        if !cut.is_root_signed(&root) {
            return Err(bad("this commission's root did not sign it".into()));
        }

        parts.push(cut);
    }

    match parts.is_empty() {
        true => Err(bad("there is none in it".into())),
        false => Ok(parts),
    }
}

/// A node that was never heard is a spare, or is one no longer. Of whom anything is held here is
/// waited for, whatever is said.
pub(crate) fn spare_of_node(
    node: &Node,
    name: &str,
    reason: String,
    end: bool,
) -> Result<SpareEntry, Problem> {
    let id = node_named(node, name)?;
    let view = node.view();
    let declared = view.control.spare_declarations(&id);
    check_reason(&reason)?;
    if reason.len() > SPARE_REASON_BYTES_MAX {
        let why = format!("reason: {SPARE_REASON_BYTES_MAX} bytes at most");
        return Err(bad_control(why));
    }

    if end && declared.is_empty() {
        return Err(bad_control(format!("{name} is not declared a spare")));
    }

    if !end && view.control.role(&id) != Some(Role::Crossing) {
        let why = format!("{name} is no crossing's node: nobody waits for it");
        return Err(bad_control(why));
    }

    if !end && view.is_heard(&id) {
        let why = format!(
            "something of {name} is held here: it was started, and what it says is waited for. \
             Whoever shall not be waited for any more is cut, or the crossing closed"
        );
        return Err(unprocessable("node_was_heard", why));
    }

    Ok(SpareEntry {
        node: id,
        ends: match end {
            true => declared.into_iter().collect(),
            false => Vec::new(),
        },
        reason,
    })
}

fn node_named(node: &Node, name: &str) -> Result<NodeId, Problem> {
    let found = node.with_control(|c| c.by_name(name).map(Enrolment::node));
    found.ok_or_else(|| bad_control(format!("no node {name:?} is enrolled")))
}
