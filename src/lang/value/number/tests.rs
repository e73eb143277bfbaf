//! Behaviour of numbers, with the examples of the reference; `python_tests` rolls the rest.

use super::*;

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

fn shown(result: Result<Number, NumberFault>) -> String {
    result.map_or_else(|fault| format!("{fault:?}"), |number| number.to_string())
}

#[test]
fn results_have_28_digits_half_to_even() {
    let third = number("1").divide(&number("3")).expect("a quotient");
    assert_eq!(third.to_string(), "0.3333333333333333333333333333");
    assert_eq!(shown(third.multiply(&number("3"))), "0.9999999999999999999999999999");
    assert_eq!(shown(number("2").divide(&number("3"))), "0.6666666666666666666666666667");
    let wide = number("123456789012345678901234567890");
    assert_eq!(wide.to_string(), "123456789012345678901234567890");
    assert_eq!(shown(wide.multiply(&number("1"))), "1.234567890123456789012345679E+29");
}

#[test]
fn powers_are_exact_or_correctly_rounded() {
    for (base, exponent, power) in [
        ("2", "100", "1267650600228229401496703205000"),
        ("2", "-2", "0.25"),
        ("1.05", "40", "7.039988712124646244927265264"),
        ("2", "0.5", "1.414213562373095048801688724"),
        ("10", "0.3", "1.995262314968879601352455397"),
        ("-3", "3", "-27"),
        ("9", "0.5", "3"),
        ("5", "0", "1"),
        ("10", "-30", "0.000000000000000000000000000001"),
    ] {
        let result = number(base).power(&number(exponent)).expect("a power");
        assert_eq!(result.to_plain(), power, "{base} ** {exponent}");
    }
}

#[test]
fn what_has_no_decimal_is_a_fault() {
    for (base, exponent) in [("0", "0"), ("0", "-1"), ("-8", "0.5"), ("10", "1000000"), ("10", "99999999999")]
    {
        assert_eq!(number(base).power(&number(exponent)), Err(NumberFault::NoResult), "{base} ** {exponent}");
    }
    assert_eq!(number("1e40").remainder(&number("3")), Err(NumberFault::NoResult));
    assert_eq!(number("1").divide(&number("0.0")), Err(NumberFault::DividedByZero));
    assert_eq!(number("1").remainder(&number("-0")), Err(NumberFault::ModuloByZero));
    let near = number("9e999999");
    assert_eq!(near.add(&near), Err(NumberFault::NoResult));
    assert_eq!(near.multiply(&near), Err(NumberFault::NoResult));
}

#[test]
fn the_written_scale_survives_and_negative_zero_prints_zero() {
    for text in ["1.50", "0.00", "12", "-0.0", "1E+30", "1E-7", "0.000001", "-1.23E-10"] {
        assert_eq!(number(text).to_string(), text);
    }
    assert_eq!(shown(number("0").multiply(&number("-5"))), "-0");
    assert_eq!(number("-0").to_plain(), "0");
    assert_eq!(shown(number("0.00").negate()), "0.00");
    assert_eq!(number("-0"), number("0"));
}

#[test]
fn very_long_literals_keep_their_digits_and_compare_exactly() {
    let long = format!("{}1", "9".repeat(300));
    assert_eq!(number(&long).to_plain(), long);
    assert!(number(&long) > number("9e299"));
    assert!(number(&format!("0.{long}")) < number("1"));
    assert!(Number::parse(&"9".repeat(MAX_DIGITS)).is_some());
    assert!(Number::parse(&"9".repeat(MAX_DIGITS + 1)).is_none());
}

#[test]
fn whole_numbers_are_told_from_fractions() {
    assert_eq!(number("3.00").to_i64(), Some(3));
    assert_eq!(number("3e2").to_i64(), Some(300));
    assert_eq!(number("3.5").to_i64(), None);
    assert_eq!(number("1e19").to_i64(), None);
    assert_eq!(number("-9223372036854775808").to_i64(), Some(i64::MIN));
    assert!(number("1e999999").is_integral() && !number("1e-999999").is_integral());
}

#[test]
fn the_fast_paths_and_dec_agree_to_the_last_digit_and_scale() {
    let samples: Vec<Number> = [
        "0",
        "-0",
        "0.00",
        "1",
        "-1",
        "3",
        "7",
        "1.5",
        "-2.50",
        "0.1",
        "99999999999",
        "9223372036854775807",
        "-9223372036854775807",
        "1234567890123456789012345678",
        "9999999999999999999999999999",
        "0.000001234",
        "1e20",
        "1e-20",
        "12345678901234567890123456789012345678",
        "1e390000",
        "5e-390000",
        "99999999999999999999999999995",
        "0.33333333333333333333333333333",
    ]
    .iter()
    .map(|text| number(text))
    .collect();
    for a in &samples {
        for b in &samples {
            for (operator, fast) in [
                ('+', a.add(b)),
                ('-', a.subtract(b)),
                ('*', a.multiply(b)),
                ('/', a.divide(b)),
                ('%', a.remainder(b)),
            ] {
                if b.is_zero() && matches!(operator, '/' | '%') {
                    continue;
                }
                let slow = arith::reference(operator, a, b);
                assert_eq!(shown(fast), shown(slow), "{a} {operator} {b}");
            }
        }
    }
}
