//! Random expressions, computed here and by Python's `decimal` (an independent implementation of the same
//! arithmetic), compared as texts: digits, scale, sign of zero and faults.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use super::*;

const EXPRESSIONS: usize = 120_000;

/// Reads one expression per line in postfix form and answers `text plain`, or the name of the fault.
const ORACLE: &str = r#"
import sys, operator
from decimal import *
context = getcontext()
context.prec = 28
context.traps[Overflow] = context.traps[InvalidOperation] = context.traps[DivisionByZero] = True
operations = {'+': operator.add, '-': operator.sub, '*': operator.mul, '/': operator.truediv,
              '%': operator.mod, '**': operator.pow, '?': lambda a, b: Decimal((a > b) - (a < b))}
def plain(d):
    if abs(d.adjusted()) > 300: return 'far'
    if d == d.to_integral_value(): return str(int(d))
    return format(d.normalize(), 'f')
def evaluate(line):
    stack = []
    for token in line.split():
        if token == 'neg': stack.append(-stack.pop())
        elif token in operations:
            b, a = stack.pop(), stack.pop()
            if b == 0 and token in '/%': return 'DividedByZero' if token == '/' else 'ModuloByZero'
            result = operations[token](a, b)
            if result.is_infinite(): return 'NoResult'
            stack.append(result)
        else: stack.append(Decimal(token))
    return str(stack[0]) + ' ' + plain(stack[0])
for line in sys.stdin:
    try: print(evaluate(line))
    except (InvalidOperation, Overflow): print('NoResult')
"#;

/// SplitMix64: a test must fail again with the same numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn digits(&mut self, count: u64) -> String {
        // Runs of 0, 5 and 9 are where rounding goes wrong.
        let edge = self.roll(4) == 0;
        let digit = |dice: &mut Self| {
            if edge { [0, 0, 0, 9, 9, 5][dice.roll(6) as usize] } else { dice.roll(10) }
        };
        (0..count).map(|_| char::from(b'0' + digit(self) as u8)).collect()
    }

    /// A literal as a program or its input may write it.
    fn literal(&mut self) -> String {
        let whole = match self.roll(8) {
            0 => 18,
            1 => self.roll(60),
            2 => 28,
            3 => self.roll(39),
            _ => self.roll(6),
        };
        let fraction = match self.roll(6) {
            0 => self.roll(45),
            1 => 28,
            2 => 0,
            _ => self.roll(5),
        };
        let written = match (self.digits(whole + 1), fraction) {
            (digits, 0) => digits,
            (digits, places) => format!("{digits}.{}", self.digits(places)),
        };
        // Far exponents come from powers; here they are written to be had more often.
        match self.roll(60) {
            0 => format!("{written}e{}", self.roll(999_999 - whole)),
            1 => format!("{written}e-{}", self.roll(1_000_000)),
            2 => format!("{written}e-{}", 999_900 + self.roll(100)),
            3 => format!("{written}e{}", 999_900 + self.roll(100) - whole),
            _ => written,
        }
    }

    /// The right side of `**`: mostly small and whole.
    fn exponent(&mut self) -> String {
        match self.roll(40) {
            0 => self.literal(),
            1..=3 => format!("{}.{}", self.roll(4), self.digits(2)),
            4..=6 => self.roll(3_000).to_string(),
            7 => "0.5".to_owned(),
            _ => self.roll(30).to_string(),
        }
    }

    /// One expression in postfix form.
    fn expression(&mut self) -> String {
        let mut tokens = self.signed(Self::literal);
        for _ in 0..=self.roll(4) {
            let operator = ["+", "-", "*", "/", "%", "?", "+", "-", "*", "/", "**"][self.roll(11) as usize];
            let right = match operator {
                "**" => self.signed(Self::exponent),
                _ if self.roll(8) == 0 => format!("{} {} *", self.literal(), self.literal()),
                _ => self.signed(Self::literal),
            };
            write!(tokens, " {right} {operator}").expect("a string takes all");
        }
        tokens
    }

    fn signed(&mut self, operand: impl Fn(&mut Self) -> String) -> String {
        let operand = operand(self);
        if self.roll(3) == 0 { format!("{operand} neg") } else { operand }
    }
}

fn apply(operator: &str, a: &Number, b: &Number) -> Result<Number, NumberFault> {
    match operator {
        "+" => a.add(b),
        "-" => a.subtract(b),
        "*" => a.multiply(b),
        "/" => a.divide(b),
        "%" => a.remainder(b),
        "**" => a.power(b),
        _ => Ok(Number::from(a.compare(b) as i64)),
    }
}

fn evaluate(expression: &str) -> Result<Number, NumberFault> {
    let mut stack: Vec<Number> = Vec::new();
    for token in expression.split(' ') {
        let result = match token {
            "neg" => stack.pop().expect("an operand").negate()?,
            "+" | "-" | "*" | "/" | "%" | "**" | "?" => {
                let (b, a) = (stack.pop().expect("right"), stack.pop().expect("left"));
                apply(token, &a, &b)?
            }
            literal => Number::parse(literal).expect("a literal"),
        };
        stack.push(result);
    }
    Ok(stack.pop().expect("a result"))
}

fn shown(result: Result<Number, NumberFault>) -> String {
    match result {
        Err(fault) => format!("{fault:?}"),
        Ok(number) => {
            let text = number.to_string();
            let adjusted = number.parts().map_or(0, |parts| parts.adjusted().abs());
            let plain = if adjusted > 300 { "far".to_owned() } else { number.to_plain() };
            format!("{text} {plain}")
        }
    }
}

/// What the oracle says to each line, or nothing where there is no Python.
fn ask_python(expressions: &str) -> Option<String> {
    let command = Command::new("python3")
        .args(["-E", "-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = command.ok()?;
    let mut stdin = python.stdin.take().expect("stdin is piped");
    let lines = expressions.to_owned();
    let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("Python ends");
    writer.join().expect("the writer ends").expect("Python reads all lines");
    Some(String::from_utf8(output.stdout).expect("Python answers in ASCII"))
}

#[test]
fn random_expressions_give_what_python_gives() {
    let mut dice = Dice(28);
    let expressions: Vec<String> = (0..EXPRESSIONS).map(|_| dice.expression()).collect();
    let Some(answers) = ask_python(&(expressions.join("\n") + "\n")) else {
        println!("no python3 here: nothing was compared");
        return;
    };
    let mut wrong = Vec::new();
    for (expression, answer) in expressions.iter().zip(answers.lines()) {
        let ours = shown(evaluate(expression));
        if ours != answer {
            wrong.push(format!("{expression}\n  ours   {ours}\n  python {answer}"));
        }
    }
    assert_eq!(answers.lines().count(), EXPRESSIONS);
    let sample = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {EXPRESSIONS} differ:\n{sample}", wrong.len());
}
