//! Every field, one row each, by the kind of record.
//!
//! Adding a field is adding a row to one of these files. A field that several kinds have in the
//! same way is one row; one that is guarded on one kind alone has a row for each.

mod customs;
mod hold;
mod passage;
mod shared;

use super::FieldRow;

const PARTS: [&[FieldRow]; 4] = [passage::ROWS, hold::ROWS, customs::ROWS, shared::ROWS];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }

    count
};

/// All rows in one list, each checked.
pub(super) const fn joined() -> [FieldRow; COUNT] {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut next, mut part) = (0, 0);

    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[next] = PARTS[part][row].checked();
            next += 1;
            row += 1;
        }

        part += 1;
    }

    all
}
