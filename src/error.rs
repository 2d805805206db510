//! An error with the parts of a PostgreSQL error: SQLSTATE, message, DETAIL, HINT.

use std::fmt;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

/// A SQLSTATE, packed as PostgreSQL packs it (`MAKE_SQLSTATE`): five characters of six bits.
///
/// Not [`PgSqlErrorCode`]: that enum has only the codes that PostgreSQL itself raises, and reads a code that an
/// application has defined (`RAISE ... USING ERRCODE = 'QUOTA'`) as XX000, an internal error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SqlState(i32);

impl SqlState {
    /// Wraps the packed form, as in `ErrorData.sqlerrcode`.
    pub fn from_packed(packed: i32) -> Self {
        Self(packed)
    }

    fn characters(self) -> [u8; 5] {
        std::array::from_fn(|i| ((self.0 >> (6 * i)) & 0x3F) as u8 + b'0')
    }

    /// Returns whether the error is about the transaction, not about a record.
    ///
    /// The statement was cancelled or timed out, the server is shutting down, the transaction must be retried, a
    /// resource is exhausted, or PostgreSQL reports an internal error: the caller must get such an error.
    pub fn concerns_transaction(self) -> bool {
        let code = self.characters();
        match &code[..2] {
            // Transaction rollback (serialization, deadlock), insufficient resources, system error, internal error.
            b"40" | b"53" | b"58" | b"XX" => true,
            // Operator intervention: cancel, statement timeout, shutdown, crash of another backend.
            b"57" => true,
            // Object state: only lock_not_available, which is how lock_timeout reports itself.
            b"55" => &code == b"55P03",
            _ => false,
        }
    }

    /// Returns whether a table, a column or a unique index is missing, which bootstrap() creates.
    fn is_missing_object(self) -> bool {
        matches!(&self.characters(), b"42P01" | b"42703" | b"42P10" | b"3F000")
    }
}

impl From<PgSqlErrorCode> for SqlState {
    fn from(code: PgSqlErrorCode) -> Self {
        Self(code as isize as i32)
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.characters().iter().try_for_each(|c| write!(f, "{}", *c as char))
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error as a value, which fails one record while the others continue.
#[derive(Clone, Debug)]
pub struct Failure {
    pub code: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The constraint or index that was violated, with its schema.
    pub constraint: Option<Box<(String, String)>>,
}

impl Failure {
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), detail: None, hint: None, constraint: None }
    }

    /// Creates the error for an invalid argument or record (22023).
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
    }

    /// Creates the error for a required argument that is NULL (22004).
    pub fn null_argument(name: &str) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, format!("{name} is NULL"))
            .hint(format!("Pass a value for {name}."))
    }

    /// Creates the error for an action that the caller may not perform (42501).
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, message)
    }

    pub fn of_constraint(mut self, constraint: Option<(String, String)>) -> Self {
        self.constraint = constraint.map(Box::new);
        self
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Creates the error for a missing table of the pipeline (42P01).
    pub fn missing_table(qualified_name: &str) -> Self {
        let code = PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE;
        Self::new(code, format!("table {qualified_name} does not exist")).with_bootstrap_hint()
    }

    /// Creates the error for a view or other relation that has a table's name (42809).
    pub fn not_a_table(qualified_name: &str) -> Self {
        let code = PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE;
        Self::new(code, format!("{qualified_name} is not a table"))
            .hint("Rename it, then run SELECT * FROM connector_pipeline.bootstrap().")
    }

    /// Creates a failure from an error that PostgreSQL or a trigger raised.
    ///
    /// Truncates each part: a trigger may quote a whole transcript, and the results of a batch are one jsonb of at most
    /// 256 MB.
    pub fn raised(code: SqlState, message: &str, detail: Option<&str>, hint: Option<&str>) -> Self {
        Self { code, message: cut(message), detail: detail.map(cut), hint: hint.map(cut), constraint: None }
            .with_bootstrap_hint()
    }

    fn with_bootstrap_hint(self) -> Self {
        if self.code.is_missing_object() && self.hint.is_none() {
            self.hint("Run SELECT * FROM connector_pipeline.bootstrap() as the owner of the database.")
        } else {
            self
        }
    }

    pub fn is(&self, code: PgSqlErrorCode) -> bool {
        self.code == code.into()
    }

    /// Returns all parts in one line, for results with a single field.
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        if let Some(detail) = &self.detail {
            text = format!("{text} ({detail})");
        }
        if let Some(hint) = &self.hint {
            text = format!("{text}. {hint}");
        }
        text
    }

    /// Raises this failure as a PostgreSQL ERROR.
    ///
    /// pgrx can't raise a code that an application has defined: that code becomes P0001, as for a RAISE without a code,
    /// and DETAIL names the original code.
    pub fn raise(self) -> ! {
        let known = PgSqlErrorCode::from(self.code.0);
        let (code, detail) = if SqlState::from(known) == self.code {
            (known, self.detail)
        } else {
            let custom_code = format!("SQLSTATE {}", self.code);
            let detail = self.detail.map_or_else(|| custom_code.clone(), |detail| format!("{custom_code}. {detail}"));
            (PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION, Some(detail))
        };
        let mut report = ErrorReport::new(code, self.message, "connector_pipeline");
        if let Some(detail) = detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(pgrx::PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

fn cut(text: &str) -> String {
    const MAX_BYTES: usize = 700;
    if text.len() <= MAX_BYTES {
        return text.to_owned();
    }
    let end = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    format!("{} ...", &text[..end])
}

/// Unwraps a value, or raises its failure as an ERROR.
pub trait OrRaise<T> {
    fn or_raise(self) -> T;
}

impl<T> OrRaise<T> for Result<T, Failure> {
    fn or_raise(self) -> T {
        self.unwrap_or_else(|failure| failure.raise())
    }
}
