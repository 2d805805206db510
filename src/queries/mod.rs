//! All SQL of the hot path, and its kept plans. Knows tables and columns, nothing of results or of JSON shapes.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use pgrx::pg_sys;
use uuid::Uuid;

use crate::pg::jsonb::Element;
use crate::pg::relation::Table;
use crate::pg::schema::Home;
use crate::pg::spi::{Access, Column, Form, Row, Statement};
use crate::record::{Record, Timestamp};

/// The dedup key: who imported what from where.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    pub owner: Uuid,
    pub source_app: &'a str,
    pub external_id: &'a str,
}

/// The bank that a recording is to go to, as asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankRequest {
    pub owner: Uuid,
    pub bank_id: Option<Uuid>,
}

/// The vault that a recording is to go to, as asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultRequest {
    pub owner: Uuid,
    pub bank_id: Uuid,
    pub vault_id: Option<Uuid>,
}

/// A row for `recordings`.
pub struct NewRecording<'a> {
    pub id: Uuid,
    pub bank_id: Uuid,
    pub owner: Uuid,
    pub record: &'a Record<'a, Element<'a>>,
}

impl NewRecording<'_> {
    /// Of what may be large, in bytes.
    fn size(&self) -> usize {
        let Record { title, full_transcript, summary, audio_url, video_url, .. } = self.record;
        let Record { source_metadata, global_tags, .. } = self.record;
        let texts = [Some(*title), Some(*full_transcript), *summary, *audio_url, *video_url];
        let containers = [*source_metadata, *global_tags];
        texts.into_iter().flatten().map(str::len).sum::<usize>()
            + containers.into_iter().flatten().map(Element::size).sum::<usize>()
    }
}

/// A row for `vault_entries`.
#[derive(Clone, Copy)]
pub struct NewVaultEntry {
    pub id: Uuid,
    pub vault_id: Uuid,
    pub recording_id: Uuid,
}

/// A row for `import_failures`.
#[derive(Clone)]
pub struct FailedImport<'a> {
    /// The record's place in its batch.
    pub position: usize,
    /// Who sees it. None: nobody but those above the policies.
    pub user: Option<Uuid>,
    /// The owner that the record was meant for.
    pub owner: Option<Uuid>,
    pub source_app: Option<&'a str>,
    pub external_id: Option<&'a str>,
    pub record: Element<'a>,
    pub error: String,
    pub code: String,
}

/// A kept failure, taken out for a retry.
pub struct KeptFailure<'a> {
    pub id: Uuid,
    pub user: Option<Uuid>,
    pub owner: Option<Uuid>,
    pub record: Element<'a>,
    pub source_app: Option<String>,
    pub external_id: Option<String>,
}

/// What a batch adds to a row of `sync_jobs`.
pub struct JobProgress<'a> {
    pub processed: usize,
    pub skipped: usize,
    pub synced_ids: Vec<&'a str>,
    pub failed_ids: Vec<&'a str>,
}

/// What applications call the owner of a bank, and the owner of a vault: ours first. The look-ups take either for banks.
pub const OWNER_ROLES: [[&str; 2]; 4] =
    [["owner", "owner"], ["bank_owner", "vault_owner"], ["bank_owner", "owner"], ["owner", "vault_owner"]];

/// A statement takes so many rows: it has several times their memory.
const AT_A_TIME: usize = 1000;

/// The tables of one schema, with statements that are prepared when first used and kept for the session.
pub struct Store {
    home: Home,
    find_duplicates: Kept,
    find_visible: Kept,
    find_banks: Kept,
    find_vaults: Kept,
    insert_recordings: Kept,
    insert_recording_or_raise: Kept,
    insert_vault_entries: Kept,
    find_vault_entries: Kept,
    find_personal_bank: Kept,
    lock_personal_bank: Kept,
    /// For each of [`OWNER_ROLES`].
    create_personal_bank: [Kept; OWNER_ROLES.len()],
    count_imports: Kept,
    lock_sync_job: Kept,
    add_to_sync_job: Kept,
    keep_failures: Kept,
    find_failures: Kept,
    remove_failures: Kept,
    planned_for: Cell<u32>,
}

