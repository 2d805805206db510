//! The rows that the statements of the hot path read and write, and their parameters.

use uuid::Uuid;

use crate::pg::jsonb::Element;
use crate::pg::param::Param;
use crate::pg::spi::Row;
use crate::record::Record;

/// The dedup key of a recording.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    pub owner: Uuid,
    pub source_app: &'a str,
    pub external_id: &'a str,
}

/// A request for a recording's bank: that of `bank_id`, or the owner's personal bank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankRequest {
    pub owner: Uuid,
    pub bank_id: Option<Uuid>,
    /// The vault asked for, where no bank was: then the vault's bank is meant.
    pub vault_id: Option<Uuid>,
}

/// A request for a recording's vault: `vault_id`, or the owner's personal vault of the bank.
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
    /// Returns the size in bytes of the fields that may be large.
    pub fn size(&self) -> usize {
        let Record { title, full_transcript, summary, audio_url, video_url, .. } = self.record;
        let Record { source_metadata, global_tags, .. } = self.record;
        let texts = [Some(*title), Some(*full_transcript), *summary, *audio_url, *video_url];
        let containers = [*source_metadata, *global_tags];
        texts.into_iter().flatten().map(str::len).sum::<usize>()
            + containers.into_iter().flatten().map(Element::size).sum::<usize>()
    }
}

/// A row of `recordings` as it was stored: triggers may have changed what was given.
pub struct StoredRecording {
    pub id: Uuid,
    pub bank_id: Option<Uuid>,
    pub owner: Option<Uuid>,
    pub source_app: Option<String>,
    pub external_id: Option<String>,
}

impl StoredRecording {
    /// Reads a row of insert_recordings.sql or find_stored.sql.
    pub fn read(row: &Row) -> Option<Self> {
        Some(Self {
            id: row.uuid(1)?,
            bank_id: row.uuid(2),
            owner: row.uuid(3),
            source_app: row.text(4),
            external_id: row.text(5),
        })
    }

    /// Returns the first column of the dedup key that does not hold the given value.
    pub fn changed_column(&self, given: &Key) -> Option<&'static str> {
        if self.owner != Some(given.owner) {
            Some("owner_user_id")
        } else if self.source_app.as_deref() != Some(given.source_app) {
            Some("source_app")
        } else if self.external_id.as_deref() != Some(given.external_id) {
            Some("source_metadata")
        } else {
            None
        }
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
    /// The user who may read the failure. With None, only roles that bypass the policies may.
    pub user: Option<Uuid>,
    /// The owner that the record is for.
    pub owner: Option<Uuid>,
    pub source_app: Option<&'a str>,
    pub external_id: Option<&'a str>,
    pub record: Element<'a>,
    pub error: String,
    pub code: String,
}

/// A row of `import_failures`, read for a retry.
pub struct KeptFailure<'a> {
    pub id: Uuid,
    pub user: Option<Uuid>,
    pub owner: Option<Uuid>,
    pub record: Element<'a>,
    pub source_app: Option<String>,
    pub external_id: Option<String>,
}

/// The counts and ids that a batch adds to a row of `sync_jobs`.
pub struct JobProgress<'a> {
    pub processed: usize,
    pub skipped: usize,
    pub synced_ids: Vec<&'a str>,
    pub failed_ids: Vec<&'a str>,
}

/// The parameters of insert_recordings.sql.
pub fn recording_params<'a>(new: &[NewRecording<'a>]) -> [Param<'a>; 15] {
    fn values<'a, T>(new: &[NewRecording<'a>], read: impl Fn(&'a Record<'a, Element<'a>>) -> T) -> Vec<T> {
        new.iter().map(|new| read(new.record)).collect()
    }
    [
        Param::Uuids(new.iter().map(|new| Some(new.id)).collect()),
        Param::Uuids(new.iter().map(|new| Some(new.bank_id)).collect()),
        Param::Uuids(new.iter().map(|new| Some(new.owner)).collect()),
        Param::Texts(values(new, |record| Some(record.source_app))),
        Param::Texts(values(new, |record| Some(record.external_id.as_ref()))),
        Param::Jsonbs(values(new, |record| record.source_metadata)),
        Param::Texts(values(new, |record| Some(record.title))),
        Param::Texts(values(new, |record| Some(record.full_transcript))),
        Param::Texts(values(new, |record| record.summary)),
        Param::Texts(values(new, |record| record.audio_url)),
        Param::Texts(values(new, |record| record.video_url)),
        Param::TextArrays(values(new, |record| record.global_tags)),
        Param::Integers(values(new, |record| record.duration)),
        Param::Timestamps(values(new, |record| Some(record.recording_start_time))),
        Param::Timestamps(values(new, |record| record.recording_end_time)),
    ]
}

/// The parameters of insert_vault_entries.sql.
pub fn new_entry_params(new: &[NewVaultEntry]) -> [Param<'static>; 3] {
    let [vaults, recordings] = entry_params(new);
    [Param::Uuids(new.iter().map(|entry| Some(entry.id)).collect()), vaults, recordings]
}

/// The parameters of find_vault_entries.sql.
pub fn entry_params(entries: &[NewVaultEntry]) -> [Param<'static>; 2] {
    [
        Param::Uuids(entries.iter().map(|entry| Some(entry.vault_id)).collect()),
        Param::Uuids(entries.iter().map(|entry| Some(entry.recording_id)).collect()),
    ]
}

/// The parameters of keep_failures.sql.
pub fn failure_params<'a>(failed: &'a [FailedImport<'a>]) -> [Param<'a>; 7] {
    [
        Param::Uuids(failed.iter().map(|failed| failed.user).collect()),
        Param::Uuids(failed.iter().map(|failed| failed.owner).collect()),
        Param::Texts(failed.iter().map(|failed| failed.source_app).collect()),
        Param::Texts(failed.iter().map(|failed| failed.external_id).collect()),
        Param::Jsonbs(failed.iter().map(|failed| Some(failed.record)).collect()),
        Param::Texts(failed.iter().map(|failed| Some(failed.error.as_str())).collect()),
        Param::Texts(failed.iter().map(|failed| Some(failed.code.as_str())).collect()),
    ]
}
