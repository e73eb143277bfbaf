//! Owns how the locals that tasks of `parallel:` changed come back into the body they were forked from. Pure: must not
//! touch strands.

use std::sync::Arc;

use super::frame::{Cell, Frame};
use super::strand::Ended;
use crate::lang::ast::LocalMerge;
use crate::lang::compile::form::ForkForm;
use crate::lang::fault::Fault;
use crate::lang::value::Value;

/// What a task changed, by slot.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) cells: Vec<(usize, Cell)>,
    constants: Vec<usize>,
}

/// What differs between a body and a task that ran on a copy of its locals.
pub(super) fn changes(base: &Frame, task: Frame) -> Changes {
    let new = |(at, theirs): (usize, bool)| (theirs && !base.constants[at]).then_some(at);
    let constants = task.constants.into_iter().enumerate().filter_map(new).collect();
    let cells =
        task.cells.into_iter().enumerate().filter(|(at, cell)| differs(&base.cells[*at], cell)).collect();
    Changes { cells, constants }
}

/// Whether a task changed a local. A name cannot be taken away, so what is unset afterwards was so before.
fn differs(before: &Cell, after: &Cell) -> bool {
    match (before, after) {
        (_, Cell::Unset) | (Cell::Pending(_), Cell::Pending(_)) => false,
        (Cell::Held(before), Cell::Held(after)) => !before.equals(after),
        _ => true,
    }
}

/// Brings the locals that tasks changed into the body they were forked from; the value is the list of theirs.
pub(super) fn join(
    frame: &mut Frame,
    form: &ForkForm,
    merge: LocalMerge,
    names: &[Arc<str>],
    ended: &[Ended],
) -> Result<(), Fault> {
    let mut cells = frame.cells.clone();
    let mut written = vec![false; cells.len()];
    for (task, part) in ended.iter().zip(&form.parts) {
        let mut changed: Vec<&(usize, Cell)> = task.changes.cells.iter().collect();
        changed.sort_by_key(|(at, _)| &names[*at]);
        for (at, cell) in changed {
            if std::mem::replace(&mut written[*at], true) {
                match merge {
                    LocalMerge::Conflict => {
                        let text = format!("Parallel tasks cannot write the same local: {}", names[*at]);
                        return Err(Fault::run(text, Some(part.span)));
                    }
                    LocalMerge::Precedence => continue,
                    LocalMerge::Override => {}
                }
            }
            cells[*at] = cell.clone();
        }
    }
    frame.cells = cells;
    for at in ended.iter().flat_map(|task| &task.changes.constants) {
        frame.constants[*at] = true;
    }
    let values = ended.iter().filter_map(|task| task.outcome.as_ref().ok().cloned()).collect();
    frame.hold(Value::list(values));
    Ok(())
}
