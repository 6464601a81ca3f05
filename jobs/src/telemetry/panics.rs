//! Panics of jobs: caught, with their message, place and backtrace.
//!
//! A backtrace exists only while the panic hook runs. The hook that is set here keeps it for the code that will
//! catch the panic and then calls the hook that was there before, so that what the program has set stays in force.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// `file:line:column`, where the hook saw it.
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<Backtrace>,
    /// It is none: the way out of an attempt whose function was not called, since it was stopped before.
    pub(crate) not_begun: bool,
}

impl Panic {
    /// What leaves an attempt whose function was not called.
    pub(crate) fn not_begun() -> Box<Self> {
        let message = "the attempt was stopped before it began".to_owned();
        Box::new(Self { message, location: None, backtrace: None, not_begun: true })
    }

    /// Lets the panic go on in another place, as when a task waits for a thread. The hook is not called again.
    pub(crate) fn resume(self: Box<Self>) -> ! {
        resume_unwind(self)
    }
}

thread_local! {
    /// How many calls of [`catch`] this thread is inside of.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    /// A panic is expected and nobody's business.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<(String, Backtrace)>> = const { RefCell::new(None) };
}

/// Sets the hook, once for the process.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.try_with(Cell::get).is_ok_and(|depth| depth > 0) {
                let location = info.location().map(ToString::to_string).unwrap_or_default();
                SEEN.with(|seen| *seen.borrow_mut() = Some((location, Backtrace::force_capture())));
            }
            if !QUIET.try_with(Cell::get).is_ok_and(|quiet| quiet) {
                previous(info);
            }
        }));
    });
}

/// Calls `f` and catches its panic, in a box: what nearly never is must not make what every attempt hands on larger.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<Panic>> {
    CATCHING.with(|depth| depth.set(depth.get() + 1));
    // Whatever the panic has left half done belongs to the job and goes with it.
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHING.with(|depth| depth.set(depth.get() - 1));
    result.map_err(from_payload)
}

/// Whether `f` panics. The hook of the program does not learn of it, once ours is installed. For what tells of a condition
/// by panicking and in no other way; not for code of the user.
pub(crate) fn would_panic(f: impl FnOnce()) -> bool {
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    QUIET.set(false);
    result.is_err()
}

#[cold]
fn from_payload(payload: Box<dyn Any + Send>) -> Box<Panic> {
    let payload = match payload.downcast::<Panic>() {
        Ok(resumed) => return resumed,
        Err(payload) => payload,
    };
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is no text".to_owned()
    };
    let seen = SEEN.with(|seen| seen.borrow_mut().take());
    // A payload of a type of the job's own may panic once more when it is dropped, and so may the payload of that.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    let (location, backtrace) = seen.unzip();
    let location = location.filter(|place| !place.is_empty());
    Box::new(Panic { message, location, backtrace, not_begun: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_message_place_and_backtrace() {
        install_hook();
        let panic = catch(|| panic!("out of {}", "tea")).unwrap_err();
        assert_eq!(panic.message, "out of tea");
        assert!(panic.location.is_some_and(|place| place.contains("panics.rs:")));
        assert!(panic.backtrace.is_some());
    }

    #[test]
    fn tells_whether_something_panics() {
        install_hook();
        assert!(would_panic(|| panic!("you do not see this")));
        assert!(!would_panic(|| {}));
    }

    #[test]
    fn a_resumed_panic_is_the_same() {
        install_hook();
        let resumed: Result<(), _> = catch(|| catch(|| panic!("once")).unwrap_err().resume());
        let panic = resumed.unwrap_err();
        assert_eq!(panic.message, "once");
        assert!(panic.backtrace.is_some());
    }

    #[test]
    fn survives_a_payload_that_panics_when_dropped_with_another_such() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any(Bomb);
            }
        }
        let panic = catch(|| std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(panic.message, "a panic whose payload is no text");
    }
}
