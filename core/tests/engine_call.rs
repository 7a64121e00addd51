//! A call is a value: it can be carried out at once, late, twice or never.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

fn claim() -> Call<Body> {
    Call::Claim(Claim {
        producer: producer(1),
        identity: Identity::named("ann"),
        inbox: inbox(1),
        link: 3,
        oldest: 1,
        written: 0,
        born: None,
    })
}

fn every_call(bench: &Bench) -> Vec<Call<Body>> {
    let (epoch, fence) = (bench.epoch.clone(), bench.fence(1, 3, 1));
    let filter = filter(&[("a", 0)]);
    vec![
        claim(),
        Call::Append { fence: fence.clone(), n: 1, batch: posts("a", 1..=2).into() },
        Call::Refuse { fence, n: 3, code: code("forbidden") },
        Call::Read {
            epoch: epoch.clone(),
            filter: filter.clone(),
            span: ALL,
            limit: UNLIMITED,
            direction: Direction::Downwards,
        },
        Call::Tail {
            epoch: epoch.clone(),
            filter: filter.clone(),
            cursor: Cursor::after(1),
            limit: UNLIMITED,
        },
        Call::Trimmed { epoch: epoch.clone(), filter },
        Call::Publish { epoch, cast: post("a", 9) },
        Call::Forget { producer: producer(1) },
    ]
}

/// Each reaches the method of its name with its arguments, and its answer is that method's.
#[test]
fn a_call_does_what_its_method_does() {
    let (mut called, mut direct) = (Bench::new(), Bench::new());
    let calls = every_call(&called);
    let now = direct.now;
    let (fence, epoch, of) = (direct.fence(1, 3, 1), direct.epoch.clone(), filter(&[("a", 0)]));
    let Call::Claim(claim) = claim() else { panic!() };
    let mut cursor = Cursor::after(1);
    let engine = &mut direct.engine;
    let expected = vec![
        Answer::Claim(engine.claim(&claim, now)),
        Answer::Append(engine.append(&fence, 1, &posts("a", 1..=2), now)),
        Answer::Refuse(engine.refuse(&fence, 3, &code("forbidden"), now)),
        Answer::Read(engine.read(&epoch, &of, ALL, UNLIMITED, Direction::Downwards, now)),
        Answer::Tail(
            engine.tail(&epoch, &of, &mut cursor, UNLIMITED, now).map(|tailed| (tailed, cursor.clone())),
        ),
        Answer::Trimmed(engine.trimmed(&epoch, &of, now)),
        Answer::Publish(engine.publish(&epoch, post("a", 9), now)),
        Answer::Forget(engine.forget(&producer(1), now)),
    ];
    let mut answers = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        answers.push(call.carry_out(&mut called.engine, called.now));
        if at == 2 {
            assert_eq!(called.engine.memory_use().refusals, 1);
        }
    }
    assert_eq!(answers, expected);
    assert!(matches!(&answers[4], Answer::Tail(Ok((Tailed::Step { interval, .. }, cursor)))
        if numbers(&interval.messages) == [2] && cursor.position == 2));
    assert_eq!(called.engine.memory_use(), direct.engine.memory_use());
    assert_eq!((called.engine.memory_use().casts, called.engine.memory_use().records), (1, 0));
}

/// [ENG-5] Carried out twice, as over a network that repeats.
#[test]
fn a_call_that_is_carried_out_twice_does_no_more_than_once() {
    let mut bench = Bench::new();
    let calls = every_call(&bench);
    let mut answers = Vec::new();
    for call in &calls[..6] {
        answers.push(call.carry_out(&mut bench.engine, bench.now));
    }
    let before = bench.engine.memory_use();
    for (call, first) in calls[1..6].iter().zip(&answers[1..]) {
        let again = call.carry_out(&mut bench.engine, bench.now);
        match call {
            Call::Append { .. } => {
                assert!(matches!(again, Answer::Append(Ok(Appended::Duplicate { mark: 3, .. }))))
            }
            Call::Refuse { .. } => {
                assert!(matches!(again, Answer::Refuse(Ok(RefusalAnswer::Duplicate { mark: 3, .. }))))
            }
            _ => assert_eq!(again, *first),
        }
    }
    assert_eq!(bench.engine.memory_use(), before);
    assert_eq!(calls[0].carry_out(&mut bench.engine, bench.now), Answer::Claim(Ok(Claimed::Fenced)));
}

#[test]
fn a_call_that_nobody_answers_says_so_in_its_own_kind() {
    let bench = Bench::new();
    let calls = every_call(&bench);
    let unanswered: Vec<_> = calls.iter().map(Call::unanswered).collect();
    let failure = Failure::Unanswered;
    let expected = vec![
        Answer::Claim(Err(failure)),
        Answer::Append(Err(failure)),
        Answer::Refuse(Err(failure)),
        Answer::Read(Err(failure)),
        Answer::Tail(Err(failure)),
        Answer::Trimmed(Err(failure)),
        Answer::Publish(Err(failure)),
        Answer::Forget(Err(failure)),
    ];
    assert_eq!(unanswered, expected);
}

/// Each call carries its own filter: a clone that copied 257 subjects would be the dearest part of it.
#[test]
fn a_filter_is_shared_until_one_of_its_clones_changes() {
    let first = filter(&[("a", 1), ("b", 2)]);
    let mut second = first.clone();
    second.insert("a".into(), 7);
    second.remove(&"b".into());
    second.remove(&"nobody".into());
    assert_eq!(first, filter(&[("a", 1), ("b", 2)]));
    assert_eq!(second, filter(&[("a", 7)]));
}