thread_local! {
    static STORE: RefCell<Option<Rc<Store>>> = const { RefCell::new(None) };
}

impl Store {
    /// The session's store for a schema. Another schema, or another name of it, means other SQL: a new store.
    pub fn of(home: &Home) -> Rc<Self> {
        STORE.with_borrow_mut(|store| match store {
            Some(store) if store.home.is_same(home) => store.clone(),
            _ => store.insert(Rc::new(Self::new(home.clone()))).clone(),
        })
    }

    fn new(home: Home) -> Self {
        let kept = |template| Kept::new(template, &home);
        let insert_recordings = include_str!("../../sql/pipeline/insert_recordings.sql");
        Self {
            find_duplicates: kept(include_str!("../../sql/pipeline/find_duplicates.sql")),
            find_visible: kept(include_str!("../../sql/pipeline/find_visible.sql")),
            find_banks: kept(include_str!("../../sql/pipeline/find_banks.sql")),
            find_vaults: kept(include_str!("../../sql/pipeline/find_vaults.sql")),
            insert_recordings: kept(insert_recordings),
            insert_recording_or_raise: kept(&without_conflict_clause(insert_recordings)),
            insert_vault_entries: kept(include_str!("../../sql/pipeline/insert_vault_entries.sql")),
            find_vault_entries: kept(include_str!("../../sql/pipeline/find_vault_entries.sql")),
            find_personal_bank: kept(include_str!("../../sql/pipeline/find_personal_bank.sql")),
            lock_personal_bank: kept(include_str!("../../sql/pipeline/lock_personal_bank.sql")),
            create_personal_bank: OWNER_ROLES.map(|[bank, vault]| {
                let template = include_str!("../../sql/pipeline/create_personal_bank.sql");
                Kept::new(&template.replace("@bank_owner@", bank).replace("@vault_owner@", vault), &home)
            }),
            count_imports: kept(include_str!("../../sql/pipeline/count_imports.sql")),
            lock_sync_job: kept(include_str!("../../sql/pipeline/lock_sync_job.sql")),
            add_to_sync_job: kept(include_str!("../../sql/pipeline/add_to_sync_job.sql")),
            keep_failures: kept(include_str!("../../sql/pipeline/keep_failures.sql")),
            find_failures: kept(include_str!("../../sql/pipeline/find_failures.sql")),
            remove_failures: kept(include_str!("../../sql/pipeline/remove_failures.sql")),
            planned_for: Cell::new(0),
            home,
        }
    }

    /// For each key the recording that has it; of several the oldest.
    pub fn find_duplicates(&self, access: Access, keys: &[Key]) -> Vec<Option<Uuid>> {
        // Others may have filled the table since.
        self.forget_plans_for_a_smaller_table();
        keys.chunks(AT_A_TIME).flat_map(|keys| self.find_oldest(access, keys)).collect()
    }

    fn find_oldest(&self, access: Access, keys: &[Key]) -> Vec<Option<Uuid>> {
        let columns = [
            Column::Uuids(keys.iter().map(|key| Some(key.owner)).collect()),
            Column::Texts(keys.iter().map(|key| Some(key.source_app)).collect()),
            Column::Texts(keys.iter().map(|key| Some(key.external_id)).collect()),
        ];
        let found = self.find_duplicates.query(access, &columns, |row| {
            // Without a time it counts as the youngest.
            (position(&row), (row.timestamp(3).unwrap_or(Timestamp::MAX), row.uuid(2)))
        });
        least(keys.len(), found).into_iter().map(|oldest| oldest?.1).collect()
    }

    /// Of the recordings given, those that the caller may see.
    pub fn find_visible(&self, access: Access, ids: Vec<Option<Uuid>>) -> BTreeSet<Uuid> {
        self.find_visible.query(access, &[Column::Uuids(ids)], |row| row.uuid(1)).into_iter().flatten().collect()
    }

