//! Owns the text under which a value is kept between processes: JSON that, unlike the form of results, loses nothing,
//! and that a person and any JSON tool can read. Must not know where it is kept.

use super::json_read::parse_stored;
use super::{JsonFault, JsonStyle, Value};

impl Value {
    /// The value as text that [`Value::from_stored`] gives back exactly, see [`JsonStyle::Stored`].
    pub fn to_stored(&self) -> String {
        self.to_json(JsonStyle::Stored)
    }

    /// The value of a [`Value::to_stored`] text.
    ///
    /// # Errors
    /// As [`parse_json`](super::parse_json).
    pub fn from_stored(text: &str) -> Result<Self, JsonFault> {
        parse_stored(text)
    }
}
