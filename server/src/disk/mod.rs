//! The log on disk: what [`Memory`] says has changed, in one transaction of SQLite for many calls.
//!
//! SQLite because of the stores that were measured (`benches/stores`) it commits a batch fastest and in the least space,
//! and because nothing that keeps data is looked after better. It is written ahead (WAL) and synchronised before a commit
//! returns; the whole log is read at the start and answered from memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use everwire_core::Instant;
use everwire_core::engine::{
    Changes, Identity, LogEpoch, Marks, Memory, MemoryConfig, Message, Producer, Refused, Saved,
    SavedMessage, SavedRecord, Subject,
};
use everwire_host::Payload;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};

const FILE: &str = "everwire.db";
/// "EWR1": what tells our file from another program's.
const APPLICATION: i64 = 0x4557_5231;
const VERSION: i64 = 1;
/// How long another process may take to let go of the file: one that is being replaced is on its way out.
const BUSY_MAX: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE log (
        one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, grant_key BLOB NOT NULL, head INTEGER NOT NULL,
        forgotten INTEGER NOT NULL, unread INTEGER NOT NULL, uses INTEGER NOT NULL, message_octets_max INTEGER NOT NULL,
        now INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        s INTEGER PRIMARY KEY, at INTEGER NOT NULL, subject TEXT NOT NULL, tag INTEGER, binary INTEGER NOT NULL,
        octets BLOB NOT NULL
    ) STRICT;
    CREATE TABLE records (
        producer BLOB PRIMARY KEY, identity TEXT NOT NULL, anonymous INTEGER NOT NULL, inbox TEXT NOT NULL,
        link INTEGER NOT NULL, born INTEGER NOT NULL, mark INTEGER NOT NULL, floor INTEGER NOT NULL,
        refusals TEXT NOT NULL, used_at INTEGER NOT NULL, used INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE trimmed (subject TEXT PRIMARY KEY, s INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Why a log on disk cannot be used. It is left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The directory cannot be made.
    #[error("the directory of the log: {0}")]
    Directory(std::io::Error),
    /// Another process has it open.
    #[error("the log is in use by another process")]
    InUse,
    /// The file is another program's.
    #[error("{FILE} is no log of everwire-server")]
    Foreign,
    /// A newer version wrote it.
    #[error("the log has the format {0}, which a newer version of everwire-server has written")]
    Newer(i64),
    /// It is damaged.
    #[error(
        "the log is damaged: {0}; move it away to begin a new one (a backup of it would be one that has forgotten)"
    )]
    Damaged(String),
    /// The system gives no random bits for a new log's name.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
    /// Reading or writing has failed.
    #[error("the log: {0}")]
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for DiskError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::NotADatabase) => Self::Foreign,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            _ => Self::Store(error),
        }
    }
}

/// The store. It is open for one process at a time.
#[derive(Debug)]
pub(crate) struct Disk {
    connection: Connection,
}

/// A log that was opened.
pub(crate) struct Opened {
    pub(crate) memory: Memory<Payload>,
    pub(crate) disk: Disk,
    /// The key of its grants, which live as long as it. [ROOM-9]
    pub(crate) key: [u8; 32],
}

/// A key may appear in no log line. [SEC-4]
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("disk", &self.disk).field("key", &"[redacted]").finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens the log of a directory, or begins one there.
    pub(crate) fn open(directory: &Path, mut config: MemoryConfig) -> Result<Opened, DiskError> {
        config.durable = true;
        fs::create_dir_all(directory).map_err(DiskError::Directory)?;
        let mut connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(BUSY_MAX)?;
        // Held from the first transaction until the process ends, however it ends.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let begun = begin(&mut connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        if !begun {
            let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(DiskError::Damaged(found));
            }
        }
        let (epoch, key, saved) = read(&connection)?;
        let mut memory = Memory::restore(config, epoch, saved);
        memory.raise_message_octets_max(config.message_octets_max);
        memory.record_changes();
        Ok(Opened { memory, disk: Self { connection }, key })
    }

    /// Writes all of it or nothing; when this returns, it is on the disk.
    pub(crate) fn commit(&mut self, changes: &Changes<Payload>) -> Result<(), DiskError> {
        let transaction = self.connection.transaction()?;
        write(&transaction, changes)?;
        transaction.commit()?;
        Ok(())
    }
}

/// Looks whether the file is ours, and makes it so if it is new. Whether it was.
fn begin(connection: &mut Connection) -> Result<bool, DiskError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let number = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 {
        return match (application, version) {
            (APPLICATION, VERSION) => Ok(false),
            (APPLICATION, newer) => Err(DiskError::Newer(newer)),
            _ => Err(DiskError::Foreign),
        };
    }
    let (mut key, mut name) = ([0; 32], [0; 16]);
    getrandom::fill(&mut key).and_then(|()| getrandom::fill(&mut name)).map_err(DiskError::Random)?;
    transaction.execute_batch(SCHEMA)?;
    let epoch = format!("{:032x}", u128::from_be_bytes(name));
    transaction.execute("INSERT INTO log VALUES (1, ?1, ?2, 0, 0, 0, 0, 0, 0)", params![epoch, &key[..]])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(true)
}

