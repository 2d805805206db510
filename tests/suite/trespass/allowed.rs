//! Reads the rights of each role from tables.txt and functions.txt.

use std::collections::BTreeSet;

/// Each kind of role except superusers, who may do anything.
pub const ROLES: [&str; 5] = ["anon", "stranger", "authenticated", "service_role", "app_owner"];

/// How a line begins whose other words are columns that may be updated.
const OF_COLUMNS: &[&str] = &["UPDATE", "OF"];

/// The functions that functions.txt lists.
pub fn functions() -> BTreeSet<String> {
    lines(include_str!("functions.txt")).map(|words| words[0].to_owned()).collect()
}

pub fn may_call(role: &str, function: &str) -> bool {
    lines(include_str!("functions.txt")).any(|words| words[0] == function && words[1..].contains(&role))
}

/// Whether a role may use a command on all columns of a table.
pub fn may_use(role: &str, table: &str, command: &str) -> bool {
    rights(role, table).any(|commands| !commands.starts_with(OF_COLUMNS) && commands.contains(&command))
}

/// Whether a role may use a command on one column of a table.
pub fn may_use_column(role: &str, table: &str, command: &str, column: &str) -> bool {
    let is_named = |commands: &[&str]| commands.starts_with(OF_COLUMNS) && commands.contains(&column);
    may_use(role, table, command) || command == "UPDATE" && rights(role, table).any(|commands| is_named(&commands))
}

/// The commands in each line for a role and a table.
fn rights(role: &str, table: &str) -> impl Iterator<Item = Vec<&'static str>> {
    lines(include_str!("tables.txt"))
        .filter(move |words| (words[0] == table || words[0] == "*") && words[1] == role)
        .map(|words| words[2..].to_vec())
}

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
}
