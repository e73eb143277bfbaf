//! Actors' state that lives on the calling thread, asked there at once instead of by message.
//!
//! Owns where such state is found, and what a panic in it means: whoever met it goes on, and the actor dies of it. Only
//! the state's own thread touches it, one caller at a time. Must not know any actor.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    /// State that lives on this thread, by the number of its [`Near`].
    static HERE: RefCell<Vec<(u64, Weak<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

type Room<T> = RefCell<Option<T>>;

/// The way to one actor's state; found only on the thread it lives on.
pub(crate) struct Near<T> {
    number: u64,
    state: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Near<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").field("number", &self.number).finish()
    }
}

/// What came of asking.
pub(crate) enum Asked<R, I> {
    Done(R),
    /// It panicked and is gone. This is what its actor is to die of.
    Broke(Box<dyn Any + Send>),
    /// It does not live here, or somebody is at it: send a message.
    Away(I),
}

/// State in its actor's hands; nobody finds it any more once this is dropped.
pub(crate) struct Home<T>(Rc<Room<T>>);

impl<T: 'static> Near<T> {
    pub(crate) fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), state: PhantomData }
    }

    /// `state` lives on this thread from here on, in place of what lived here before it.
    pub(crate) fn settle(&self, state: T) -> Home<T> {
        let room: Rc<Room<T>> = Rc::new(RefCell::new(Some(state)));
        let found: Rc<dyn Any> = room.clone();
        HERE.with_borrow_mut(|here| {
            here.retain(|(number, room)| *number != self.number && room.strong_count() > 0);
            here.push((self.number, Rc::downgrade(&found)));
        });
        Home(room)
    }

    /// Has `act` done with `input` by the state, if that lives on this thread and nobody is at it.
    pub(crate) fn ask<I, R>(&self, input: I, act: impl FnOnce(&mut T, I) -> R) -> Asked<R, I> {
        // What is told while a panic unwinds must not meet another one.
        let Some(room) = self.room().filter(|_| !std::thread::panicking()) else { return Asked::Away(input) };
        let Ok(mut state) = room.try_borrow_mut() else { return Asked::Away(input) };
        let Some(there) = state.as_mut() else { return Asked::Away(input) };
        match catch_unwind(AssertUnwindSafe(|| act(there, input))) {
            Ok(done) => Asked::Done(done),
            Err(panic) => {
                let broken = state.take();
                drop(state); // before what is broken is: its drop may ask again
                drop(broken);
                Asked::Broke(panic)
            }
        }
    }

    fn room(&self) -> Option<Rc<Room<T>>> {
        let found = HERE.try_with(|here| {
            let here = here.try_borrow().ok()?;
            here.iter().find(|(number, _)| *number == self.number).and_then(|(_, room)| room.upgrade())
        });
        found.ok()??.downcast().ok() // a thread that ends has no state any more
    }
}

impl<T> Home<T> {
    /// Works with the state; nothing happens if a panic took it. A panic here is the actor's own.
    pub(crate) fn work(&self, act: impl FnOnce(&mut T)) {
        if let Ok(mut state) = self.0.try_borrow_mut()
            && let Some(there) = state.as_mut()
        {
            act(there);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(near: &Near<u32>, by: u32) -> Option<u32> {
        let added = near.ask(by, |sum, by| {
            *sum += by;
            *sum
        });
        match added {
            Asked::Done(sum) => Some(sum),
            Asked::Broke(_) | Asked::Away(_) => None,
        }
    }

    #[test]
    fn state_is_found_on_its_own_thread_as_long_as_it_has_a_home() {
        let near = Near::new();
        assert_eq!(add(&near, 1), None);
        let home = near.settle(40);
        assert_eq!((add(&near, 1), add(&near, 1)), (Some(41), Some(42)));
        std::thread::scope(|scope| {
            assert_eq!(scope.spawn(|| add(&near, 1)).join().expect("no panic"), None);
        });
        assert_eq!(add(&Near::new(), 1), None, "another actor's state is not found");
        drop(home);
        assert_eq!(add(&near, 1), None);
    }

    #[test]
    fn a_newcomer_takes_the_place_of_who_lived_there_before() {
        let near = Near::new();
        let before = near.settle(0);
        let _now = near.settle(10);
        assert_eq!(add(&near, 1), Some(11));
        before.work(|sum| assert_eq!(*sum, 0));
    }

    #[test]
    fn whoever_is_at_it_already_is_sent_away_and_gets_his_input_back() {
        let near = Near::new();
        let _home = near.settle(1);
        let Asked::Done(inner) = near.ask((), |_, ()| near.ask("input", |_, _| ())) else {
            panic!("it lives here")
        };
        assert!(matches!(inner, Asked::Away("input")));
    }

    #[test]
    fn a_panic_takes_the_state_with_it_and_its_caller_goes_on() {
        let near = Near::new();
        let home = near.settle(1);
        let asked = near.ask((), |_, ()| panic!("on purpose"));
        let Asked::<(), _>::Broke(remains) = asked else { panic!("it broke") };
        assert_eq!(remains.downcast_ref(), Some(&"on purpose"));
        assert_eq!(add(&near, 1), None);
        home.work(|_| panic!("there is nothing to work with"));
    }
}
