//! The context of one call of an SQL function.

use std::rc::Rc;

use crate::caller::Caller;
use crate::pg::schema::ExtensionSchema;
use crate::queries::Queries;

/// The schema, the caller and the prepared statements. Of these, only the plans outlive the call.
pub struct Call {
    pub schema: ExtensionSchema,
    pub caller: Caller,
    pub queries: Rc<Queries>,
}

impl Call {
    /// Creates the context of a SECURITY INVOKER function.
    pub fn of_invoker(schema: ExtensionSchema) -> Self {
        let caller = Caller::of_invoker_function(&schema);
        Self::new(schema, caller)
    }

    /// Creates the context of a SECURITY DEFINER function.
    pub fn of_definer(schema: ExtensionSchema) -> Self {
        let caller = Caller::of_definer_function(&schema);
        Self::new(schema, caller)
    }

    fn new(schema: ExtensionSchema, caller: Caller) -> Self {
        let queries = Queries::of(&schema);
        Self { schema, caller, queries }
    }
}
