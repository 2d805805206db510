//! Runs the statements of sql/pipeline, a method for each. Knows nothing of results.

mod chunks;
mod plan_cache;
pub mod rows;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use uuid::Uuid;

use chunks::{MAX_ROWS, by_the_megabyte};
use plan_cache::{CachedStatement, PlannedSize};
use rows::{
    BankRequest, FailedImport, JobProgress, KeptFailure, Key, NewRecording, NewVaultEntry, StoredRecording,
    VaultRequest,
};

use crate::pg::param::Param;
use crate::pg::schema::ExtensionSchema;
use crate::pg::spi::{Row, SnapshotMode};

/// The role names that applications use for the owners of banks and vaults, ours first.
///
/// Look-ups of banks accept both names.
pub const OWNER_ROLES: [[&str; 2]; 4] =
    [["owner", "owner"], ["bank_owner", "vault_owner"], ["bank_owner", "owner"], ["owner", "vault_owner"]];

/// The statements for the tables of one schema.
///
/// Each is prepared at its first use, and kept for the session.
pub struct Queries {
    schema: ExtensionSchema,
    planned_size: PlannedSize,
    find_duplicates: CachedStatement,
    find_visible: CachedStatement,
    find_banks: CachedStatement,
    find_banks_of_vaults: CachedStatement,
    find_vaults: CachedStatement,
    find_stored: CachedStatement,
    is_dedup_index: CachedStatement,
    insert_recordings: CachedStatement,
    insert_recording_or_raise: CachedStatement,
    insert_vault_entries: CachedStatement,
    find_vault_entries: CachedStatement,
    find_personal_bank: CachedStatement,
    lock_personal_bank: CachedStatement,
    /// One for each of [`OWNER_ROLES`].
    create_personal_bank: [CachedStatement; OWNER_ROLES.len()],
    may_trust_extensions: CachedStatement,
    count_imports: CachedStatement,
    lock_sync_job: CachedStatement,
    add_to_sync_job: CachedStatement,
    keep_failures: CachedStatement,
    find_failures: CachedStatement,
    remove_failures: CachedStatement,
}

/// The text of a file in sql/pipeline.
macro_rules! sql_file {
    ($name:literal) => {
        include_str!(concat!("../../sql/pipeline/", $name, ".sql"))
    };
}

thread_local! {
    static QUERIES: RefCell<Option<Rc<Queries>>> = const { RefCell::new(None) };
}

impl Queries {
    /// Returns the session's statements; prepares new ones if the schema or its name differs.
    pub fn of(schema: &ExtensionSchema) -> Rc<Self> {
        QUERIES.with_borrow_mut(|kept| match kept {
            Some(queries) if queries.schema == *schema => queries.clone(),
            _ => kept.insert(Rc::new(Self::new(schema.clone()))).clone(),
        })
    }

    fn new(schema: ExtensionSchema) -> Self {
        let common = [("extschema", schema.quoted.as_str())];
        let whole = |template| CachedStatement::whole(template, &common);
        let per_row = |template| CachedStatement::per_row(template, &common);
        let per_request = |template| CachedStatement::per_request(template, &common);
        let insert_recordings = |on_conflict| {
            let placeholders = [common[0], ("on_conflict", on_conflict)];
            CachedStatement::per_row(sql_file!("insert_recordings"), &placeholders)
        };
        let create_personal_bank = |[bank_owner, vault_owner]: [&str; 2]| {
            let placeholders = [common[0], ("bank_owner", bank_owner), ("vault_owner", vault_owner)];
            CachedStatement::per_row(sql_file!("create_personal_bank"), &placeholders)
        };
        Self {
            planned_size: PlannedSize::default(),
            find_duplicates: per_request(sql_file!("find_duplicates")),
            find_visible: whole(sql_file!("find_visible")),
            find_banks: per_request(sql_file!("find_banks")),
            find_banks_of_vaults: per_request(sql_file!("find_banks_of_vaults")),
            find_vaults: per_request(sql_file!("find_vaults")),
            find_stored: whole(sql_file!("find_stored")),
            is_dedup_index: whole(sql_file!("is_dedup_index")),
            insert_recordings: insert_recordings(sql_file!("skip_duplicates")),
            insert_recording_or_raise: insert_recordings(""),
            insert_vault_entries: per_row(sql_file!("insert_vault_entries")),
            find_vault_entries: per_request(sql_file!("find_vault_entries")),
            find_personal_bank: whole(sql_file!("find_personal_bank")),
            lock_personal_bank: CachedStatement::per_row(sql_file!("lock_personal_bank"), &[]),
            create_personal_bank: OWNER_ROLES.map(create_personal_bank),
            may_trust_extensions: CachedStatement::whole(sql_file!("may_trust_extensions"), &[]),
            count_imports: whole(sql_file!("count_imports")),
            lock_sync_job: whole(sql_file!("lock_sync_job")),
            add_to_sync_job: whole(sql_file!("add_to_sync_job")),
            keep_failures: per_row(sql_file!("keep_failures")),
            find_failures: whole(sql_file!("find_failures")),
            remove_failures: whole(sql_file!("remove_failures")),
            schema,
        }
    }

