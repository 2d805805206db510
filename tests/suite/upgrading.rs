//! Tests updates from each released version to this one.
//!
//! sql/released has, for each version, the script that CREATE EXTENSION ran, and the SQL that bootstrap_auth() and
//! bootstrap() ran.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::comparison::{assert_same, catalog, contents};
use crate::support::*;
use crate::tour::call_everything;

/// The folder of each released version, the oldest first.
pub fn released() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/released");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut versions: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    versions.sort_by_key(|(version, _)| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>());
    assert!(!versions.is_empty(), "{} has a folder for each released version", folder.display());
    versions
}

/// Makes a database with the functions and tables of a released version.
///
/// The library is the current one: installing a package replaces the released library.
fn of_version(version: &str, folder: &Path) -> Database {
    let db = Database::empty();
    let mut superuser = db.superuser();
    install_version(&mut superuser, folder, version);
    let schema = superuser.schema();
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap().replace("@extschema@", &schema);
    superuser.run(&read("auth.sql"));
    superuser.run(&read("grants.sql"));
    db.table_owner().run(&read("bootstrap.sql"));
    make_users(&mut superuser);
    db
}

/// Runs CREATE EXTENSION with a released version.
pub fn install_version(superuser: &mut Session, folder: &Path, version: &str) {
    put_where_the_server_looks(superuser, folder, version);
    superuser.run(&format!("CREATE EXTENSION connector_pipeline VERSION '{version}'"));
}

/// Copies a version's install script to the server's extension folder.
///
/// Packages ship only the install script of their own version.
fn put_where_the_server_looks(superuser: &mut Session, folder: &Path, version: &str) {
    let shared: String = superuser.value("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'", &[]);
    let script = format!("connector_pipeline--{version}.sql");
    let target = Path::new(&shared).join("extension").join(&script);
    // The rename replaces the script atomically: another test may be reading the file.
    let temporary = target.with_extension(format!("sql.{}", Uuid::now_v7()));
    run_file_command("cp", &folder.join(&script), &temporary);
    run_file_command("mv", &temporary, &target);
}

/// Runs cp or mv, with sudo if `cargo pgrx test --runas` has used sudo.
fn run_file_command(command: &str, from: &Path, to: &Path) {
    let sudo = env::var_os("CARGO_PGRX_TEST_RUNAS").map(|_| "sudo");
    let mut words = sudo.into_iter().chain([command]);
    let status = Command::new(words.next().unwrap()).args(words).arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()), "{command} {} {}", from.display(), to.display());
}

#[test]
fn an_updated_database_equals_a_fresh_one_and_keeps_its_rows() {
    let fresh = catalog(&Database::new());
    for (version, folder) in released() {
        let db = of_version(&version, &folder);
        call_everything(&db, "fathom");
        let before = contents(&db);

        db.superuser().run("ALTER EXTENSION connector_pipeline UPDATE");
        db.table_owner().run("SELECT connector_pipeline.bootstrap()");
        assert_same(&catalog(&db), &fresh);
        assert_same(&contents(&db), &before);
        let known = db.service_role().import(&record("first"), ALICE);
        assert_eq!(known["skipped"], true, "{known}");
        call_everything(&db, "zoom");
    }
}

#[test]
fn an_open_session_imports_and_skips_after_an_update() {
    for (version, folder) in released() {
        let db = of_version(&version, &folder);
        let (mut alice, mut owner) = (db.authenticated(ALICE), db.table_owner());
        assert_imported(&alice.import_own(&record("before")));
        db.superuser().run("ALTER EXTENSION connector_pipeline UPDATE");
        owner.run("SELECT connector_pipeline.bootstrap()");
        assert_imported(&alice.import_own(&record("after")));
        assert_eq!(alice.import_own(&record("before"))["skipped"], true);
    }
}

#[test]
fn every_released_version_has_an_update_path_to_this_one() {
    let db = Database::new();
    let mut superuser = db.superuser();
    for (version, folder) in released() {
        put_where_the_server_looks(&mut superuser, &folder, &version);
        let ways: Vec<Option<String>> = superuser.column(
            "SELECT path FROM pg_extension_update_paths('connector_pipeline')
             WHERE source = $1 AND target = (SELECT extversion FROM pg_extension WHERE extname = 'connector_pipeline')",
            &[&version],
        );
        assert!(matches!(ways.as_slice(), [Some(_)]), "from {version}: {ways:?}");
    }
}