    /// For each request the bank, where the owner is a member of it.
    pub fn find_banks(&self, requests: &[BankRequest]) -> Vec<Option<Uuid>> {
        let columns = [
            Column::Uuids(requests.iter().map(|request| Some(request.owner)).collect()),
            Column::Uuids(requests.iter().map(|request| request.bank_id).collect()),
        ];
        let found = self.find_banks.query(Access::Write, &columns, |row| (position(&row), row.uuid(2)));
        least(requests.len(), found).into_iter().map(Option::flatten).collect()
    }

    /// For each request the vault, where there is one in the bank.
    pub fn find_vaults(&self, requests: &[VaultRequest]) -> Vec<Option<Uuid>> {
        let columns = [
            Column::Uuids(requests.iter().map(|request| Some(request.owner)).collect()),
            Column::Uuids(requests.iter().map(|request| Some(request.bank_id)).collect()),
            Column::Uuids(requests.iter().map(|request| request.vault_id).collect()),
        ];
        let found = self.find_vaults.query(Access::Write, &columns, |row| {
            let has_member = row.boolean(3).unwrap_or_default();
            (position(&row), (!has_member, row.uuid(2)))
        });
        least(requests.len(), found).into_iter().map(|vault| vault?.1).collect()
    }

    /// Inserts recordings in the order given; the ids of those whose key was new.
    pub fn insert_recordings(&self, new: &[NewRecording]) -> Vec<Uuid> {
        let mut inserted = Vec::with_capacity(new.len());
        for rows in by_the_megabyte(new, NewRecording::size) {
            inserted.extend(self.insert_recordings.query(Access::Write, &recording_columns(rows), |row| row.uuid(1)));
            // Before the foreign keys of vault entries look them up.
            self.forget_plans_for_a_smaller_table();
        }
        inserted.into_iter().flatten().collect()
    }

    /// Inserts one recording and raises where its key is there already. None: a trigger dropped it.
    pub fn insert_recording_or_raise(&self, new: &NewRecording) -> Option<Uuid> {
        let columns = recording_columns(std::slice::from_ref(new));
        self.insert_recording_or_raise.query(Access::Write, &columns, |row| row.uuid(1)).pop().flatten()
    }

    /// Makes vault entries; how many were not there yet.
    pub fn insert_vault_entries(&self, new: &[NewVaultEntry]) -> usize {
        let insert = |some| self.insert_vault_entries.run(&new_entry_columns(some)) as usize;
        new.chunks(AT_A_TIME).map(insert).sum()
    }

    /// For each entry whether it is there.
    pub fn find_vault_entries(&self, entries: &[NewVaultEntry]) -> Vec<bool> {
        let mut found = vec![false; entries.len()];
        for position in self.find_vault_entries.query(Access::Write, &entry_columns(entries), |row| position(&row)) {
            found[position] = true;
        }
        found
    }

    /// The personal bank that a user owns.
    pub fn find_personal_bank(&self, access: Access, user: Uuid) -> Option<Uuid> {
        self.find_personal_bank.query(access, &[one(user)], |row| row.uuid(1)).pop().flatten()
    }

    /// Waits until no other transaction is making this user's personal bank.
    pub fn lock_personal_bank(&self, user: Uuid) {
        self.lock_personal_bank.query(Access::Write, &[one(user)], |_| ());
    }

    /// Makes a personal bank with its vault, and the user its owner, by names of [`OWNER_ROLES`].
    pub fn create_personal_bank(&self, user: Uuid, roles: usize) -> Option<Uuid> {
        self.create_personal_bank[roles].query(Access::Write, &[one(user)], |row| row.uuid(1)).pop().flatten()
    }

    /// How many recordings a user has from each source.
    pub fn count_imports(&self, user: Uuid) -> Vec<(String, i64)> {
        let read = |row: Row| (row.text(1).unwrap_or_default(), row.bigint(2).unwrap_or_default());
        self.count_imports.query(Access::Read, &[one(user)], read)
    }

    /// Locks a sync job to the end of the transaction; whether it is there for the caller.
    pub fn lock_sync_job(&self, job: Uuid) -> bool {
        !self.lock_sync_job.query(Access::Write, &[one(job)], |_| ()).is_empty()
    }

