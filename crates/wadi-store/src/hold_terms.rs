//! By which terms the store finds what an open hold holds, as whoever asks names them.

/// By which terms open holds hold records, besides by their links. The names are the program's own:
/// they stand in statements as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HoldTerms {
    /// Terms that a lookout may look for.
    pub sought: Vec<&'static str>,
    /// Terms that a customs entry shares with the passages that carry its goods.
    pub carried: Vec<CarriedWithin>,
    /// Terms of a passage by which those are found that its goods went on to.
    pub moved: Vec<MovedWithin>,
    /// How a carried term is known that the entry's own vehicle gave up; none where none is.
    pub emptied: Option<EmptiedBefore>,
    /// How a vehicle is known that came again, with another entry; none where none is.
    pub again: Option<CameAgain>,
    /// How goods are known that lie in a store; none where none are.
    pub stored: Option<StoredOn>,
}

/// A term that a customs entry shares with the passages that carry its goods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CarriedWithin {
    /// Its name.
    pub what: &'static str,
    /// Only where both records were born within so many milliseconds; at most 10^15.
    pub within_ms: i64,
}

/// A term of a passage by which the one is found that its goods went on to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MovedWithin {
    /// Its name on the first passage.
    pub from: &'static str,
    /// Its name on the other one.
    pub to: &'static str,
    /// The name of the times, Unix milliseconds, by which the first one's word of it was written,
    /// where it is a word. What had left by then, or came later than another trip, took nothing.
    pub said: Option<&'static str>,
    /// Only where both passages were born within so many milliseconds; at most 10^15.
    pub within_ms: i64,
}

/// A carried term that the entry's own vehicle gave up: what has it afterwards carries nothing of
/// the entry by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EmptiedBefore {
    /// The carried term.
    pub what: &'static str,
    /// The term, of the same value, of the passage that gave it up.
    pub emptied: &'static str,
    /// The term that this passage shares with the entry.
    pub own: &'static str,
    /// For so many milliseconds after it last spoke it still holds, where it did not leave; at most
    /// 10^15.
    pub after_ms: i64,
}

/// A carried term of a vehicle that left with the entry's goods, and came again with another entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CameAgain {
    /// The carried term, of the entry and both passages.
    pub what: &'static str,
    /// The terms by one of which the other entry is the later passage's own; a link makes it so,
    /// too.
    pub own: [&'static str; 2],
    /// The other entry was born after the first, within so many milliseconds of the later passage.
    pub within_ms: i64,
}

/// Terms by which all goods of an entry lie in a store: one number for all, and two officers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredOn {
    /// How many came off the passage.
    pub came_off: &'static str,
    /// Who says so, each.
    pub came_off_by: &'static str,
    /// How many lie there, of the hold.
    pub stored: &'static str,
    /// Who says so, each.
    pub stored_by: &'static str,
    /// How many the entry declares.
    pub declared: &'static str,
}
