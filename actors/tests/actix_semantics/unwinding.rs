//! Why `panic = "unwind"` is set and why no `Drop`, `stopping` or `stopped` of the engine may panic.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use actix::prelude::*;

use super::{Tick, die};

const CHILD: &str = "TIDEGATE_ACTIX_SEMANTICS_CHILD";
const SURVIVED: &str = "the process survived";

/// Panics in its handler and, if `twice`, once more in its destructor.
struct Fragile {
    twice: bool,
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.twice {
            die();
        }
    }
}

impl Handler<Tick> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Tick, _: &mut Context<Self>) {
        die();
    }
}

/// Runs this test again in a process of its own, where it takes the branch marked by [`CHILD`].
fn run_child(test: &str, twice: bool) -> Output {
    Command::new(std::env::current_exe().expect("the test binary has a path"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, if twice { "twice" } else { "once" })
        .output()
        .expect("the test binary starts")
}

fn child(mode: &str) {
    System::new().block_on(async {
        let lost = Fragile { twice: mode == "twice" }.start().send(Tick).await;
        assert_eq!(lost, Err(MailboxError::Closed));
    });
    eprintln!("{SURVIVED}");
}

#[test]
fn a_second_panic_while_unwinding_ends_the_process() {
    if let Ok(mode) = std::env::var(CHILD) {
        return child(&mode);
    }
    let name = "unwinding::a_second_panic_while_unwinding_ends_the_process";

    let once = run_child(name, false);
    assert!(once.status.success(), "one panic is contained: {once:?}");
    assert!(String::from_utf8_lossy(&once.stderr).contains(SURVIVED), "{once:?}");

    let twice = run_child(name, true);
    assert_eq!(twice.status.signal(), Some(6), "SIGABRT, not an exit code: {twice:?}");
    assert!(!String::from_utf8_lossy(&twice.stderr).contains(SURVIVED), "{twice:?}");
}
