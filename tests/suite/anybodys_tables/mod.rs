//! Nothing lost, doubled or shown to others on anybody's tables, under anybody's triggers.

use serde_json::Value;

use crate::support::*;

mod changed_keys;
mod copies;
mod ended_memberships;
mod error_codes;
mod failures;
mod inheritance;
mod jobs;
mod old_snapshots;
mod rows_not_kept;
mod tables_elsewhere;
mod trust;
mod vault_choice;

/// Sessions of those who import for anyone, and of the owner itself.
fn importers(db: &Database, owner: Uuid) -> [(&'static str, Session); 3] {
    [
        ("service_role", db.service_role()),
        ("the user", db.authenticated(owner)),
        ("the tables' owner", db.table_owner()),
    ]
}

/// Makes a function for triggers, and a trigger that runs it.
///
/// `when` is like "BEFORE INSERT ON recordings", `body` is PL/pgSQL without BEGIN and END.
fn trigger(owner: &mut Session, when: &str, body: &str) {
    let level = if when.contains("STATEMENT") { "" } else { "FOR EACH ROW" };
    owner.run(&format!(
        "CREATE OR REPLACE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
         CREATE TRIGGER act {when} {level} EXECUTE FUNCTION act()"
    ));
}

/// The warning of a result.
#[track_caller]
fn warning(result: &Value) -> &str {
    result["warning"].as_str().unwrap_or_else(|| panic!("no warning: {result}"))
}

/// The results of a batch.
fn batch(session: &mut Session, records: Vec<Value>, owner: Uuid) -> Value {
    session.value("SELECT run_pipeline_batch($1, $2)", &[&Value::from(records), &owner])
}

/// A business bank that all of these users are members of.
fn shared_bank(owner: &mut Session, users: &[Uuid]) -> Uuid {
    let bank: Uuid = owner.value("INSERT INTO banks (name, type) VALUES ('Acme', 'business') RETURNING id", &[]);
    for user in users {
        owner.query("INSERT INTO bank_memberships (bank_id, user_id) VALUES ($1, $2)", &[&bank, user]);
    }
    bank
}

/// A personal vault with this id, and its members with their roles.
fn personal_vault(owner: &mut Session, id: u128, bank: Uuid, members: &[(Uuid, &str)]) -> Uuid {
    let vault = Uuid::from_u128(id);
    let insert = "INSERT INTO vaults (id, bank_id, name, vault_type) VALUES ($1, $2, 'Personal', 'personal')";
    owner.query(insert, &[&vault, &bank]);
    for (user, role) in members {
        let insert = "INSERT INTO vault_memberships (vault_id, user_id, role) VALUES ($1, $2, $3)";
        owner.query(insert, &[&vault, user, role]);
    }
    vault
}
