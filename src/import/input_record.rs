//! A record as a call handed it over.

use uuid::Uuid;

use crate::json::Value;
use crate::pg::jsonb::Element;
use crate::record::{self, Parsed, Record};

/// A connector record whose containers are still jsonb.
pub type ConnectorRecord<'a> = Record<'a, Element<'a>>;

/// A record, what could be read of it, and for whom it was handed over.
pub struct InputRecord<'a> {
    pub element: Element<'a>,
    pub parsed: Parsed<'a, Element<'a>>,
    pub p_user_id: Option<Uuid>,
    /// The user who kept the record for a retry, where that is not the caller: only that user may be its owner.
    pub on_behalf_of: Option<Uuid>,
}

impl<'a> InputRecord<'a> {
    /// Parses a record, whatever JSON it is.
    pub fn new(element: Element<'a>, p_user_id: Option<Uuid>, on_behalf_of: Option<Uuid>) -> Self {
        let parsed = match element.read() {
            Value::Object(object) => record::parse(object.fields()),
            other => record::not_an_object(&other),
        };
        Self { element, parsed, p_user_id, on_behalf_of }
    }
}
