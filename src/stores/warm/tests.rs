//! Tests of answers in a folder: what comes back after a restart, what does not, and that a purge is for good.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::encoding::text::encode;
use tempfile::TempDir;
use tidegate_actors::call::Tags;
use tidegate_actors::ports::clock::{SystemClock, Tick};
use tidegate_actors::ports::provider::{Usage, Vector};
use tidegate_actors::{CallId, CallKind, EntryFacts, Kept, WorkspaceId};

use super::*;

const MUCH: u64 = 64 << 20;

/// A folder, opened once or several times.
struct Place {
    folder: TempDir,
    clock: ClockRef,
}

/// A store and what it counts.
struct Opened {
    warm: Warm,
    registry: Registry,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { folder, clock: Arc::new(SystemClock::new()) }
    }

    fn open_with(&self, max_bytes: u64) -> Opened {
        let mut registry = Registry::default();
        let warm = Warm::open(self.folder.path(), max_bytes, &self.clock, &mut registry);
        Opened { warm: warm.expect("the folder can be opened"), registry }
    }

    fn open(&self) -> Opened {
        self.open_with(MUCH)
    }

    fn facts(&self, name: u8) -> EntryFacts {
        let now = self.clock.now();
        EntryFacts {
            key: key(name),
            workspace: WorkspaceId::new(if name.is_multiple_of(2) { "even" } else { "odd" }),
            kind: CallKind::Embed,
            model: format!("model-{name}").into(),
            target: "up/real".into(),
            tags: Tags::from(vec![Box::from("all"), Box::from(format!("tag-{name}"))]),
            payer: CallId::fresh(),
            estimated: name.is_multiple_of(2),
            usage: Some(Usage { input: 1, cached_read: 2, cached_write: 3, output: 4, reasoning: 5 }),
            born: now,
            expires: now.plus(Duration::from_secs(60)),
        }
    }

    fn entry(&self, name: u8, kept: Kept) -> Arc<Entry> {
        Arc::new(Entry::restored(self.facts(name), kept, Duration::ZERO))
    }

    fn body(&self, name: u8) -> Arc<Entry> {
        self.entry(name, Kept::Whole(Bytes::from(vec![name; 2_000])))
    }
}

fn key(name: u8) -> Key {
    Key { hash: name.into(), sha: [name; 32] }
}

impl Opened {
    async fn read(&self, name: u8) -> Option<Arc<Entry>> {
        self.warm.read(vec![key(name)]).await.pop().flatten()
    }

    async fn purge(&self, change: impl FnOnce(&mut PurgeFilter)) -> usize {
        let mut filter = PurgeFilter::default();
        change(&mut filter);
        self.warm.forget(&filter, false).await
    }

    /// Ready when everything handed over is written.
    async fn written(&self) {
        let nothing = PurgeFilter { sha: Some([255; 32]), ..PurgeFilter::default() };
        assert_eq!(self.warm.forget(&nothing, true).await, 0);
    }

