//! Statements on one line of JSON, each under the seal of the node that made it: manifests of
//! bundles and of backups, and receipts.

use crate::BundleFileError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wadi_log::{Enrolment, LogKey, hex, unhex};

/// What stands between a statement and its seal. The seal is over the line as it was before: up to
/// here, and a brace.
const MARK: &str = ",\"signature\":\"";

/// A kind of statement, and the codes of what can be wrong with one.
pub struct SealKind {
    /// Its name, for people.
    pub name: &'static str,
    /// Its format with its version; the seal's context, too.
    pub format: &'static str,
    /// The code of what does not read as one.
    pub unreadable: &'static str,
    /// The code of one of another version.
    pub version: &'static str,
    /// The code of one that is not what its maker sealed.
    pub changed: &'static str,
}

/// The seal over a statement, not checked yet: nothing that the statement says is known to be true
/// before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seal {
    name: &'static str,
    format: &'static str,
    changed: &'static str,
    text: String,
    signature: [u8; 64],
}

impl Seal {
    /// Checks that this node made it, and that nobody changed what it says.
    pub fn verify(&self, by: &Enrolment) -> Result<(), BundleFileError> {
        by.verify_seal(self.format, self.text.as_bytes(), &self.signature)
            .map_err(|_| {
                let why = format!(
                    "the {} is not what {} sealed: somebody changed it",
                    self.name, by.name
                );

                BundleFileError {
                    code: self.changed,
                    why,
                }
            })
    }
}

/// The statement with its seal, on one line.
pub fn write(kind: &SealKind, said: &impl Serialize, key: &LogKey) -> String {
    let text = serde_json::to_string(said).expect("text and numbers serialise");
    let signature = hex(&key.seal(kind.format, text.as_bytes()));
    let open = text.strip_suffix('}').expect("an object ends in a brace");
    format!("{open}{MARK}{signature}\"}}\n")
}

/// Reads a line, the line feed at its end left out. Who made it is known when the seal is checked.
pub fn read<T: DeserializeOwned>(
    kind: &SealKind,
    line: &str,
) -> Result<(T, Seal), BundleFileError> {
    #[derive(Deserialize)]
    struct Format {
        format: String,
    }

    let unreadable = |why: String| BundleFileError {
        code: kind.unreadable,
        why,
    };
    let found: Format = serde_json::from_str(line)
        .map_err(|e| unreadable(format!("this is no {} of wadi: {e}", kind.name)))?;

    if found.format != kind.format {
        let family = |format: &str| format.split('/').next().map(String::from);
        if family(&found.format) != family(kind.format) {
            return Err(unreadable(format!(
                "{:?} is not {}",
                found.format, kind.format
            )));
        }

        let why = format!(
            "the {} is {}, this version reads {}",
            kind.name, found.format, kind.format
        );

        return Err(BundleFileError {
            code: kind.version,
            why,
        });
    }

    let sealed = line.rfind(MARK).and_then(|at| {
        let (before, marked) = line.split_at_checked(at)?;
        let signature = marked.strip_prefix(MARK)?.strip_suffix("\"}")?;
        Some((format!("{before}}}"), unhex(signature)?.try_into().ok()?))
    });

    let (text, signature) =
        sealed.ok_or_else(|| unreadable(format!("the {} ends in no seal", kind.name)))?;
    let said = serde_json::from_str(&text)
        .map_err(|e| unreadable(format!("the {} does not read: {e}", kind.name)))?;

    Ok((
        said,
        Seal {
            name: kind.name,
            format: kind.format,
            changed: kind.changed,
            text,
            signature,
        },
    ))
}
