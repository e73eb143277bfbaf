//! From a batch's answer back to its rows: checked, then each vector with the row it was asked for. Pure.
//!
//! Owns placement and the split of the invoice; must not know callers, queues or vendors.

use std::collections::HashMap;
use std::hash::Hash;

use crate::ports::provider::{Fault, Rows, Vector};

/// Puts rows an upstream labelled with an `index` into the order in which they were asked.
///
/// # Errors
/// A `broken` fault when an index is missing, doubled or out of range, or the count is wrong.
pub fn by_index<V>(asked: usize, rows: impl IntoIterator<Item = (u64, V)>) -> Result<Vec<V>, Fault> {
    let mut slots: Vec<Option<V>> = std::iter::repeat_with(|| None).take(asked).collect();
    let mut seen = 0_usize;
    for (index, row) in rows {
        let slot = usize::try_from(index).ok().and_then(|at| slots.get_mut(at));
        match slot {
            Some(free @ None) => *free = Some(row),
            Some(_) => return Err(nonsense(format!("two rows with index {index}"))),
            None => return Err(nonsense(format!("a row with index {index} in an answer to {asked} items"))),
        }
        seen += 1;
    }
    let rows: Vec<V> = slots.into_iter().flatten().collect();
    if seen == asked { Ok(rows) } else { Err(count(seen, asked)) }
}

/// Checks an answer to `asked` items: as many vectors, all of one dimension, every number finite.
///
/// # Errors
/// A `broken` fault that says what is wrong and where.
///
/// # Cost
/// Reads every float once.
pub(crate) fn check(asked: usize, rows: &Rows) -> Result<(), Fault> {
    if rows.vectors.len() != asked {
        return Err(count(rows.vectors.len(), asked));
    }
    let dimension = rows.vectors.first().map_or(0, |vector| vector.bits.len());
    for (at, vector) in rows.vectors.iter().enumerate() {
        check_vector(at, vector, dimension)?;
    }
    Ok(())
}

fn check_vector(at: usize, vector: &Vector, dimension: usize) -> Result<(), Fault> {
    let bytes = vector.bits.len();
    if bytes == 0 || !bytes.is_multiple_of(4) {
        return Err(nonsense(format!("vector {at} has {bytes} bytes of f32")));
    }
    if bytes != dimension {
        let (this, first) = (bytes / 4, dimension / 4);
        return Err(nonsense(format!("vector {at} has {this} dimensions, the first has {first}")));
    }
    let mut floats = vector.bits.chunks_exact(4).map(|le| f32::from_le_bytes([le[0], le[1], le[2], le[3]]));
    match floats.position(|float| !float.is_finite()) {
        Some(place) => Err(nonsense(format!("vector {at} is not finite at position {place}"))),
        None => Ok(()),
    }
}

fn count(got: usize, asked: usize) -> Fault {
    nonsense(format!("{got} vectors for {asked} items"))
}

fn nonsense(what: String) -> Fault {
    Fault::broken(None, format!("the answer makes no sense: {what}"))
}

/// Gives each row that was sent its vector. Both come in the order in which they were sent.
///
/// # Panics
/// In debug builds when the counts differ; [`check`] has refused that before.
pub(crate) fn scatter<S, V>(sent: Vec<S>, vectors: Vec<V>) -> Vec<(S, V)> {
    debug_assert_eq!(sent.len(), vectors.len(), "the answer was checked before it is scattered");
    sent.into_iter().zip(vectors).collect()
}

/// Splits `total` by `weights` so that the parts sum to `total` (largest remainder, ties to the earlier).
///
/// All-zero weights count as equal ones. With no weights there is nobody to pay and no part.
pub(crate) fn split(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        return if weights.is_empty() { Vec::new() } else { split(total, &vec![1; weights.len()]) };
    }
    let exact = |weight: u64| u128::from(total) * u128::from(weight);
    let mut parts: Vec<u64> = weights.iter().map(|&weight| (exact(weight) / sum) as u64).collect();
    let left = total - parts.iter().sum::<u64>();
    let mut by_rest: Vec<usize> = (0..weights.len()).collect();
    by_rest.sort_by_key(|&at| std::cmp::Reverse(exact(weights[at]) % sum));
    for &at in by_rest.iter().take(left as usize) {
        parts[at] += 1;
    }
    parts
}