    fn count(&self, event: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("metrics can be written");
        let name = format!("tidegate_warm_events_total{{event=\"{event}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name)).expect("it is counted");
        line.parse().expect("a number")
    }
}

fn bodies(kept: &Kept) -> Vec<Bytes> {
    match kept {
        Kept::Whole(body) => vec![body.clone()],
        Kept::Events(events) => events.to_vec(),
        Kept::Row { vector, model } => {
            vec![vector.text.clone(), vector.bits.clone(), Bytes::copy_from_slice(model.as_bytes())]
        }
    }
}

#[tokio::test]
async fn every_kind_of_answer_comes_back_as_it_was_after_a_restart() {
    let place = Place::new();
    let events: Arc<[Bytes]> = [Bytes::from_static(b"data: 1\n\n"), Bytes::new()].into();
    let vector = Vector { text: Bytes::from_static(b"[0.5]"), bits: Bytes::from_static(&[0, 0, 0, 63]) };
    let kept = [
        Kept::Whole(Bytes::from("short")),
        Kept::Whole(Bytes::from("long and alike ".repeat(1_000))),
        Kept::Whole(Bytes::new()),
        Kept::Events(events),
        Kept::Row { vector, model: "m".into() },
    ];
    let entries: Vec<_> = (1..).zip(&kept).map(|(name, kept)| place.entry(name, kept.clone())).collect();
    let first = place.open();
    entries.iter().for_each(|entry| first.warm.keep(entry));
    first.warm.close();
    drop(first);

    let second = place.open();
    for (name, entry) in (1..).zip(&entries) {
        let back = second.read(name).await.expect("it is there");
        let (EntryFacts { born: _, expires, .. }, was) = (back.facts.clone(), entry.facts.clone());
        assert_eq!(
            format!("{:?}", EntryFacts { born: was.born, expires: was.expires, ..back.facts.clone() }),
            format!("{was:?}")
        );
        assert_eq!(bodies(&back.kept), bodies(&entry.kept));
        assert!(expires <= was.expires.plus_ms(1) && expires > Tick::default(), "it ends when it would have");
        assert_eq!(back.tier(), tidegate_actors::Tier::Warm);
    }
    second.written().await;
    assert!(
        second.warm.may_have(&key(1)) && !second.warm.may_have(&key(9)),
        "known without a look at the disk"
    );
    assert_eq!((second.count("hit"), second.count("corrupt")), (5, 0));
    second.warm.close();
}

#[tokio::test]
async fn a_row_that_is_not_what_was_written_is_a_miss_and_goes() {
    let place = Place::new();
    let opened = place.open();
    (1..=3).for_each(|name| opened.warm.keep(&place.body(name)));
    opened.written().await;
    let shelf = &opened.warm.0.shelf;
    shelf.overwrite(&key(1).sha, |row| *row.last_mut().expect("bytes") ^= 1);
    shelf.overwrite(&key(2).sha, |row| row.truncate(20));
    let other = shelf.find(&key(3).sha).expect("readable").expect("there");
    shelf.overwrite(&key(2).sha, |row| row.splice(12.., other).for_each(drop)); // whole, but of another key
    assert!(opened.read(1).await.is_none() && opened.read(2).await.is_none());
    assert!(opened.read(3).await.is_some());
    assert_eq!(opened.count("corrupt"), 2);
    opened.written().await;
    assert!(!opened.warm.may_have(&key(1)), "it was taken out");
    opened.warm.close();
}

#[tokio::test]
async fn the_oldest_leave_when_there_are_too_many_bytes_and_an_answer_counts_once() {
    let place = Place::new();
    let opened = place.open_with(10_000);
    let random = |name: u8| {
        let mut rng = fastrand::Rng::with_seed(name.into());
        let body: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(2_000).collect();
        place.entry(name, Kept::Whole(Bytes::from(body)))
    };
    for name in [1, 2, 3, 1, 1, 1, 4] {
        opened.warm.keep(&random(name));
        opened.written().await;
    }
    let mut left = Vec::new();
    for name in 1..=4 {
        left.push(opened.read(name).await.is_some());
    }
    assert_eq!(left, [true, false, true, true], "2 was the oldest, as 1 came again");
    assert_eq!(opened.count("evicted"), 1);
    opened.warm.close();
    drop(opened);
    let again = place.open_with(1);
    again.written().await;
    assert_eq!(again.count("evicted"), 3, "a smaller budget is kept from the start");
    again.warm.close();
}

#[tokio::test]
async fn a_purge_takes_what_it_means_also_what_was_handed_over_a_moment_ago_and_for_good() {
    let place = Place::new();
    let opened = place.open();
    (1..=6).for_each(|name| opened.warm.keep(&place.body(name)));
    assert_eq!(opened.purge(|filter| filter.tag = Some("tag-3".into())).await, 1);
    assert_eq!(opened.purge(|filter| filter.workspace = Some(WorkspaceId::new("even"))).await, 3);
    assert_eq!(opened.purge(|filter| filter.sha = Some(key(5).sha)).await, 1);
    assert_eq!(opened.purge(|filter| filter.model = Some("none".into())).await, 0);
    opened.warm.close();
    drop(opened);
    let again = place.open();
    let mut left = Vec::new();
    for name in 1..=6 {
        left.extend(again.read(name).await.map(|_| name));
    }
    assert_eq!(left, [1]);
    assert_eq!(again.purge(|filter| filter.model = Some("up/real".into())).await, 1, "by its target");
    again.warm.close();
}

/// A purge the disk refused left answers that the next process would have told.
#[tokio::test]
async fn a_folder_whose_purge_failed_is_emptied_at_the_next_start() {
    let place = Place::new();
    let opened = place.open();
    opened.warm.keep(&place.body(1));
    opened.written().await;
    opened.warm.close();
    assert!(!opened.warm.may_have(&key(1)), "nothing is told without its thread");
    assert_eq!(opened.purge(|_| ()).await, 0, "which is gone");
    drop(opened);
    let again = place.open();
    assert!(again.read(1).await.is_none());
    again.written().await;
    assert!(!again.warm.may_have(&key(1)));
    again.warm.close();
}

#[tokio::test]
async fn an_answer_whose_time_is_over_is_none_and_is_not_counted_after_a_restart() {
    let place = Place::new();
    let now = place.clock.now();
    let short = EntryFacts { expires: now.plus_ms(1), ..place.facts(1) };
    let bytes =
        row::encode(&short, &Kept::Whole(Bytes::from("x")), row::Times { born_us: 0, expires_us: 1_000 });
    let at = |unix_us| row::decode(&bytes, &key(1), Now { tick: now, unix_us });
    assert_eq!(at(1_000).err(), Some(Fault::Over));
    let half = at(500).expect("its time is not over");
    assert_eq!(
        (half.facts.expires.since(now), half.age(now)),
        (Duration::from_micros(500), Duration::from_micros(500))
    );
    let set_back = at(-9_000_000).expect("a clock that was set back ends nothing");
    assert_eq!(
        set_back.facts.expires.since(now),
        Duration::from_micros(1_000),
        "nor does it lengthen a life"
    );

    let opened = place.open();
    let over = Arc::new(Entry::restored(
        EntryFacts { expires: now, ..short },
        Kept::Whole(Bytes::new()),
        Duration::ZERO,
    ));
    opened.warm.keep(&over);
    opened.written().await;
    assert!(opened.read(1).await.is_none());
    opened.warm.close();
}

#[test]
fn more_than_may_wait_is_not_taken_and_a_purge_always_is() {
    let place = Place::new();
    let queue = Queue::default();
    let big = place.entry(1, Kept::Whole(Bytes::from(vec![0; 1 << 20])));
    let taken = (0..100).take_while(|_| queue.put(Job::Keep(Arc::clone(&big)))).count();
    assert!(((queue::MOST_BYTES >> 20) - 1..100).contains(&taken), "{taken}");
    let (reply, _answer) = oneshot::channel();
    assert!(queue.put(Job::Forget { filter: PurgeFilter::default(), dry_run: true, reply }));
    assert_eq!(queue.take().expect("jobs").len(), taken + 1);
    assert!(queue.put(Job::Keep(big)), "there is room again");
    queue.end();
    assert!(!queue.put(Job::Remove([0; 32])));
}
