//! Behaviour of the journal: order, refusals, what survives what, and faults of its storage.

pub(in crate::stores) mod shaky;
mod tree;

use std::io::ErrorKind;
use std::sync::atomic::AtomicU32;

use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_actors::ports::clock::SystemClock;

use super::*;
use shaky::Shaky;

const RULES: Rules = Rules { queue_rows: 8, sync: Duration::from_millis(1), max_bytes: 1 << 30 };

struct Bed {
    storage: Arc<Shaky>,
    folder: TempDir,
    journal: Journal,
}

impl Bed {
    fn new() -> Self {
        Self::over(Arc::default(), tempfile::tempdir().expect("a folder"))
    }

    fn over(storage: Arc<Shaky>, folder: TempDir) -> Self {
        Self::with(RULES, storage, folder)
    }

    fn with(rules: Rules, storage: Arc<Shaky>, folder: TempDir) -> Self {
        let (berths, _) = Berths::open(&folder.path().join("open"), 4).expect("berths");
        let clock: ClockRef = Arc::new(SystemClock::new());
        let journal = Journal::start(Arc::clone(&storage) as Arc<dyn Storage>, berths, rules, clock);
        Self { storage, folder, journal: journal.expect("a journal") }
    }

    fn push(&self, number: u32) {
        self.journal.reserve().expect("a place");
        self.journal.push(&number.to_le_bytes(), None);
    }

    fn written(&self) -> bool {
        self.journal.written().blocking_recv().is_ok()
    }

    fn numbers(&self) -> Vec<u32> {
        numbers(&*self.storage)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.journal.end();
    }
}

fn numbers(storage: &dyn Storage) -> Vec<u32> {
    let groups = storage.read(0, usize::MAX).expect("groups");
    let of = |group: &Group| -> Vec<u32> {
        let numbers = group.bytes.chunks_exact(4).filter_map(|bytes| bytes.try_into().ok());
        numbers.map(u32::from_le_bytes).collect()
    };
    groups.iter().flat_map(of).collect()
}

#[test]
fn rows_of_many_threads_are_all_there_and_in_the_order_of_each() {
    let bed = Bed::new();
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    while bed.journal.reserve().is_err() {
                        thread::yield_now();
                    }
                    bed.journal.push(&(next.fetch_add(1, Ordering::Relaxed)).to_le_bytes(), None);
                }
            });
        }
    });
    assert!(bed.written());
    let mut numbers = bed.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
    assert_eq!(bed.journal.waiting(), (0, 8), "every place came back");
}

#[test]
fn one_row_more_than_there_are_places_is_refused_and_none_is_lost() {
    let bed = Bed::new();
    bed.storage.hold(true);
    (0..8).for_each(|number| bed.push(number));
    assert_eq!(bed.journal.reserve(), Err(Refusal::Full { rows: 8 }));
    bed.storage.hold(false);
    assert!(bed.written());
    bed.push(8);
    assert!(bed.written());
    assert_eq!(bed.numbers(), (0..9).collect::<Vec<_>>());
}

#[test]
fn a_row_that_may_be_left_out_finds_a_place_while_half_of_them_are_free() {
    let bed = Bed::new();
    bed.storage.hold(true);
    (0..4).for_each(|number| bed.push(number));
    assert_eq!(bed.journal.reserve_spare(), Err(Refusal::Full { rows: 4 }));
    assert_eq!(bed.journal.waiting(), (4, 8), "it took none");
    bed.push(4);
    bed.storage.hold(false);
    assert!(bed.written());
    assert_eq!(bed.journal.reserve_spare(), Ok(()));
    bed.journal.give_back();

    let few = Rules { max_bytes: 40, ..RULES };
    let bed = Bed::with(few, Arc::default(), tempfile::tempdir().expect("a folder"));
    (0..5).for_each(|number| bed.push(number));
    assert!(bed.written());
    assert_eq!(bed.journal.reserve_spare(), Err(Refusal::Behind { bytes: 20 }));
    bed.push(5);
}

#[test]
fn what_is_written_survives_a_kill_and_what_is_synced_a_power_cut() {
    let bed = Bed::new();
    bed.push(1);
    assert!(bed.journal.synced().blocking_recv().is_ok());
    bed.storage.hold_sync(true);
    bed.push(2);
    assert!(bed.written());

    assert_eq!(numbers(&bed.storage.after_kill()), [1, 2]);
    assert_eq!(numbers(&bed.storage.after_power_cut()), [1]);
    bed.storage.hold_sync(false);
    assert!(bed.journal.synced().blocking_recv().is_ok());
    assert_eq!(numbers(&bed.storage.after_power_cut()), [1, 2]);
}

#[test]
fn a_full_disk_refuses_newcomers_and_writes_what_waited_when_there_is_room_again() {
    let bed = Bed::new();
    bed.push(1);
    assert!(bed.written());
    bed.storage.fail(Some(ErrorKind::StorageFull));
    bed.push(2);
    assert!(!bed.written(), "who waits is told that it is in vain");
    let refused = bed.journal.reserve().expect_err("nothing can be written");
    assert!(matches!(&refused, Refusal::Failing { why } if why.contains("full")), "{refused:?}");
    assert_eq!(bed.numbers(), [1], "nothing is half written");

    bed.storage.fail(None);
    assert!(bed.written(), "asked, it does not wait for its next try");
    assert_eq!(bed.numbers(), [1, 2]);
    assert_eq!(bed.journal.failure(), None);
    bed.push(3);
    assert!(bed.written());
    assert_eq!(bed.numbers(), [1, 2, 3]);
}