/// Splits an invoice among the rows of a batch: first among those who pay, then among each one's rows.
///
/// `rows` are (payer, own token count). The parts sum to `total`, and each payer's sum is within one
/// token of its exact share however many rows it has.
pub(crate) fn split_invoice<P: Eq + Hash + Copy>(total: u64, rows: &[(P, u64)]) -> Vec<u64> {
    // Payers in order of appearance: ties must not depend on the order of a map.
    let mut places: HashMap<P, usize> = HashMap::new();
    let mut payers: Vec<(u64, Vec<usize>)> = Vec::new();
    for (at, &(payer, tokens)) in rows.iter().enumerate() {
        let place = *places.entry(payer).or_insert(payers.len());
        if place == payers.len() {
            payers.push((0, Vec::new()));
        }
        payers[place].0 += tokens;
        payers[place].1.push(at);
    }
    let sums: Vec<u64> = payers.iter().map(|payer| payer.0).collect();
    let mut parts = vec![0; rows.len()];
    for ((_, own), share) in payers.iter().zip(split(total, &sums)) {
        let weights: Vec<u64> = own.iter().map(|&at| rows[at].1).collect();
        for (&at, part) in own.iter().zip(split(share, &weights)) {
            parts[at] = part;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn vector(floats: &[f32]) -> Vector {
        let bits: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
        Vector { text: Bytes::new(), bits: Bytes::from(bits) }
    }

    fn rows(vectors: Vec<Vector>) -> Rows {
        Rows { vectors, usage: None, model: "m".into() }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_a_fault_that_says_why() {
        let faults = [
            (2, rows(vec![vector(&[1.0])]), "1 vectors for 2 items"),
            (1, rows(vec![vector(&[1.0]), vector(&[1.0])]), "2 vectors for 1 items"),
            (
                2,
                rows(vec![vector(&[1.0]), vector(&[1.0, 2.0])]),
                "vector 1 has 2 dimensions, the first has 1",
            ),
            (1, rows(vec![vector(&[1.0, f32::NAN])]), "vector 0 is not finite at position 1"),
            (1, rows(vec![vector(&[f32::NEG_INFINITY])]), "vector 0 is not finite at position 0"),
            (1, rows(vec![vector(&[])]), "vector 0 has 0 bytes"),
        ];
        for (asked, answer, said) in faults {
            let fault = check(asked, &answer).expect_err(said);
            assert!(fault.what.contains(said), "{}", fault.what);
        }
        check(2, &rows(vec![vector(&[1.0, 0.0]), vector(&[-1.0, 2.0])])).expect("a good answer");
    }

    #[test]
    fn rows_are_put_where_their_index_says_and_a_wrong_index_is_a_fault() {
        assert_eq!(by_index(3, [(2, 'c'), (0, 'a'), (1, 'b')]).expect("all there"), ['a', 'b', 'c']);
        for (rows, said) in [
            (vec![(0, 'a'), (0, 'b')], "two rows with index 0"),
            (vec![(0, 'a'), (2, 'b')], "index 2 in an answer to 2 items"),
            (vec![(1, 'a')], "1 vectors for 2 items"),
        ] {
            let fault = by_index(2, rows).expect_err(said);
            assert!(fault.what.contains(said), "{}", fault.what);
        }
    }

    #[test]
    fn one_token_too_many_goes_to_the_largest_remainder() {
        assert_eq!(split(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(split(10, &[2, 3]), [4, 6]);
        assert_eq!(split(7, &[0, 0]), [4, 3], "unknown weights are equal ones");
        assert_eq!(split(5, &[]), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn the_parts_of_an_invoice_sum_to_it_and_no_payer_is_off_by_a_token(
            total in prop_oneof![0u64..5_000, any::<u64>()],
            rows in proptest::collection::vec((0u8..6, 0u64..9_000), 1..64),
        ) {
            let parts = split_invoice(total, &rows);
            prop_assert_eq!(parts.iter().map(|&part| u128::from(part)).sum::<u128>(), u128::from(total));
            let weight: u128 = rows.iter().map(|row| u128::from(row.1)).sum();
            for payer in 0..6 {
                let of = |at: &usize| rows[*at].0 == payer;
                let own: u128 = (0..rows.len()).filter(of).map(|at| u128::from(rows[at].1)).sum();
                let paid: u128 = (0..rows.len()).filter(of).map(|at| u128::from(parts[at])).sum();
                if weight > 0 {
                    let exact = u128::from(total) * own;
                    prop_assert!(paid * weight < exact + weight && exact < (paid + 1) * weight);
                }
            }
        }

        #[test]
        fn a_proportional_invoice_is_split_exactly(tokens in proptest::collection::vec(1u64..9_000, 1..64), factor in 1u64..4) {
            let rows: Vec<_> = tokens.iter().enumerate().map(|(at, &tokens)| (at % 5, tokens)).collect();
            let parts = split_invoice(tokens.iter().sum::<u64>() * factor, &rows);
            prop_assert_eq!(parts, tokens.iter().map(|tokens| tokens * factor).collect::<Vec<_>>());
        }
    }
}