    /// Finds the recording of each key, the oldest if there are several.
    pub fn find_duplicates(&self, snapshot: SnapshotMode, keys: &[Key]) -> Vec<Option<Uuid>> {
        // Other sessions may have filled the table since the last call.
        self.planned_size.discard_plans_after_growth(&self.schema);
        keys.chunks(MAX_ROWS).flat_map(|keys| self.find_oldest(snapshot, keys)).collect()
    }

    fn find_oldest(&self, snapshot: SnapshotMode, keys: &[Key]) -> Vec<Option<Uuid>> {
        let params = [
            Param::Uuids(keys.iter().map(|key| Some(key.owner)).collect()),
            Param::Texts(keys.iter().map(|key| Some(key.source_app)).collect()),
            Param::Texts(keys.iter().map(|key| Some(key.external_id)).collect()),
        ];
        let found = self.find_duplicates.query(snapshot, &params, |row| {
            // A recording without created_at counts as the newest.
            (position(&row), (row.timestamp(3).unwrap_or(i64::MAX), row.uuid(2)))
        });
        least(keys.len(), found).into_iter().map(|oldest| oldest?.1).collect()
    }

    /// Returns which of the recordings the caller may see.
    pub fn find_visible(&self, snapshot: SnapshotMode, ids: Vec<Option<Uuid>>) -> BTreeSet<Uuid> {
        self.find_visible.query(snapshot, &[Param::Uuids(ids)], |row| row.uuid(1)).into_iter().flatten().collect()
    }

    /// Finds the bank of each request, if the owner is a member of that bank.
    pub fn find_banks(&self, requests: &[BankRequest]) -> Vec<Option<Uuid>> {
        let params = [
            Param::Uuids(requests.iter().map(|request| Some(request.owner)).collect()),
            Param::Uuids(requests.iter().map(|request| request.bank_id).collect()),
        ];
        let found = self.find_banks.query(SnapshotMode::Current, &params, |row| (position(&row), row.uuid(2)));
        least(requests.len(), found).into_iter().map(Option::flatten).collect()
    }

    /// Finds the vault of each request, if the bank has one.
    pub fn find_vaults(&self, requests: &[VaultRequest]) -> Vec<Option<Uuid>> {
        let params = [
            Param::Uuids(requests.iter().map(|request| Some(request.owner)).collect()),
            Param::Uuids(requests.iter().map(|request| Some(request.bank_id)).collect()),
            Param::Uuids(requests.iter().map(|request| request.vault_id).collect()),
        ];
        let found = self.find_vaults.query(SnapshotMode::Current, &params, |row| {
            let is_own = row.boolean(3).unwrap_or_default();
            (position(&row), (!is_own, row.uuid(2)))
        });
        least(requests.len(), found).into_iter().map(|vault| vault?.1).collect()
    }

    /// Inserts recordings in the order given; returns those whose key was new, as they were stored.
    pub fn insert_recordings(&self, new: &[NewRecording]) -> Vec<StoredRecording> {
        let mut inserted = Vec::with_capacity(new.len());
        for rows in by_the_megabyte(new, NewRecording::size) {
            inserted.extend(self.insert_recordings.query(
                SnapshotMode::Current,
                &rows::recording_params(rows),
                |row| StoredRecording::read(&row),
            ));
            // Before the foreign keys of vault entries look up the new recordings.
            self.planned_size.discard_plans_after_growth(&self.schema);
        }
        inserted.into_iter().flatten().collect()
    }

    /// Inserts one recording; raises if its key exists, returns None if a trigger dropped it.
    pub fn insert_recording_or_raise(&self, new: &NewRecording) -> Option<StoredRecording> {
        let params = rows::recording_params(std::slice::from_ref(new));
        let read = |row: Row| StoredRecording::read(&row);
        self.insert_recording_or_raise.query(SnapshotMode::Current, &params, read).pop().flatten()
    }

    /// Reads recordings back, as they are stored now.
    pub fn find_stored(&self, ids: &[Uuid]) -> Vec<StoredRecording> {
        let params = [Param::Uuids(ids.iter().copied().map(Some).collect())];
        let read = |row: Row| StoredRecording::read(&row);
        self.find_stored.query(SnapshotMode::Current, &params, read).into_iter().flatten().collect()
    }

    /// Returns whether an index is a unique one on the dedup key.
    pub fn is_dedup_index(&self, schema: &str, name: &str) -> bool {
        let params = [Param::Texts(vec![Some(schema)]), Param::Texts(vec![Some(name)])];
        !self.is_dedup_index.query(SnapshotMode::Current, &params, |_| ()).is_empty()
    }

    /// Finds for each request with a vault the bank of that vault, where the owner is a member of the bank.
    pub fn find_banks_of_vaults(&self, requests: &[BankRequest]) -> Vec<Option<Uuid>> {
        let params = [
            Param::Uuids(requests.iter().map(|request| Some(request.owner)).collect()),
            Param::Uuids(requests.iter().map(|request| request.vault_id).collect()),
        ];
        let read = |row: Row| (position(&row), row.uuid(2));
        let found = self.find_banks_of_vaults.query(SnapshotMode::Current, &params, read);
        least(requests.len(), found).into_iter().map(Option::flatten).collect()
    }

