//! Generates the keys, their records, and transactions of calls, all determined by the seed.

use std::fmt;

use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

pub const KEYS: u32 = 10_000;
pub const SOURCES: [&str; 4] = ["fathom", "zoom", "youtube", "file-upload"];
/// Sync jobs that all connections share.
pub const JOBS: [Uuid; 16] = ids(0x10B);
pub const OWNERS: [Uuid; 8] = ids(0xA11CE);

/// A bank with a vault; the owners become members only at the end of a round.
pub const CLOSED_BANK: Uuid = Uuid::from_u128(0xC105ED);
pub const CLOSED_VAULT: Uuid = Uuid::from_u128(0xC105_ED01);
/// A bank with a vault, of which no owner ever becomes a member.
pub const FOREIGN_BANK: Uuid = Uuid::from_u128(0xF0E16);
pub const FOREIGN_VAULT: Uuid = Uuid::from_u128(0xF0_E161);

const fn ids<const N: usize>(first: u128) -> [Uuid; N] {
    let mut ids = [Uuid::nil(); N];
    let mut number = 0;
    while number < N {
        ids[number] = Uuid::from_u128(first + number as u128);
        number += 1;
    }
    ids
}

/// The random numbers of a part of a run, determined by seed and part alone.
pub fn random(seed: u64, part: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(part);
    random
}

/// A dedup key by its number, which is also the external id and so identifies results.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub u32);

/// The expected outcome of a key's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Good,
    /// Imported, with a warning instead of a vault entry.
    ForeignVault,
    /// Fails, with 22023.
    Bad,
    /// Fails with 42501, until its owner becomes a member of its bank.
    Later,
}

impl Key {
    pub fn all() -> impl Iterator<Item = Key> {
        (0..KEYS).map(Key)
    }

    pub fn of_owner(owner: usize) -> impl Iterator<Item = Key> {
        Self::all().filter(move |key| key.owner_number() == owner)
    }

    fn owner_number(self) -> usize {
        self.0 as usize % OWNERS.len()
    }

    pub fn owner(self) -> Uuid {
        OWNERS[self.owner_number()]
    }

    pub fn source_app(self) -> &'static str {
        SOURCES[(self.0 as usize / OWNERS.len()) % SOURCES.len()]
    }

    pub fn external_id(self) -> String {
        self.0.to_string()
    }

    pub fn kind(self) -> Kind {
        match self.0 % 25 {
            3 => Kind::Bad,
            7 => Kind::ForeignVault,
            11 => Kind::Later,
            _ => Kind::Good,
        }
    }

    /// The connector record, the same each time.
    pub fn record(self) -> Value {
        // An id as a number and the same id as a string are one key.
        let external_id = if self.0.is_multiple_of(2) { json!(self.0) } else { json!(self.external_id()) };
        let mut record = json!({
            "external_id": external_id,
            "source_app": self.source_app(),
            "title": format!("Call {}", self.0),
            "full_transcript": "Ann: hello. Ben: hello, Ann. ".repeat(self.0 as usize % 40),
            "recording_start_time": "2026-01-31T09:30:00Z",
            "owner_user_id": self.owner(),
        });
        match self.kind() {
            Kind::Good => {}
            Kind::ForeignVault => record["vault_id"] = json!(FOREIGN_VAULT),
            Kind::Bad => record["duration"] = json!(-1),
            Kind::Later => {
                record["bank_id"] = json!(CLOSED_BANK);
                record["vault_id"] = json!(CLOSED_VAULT);
            }
        }
        record
    }

    /// The expected columns of the recording, except owner, source, bank and vault.
    pub fn contents(self) -> Value {
        let record = self.record();
        json!({
            "title": record["title"],
            "full_transcript": record["full_transcript"],
            "recording_start_time": "2026-01-31T09:30:00.000000",
            "source_metadata": {"external_id": self.external_id()},
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} ({} of {}, {:?})", self.0, self.source_app(), self.owner(), self.kind())
    }
}

/// One call of the API.
#[derive(Clone, Debug)]
pub enum Call {
    One(Key),
    /// run_pipeline() for several keys of one owner in a single statement.
    Each(Vec<Key>),
    Insert(Key),
    Check(Key),
    Batch {
        keys: Vec<Key>,
        job: Option<Uuid>,
        is_dry_run: bool,
    },
    Retry {
        owner: Uuid,
        source_app: &'static str,
        limit: i32,
    },
}

impl Call {
    pub fn keys(&self) -> &[Key] {
        match self {
            Call::One(key) | Call::Insert(key) | Call::Check(key) => std::slice::from_ref(key),
            Call::Each(keys) | Call::Batch { keys, .. } => keys,
            Call::Retry { .. } => &[],
        }
    }

    pub fn writes(&self) -> bool {
        !matches!(self, Call::Check(_) | Call::Batch { is_dry_run: true, .. })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::One(key) => write!(f, "run_pipeline({})", key.0),
            Call::Each(keys) => write!(f, "SELECT run_pipeline(record) FROM {} records", keys.len()),
            Call::Insert(key) => write!(f, "insert_recording({})", key.0),
            Call::Check(key) => write!(f, "check_duplicate({})", key.0),
            Call::Batch { keys, job, is_dry_run } => {
                write!(f, "run_pipeline_batch({} records, job {job:?}, dry run {is_dry_run})", keys.len())
            }
            Call::Retry { owner, source_app, limit } => {
                write!(f, "retry_failed_imports({source_app}, {owner}, {limit})")
            }
        }
    }
}

