//! Units of numbers, in fields and in members of events.

/// The unit of a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    /// A number in a row of others, from 1 or as its device counts.
    Ordinal,
    /// A number of things.
    Pieces,
    /// In the unit that the record's field `unit` names.
    OfRecord,
    /// As the device reads it, on its own scale.
    Reading,
    /// Kilograms.
    Kilograms,
    /// Grams.
    Grams,
    /// Bytes.
    Bytes,
    /// Litres.
    Litres,
    /// Minutes.
    Minutes,
    /// Degrees Celsius.
    Celsius,
    /// Microsieverts an hour.
    MicrosievertsPerHour,
    /// Minor units of a currency, ISO 4217.
    MinorUnits,
}

impl Unit {
    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordinal => "ordinal",
            Self::Pieces => "pieces",
            Self::OfRecord => "as the field `unit` says",
            Self::Reading => "as the device reads",
            Self::Kilograms => "kg",
            Self::Grams => "g",
            Self::Bytes => "bytes",
            Self::Litres => "l",
            Self::Minutes => "min",
            Self::Celsius => "°C",
            Self::MicrosievertsPerHour => "µSv/h",
            Self::MinorUnits => "minor units of the currency",
        }
    }
}