    /// Adds to the counts and lists of a sync job.
    pub fn add_to_sync_job(&self, job: Uuid, progress: &JobProgress) {
        let columns = [
            one(job),
            Column::Integers(vec![Some(progress.processed as i32)]),
            Column::Integers(vec![Some(progress.skipped as i32)]),
            Column::Texts(progress.synced_ids.iter().copied().map(Some).collect()),
            Column::Texts(progress.failed_ids.iter().copied().map(Some).collect()),
        ];
        self.add_to_sync_job.run(&columns);
    }

    /// Keeps failed records, in the order given; one that is there counts one attempt more.
    pub fn keep_failures(&self, failed: &[FailedImport]) {
        for failed in by_the_megabyte(failed, |failed| failed.record.size() + failed.error.len()) {
            let columns = [
                Column::Uuids(failed.iter().map(|failed| failed.user).collect()),
                Column::Uuids(failed.iter().map(|failed| failed.owner).collect()),
                Column::Texts(failed.iter().map(|failed| failed.source_app).collect()),
                Column::Texts(failed.iter().map(|failed| failed.external_id).collect()),
                Column::Jsonbs(failed.iter().map(|failed| Some(failed.record)).collect()),
                Column::Texts(failed.iter().map(|failed| Some(failed.error.as_str())).collect()),
                Column::Texts(failed.iter().map(|failed| Some(failed.code.as_str())).collect()),
            ];
            self.keep_failures.run(&columns);
        }
    }

    /// A user's failures, those tried longest ago first.
    pub fn find_failures<'a>(&self, user: Uuid, source_app: Option<&str>, limit: i32) -> Vec<KeptFailure<'a>> {
        let columns = [one(user), Column::Texts(vec![source_app]), Column::Integers(vec![Some(limit)])];
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
        self.find_failures.query(Access::Write, &columns, read).into_iter().flatten().collect()
    }

    /// Keeps failures no longer.
    pub fn remove_failures(&self, ids: Vec<Uuid>) {
        self.remove_failures.run(&[Column::Uuids(ids.into_iter().map(Some).collect())]);
    }

    /// Lets the session plan anew when `recordings` has doubled since it last did.
    ///
    /// A plan made while a table is empty reads all of it, and is kept: 50,000 imports in one transaction would each
    /// read all rows before them. That holds for our own statements, for the checks of the foreign keys on recordings,
    /// and for the application's triggers, so that all kept plans go. Autovacuum would see to it in time, but not
    /// within one transaction. Planning anew some twenty times on the way to a million rows costs nothing.
    fn forget_plans_for_a_smaller_table(&self) {
        const SMALL: u32 = 8;
        let Some(blocks) = Table::open(&self.home, c"recordings").and_then(|table| table.blocks()) else { return };
        let planned_for = self.planned_for.get();
        if blocks > planned_for.saturating_mul(2).saturating_add(SMALL) {
            // SAFETY: marks plans as invalid, as DISCARD PLANS does; a plan that is being executed is not touched.
            unsafe { pg_sys::ResetPlanCache() };
            self.planned_for.set(blocks);
        } else if blocks < planned_for / 2 {
            self.planned_for.set(blocks);
        }
    }
}

/// A statement with its SQL, prepared when it is first used, once for each form of its parameters.
struct Kept {
    arrays: Plan,
    values: Plan,
}

struct Plan {
    sql: String,
    form: Form,
    statement: OnceCell<Statement>,
}

impl Kept {
    fn new(template: &str, home: &Home) -> Self {
        let sql = template.replace("@extschema@", &home.quoted);
        let plan = |sql, form| Plan { sql, form, statement: OnceCell::new() };
        Self { values: plan(for_one_row(&sql), Form::Values), arrays: plan(sql, Form::Arrays) }
    }

    fn query<T>(&self, access: Access, columns: &[Column], read: impl Fn(Row) -> T) -> Vec<T> {
        self.prepared(columns).query(access, columns, read)
    }

    fn run(&self, columns: &[Column]) -> u64 {
        self.prepared(columns).run(columns)
    }

    fn prepared(&self, columns: &[Column]) -> &Statement {
        let is_one_row = self.values.sql != self.arrays.sql && columns.first().is_some_and(|column| column.len() == 1);
        let plan = if is_one_row { &self.values } else { &self.arrays };
        plan.statement.get_or_init(|| Statement::prepare(&plan.sql, plan.form, columns))
    }
}

