//! Groups in fjall's files: what stays of them, whatever becomes of the files.

use std::path::{Path, PathBuf};

use super::*;

#[test]
fn a_tree_keeps_its_groups_over_a_new_start_and_forgets_those_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows");
    let tree = Tree::open(&path).expect("a tree");
    assert_eq!((tree.last().expect("read"), tree.read(0, 9).expect("read")), (None, Vec::new()));
    for number in 0..300 {
        tree.append(number, &[number as u8; 5]).expect("written");
    }
    tree.append(299, &[43; 5]).expect("the same again");
    tree.sync().expect("synced");
    assert!(Tree::open(&path).is_err(), "one process at a time");
    drop(tree);

    let tree = Tree::open(&path).expect("a tree");
    assert_eq!(tree.last().expect("read"), Some(299));
    let two = tree.read(7, 12).expect("read");
    assert_eq!(two, [7, 8].map(|number| Group { number, bytes: vec![number as u8; 5] }));
    assert_eq!(tree.read(7, 1).expect("read").len(), 1, "one at least");
    tree.forget(298).expect("forgotten");
    assert_eq!(tree.read(0, usize::MAX).expect("read").len(), 2);
    assert_eq!(tree.forget(298).expect("nothing more"), 0);
    assert_eq!(tree.forget(300).expect("the rest"), 10);
    tree.append(300, &[1; 5]).expect("behind what was forgotten");
    assert_eq!(tree.read(0, usize::MAX).expect("read"), [Group { number: 300, bytes: vec![1; 5] }]);
}

/// The file that a tree writes.
fn log_of(tree: &Path) -> PathBuf {
    logs::all(tree).expect("the folder").pop().expect("a file")
}

/// Bytes that cannot be packed.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(100_000).collect()
}

fn is_noise(groups: &[Group]) -> bool {
    groups.iter().all(|group| group.bytes == noise(group.number))
}

/// Before, all that was not folded went with the file, and so did all that came until the next start.
#[test]
fn a_tree_whose_files_are_taken_away_writes_again_what_is_not_forgotten() {
    for whole in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let tree = Tree::open(&path).expect("a tree");
        for number in 0..5 {
            tree.append(number, &noise(number)).expect("written");
        }
        tree.forget(2).expect("forgotten");
        tree.sync().expect("synced");
        match whole {
            true => std::fs::rename(&path, folder.path().join("moved")).expect("moved"),
            false => std::fs::remove_file(log_of(&path)).expect("removed"),
        }
        tree.append(5, &noise(5)).expect("written");
        tree.sync().expect("synced");
        drop(tree);
        let groups = Tree::open(&path).expect("a tree").read(0, usize::MAX).expect("readable");
        let numbers: Vec<u64> = groups.iter().map(|group| group.number).collect();
        assert!(numbers == [2, 3, 4, 5] && is_noise(&groups), "{numbers:?}");
    }
}

/// Before, fjall cut off what was damaged and everything behind it, and nobody was told.
#[test]
fn of_a_tree_that_is_damaged_nothing_is_lost_that_is_still_whole() {
    for (garbled, opens) in [(300_000, true), (10, false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let tree = Tree::open(&path).expect("a tree");
        for number in 0..40 {
            tree.append(number, &noise(number)).expect("written");
        }
        drop(tree);
        let file = std::fs::OpenOptions::new().write(true).open(log_of(&path)).expect("writable");
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x5a; garbled], 1_030_000).expect("garbled");
        let before = std::fs::read(log_of(&path)).expect("readable");
        let beside = || std::fs::read_dir(folder.path()).expect("a folder").count() - 1;
        match Tree::open(&path) {
            Ok(tree) => {
                let groups = tree.read(0, usize::MAX).expect("readable");
                assert!(opens && groups.len() == 10 && is_noise(&groups), "{}", groups.len());
                let kept = std::fs::read(folder.path().join("rows-0.damaged")).expect("it is kept");
                assert!(before.starts_with(&kept) && before[kept.len()..].iter().all(|byte| *byte == 0));
                drop(tree);
                assert!(Tree::open(&path).is_ok() && beside() == 1, "once is enough");
            }
            Err(error) => {
                let said = error.to_string();
                assert!(
                    !opens && said.contains("rows is damaged") && said.contains("move it away"),
                    "{said}"
                );
                assert!(std::fs::read(log_of(&path)).expect("readable") == before && beside() == 0);
            }
        }
    }
}

/// A killed process, or a power cut, leaves the end of fjall's own journal cut off anywhere.
#[test]
fn a_tree_whose_journal_was_cut_off_anywhere_keeps_whole_groups_from_the_first_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows");
    let tree = Tree::open(&path).expect("a tree");
    let journal = || log_of(&path);
    for number in 0..20 {
        tree.append(number, &[7; 100]).expect("written");
    }
    drop(tree);
    for cut in [1, 40, 130, 400, 1_500] {
        let bytes = std::fs::read(journal()).expect("readable");
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let file = std::fs::OpenOptions::new().write(true).open(journal()).expect("writable");
        file.set_len(used.saturating_sub(cut) as u64).expect("cut");
        let tree = Tree::open(&path).expect("it opens all the same");
        let groups = tree.read(0, usize::MAX).expect("readable");
        assert!(groups.len() < 20 && groups.iter().all(|group| group.bytes == [7; 100]));
        assert!((0..).zip(&groups).all(|(number, group)| number == group.number), "no gap");
        let next = tree.last().expect("readable").map_or(0, |last| last + 1);
        tree.append(next, &[7; 100]).expect("it can be written again");
        assert_eq!(tree.last().expect("readable"), Some(next));
    }
}
