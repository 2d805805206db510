//! One call of an SQL function: where its tables are, who calls, and the statements that it may run.

use std::rc::Rc;

use crate::caller::Caller;
use crate::pg::schema::ExtensionSchema;
use crate::queries::Queries;

/// What every stage needs. Nothing in it outlives the call but the plans of the queries.
pub struct Call {
    pub schema: ExtensionSchema,
    pub caller: Caller,
    pub queries: Rc<Queries>,
}

impl Call {
    /// A call of a SECURITY INVOKER function.
    pub fn of_invoker(schema: ExtensionSchema) -> Self {
        let caller = Caller::of_invoker_function(&schema);
        Self::new(schema, caller)
    }

    /// A call of a SECURITY DEFINER function.
    pub fn of_definer(schema: ExtensionSchema) -> Self {
        let caller = Caller::of_definer_function(&schema);
        Self::new(schema, caller)
    }

    fn new(schema: ExtensionSchema, caller: Caller) -> Self {
        let queries = Queries::of(&schema);
        Self { schema, caller, queries }
    }
}
