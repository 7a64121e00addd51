//! What was committed is there after whatever happens; what is no log of ours is left alone.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use everwire_core::engine::{
    Call, Claim, Claimed, Direction, Engine, Fence, Filter, Limit, Post, Read, Span,
};
use tempfile::TempDir;

use super::*;

const NOW: Instant = Instant::from_micros(1_700_000_000_000_000);
const CHILD: &str = "EVERWIRE_DISK_TEST_CHILD";
const PRODUCER: Producer = Producer([7; 16]);
const ROOMS: [&str; 2] = ["room a", "room b"];
const ALL: Limit = Limit { messages: usize::MAX, octets: u64::MAX };

fn claim(link: u64, mark: u64) -> Claim {
    Claim {
        producer: PRODUCER,
        identity: Identity::named("user_ann"),
        inbox: "_inbox".into(),
        link,
        oldest: 1,
        written: mark,
        born: (mark > 0).then_some(1),
    }
}

fn claimed(memory: &mut Memory<Payload>, claim: &Claim) -> (Fence, u64) {
    let Ok(Claimed::Claimed { mark, epoch, durable, .. }) = memory.claim(claim, NOW) else {
        panic!("no claim")
    };
    assert!(durable);
    (Fence { epoch, producer: PRODUCER, link: claim.link, oldest: 1 }, mark)
}

fn post(n: u64) -> Post<Payload> {
    let subject = Subject::from(ROOMS[usize::from(n.is_multiple_of(2))]);
    let payload = if n.is_multiple_of(3) {
        Payload::binary("{\"type\":\"file\"}", &n.to_be_bytes())
    } else {
        Payload::text(&format!("{{\"type\":\"text\",\"content\":{n}}}"))
    };
    Post::new(subject, payload)
}

fn append(memory: &mut Memory<Payload>, fence: &Fence, n: u64, many: u64) {
    let batch: Vec<_> = (n..n + many).map(post).collect();
    Call::Append { fence: fence.clone(), n, batch: batch.into() }.carry_out(memory, NOW);
}

/// Everything of these rooms above `after`.
fn messages(memory: &mut Memory<Payload>, rooms: &[&str], after: u64) -> Vec<Message<Payload>> {
    let filter = rooms.iter().fold(Filter::new(), |filter, room| filter.with((*room).into(), 0));
    let (epoch, span) = (memory.epoch().clone(), Span { after, before: u64::MAX });
    match memory.read(&epoch, &filter, span, ALL, Direction::Upwards, NOW) {
        Ok(Read::Interval(interval)) => interval.messages,
        other => panic!("{other:?}"),
    }
}

fn open(dir: &TempDir) -> Result<Opened, DiskError> {
    Disk::open(dir.path(), MemoryConfig::default())
}

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join(FILE)
}

/// [ENG-1] [ENG-3]
#[test]
fn a_log_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { mut memory, mut disk, key } = open(&dir).unwrap();
    let (fence, _) = claimed(&mut memory, &claim(1, 0));
    append(&mut memory, &fence, 1, 10);
    let code = everwire_core::engine::RefusalCode::from("forbidden");
    memory.refuse(&fence, 11, &code, NOW).unwrap();
    memory.trim(&"room b".into(), NOW);
    disk.commit(&memory.take_changes()).unwrap();
    let before = messages(&mut memory, &["room a"], 0);
    let epoch = memory.epoch().clone();
    drop((memory, disk));

    let Opened { mut memory, key: same, .. } = open(&dir).unwrap();
    assert_eq!((memory.epoch(), memory.head(), key), (&epoch, 10, same));
    assert_eq!(messages(&mut memory, &["room a"], 0), before);
    assert_eq!(before.len(), 5);
    let filter = Filter::new().with("room a".into(), 0).with("room b".into(), 0);
    let trimmed = memory.trimmed(&epoch, &filter, NOW).unwrap();
    assert_eq!(trimmed, [("room a".into(), 0), ("room b".into(), 10)]);
    let Ok(Claimed::Claimed { mark, refusals, .. }) = memory.claim(&claim(2, 11), NOW) else { panic!() };
    assert_eq!((mark, refusals), (11, vec![(11, code)]));
}

/// [LIM-23] What is stored stays readable, whatever the next start says.
#[test]
fn the_limit_of_messages_never_falls() {
    let dir = tempfile::tempdir().unwrap();
    let with = |octets| MemoryConfig { message_octets_max: octets, ..MemoryConfig::default() };
    let Opened { mut memory, mut disk, .. } = Disk::open(dir.path(), with(1 << 20)).unwrap();
    claimed(&mut memory, &claim(1, 0));
    disk.commit(&memory.take_changes()).unwrap();
    drop((memory, disk));
    assert_eq!(Disk::open(dir.path(), with(1 << 10)).unwrap().memory.message_octets_max(), 1 << 20);
    assert_eq!(Disk::open(dir.path(), with(1 << 22)).unwrap().memory.message_octets_max(), 1 << 22);
}

