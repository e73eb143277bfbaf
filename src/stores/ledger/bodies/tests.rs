//! What is kept of bodies, for whom, how long, and what is not when there is no room.

use std::collections::HashMap;
use std::time::Duration;

use tempfile::TempDir;
use tidegate_actors::ports::clock::Clock;
use tidegate_actors::sim::ManualClock;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

/// A keeper in a folder of its own, with a clock that is moved by hand and workspaces that say what they keep.
struct Bed {
    folder: TempDir,
    clock: ManualClock,
    says: Arc<Mutex<HashMap<&'static str, u32>>>,
    settings: config::Ledger,
    keeper: BodyKeeper,
}

fn keeper(
    folder: &TempDir,
    settings: &config::Ledger,
    clock: &ManualClock,
    says: &Arc<Mutex<HashMap<&'static str, u32>>>,
) -> BodyKeeper {
    let says = Arc::clone(says);
    let days: KeepDays = Arc::new(move |workspace| says.lock().get(workspace.as_str()).copied());
    let clock: ClockRef = Arc::new(clock.clone());
    let opened = BodyKeeper::open(folder.path(), settings, days, &clock, &mut Registry::default());
    opened.expect("a thread")
}

impl Bed {
    fn new(settings: config::Ledger) -> Self {
        let (folder, clock) = (tempfile::tempdir().expect("a folder"), ManualClock::new());
        let says = Arc::new(Mutex::new(HashMap::from([("one", 3), ("two", 30)])));
        Self { keeper: keeper(&folder, &settings, &clock, &says), folder, clock, says, settings }
    }

    /// As after a new start.
    fn again(&mut self) {
        self.keeper.end();
        self.keeper = keeper(&self.folder, &self.settings, &self.clock, &self.says);
    }

    /// A call of this moment, by the clock of the test.
    fn call(&self, number: u8) -> CallId {
        let ms = u64::try_from(self.clock.unix_us() / 1_000).unwrap_or_default().to_be_bytes();
        let mut bytes = [number; 16];
        bytes[..6].copy_from_slice(&ms[2..]);
        CallId::from_bytes(bytes)
    }

    fn keep(&self, workspace: &str, number: u8, request: &[u8], answer: &[&[u8]]) -> CallId {
        let call = self.call(number);
        let request = Bytes::copy_from_slice(request);
        if let Some(mut keeping) = self.keeper.begin(call, &WorkspaceId::new(workspace), &request) {
            answer.iter().for_each(|piece| keeping.add(&Bytes::copy_from_slice(piece)));
        }
        call
    }

    fn find(&self, workspace: &str, call: CallId) -> Option<(Bytes, Option<Bytes>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(self.keeper.find(call, &WorkspaceId::new(workspace)));
        let found = found.expect("readable")?;
        Some((found.request.bytes, found.answer.map(|answer| answer.bytes)))
    }

    fn files(&self, workspace: &str) -> usize {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("bodies").join(workspace)) else {
            return 0;
        };
        files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "db")).count()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.keeper.end();
    }
}

#[test]
fn what_a_workspace_keeps_is_found_by_it_alone_at_once_and_after_a_new_start() {
    let mut bed = Bed::new(config::Ledger::default());
    let long = "word ".repeat(1_000);
    let call = bed.keep("one", 1, long.as_bytes(), &[b"data: a\n\n", b"data: sk-abcdefghijklmnopqrst\n\n"]);
    let silent = bed.keep("nobody", 2, b"q", &[b"a"]);
    let refused = bed.keep("one", 3, b"q", &[]);
    for _ in 0..2 {
        let (request, answer) = bed.find("one", call).expect("it is kept");
        assert_eq!(
            (request, answer.expect("told")),
            (long.clone().into(), "data: a\n\ndata: ***\n\n".into())
        );
        assert_eq!(bed.find("two", call), None, "of another workspace");
        assert_eq!(bed.find("nobody", silent), None, "it did not say so");
        assert_eq!(bed.find("one", refused), Some(("q".into(), None)), "no answer was told");
        bed.again();
    }
}

#[test]
fn equal_bodies_of_a_workspace_lie_there_once() {
    let bed = Bed::new(config::Ledger::default());
    for number in 0..5 {
        bed.keep("one", number, b"the same question", &[b"the same answer"]);
    }
    let last = bed.keep("one", 9, b"another", &[b"the same ", b"answer"]);
    assert_eq!(bed.find("one", last), Some(("another".into(), Some("the same answer".into()))));
    let metrics = &bed.keeper.0.metrics;
    assert_eq!((metrics.kept.get(), metrics.equal.get()), (3, 9));
}

#[test]
fn what_is_too_long_or_has_no_room_is_counted_and_nobody_waits() {
    let settings =
        config::Ledger { body_max_bytes: 1_024, bodies_queue_bytes: 3_000, ..config::Ledger::default() };
    let bed = Bed::new(settings);
    let (call, workspace) = (bed.call(1), WorkspaceId::new("one"));
    let question = Bytes::from_static(b"q");
    assert!(bed.keeper.begin(call, &workspace, &Bytes::from(vec![7; 1_025])).is_none());
    let metrics = &bed.keeper.0.metrics;
    assert_eq!(metrics.too_large.get(), 1);

    let mut keeping = bed.keeper.begin(call, &workspace, &question).expect("there is room");
    (0..3).for_each(|_| keeping.add(&Bytes::from(vec![7; 500])));
    drop(keeping);
    assert_eq!(metrics.too_large.get(), 2);
    assert_eq!(bed.find("one", call), Some(("q".into(), None)), "the request is kept all the same");

    let held: Vec<_> = (2..9).map_while(|n| bed.keeper.begin(bed.call(n), &workspace, &question)).collect();
    assert_eq!((held.len(), metrics.dropped.get()), (5, 1), "so many have room");
    assert_eq!(metrics.waiting.get(), 5 * 513);
    drop(held);
    assert!(bed.find("one", bed.call(4)).is_some());
    assert_eq!(metrics.waiting.get(), 0, "all room came back");
}

#[test]
fn days_are_dropped_whole_when_their_workspace_keeps_them_no_longer() {
    let mut bed = Bed::new(config::Ledger::default());
    for number in 0..6 {
        for workspace in ["one", "two"] {
            let call = bed.keep(workspace, number, b"q", &[b"a"]);
            assert!(bed.find(workspace, call).is_some());
        }
        bed.clock.advance(DAY);
    }
    bed.again();
    let call = bed.keep("one", 9, b"q", &[]);
    assert!(bed.find("one", call).is_some());
    assert_eq!((bed.files("one"), bed.files("two")), (4, 6), "three days and today; all");

    bed.says.lock().remove("two");
    bed.again();
    let call = bed.keep("one", 10, b"q", &[]);
    assert!(bed.find("one", call).is_some());
    assert_eq!((bed.files("one"), bed.files("two")), (4, 0), "who keeps none any more has none");
}
