//! Embedded stores side by side: what a commit of the server's log costs in each, in one run.
//!
//! `cargo run --release [DIR]`. A commit is what `everwire-server --data` makes of one batch of calls: so many messages of 200
//! octets, the record of one producer, the counts; atomic, and synchronised before it returns.

use std::path::Path;
use std::time::{Duration, Instant};

const MESSAGE: [u8; 200] = [b'm'; 200];
const RECORD: [u8; 120] = [b'r'; 120];
const MARKS: [u8; 48] = [b'k'; 48];
const BATCHES: [u64; 3] = [1, 16, 256];
const TIME: Duration = Duration::from_secs(4);
const RESTART_MESSAGES: u64 = 100_000;

trait Store: Sized {
    const NAME: &'static str;
    fn open(dir: &Path) -> Self;
    fn commit(&mut self, first: u64, messages: u64);
    /// Every message, as at a restart: how many, and their octets.
    fn read(&self) -> (u64, u64);
}

struct Redb(redb::Database);

const MESSAGES_OF: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("messages");
const OTHERS: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("others");

impl Store for Redb {
    const NAME: &'static str = "redb";

    fn open(dir: &Path) -> Self {
        Self(redb::Database::create(dir.join("redb")).unwrap())
    }

    fn commit(&mut self, first: u64, messages: u64) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut table = transaction.open_table(MESSAGES_OF).unwrap();
            for s in first..first + messages {
                table.insert(s, &MESSAGE[..]).unwrap();
            }
            let mut others = transaction.open_table(OTHERS).unwrap();
            others.insert(&b"record"[..], &RECORD[..]).unwrap();
            others.insert(&b"marks"[..], &MARKS[..]).unwrap();
        }
        transaction.commit().unwrap();
    }

    fn read(&self) -> (u64, u64) {
        use redb::{ReadableDatabase, ReadableTable};
        let transaction = self.0.begin_read().unwrap();
        let table = transaction.open_table(MESSAGES_OF).unwrap();
        table.iter().unwrap().fold((0, 0), |(many, octets), row| {
            (many + 1, octets + row.unwrap().1.value().len() as u64)
        })
    }
}

struct Fjall {
    db: fjall::Database,
    messages: fjall::Keyspace,
    others: fjall::Keyspace,
}

impl Store for Fjall {
    const NAME: &'static str = "fjall";

    fn open(dir: &Path) -> Self {
        let db = fjall::Database::builder(dir.join("fjall")).open().unwrap();
        let keyspace = |name| db.keyspace(name, fjall::KeyspaceCreateOptions::default).unwrap();
        Self { messages: keyspace("messages"), others: keyspace("others"), db }
    }

    fn commit(&mut self, first: u64, messages: u64) {
        let mut batch = self.db.batch().durability(Some(fjall::PersistMode::SyncData));
        for s in first..first + messages {
            batch.insert(&self.messages, s.to_be_bytes(), MESSAGE);
        }
        batch.insert(&self.others, "record", RECORD);
        batch.insert(&self.others, "marks", MARKS);
        batch.commit().unwrap();
    }

    fn read(&self) -> (u64, u64) {
        self.messages.iter().fold((0, 0), |(many, octets), row| {
            (many + 1, octets + row.into_inner().unwrap().1.len() as u64)
        })
    }
}

struct Sqlite(rusqlite::Connection);

impl Store for Sqlite {
    const NAME: &'static str = "sqlite";

    fn open(dir: &Path) -> Self {
        let connection = rusqlite::Connection::open(dir.join("sqlite")).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE IF NOT EXISTS messages (s INTEGER PRIMARY KEY, body BLOB) STRICT;
                 CREATE TABLE IF NOT EXISTS others (name BLOB PRIMARY KEY, body BLOB) STRICT, WITHOUT ROWID;",
            )
            .unwrap();
        Self(connection)
    }

    fn commit(&mut self, first: u64, messages: u64) {
        let transaction = self.0.transaction().unwrap();
        {
            let mut insert = transaction.prepare_cached("INSERT INTO messages VALUES (?1, ?2)").unwrap();
            for s in first..first + messages {
                insert.execute((s as i64, &MESSAGE[..])).unwrap();
            }
            let mut replace = transaction.prepare_cached("INSERT OR REPLACE INTO others VALUES (?1, ?2)").unwrap();
            replace.execute((&b"record"[..], &RECORD[..])).unwrap();
            replace.execute((&b"marks"[..], &MARKS[..])).unwrap();
        }
        transaction.commit().unwrap();
    }

    fn read(&self) -> (u64, u64) {
        let mut select = self.0.prepare("SELECT body FROM messages ORDER BY s").unwrap();
        let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        rows.fold((0, 0), |(many, octets), row| (many + 1, octets + row.unwrap().len() as u64))
    }
}

fn octets(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .map(|file| match file.metadata() {
            Ok(data) if data.is_dir() => octets(&file.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

fn measure<S: Store>(root: &Path) {
    let mut row = format!("{:<8}", S::NAME);
    for batch in BATCHES {
        let dir = tempfile::tempdir_in(root).unwrap();
        let mut store = S::open(dir.path());
        let (begun, mut s, mut commits) = (Instant::now(), 1, 0u32);
        let mut worst = Duration::ZERO;
        while begun.elapsed() < TIME {
            let at = Instant::now();
            store.commit(s, batch);
            worst = worst.max(at.elapsed());
            s += batch;
            commits += 1;
        }
        let per_second = f64::from(commits) / begun.elapsed().as_secs_f64();
        row += &format!(" | {per_second:>7.0}/s {:>8.0} msg/s, worst {:>5.1} ms", per_second * batch as f64, worst.as_secs_f64() * 1e3);
    }
    let dir = tempfile::tempdir_in(root).unwrap();
    let mut store = S::open(dir.path());
    for first in (1..=RESTART_MESSAGES).step_by(1000) {
        store.commit(first, 1000);
    }
    drop(store);
    let on_disk = octets(dir.path());
    let begun = Instant::now();
    let (many, read) = S::open(dir.path()).read();
    assert_eq!((many, read), (RESTART_MESSAGES, RESTART_MESSAGES * 200));
    println!("{row} | restart {:>4.0} ms | {:>5.1} MB", begun.elapsed().as_secs_f64() * 1e3, on_disk as f64 / 1e6);
}

fn main() {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    println!("commits of {BATCHES:?} messages; restart with {RESTART_MESSAGES} messages; octets on disk");
    for _ in 0..2 {
        measure::<Redb>(root.as_ref());
        measure::<Fjall>(root.as_ref());
        measure::<Sqlite>(root.as_ref());
    }
}