    /// Inserts vault entries; returns how many did not exist yet.
    pub fn insert_vault_entries(&self, new: &[NewVaultEntry]) -> usize {
        let insert = |some| self.insert_vault_entries.run(&rows::new_entry_params(some)) as usize;
        new.chunks(MAX_ROWS).map(insert).sum()
    }

    /// Returns for each entry whether it exists.
    pub fn find_vault_entries(&self, entries: &[NewVaultEntry]) -> Vec<bool> {
        let mut found = vec![false; entries.len()];
        for position in
            self.find_vault_entries.query(SnapshotMode::Current, &rows::entry_params(entries), |row| position(&row))
        {
            found[position] = true;
        }
        found
    }

    /// Finds the personal bank that a user owns.
    pub fn find_personal_bank(&self, snapshot: SnapshotMode, user: Uuid) -> Option<Uuid> {
        self.find_personal_bank.query(snapshot, &[one(user)], |row| row.uuid(1)).pop().flatten()
    }

    /// Waits until no other transaction is creating this user's personal bank.
    pub fn lock_personal_bank(&self, user: Uuid) {
        self.lock_personal_bank.query(SnapshotMode::Current, &[one(user)], |_| ());
    }

    /// Creates a personal bank and its vault, with a pair of [`OWNER_ROLES`].
    pub fn create_personal_bank(&self, user: Uuid, roles: usize) -> Option<Uuid> {
        self.create_personal_bank[roles].query(SnapshotMode::Current, &[one(user)], |row| row.uuid(1)).pop().flatten()
    }

    /// Returns whether the schema `extensions` belongs to a superuser or to the current user.
    pub fn may_trust_extensions(&self) -> bool {
        let answer = self.may_trust_extensions.query(SnapshotMode::Current, &[], |row| row.boolean(1));
        answer.first().copied().flatten().unwrap_or_default()
    }

    /// Counts the recordings that a user has from each source.
    pub fn count_imports(&self, user: Uuid) -> Vec<(String, i64)> {
        let read = |row: Row| (row.text(1).unwrap_or_default(), row.bigint(2).unwrap_or_default());
        self.count_imports.query(SnapshotMode::Callers, &[one(user)], read)
    }

    /// Locks a sync job until the transaction ends; returns whether the job exists.
    pub fn lock_sync_job(&self, job: Uuid) -> bool {
        !self.lock_sync_job.query(SnapshotMode::Current, &[one(job)], |_| ()).is_empty()
    }

    /// Adds to the counts and lists of a sync job.
    pub fn add_to_sync_job(&self, job: Uuid, progress: &JobProgress) {
        let params = [
            one(job),
            Param::Integers(vec![Some(progress.processed as i32)]),
            Param::Integers(vec![Some(progress.skipped as i32)]),
            Param::Texts(progress.synced_ids.iter().copied().map(Some).collect()),
            Param::Texts(progress.failed_ids.iter().copied().map(Some).collect()),
        ];
        self.add_to_sync_job.run(&params);
    }

    /// Keeps failed records, in the order given; an existing row counts one more attempt.
    pub fn keep_failures(&self, failed: &[FailedImport]) -> usize {
        let size = |failed: &FailedImport| failed.record.size() + failed.error.len();
        by_the_megabyte(failed, size).map(|some| self.keep_failures.run(&rows::failure_params(some)) as usize).sum()
    }

    /// Reads a user's failures, those tried longest ago first.
    pub fn find_failures<'a>(&self, user: Uuid, source_app: Option<&str>, limit: i32) -> Vec<KeptFailure<'a>> {
        let params = [one(user), Param::Texts(vec![source_app]), Param::Integers(vec![Some(limit)])];
        let read = |row: Row| {
            Some(KeptFailure {
                id: row.uuid(1)?,
                user: row.uuid(2),
                owner: row.uuid(3),
                record: row.jsonb(4)?.element(),
                source_app: row.text(5),
                external_id: row.text(6),
            })
        };
        self.find_failures.query(SnapshotMode::Current, &params, read).into_iter().flatten().collect()
    }

    /// Deletes kept failures.
    pub fn remove_failures(&self, ids: Vec<Uuid>) {
        self.remove_failures.run(&[Param::Uuids(ids.into_iter().map(Some).collect())]);
    }
}

/// Returns the least value that was found for each position.
fn least<T: Ord + Copy>(positions: usize, found: Vec<(usize, T)>) -> Vec<Option<T>> {
    let mut least = vec![None; positions];
    for (position, found) in found {
        let known = &mut least[position];
        *known = Some(known.map_or(found, |known: T| known.min(found)));
    }
    least
}

/// Reads the position of a request, which statements number from 1.
fn position(row: &Row) -> usize {
    row.integer(1).map_or(0, |position| position as usize - 1)
}

fn one(user: Uuid) -> Param<'static> {
    Param::Uuids(vec![Some(user)])
}