/// A call, and whether its statement also inserts the result into the ledger (see ledger.sql).
#[derive(Clone, Debug)]
pub struct Statement {
    pub call: Call,
    pub is_noted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    pub const ALL: [Isolation; 3] = [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

    pub fn sql(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }
}

/// How the savepoint around some statements ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Savepoint {
    None,
    Released,
    RolledBack,
}

#[derive(Clone, Debug)]
pub enum Transaction {
    /// A statement by itself.
    Single(Statement),
    Block {
        isolation: Isolation,
        groups: Vec<(Savepoint, Vec<Statement>)>,
        commits: bool,
    },
}

/// The caller: the service role, which bypasses the policies, or a user for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    Service,
    User(usize),
}

impl Caller {
    /// Makes every third connection a user's.
    pub fn of_connection(number: usize) -> Self {
        if number % 3 == 2 { Caller::User(number / 3 % OWNERS.len()) } else { Caller::Service }
    }
}

/// The kinds and sizes of generated transactions.
#[derive(Clone, Copy)]
pub struct Shape {
    /// How many of ten transactions are blocks of several statements.
    pub blocks_of_ten: u32,
    pub largest_batch: usize,
    /// Whether all connections use the keys in one order, to import them at the same time.
    pub is_race: bool,
}

/// Generates the transactions of one connection.
pub struct Generator {
    random: ChaCha8Rng,
    caller: Caller,
    keys: Vec<Key>,
    shape: Shape,
    /// The number of keys chosen so far.
    chosen: usize,
}

impl Generator {
    pub fn new(seed: u64, part: u64, caller: Caller, shape: Shape) -> Self {
        let keys = match caller {
            Caller::Service => Key::all().collect(),
            Caller::User(owner) => Key::of_owner(owner).collect(),
        };
        Self { random: random(seed, part), caller, keys, shape, chosen: 0 }
    }

    pub fn transaction(&mut self) -> Transaction {
        if self.random.random_range(0..10) >= self.shape.blocks_of_ten {
            return Transaction::Single(self.statement(self.shape.largest_batch));
        }
        let isolation = *Isolation::ALL.choose(&mut self.random).expect("there are three");
        let groups = (0..self.random.random_range(1..=4)).map(|_| self.group()).collect();
        Transaction::Block { isolation, groups, commits: self.random.random_bool(0.75) }
    }

    fn group(&mut self) -> (Savepoint, Vec<Statement>) {
        let savepoint = match self.random.random_range(0..4) {
            0 => Savepoint::RolledBack,
            1 => Savepoint::Released,
            _ => Savepoint::None,
        };
        // Small batches limit deadlocks between transactions that lock keys in different orders.
        (savepoint, (0..self.random.random_range(1..=2)).map(|_| self.statement(10)).collect())
    }

    fn statement(&mut self, largest_batch: usize) -> Statement {
        let call = match self.random.random_range(0..100) {
            0..25 => Call::One(self.key()),
            25..35 => self.each(largest_batch),
            35..45 => Call::Insert(self.key()),
            45..55 => Call::Check(self.key()),
            55..60 => self.batch(largest_batch, true),
            60..65 => {
                let key = self.key();
                let limit = self.random.random_range(1..20);
                Call::Retry { owner: key.owner(), source_app: key.source_app(), limit }
            }
            _ => self.batch(largest_batch, false),
        };
        // Without the ledger, failures and job counts of a batch could not be checked.
        let is_noted = match call {
            Call::One(_) | Call::Each(_) | Call::Insert(_) | Call::Check(_) => self.random.random_bool(0.5),
            Call::Batch { .. } | Call::Retry { .. } => true,
        };
        Statement { call, is_noted }
    }

    fn key(&mut self) -> Key {
        if !self.shape.is_race {
            return *self.keys.choose(&mut self.random).expect("every owner has keys");
        }
        self.chosen += 1;
        // A user's connection has an eighth of the keys, and reaches the same key as the other connections.
        let front = self.chosen * self.keys.len() / KEYS as usize + self.random.random_range(0..4);
        self.keys[front % self.keys.len()]
    }

    /// Makes a call for several keys, in the order in which batches lock keys.
    ///
    /// The locks last until the end of the statement: in another order they would deadlock with batches.
    fn each(&mut self, largest: usize) -> Call {
        let owner = self.key().owner();
        let mut keys: Vec<Key> = (0..self.random.random_range(1..=largest)).map(|_| self.key()).collect();
        keys.retain(|key| key.owner() == owner);
        keys.sort_by_key(|key| (key.source_app(), key.external_id()));
        Call::Each(keys)
    }

    fn batch(&mut self, largest: usize, is_dry_run: bool) -> Call {
        let size = self.random.random_range(1..=largest);
        let mut keys: Vec<Key> = (0..size).map(|_| self.key()).collect();
        // Repeats some keys within the batch.
        let again: Vec<Key> = keys.iter().copied().filter(|_| self.random.random_bool(0.05)).collect();
        keys.extend(again);
        keys.shuffle(&mut self.random);
        let job = match self.caller {
            _ if self.random.random_bool(0.5) => None,
            Caller::Service => JOBS.choose(&mut self.random).copied(),
            Caller::User(owner) => Some(JOBS[owner]),
        };
        Call::Batch { keys, job, is_dry_run }
    }
}
