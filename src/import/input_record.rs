//! A record as the caller passed it.

use uuid::Uuid;

use crate::json::Value;
use crate::pg::jsonb::Element;
use crate::record::{self, Parsed, Record};

/// A connector record whose containers are still jsonb.
pub type ConnectorRecord<'a> = Record<'a, Element<'a>>;

/// A record's jsonb, its parse result, and the users that it is imported for.
pub struct InputRecord<'a> {
    pub element: Element<'a>,
    pub parsed: Parsed<'a, Element<'a>>,
    pub p_user_id: Option<Uuid>,
    /// In a retry, the failure's user: nobody else may be the record's owner.
    pub on_behalf_of: Option<Uuid>,
}

impl<'a> InputRecord<'a> {
    /// Parses any JSON value as a record.
    pub fn new(element: Element<'a>, p_user_id: Option<Uuid>, on_behalf_of: Option<Uuid>) -> Self {
        let parsed = match element.read() {
            Value::Object(object) => record::parse(object.fields()),
            other => record::not_an_object(&other),
        };
        Self { element, parsed, p_user_id, on_behalf_of }
    }
}
