//! Cycles among callers: one search for functions and for flows.

use super::super::span::Span;

/// Edges by caller: the callee's index and the place of the call.
pub(super) type Calls = Vec<Vec<(usize, Span)>>;

/// A call that closes a cycle.
pub(super) struct Cycle {
    /// The nodes on the way, the first one repeated at the end.
    pub(super) path: Vec<usize>,
    /// The call that leads back.
    pub(super) span: Span,
}

/// The first cycle met from each node in order, each node visited once. Uses no host recursion.
pub(super) fn cycles(calls: &Calls) -> Vec<Cycle> {
    let mut found = Vec::new();
    let mut done = vec![false; calls.len()];
    let mut open = vec![false; calls.len()];
    for root in 0..calls.len() {
        if done[root] {
            continue;
        }
        let mut path = vec![(root, 0)];
        open[root] = true;
        while let Some((node, next)) = path.last_mut() {
            let here = *node;
            let Some(&(callee, span)) = calls[here].get(*next) else {
                done[here] = true;
                open[here] = false;
                path.pop();
                continue;
            };
            *next += 1;
            if open[callee] {
                found.push(closed(&path, callee, span));
            } else if !done[callee] {
                open[callee] = true;
                path.push((callee, 0));
            }
        }
    }
    found
}

fn closed(path: &[(usize, usize)], callee: usize, span: Span) -> Cycle {
    let from = path.iter().position(|(node, _)| *node == callee).unwrap_or(0);
    let mut path: Vec<usize> = path[from..].iter().map(|(node, _)| *node).collect();
    path.push(callee);
    Cycle { path, span }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[&[usize]]) -> Calls {
        edges.iter().map(|to| to.iter().map(|node| (*node, Span::default())).collect()).collect()
    }

    #[test]
    fn a_cycle_is_reported_from_where_it_is_entered() {
        let found = cycles(&graph(&[&[1], &[2], &[1]]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, [1, 2, 1]);
    }

    #[test]
    fn a_shared_callee_is_no_cycle() {
        assert!(cycles(&graph(&[&[1, 2], &[3], &[3], &[]])).is_empty());
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let edges: Vec<Vec<(usize, Span)>> =
            (1..=200_000).map(|to| vec![(to % 200_000, Span::default())]).collect();
        assert_eq!(cycles(&edges).len(), 1);
    }
}
