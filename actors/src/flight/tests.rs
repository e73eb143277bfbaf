//! What followers of one flight see, without a runtime's help where none is needed.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::error::Stage;

fn plan(max_bytes: usize) -> FlightPlan {
    FlightPlan {
        key: Key { hash: 1, sha: [0; 32] },
        call: CallId::fresh(),
        credential: 0,
        stamps: Stamps { purge: 0, policy: 0, redaction: 0 },
        max_bytes,
        grace: Duration::ZERO,
        bytes: Gauge::default(),
    }
}

fn vetted(text: &'static [u8]) -> Vetted {
    Vetted::unchecked(Bytes::from_static(text))
}

fn poll(follower: &mut Follower) -> Option<Step> {
    match follower.poll_step(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(step) => Some(step),
        Poll::Pending => None,
    }
}

fn text(step: Option<Step>) -> String {
    match step {
        Some(Step::Piece(piece)) => String::from_utf8_lossy(&piece).into_owned(),
        Some(Step::End(Ok(_))) => "<end>".into(),
        Some(Step::End(Err(error))) => format!("<{}>", error.kind.name()),
        None => "<pending>".into(),
    }
}

fn ended() -> Result<Ending, CallError> {
    Ok(Ending { finish: Finish::default(), kept: None })
}

#[tokio::test]
async fn a_late_joiner_gets_the_whole_prefix_and_the_same_end() {
    let (flight, mut first) = Flight::start(plan(1024));
    flight.push(vetted(b"a")).await;
    assert_eq!(text(poll(&mut first)), "a");
    let mut late = flight.join(Duration::ZERO).expect("still in the air");
    flight.push(vetted(b"b")).await;
    flight.close(ended());
    for follower in [&mut first, &mut late] {
        let mut seen = Vec::new();
        loop {
            let step = text(poll(follower));
            let end = step == "<end>";
            seen.push(step);
            if end {
                break;
            }
        }
        assert!(seen.ends_with(&["b".to_owned(), "<end>".to_owned()]), "{seen:?}");
    }
}

#[tokio::test]
async fn an_outgrown_answer_is_neither_joined_nor_recorded_and_holds_only_what_is_unread() {
    let (flight, mut only) = Flight::start(plan(4));
    flight.push(vetted(b"abc")).await;
    let push = flight.push(vetted(b"def"));
    tokio::pin!(push);
    assert!(futures_util::poll!(push.as_mut()).is_pending(), "the writer is 6 bytes ahead, 4 are allowed");
    assert!(flight.join(Duration::ZERO).is_none());
    assert_eq!(text(poll(&mut only)), "abc");
    push.await;
    assert_eq!(flight.plan.bytes.get(), 3, "what everybody has read is freed");
    assert!(flight.recorded().is_none());
    assert_eq!(text(poll(&mut only)), "def");
}

#[tokio::test]
async fn the_first_end_counts_and_is_told_again_when_asked_again() {
    let (flight, mut only) = Flight::start(plan(4));
    flight.close(Err(CallError::lane_lost(Stage::Act, "flight")));
    flight.close(ended());
    assert_eq!(text(poll(&mut only)), "<lane_lost>");
    assert_eq!(text(poll(&mut only)), "<lane_lost>");
    assert!(flight.join(Duration::ZERO).is_none(), "a failed flight is not joined");
}

#[tokio::test]
async fn a_flight_without_followers_is_cancelled_and_cannot_be_joined_again() {
    let clock: ClockRef = Arc::new(crate::ports::clock::SystemClock::new());
    let (flight, only) = Flight::start(plan(4));
    let abandoned = flight.abandoned(&clock, || Some(()));
    tokio::pin!(abandoned);
    assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
    drop(only);
    abandoned.await;
    assert!(flight.join(Duration::ZERO).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_orphan_waits_out_its_grace_for_a_retry() {
    let clock: ClockRef = Arc::new(crate::ports::clock::SystemClock::new());
    let (flight, only) = Flight::start(FlightPlan { grace: Duration::from_millis(1500), ..plan(4) });
    drop(only);
    let abandoned = flight.abandoned(&clock, || Some(()));
    tokio::pin!(abandoned);
    assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
    let retry = flight.join(Duration::ZERO).expect("within the grace");
    clock.sleep_until(clock.now().plus_ms(2_000)).await;
    assert!(futures_util::poll!(abandoned.as_mut()).is_pending(), "somebody follows again");
    drop(retry);
    abandoned.await;
}
