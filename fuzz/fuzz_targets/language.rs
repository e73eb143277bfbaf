//! Owns the fuzz target of the language: any text is read, checked, laid out and run, all of which must end well. What must
//! hold is said once, in `tidegate::lang::trial`, where the tests of stable compilers try it too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::lang::trial::trial;
use tidegate::lang::value::Value;

fuzz_target!(|source: &str| {
    if let Err(why) = trial(source, &Value::fields([("n", Value::int(3))])) {
        panic!("{why}");
    }
});
