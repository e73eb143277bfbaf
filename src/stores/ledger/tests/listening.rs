//! Who listens to calls as they are told: what a slow one loses, what is sampled, and that nobody is held up.

use futures_util::{FutureExt, StreamExt};
use tidegate_actors::ports::books::{Heard, Listening};
use tidegate_actors::sim::ManualClock;

use super::super::tail::Tail;
use super::*;

/// A tail with a clock that is moved by hand, and rows to show.
struct Shore {
    clock: ManualClock,
    tail: Tail,
    scribe: Scribe,
}

impl Shore {
    fn new() -> Self {
        let clock = ManualClock::new();
        let scribe = Scribe { prices: Prices::default().into(), config: "v".into() };
        Self { tail: Tail::new(Arc::new(clock.clone())), clock, scribe }
    }

    fn show(&self, record: &CallRecord) {
        let mut row = Vec::new();
        self.scribe.call(record, &mut row);
        self.tail.show(&row);
    }

    fn listen(&self) -> Listening {
        self.tail.listen(Some(WorkspaceId::default_workspace()), all()).expect("there is room")
    }
}

/// What waits to be heard.
fn heard(listening: &mut Listening) -> Vec<Heard> {
    std::iter::from_fn(|| listening.next().now_or_never().flatten()).collect()
}

fn calls(heard: &[Heard]) -> usize {
    heard.iter().filter(|heard| matches!(heard, Heard::Call(_))).count()
}

#[test]
fn who_is_too_slow_loses_calls_and_hears_how_many() {
    let shore = Shore::new();
    let mut listening = shore.listen();
    for _ in 0..2_000 {
        shore.clock.advance_ms(10);
        shore.show(&record());
    }
    let told = heard(&mut listening);
    let [Heard::Lost(lost), rest @ ..] = told.as_slice() else { panic!("{:?}", told.first()) };
    assert_eq!(calls(rest), rest.len());
    assert_eq!(*lost as usize + rest.len(), 2_000, "each is heard or counted");
    assert!((50..1_000).contains(&rest.len()), "as many as have room: {}", rest.len());
    shore.show(&record());
    assert_eq!(calls(&heard(&mut listening)), 1, "there is room again");
}

#[test]
fn of_too_many_calls_in_a_second_some_are_heard_and_it_is_said_of_how_many() {
    let shore = Shore::new();
    let mut listening = shore.listen();
    (0..1_000).for_each(|_| shore.show(&record()));
    assert_eq!(calls(&heard(&mut listening)), 200);
    shore.clock.advance_ms(1_000);
    assert_eq!(
        heard(&mut listening),
        [Heard::Sampled { told: 1_000, heard: 200 }],
        "also if nothing follows"
    );
}

#[test]
fn only_calls_that_are_wanted_are_heard_and_nobody_listens_who_has_left() {
    let shore = Shore::new();
    let mut own = shore.listen();
    let wanted = Wanted { model: Some("m2".into()), ..all() };
    let mut everybody = shore.tail.listen(None, wanted).expect("there is room");
    assert_eq!(shore.tail.listeners(), 2);
    shore.show(&record());
    shore.show(&CallRecord { workspace: WorkspaceId::new("other"), model: "m2".into(), ..record() });
    assert_eq!((calls(&heard(&mut own)), calls(&heard(&mut everybody))), (1, 1));
    drop(own);
    assert_eq!(shore.tail.listeners(), 1);

    let crowd: Vec<_> = (0..16).map(|_| shore.listen()).collect();
    let refused = shore.tail.listen(Some(WorkspaceId::default_workspace()), all()).err();
    assert_eq!(refused.map(|crowded| crowded.limit), Some(16), "of one workspace");
    assert!(shore.tail.listen(Some(WorkspaceId::new("other")), all()).is_ok(), "others have room");
    drop(crowd);

    shore.show(&CallRecord { model: "m2".into(), ..record() });
    shore.tail.end();
    assert!(matches!(everybody.next().now_or_never(), Some(Some(Heard::Call(_)))), "what waited is heard");
    assert_eq!(everybody.next().now_or_never(), Some(None), "and then the end");
    assert_eq!(shore.listen().next().now_or_never(), Some(None));
}