fn write(transaction: &Transaction<'_>, changes: &Changes<Payload>) -> Result<(), rusqlite::Error> {
    let Changes { stored, discarded, records, trimmed, marks } = changes;
    let mut insert = transaction.prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for SavedMessage { at, message } in stored {
        let Message { s, subject, payload, tag } = message;
        let (subject, tag) = (subject.as_str(), tag.map(signed));
        insert.execute(params![
            signed(*s),
            signed(at.as_micros()),
            subject,
            tag,
            payload.is_binary(),
            payload.octets()
        ])?;
    }
    let mut delete = transaction.prepare_cached("DELETE FROM messages WHERE s = ?1")?;
    for s in discarded {
        delete.execute([signed(*s)])?;
    }
    let mut replace = transaction.prepare_cached(
        "INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM records WHERE producer = ?1")?;
    for (producer, record) in records {
        let Some(record) = record else {
            remove.execute([&producer.0[..]])?;
            continue;
        };
        replace.execute(params![
            &producer.0[..],
            &*record.identity.name,
            record.identity.anonymous,
            record.inbox.as_str(),
            signed(record.link),
            signed(record.born),
            signed(record.mark),
            signed(record.floor),
            refusals_text(&record.refusals),
            signed(record.used_at.as_micros()),
            signed(record.used),
        ])?;
    }
    let mut replace = transaction.prepare_cached("INSERT OR REPLACE INTO trimmed VALUES (?1, ?2)")?;
    let mut remove = transaction.prepare_cached("DELETE FROM trimmed WHERE subject = ?1")?;
    for (subject, s) in trimmed {
        match s {
            Some(s) => replace.execute(params![subject.as_str(), signed(*s)])?,
            None => remove.execute([subject.as_str()])?,
        };
    }
    let mut update = transaction.prepare_cached(
        "UPDATE log SET head = ?1, forgotten = ?2, unread = ?3, uses = ?4, message_octets_max = ?5, now = ?6",
    )?;
    let Marks { head, forgotten, unread, uses, message_octets_max, now } = *marks;
    let now = signed(now.as_micros());
    let [head, forgotten, unread, uses] = [head, forgotten, unread, uses].map(signed);
    update.execute(params![head, forgotten, unread, uses, message_octets_max, now])?;
    Ok(())
}

fn read(connection: &Connection) -> Result<(LogEpoch, [u8; 32], Saved<Payload>), DiskError> {
    let log = connection.query_row("SELECT * FROM log", [], |row| {
        let marks = Marks {
            head: number(row, "head")?,
            forgotten: number(row, "forgotten")?,
            unread: number(row, "unread")?,
            uses: number(row, "uses")?,
            message_octets_max: row.get("message_octets_max")?,
            now: Instant::from_micros(number(row, "now")?),
        };
        Ok((row.get::<_, String>("epoch")?, row.get::<_, [u8; 32]>("grant_key")?, marks))
    });
    let log = log.optional()?.ok_or_else(|| DiskError::Damaged("it has no beginning".into()))?;
    let (epoch, key, marks) = log;
    let mut select = connection.prepare("SELECT * FROM messages ORDER BY s")?;
    let messages = select.query_map([], message)?.collect::<Result<_, _>>()?;
    let mut select = connection.prepare("SELECT * FROM records")?;
    let records = select.query_map([], record)?.collect::<Result<_, _>>()?;
    let mut select = connection.prepare("SELECT * FROM trimmed")?;
    let subject = |row: &Row<'_>| Ok((Subject::from(&*row.get::<_, String>("subject")?), number(row, "s")?));
    let trimmed = select.query_map([], subject)?.collect::<Result<_, _>>()?;
    Ok((LogEpoch::from(epoch.as_str()), key, Saved { messages, records, trimmed, marks }))
}

fn message(row: &Row<'_>) -> Result<SavedMessage<Payload>, rusqlite::Error> {
    let octets = row.get_ref("octets")?.as_blob()?;
    Ok(SavedMessage {
        at: Instant::from_micros(number(row, "at")?),
        message: Message {
            s: number(row, "s")?,
            subject: Subject::from(row.get_ref("subject")?.as_str()?),
            payload: Payload::restored(octets, row.get("binary")?),
            tag: row.get::<_, Option<i64>>("tag")?.map(unsigned),
        },
    })
}

fn record(row: &Row<'_>) -> Result<(Producer, SavedRecord), rusqlite::Error> {
    let name: String = row.get("identity")?;
    let anonymous = row.get("anonymous")?;
    let record = SavedRecord {
        identity: Identity { name: name.into(), anonymous },
        inbox: Subject::from(row.get_ref("inbox")?.as_str()?),
        link: number(row, "link")?,
        born: number(row, "born")?,
        mark: number(row, "mark")?,
        floor: number(row, "floor")?,
        refusals: refusals_of(row.get_ref("refusals")?.as_str()?),
        used_at: Instant::from_micros(number(row, "used_at")?),
        used: number(row, "used")?,
    };
    Ok((Producer(row.get("producer")?), record))
}

/// `3:forbidden 7:too-large`: codes have neither spaces nor colons.
fn refusals_text(refusals: &[Refused]) -> String {
    let each: Vec<_> = refusals.iter().map(|(n, code)| format!("{n}:{}", code.as_str())).collect();
    each.join(" ")
}

fn refusals_of(text: &str) -> Vec<Refused> {
    let each = text.split_ascii_whitespace().filter_map(|one| one.split_once(':'));
    each.filter_map(|(n, code)| Some((n.parse().ok()?, code.into()))).collect()
}

fn number(row: &Row<'_>, name: &str) -> Result<u64, rusqlite::Error> {
    row.get(name).map(unsigned)
}

/// SQLite's integers are signed; the protocol's stay below 2^53. [NUM-1]
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
