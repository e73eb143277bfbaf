//! One round of the batcher's own work, without actors and upstreams: what the bench measures.
//!
//! Only with the `testkit` feature. Owns no logic: it calls what a batch calls, in that order.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::batch::assemble::{check, scatter, split_invoice};
use crate::batch::budget::RowBudget;
use crate::batch::cut::CutLimits;
use crate::batch::queue::{QueueLimits, RowQueue, Start};
use crate::batch::row::{Collector, Seq};
use crate::batch::table::{Asker, RowAsk, Settled};
use crate::call::{CallId, WorkspaceId};
use crate::key::Key;
use crate::ports::clock::Tick;
use crate::ports::provider::{Rows, Vector};

/// A queue and an answer of a fixed number of rows.
#[derive(Debug)]
pub struct Trial {
    queue: Arc<RowQueue<u32, Vector>>,
    workspace: WorkspaceId,
    answer: Rows,
}

impl Trial {
    /// Rows of `dimension` floats each.
    pub fn new(rows: usize, dimension: usize) -> Self {
        let cut = CutLimits { max_items: rows, max_tokens: u64::MAX, ..CutLimits::default() };
        let limits = QueueLimits { max_rows: rows, in_flight_batches: 1, cut };
        let queue = RowQueue::new(limits, Arc::new(RowBudget::new(rows)));
        queue.begin_generation(1);
        let bits = Bytes::from(0.25_f32.to_le_bytes().repeat(dimension));
        let vector = Vector { text: Bytes::from_static(b"[]"), bits };
        let answer = Rows { vectors: vec![vector; rows], usage: None, model: "m".into() };
        Self { queue: Arc::new(queue), workspace: WorkspaceId::default_workspace(), answer }
    }

    /// Enters `calls` calls that share the rows evenly, cuts them as one batch, checks the answer, splits the
    /// invoice, delivers, collects. Gives the number of vectors that came home.
    pub fn round(&self, calls: usize) -> usize {
        let each = self.answer.vectors.len() / calls;
        let waiting: Vec<_> = (0..calls).map(|call| self.enter(call * each, each)).collect();
        self.fly();
        waiting.into_iter().map(|(collector, _stay)| collected(&collector)).sum()
    }

    fn enter(&self, first: usize, rows: usize) -> (Arc<Collector<Vector>>, impl Drop + use<>) {
        let collector = Arc::new(Collector::new(CallId::fresh(), rows));
        let asker = Asker {
            collector: &collector,
            workspace: &self.workspace,
            share: true,
            epoch: 0,
            now: Tick::default(),
        };
        let ask = |seq: usize| RowAsk {
            seq: Seq(seq as u32),
            key: Key { hash: (first + seq) as u128 * 0x9E37_79B9_7F4A_7C15, sha: [0; 32] },
            tokens: 8,
            item: seq as u32,
        };
        let asks = (0..rows).map(ask).collect();
        let stay = self.queue.enter(&asker, asks, |_| None).expect("a round leaves nothing behind");
        (collector, stay)
    }

    fn fly(&self) {
        assert!(matches!(self.queue.start(1, Tick::default()), Start::Go(_)), "rows wait and a slot is free");
        let cut = self.queue.cut(Tick::default());
        check(cut.rows.len(), &self.answer).expect("a good answer");
        let payers = self.queue.payers(cut.rows.iter().map(|row| row.id));
        let weights: Vec<_> = payers.into_iter().map(|payer| (payer, 8)).collect();
        let parts = split_invoice(8 * weights.len() as u64, &weights);
        let rows = cut.rows.into_iter().zip(parts).collect();
        let ends = scatter(rows, self.answer.vectors.clone());
        let ends = ends.into_iter().map(|((row, part), vector)| (row.id, Settled::Answer(vector, part)));
        self.queue.settle(ends);
        self.queue.release(Some(cut.ticket));
    }
}

fn collected(collector: &Collector<Vector>) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(collector.collect()).poll(&mut cx) {
        Poll::Ready(Ok(rows)) => rows.len(),
        _ => 0,
    }
}
