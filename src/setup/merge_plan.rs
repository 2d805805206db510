//! Decides which recordings and vault entries are merged into which, or that they can't be.

use pgrx::datum::DatumWithOid;
use pgrx::{PgSqlErrorCode, Uuid};

use crate::error::Failure;
use crate::pg::schema::ExtensionSchema;
use crate::setup::find_duplicates::{self, Duplicates};
use crate::setup::merge_checks::must_see_all_rows;
use crate::setup::sql::Sql;

/// Rows of one table that go, and for each the row that it is merged into.
pub struct Pairs {
    pub going: Vec<Uuid>,
    pub staying: Vec<Uuid>,
}

impl Pairs {
    /// As two parameters of a statement: arrays of the same length.
    pub fn args(&self) -> [DatumWithOid<'_>; 2] {
        [self.going.as_slice().into(), self.staying.as_slice().into()]
    }
}

impl FromIterator<(Uuid, Uuid)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (Uuid, Uuid)>>(pairs: I) -> Self {
        let (going, staying) = pairs.into_iter().unzip();
        Self { going, staying }
    }
}

/// What is merged into what.
pub struct Plan {
    pub recordings: Pairs,
    pub entries: Pairs,
    /// The vault entries that have to be there afterwards.
    pub staying_entries: Vec<Uuid>,
}

impl Plan {
    pub fn make(schema: &ExtensionSchema) -> Result<Self, Failure> {
        must_see_all_rows(&format!("{}.vault_entries", schema.quoted))?;
        must_see_all_rows(&format!("{}.vaults", schema.quoted))?;
        let duplicates = find_duplicates::find(schema)?;
        must_be_in_one_bank(&duplicates)?;
        let recordings: Pairs = duplicates
            .iter()
            .flat_map(|key| key.recordings[1..].iter().map(|going| (*going, key.recordings[0])))
            .collect();
        must_be_in_vaults_of_its_bank(schema, &recordings)?;

        let find = Sql::new(schema, include_str!("../../sql/merge_duplicates/entries_to_merge.sql"));
        let entries: Pairs =
            find.rows(&recordings.args(), |row| (row.require(1), row.require(2))).into_iter().collect();

        let find = Sql::new(schema, include_str!("../../sql/merge_duplicates/entries_of_recordings.sql"));
        let of_recordings = [&recordings.going[..], &recordings.staying].concat();
        let mut staying_entries =
            find.rows(&[of_recordings.into(), entries.going.as_slice().into()], |row| row.require(1));
        staying_entries.extend(&entries.staying);
        Ok(Self { recordings, entries, staying_entries })
    }
}

/// Refuses duplicates of different banks: the members of a bank would lose a recording to another bank. No bank is not the
/// same bank.
fn must_be_in_one_bank(duplicates: &[Duplicates]) -> Result<(), Failure> {
    let across_banks = duplicates.iter().filter(|key| key.banks.iter().any(|bank| *bank != key.banks[0]));
    let across_banks: Vec<String> = across_banks
        .map(|key| {
            let ids: Vec<String> = key.recordings.iter().map(Uuid::to_string).collect();
            let Duplicates { owner, source_app, external_id, .. } = key;
            format!("external_id {external_id} of {source_app}, owner {owner}: recordings {}", ids.join(", "))
        })
        .collect();
    must_be_none(
        across_banks,
        "duplicates lie in different banks, and nothing crosses banks; nothing has been changed",
        "Decide for each which bank has it: delete the other recording, or give both the same bank_id, and their vault \
         entries vaults of that bank.",
    )
}

/// Refuses entries whose vault would hold a recording of another bank.
fn must_be_in_vaults_of_its_bank(schema: &ExtensionSchema, recordings: &Pairs) -> Result<(), Failure> {
    let find = Sql::new(schema, include_str!("../../sql/merge_duplicates/entries_in_other_banks.sql"));
    let across_banks = find.rows(&recordings.args(), |row| {
        format!("vault entry {} of recording {}", row.require::<Uuid>(1), row.require::<Uuid>(2))
    });
    must_be_none(
        across_banks,
        "duplicates are in vaults of other banks, and nothing crosses banks; nothing has been changed",
        "Delete each of these vault entries, or give it a vault of its recording's bank, and merge again.",
    )
}

fn must_be_none(conflicts: Vec<String>, message: &str, hint: &str) -> Result<(), Failure> {
    const LONGEST: usize = 2000;
    if conflicts.is_empty() {
        return Ok(());
    }
    let detail: String = conflicts.join("\n").chars().take(LONGEST).collect();
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    Err(Failure::new(code, message).detail(detail).hint(hint))
}
