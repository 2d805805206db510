//! Prepares statements at their first use, and replans them when `recordings` has grown.

use std::cell::{Cell, OnceCell};

use crate::pg::param::{Param, ParamStyle};
use crate::pg::relation::Table;
use crate::pg::schema::ExtensionSchema;
use crate::pg::session;
use crate::pg::spi::{Row, SnapshotMode, Statement};
use crate::sql_template::fill;

/// The statement of one SQL file, prepared once for each style of its parameters.
///
/// A statement for one row takes plain values: without unnesting and joining arrays, it needs half the time.
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
    /// Creates a statement that takes its parameters as arrays only, such as `= ANY ($1)`.
    pub fn whole(template: &str, placeholders: &[(&str, &str)]) -> Self {
        Self { arrays: Plan::new(fill(template, placeholders), ParamStyle::Arrays), values: None }
    }

    /// Creates a statement with `@each@($n)` for the parameters' values, one per row.
    pub fn per_row(template: &str, placeholders: &[(&str, &str)]) -> Self {
        Self::in_both_styles(template, placeholders, &[("each", "pg_catalog.unnest")], &[("each", "")])
    }

    /// Creates a statement with `@each@($n)`, and `@position@` for the row's number from 1.
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

/// The size of `recordings`, in blocks, when the session's plans were last discarded.
#[derive(Default)]
pub struct PlannedSize(Cell<u32>);

impl PlannedSize {
    /// Discards the session's plans when `recordings` has doubled since the last time.
    ///
    /// A plan made while the table is empty is a sequential scan, and is kept: each of 50,000 imports in one
    /// transaction would read all rows before its own. That applies to our own statements, to the foreign key checks on
    /// recordings and to the application's triggers, so all plans are discarded. Autovacuum would have the same effect
    /// later, but not within one transaction. Replanning about twenty times on the way to a million rows is cheap.
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