/// The other end of [`a_kill_at_any_moment_takes_nothing_that_was_acknowledged`]: commits without end, and says how far
/// it has come after each. By itself it does nothing.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let Opened { mut memory, mut disk, .. } =
        Disk::open(dir.as_ref(), MemoryConfig { messages_max: 300, ..MemoryConfig::default() }).unwrap();
    let head = memory.head();
    // The head is the mark, for nobody else writes here; and each link is above the one before.
    let (fence, mut mark) = claimed(&mut memory, &claim(head + 1, head));
    loop {
        let many = 1 + mark % 40;
        append(&mut memory, &fence, mark + 1, many);
        mark += many;
        disk.commit(&memory.take_changes()).unwrap();
        println!("committed {mark}.");
        std::io::stdout().flush().unwrap();
    }
}

fn start(dir: &TempDir) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "disk::tests::child", "--nocapture"]).env(CHILD, dir.path());
    command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap()
}

/// [ENG-4]
#[test]
fn a_kill_at_any_moment_takes_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..20u64 {
        let mut child = start(&dir);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| {
            let (_, rest) = line.split_once("committed ")?;
            rest.strip_suffix('.')?.parse::<u64>().ok()
        });
        // Another number of commits each time; the kill falls somewhere in the next one.
        let acknowledged = told.take(1 + (round * 7 % 23) as usize).last().expect("the child says nothing");
        child.kill().unwrap();
        child.wait().unwrap();
        let config = MemoryConfig { messages_max: 300, ..MemoryConfig::default() };
        let Opened { mut memory, .. } = Disk::open(dir.path(), config).unwrap();
        let head = memory.head();
        assert!(acknowledged > before && head >= acknowledged, "{head} of {acknowledged}");
        let (_, mark) = claimed(&mut memory, &claim(head + 1, head + 100));
        assert_eq!(mark, head, "mark and messages are one step");
        let kept = messages(&mut memory, &ROOMS, head.saturating_sub(300));
        assert_eq!(kept.len() as u64, head.min(300), "nothing is missing and nothing is too much");
        for (message, s) in kept.iter().zip(head.saturating_sub(300) + 1..) {
            assert_eq!((message.s, &message.payload), (s, &post(s).payload));
        }
        before = head;
    }
}

#[test]
fn a_second_process_is_told_that_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(&dir);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("committed")));
    assert!(matches!(open(&dir), Err(DiskError::InUse)));
    child.kill().unwrap();
    child.wait().unwrap();
    let Opened { memory, .. } = open(&dir).unwrap();
    assert!(memory.head() > 0);
}

#[test]
fn what_is_no_log_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        file(&dir),
        "a shopping list, longer than the head of a database file would be, so that it is read",
    )
    .unwrap();
    assert!(matches!(open(&dir), Err(DiskError::Foreign)));
    assert!(fs::read_to_string(file(&dir)).unwrap().starts_with("a shopping list"));

    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(file(&dir)).unwrap();
    other.execute_batch("CREATE TABLE shopping (what TEXT)").unwrap();
    drop(other);
    assert!(matches!(open(&dir), Err(DiskError::Foreign)));

    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir).unwrap());
    let newer = Connection::open(file(&dir)).unwrap();
    newer.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(newer);
    assert!(matches!(open(&dir), Err(DiskError::Newer(2))));

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(matches!(
        Disk::open(&dir.path().join("file"), MemoryConfig::default()),
        Err(DiskError::Directory(_))
    ));
}

#[test]
fn a_damaged_log_is_no_empty_log() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { mut memory, mut disk, .. } = open(&dir).unwrap();
    let (fence, _) = claimed(&mut memory, &claim(1, 0));
    for n in (1..2_000).step_by(100) {
        append(&mut memory, &fence, n, 100);
        disk.commit(&memory.take_changes()).unwrap();
    }
    drop((memory, disk));
    let mut octets = fs::read(file(&dir)).unwrap();
    let middle = octets.len() / 2 / 4096 * 4096;
    octets[middle..middle + 4096].fill(0xa5);
    fs::write(file(&dir), octets).unwrap();
    let error = open(&dir).unwrap_err();
    assert!(matches!(error, DiskError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
}

/// [SEC-4]
#[test]
fn no_error_and_no_debug_holds_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(&dir).unwrap();
    let printed = format!("{opened:?}");
    let key = format!("{:?}", opened.key);
    assert!(!printed.contains(&key), "{printed}");
}