/// The same statement for one row: what it would unnest are plain values, and it gets by without the sets, joins and
/// sorts that make up half the time of a statement for one row. A statement that takes an array for what it is stays
/// as it is.
fn for_one_row(sql: &str) -> String {
    sql.replace("pg_catalog.generate_subscripts($1, 1)", "1").replace("pg_catalog.unnest(", "(")
}

/// The same statement, raising where it would do nothing.
fn without_conflict_clause(sql: &str) -> String {
    sql.lines().filter(|line| !line.starts_with("ON CONFLICT")).collect::<Vec<_>>().join("\n")
}

/// Rows by the statement: a megabyte each at the most, unless one row has more, for a statement has its rows twice over in
/// memory. A batch of 50 MB takes 6 MB more than to read it, and took 102 MB by one statement.
fn by_the_megabyte<T>(rows: &[T], size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    const MEGABYTE: usize = 1024 * 1024;
    let (mut count, mut sum) = (1, rows.first().map_or(0, &size));
    rows.chunk_by(move |_, next| {
        let next = size(next);
        (count, sum) = (count + 1, sum + next);
        let fits = count <= AT_A_TIME && sum < MEGABYTE;
        if !fits {
            (count, sum) = (1, next);
        }
        fits
    })
}

/// Of what was found for each position, the least.
fn least<T: Ord + Copy>(positions: usize, found: Vec<(usize, T)>) -> Vec<Option<T>> {
    let mut least = vec![None; positions];
    for (position, found) in found {
        let known = &mut least[position];
        *known = Some(known.map_or(found, |known: T| known.min(found)));
    }
    least
}

/// Statements number what they are asked from 1.
fn position(row: &Row) -> usize {
    row.integer(1).map_or(0, |position| position as usize - 1)
}

fn one(user: Uuid) -> Column<'static> {
    Column::Uuids(vec![Some(user)])
}

/// The parameters of insert_recordings.sql.
fn recording_columns<'a>(new: &[NewRecording<'a>]) -> [Column<'a>; 15] {
    fn column<'a, T>(new: &[NewRecording<'a>], read: impl Fn(&'a Record<'a, Element<'a>>) -> T) -> Vec<T> {
        new.iter().map(|new| read(new.record)).collect()
    }
    [
        Column::Uuids(new.iter().map(|new| Some(new.id)).collect()),
        Column::Uuids(new.iter().map(|new| Some(new.bank_id)).collect()),
        Column::Uuids(new.iter().map(|new| Some(new.owner)).collect()),
        Column::Texts(column(new, |record| Some(record.source_app))),
        Column::Texts(column(new, |record| Some(record.external_id.as_ref()))),
        Column::Jsonbs(column(new, |record| record.source_metadata)),
        Column::Texts(column(new, |record| Some(record.title))),
        Column::Texts(column(new, |record| Some(record.full_transcript))),
        Column::Texts(column(new, |record| record.summary)),
        Column::Texts(column(new, |record| record.audio_url)),
        Column::Texts(column(new, |record| record.video_url)),
        Column::TextArrays(column(new, |record| record.global_tags)),
        Column::Integers(column(new, |record| record.duration)),
        Column::Timestamps(column(new, |record| Some(record.recording_start_time))),
        Column::Timestamps(column(new, |record| record.recording_end_time)),
    ]
}

/// The parameters of insert_vault_entries.sql.
fn new_entry_columns(new: &[NewVaultEntry]) -> [Column<'static>; 3] {
    let [vaults, recordings] = entry_columns(new);
    [Column::Uuids(new.iter().map(|entry| Some(entry.id)).collect()), vaults, recordings]
}

/// The parameters of find_vault_entries.sql.
fn entry_columns(entries: &[NewVaultEntry]) -> [Column<'static>; 2] {
    [
        Column::Uuids(entries.iter().map(|entry| Some(entry.vault_id)).collect()),
        Column::Uuids(entries.iter().map(|entry| Some(entry.recording_id)).collect()),
    ]
}
