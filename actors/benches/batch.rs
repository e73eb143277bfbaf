//! What the batcher itself costs a row: queued, cut, checked, paid for, delivered, collected.
//!
//! `alone` is one call that holds all rows, `shared` as many calls as rows. 384 floats a row, as small
//! embedding models have; the check reads each of them once.

#![expect(missing_docs, reason = "criterion_group expands to an undocumented function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidegate_actors::batch::trial::Trial;

const DIMENSION: usize = 384;

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for rows in [1_usize, 64, 2_048] {
        let trial = Trial::new(rows, DIMENSION);
        group.throughput(Throughput::Elements(rows as u64));
        for (name, calls) in [("alone", 1), ("shared", rows)] {
            assert_eq!(trial.round(calls), rows, "every row comes home");
            group.bench_with_input(BenchmarkId::new(name, rows), &calls, |bencher, &calls| {
                bencher.iter(|| trial.round(calls));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
