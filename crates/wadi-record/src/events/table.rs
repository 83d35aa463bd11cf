//! Every type of event, one row each, by what it is about.
//!
//! Adding a type of event is adding a row to one of these files.

mod any_record;
mod customs;
mod hold;
mod laboratories;
mod movement;
mod passage;
mod site;
mod stores;

use super::EventType;

/// First the services of a crossing point in the order of the commission's list, then the life of
/// each kind of record.
const PARTS: [&[EventType]; 8] = [
    movement::ROWS,
    laboratories::ROWS,
    stores::ROWS,
    site::ROWS,
    passage::ROWS,
    hold::ROWS,
    customs::ROWS,
    any_record::ROWS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }

    count
};

/// All rows in one list, each checked.
pub(super) const fn joined() -> [EventType; COUNT] {
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
