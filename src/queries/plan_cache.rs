//! Statements that are prepared when they are first used, and planned anew when their table has grown.

use std::cell::{Cell, OnceCell};

use crate::pg::param::{Param, ParamStyle};
use crate::pg::relation::Table;
use crate::pg::schema::ExtensionSchema;
use crate::pg::session;
use crate::pg::spi::{Row, SnapshotMode, Statement};
use crate::sql_template::fill;

/// The statement of one SQL file, prepared once for each style of its parameters.
///
/// A statement for one row takes plain values: without the sets, joins and sorts of arrays it takes half the time.
pub struct CachedStatement {
    arrays: Plan,
    values: Option<Plan>,
}

struct Plan {
    sql: String,
    style: ParamStyle,
    statement: OnceCell<Statement>,
}

impl CachedStatement {
    /// A statement that takes its parameters as arrays only, such as `= ANY ($1)`.
    pub fn whole(template: &str, placeholders: &[(&str, &str)]) -> Self {
        Self { arrays: Plan::new(fill(template, placeholders), ParamStyle::Arrays), values: None }
    }

    /// A statement with `@each@($n)` for the parameters' values, one a row.
    pub fn per_row(template: &str, placeholders: &[(&str, &str)]) -> Self {
        Self::in_both_styles(template, placeholders, &[("each", "pg_catalog.unnest")], &[("each", "")])
    }

    /// A statement with `@each@($n)`, and `@position@` for the number of the row, from 1.
    pub fn per_request(template: &str, placeholders: &[(&str, &str)]) -> Self {
        let arrays = [("each", "pg_catalog.unnest"), ("position", "pg_catalog.generate_subscripts($1, 1)")];
        Self::in_both_styles(template, placeholders, &arrays, &[("each", ""), ("position", "1")])
    }

    fn in_both_styles(
        template: &str,
        common: &[(&str, &str)],
        arrays: &[(&str, &str)],
        values: &[(&str, &str)],
    ) -> Self {
        let plan = |of_style: &[_], style| Plan::new(fill(template, &[common, of_style].concat()), style);
        Self { arrays: plan(arrays, ParamStyle::Arrays), values: Some(plan(values, ParamStyle::Values)) }
    }

    /// Runs the statement and reads each row that it returns.
    pub fn query<T>(&self, snapshot: SnapshotMode, params: &[Param], read: impl Fn(Row) -> T) -> Vec<T> {
        self.prepared(params).query(snapshot, params, read)
    }

    /// Runs the statement and counts the rows that it wrote.
    pub fn run(&self, params: &[Param]) -> u64 {
        self.prepared(params).run(params)
    }

    fn prepared(&self, params: &[Param]) -> &Statement {
        let is_one_row = params.first().is_some_and(|param| param.len() == 1);
        let plan = self.values.as_ref().filter(|_| is_one_row).unwrap_or(&self.arrays);
        plan.statement.get_or_init(|| Statement::prepare(&plan.sql, plan.style, params))
    }
}

impl Plan {
    fn new(sql: String, style: ParamStyle) -> Self {
        Self { sql, style, statement: OnceCell::new() }
    }
}

/// The size of `recordings`, in blocks, that the session's plans were made for.
#[derive(Default)]
pub struct PlannedSize(Cell<u32>);

impl PlannedSize {
    /// Lets the session plan anew when `recordings` has doubled since it last did.
    ///
    /// A plan made while a table is empty reads all of it, and is kept: 50,000 imports in one transaction would each
    /// read all rows before them. That holds for our own statements, for the checks of the foreign keys on recordings,
    /// and for the application's triggers, so that all kept plans go. Autovacuum would see to it in time, but not
    /// within one transaction. Planning anew some twenty times on the way to a million rows costs nothing.
    pub fn discard_plans_after_growth(&self, schema: &ExtensionSchema) {
        const SMALL: u32 = 8;
        let Some(blocks) = Table::open(schema, c"recordings").and_then(|table| table.blocks()) else { return };
        let planned_for = self.0.get();
        if blocks > planned_for.saturating_mul(2).saturating_add(SMALL) {
            session::discard_plans();
            self.0.set(blocks);
        } else if blocks < planned_for / 2 {
            self.0.set(blocks);
        }
    }
}