#[test]
fn a_group_that_was_written_although_its_write_failed_is_not_there_twice() {
    let bed = Bed::new();
    bed.storage.fail_after_writing(true);
    bed.push(1);
    assert!(!bed.written());
    bed.storage.fail_after_writing(false);
    assert!(bed.written());
    bed.push(2);
    assert!(bed.written());
    assert_eq!(bed.numbers(), [1, 2]);
}

#[test]
fn a_new_journal_goes_on_behind_what_the_storage_holds_and_an_ended_one_has_written_all() {
    let mut bed = Bed::new();
    for number in 0..3 {
        bed.push(number);
        bed.journal.end();
        let (storage, folder) = (Arc::clone(&bed.storage), tempfile::tempdir().expect("a folder"));
        assert_eq!(numbers(&storage.after_power_cut()).len(), number as usize + 1);
        bed = Bed::over(storage, folder);
    }
    assert_eq!(bed.numbers(), [0, 1, 2]);
}

#[test]
fn a_berth_is_read_after_a_kill_until_a_row_has_freed_it_and_it_is_cleared() {
    let bed = Bed::new();
    let left = |bed: &Bed| Berths::open(&bed.folder.path().join("open"), 4).expect("berths").1;
    let berth = bed.journal.moor(b"opened").expect("a berth");
    assert_eq!(left(&bed), [b"opened".to_vec()]);

    bed.journal.reserve().expect("a place");
    bed.journal.push(&1_u32.to_le_bytes(), Some(berth));
    assert!(bed.written());
    bed.journal.forget(0);
    assert!(bed.written());
    assert_eq!(left(&bed), Vec::<Vec<u8>>::new());
}

#[test]
fn more_bytes_than_may_be_kept_are_refused_until_some_are_forgotten() {
    let rules = Rules { max_bytes: 12, ..RULES };
    let (storage, folder) = (Arc::new(Shaky::default()), tempfile::tempdir().expect("a folder"));
    storage.append(0, &[0; 8]).expect("from before");
    let bed = Bed::with(rules, storage, folder);
    assert_eq!(bed.journal.kept(), (8, 12));
    bed.push(1);
    assert!(bed.written());
    assert_eq!(bed.journal.reserve(), Err(Refusal::Behind { bytes: 12 }));
    bed.journal.forget(1);
    assert!(bed.written());
    bed.push(2);
    assert!(bed.written());
    assert_eq!((bed.numbers(), bed.journal.kept()), (vec![1, 2], (8, 12)));
}

#[test]
fn berths_run_out_and_come_back() {
    let bed = Bed::new();
    let berths: Vec<u32> = (0..4).map(|_| bed.journal.moor(b"x").expect("a berth")).collect();
    assert_eq!(bed.journal.moor(b"x"), Err(Refusal::Full { rows: 4 }));
    for berth in berths {
        bed.journal.reserve().expect("a place");
        bed.journal.push(&0_u32.to_le_bytes(), Some(berth));
    }
    assert!(bed.written());
    assert!(bed.journal.moor(b"x").is_ok());
}

/// What a power cut tears is known by its checksum.
#[test]
fn a_torn_berth_counts_as_empty_and_its_neighbours_stay() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("open");
    let (berths, _) = Berths::open(&path, 3).expect("berths");
    let places: Vec<u32> = [b"one", b"two"].map(|bytes| berths.moor(bytes).expect("a berth")).into();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.write_all_at(b"X", u64::from(places[0]) * 1_024 + 11).expect("torn");
    assert_eq!(Berths::open(&path, 3).expect("berths").1, [b"two".to_vec()]);
    assert_eq!(Berths::open(&path, 1).expect("berths").1, [b"two".to_vec()], "also when there are fewer now");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever fails in between, what was pushed is there once and in order.
    #[test]
    fn any_faults_lose_nothing_and_double_nothing(steps in prop::collection::vec(0..5_u8, 1..24)) {
        let bed = Bed::new();
        let mut pushed = 0;
        for step in steps {
            match step {
                0 => bed.storage.fail(Some(ErrorKind::StorageFull)),
                1 => bed.storage.fail_after_writing(true),
                2 => {
                    bed.storage.fail(None);
                    bed.storage.fail_after_writing(false);
                    prop_assert!(bed.written());
                }
                _ => if bed.journal.reserve().is_ok() {
                    bed.journal.push(&u32::to_le_bytes(pushed), None);
                    pushed += 1;
                }
            }
        }
        bed.storage.fail(None);
        bed.storage.fail_after_writing(false);
        prop_assert!(bed.written());
        prop_assert_eq!(bed.numbers(), (0..pushed).collect::<Vec<_>>());
    }
}
