//! A test's time stands still while a thread that it does not know of works.
//!
//! tokio's paused time goes on whenever its runtime has nothing to do, and a thread beside it is nothing to the runtime. So
//! whoever gives such a thread something to do takes a [`Hold`], and it lets go when that is done and everybody has been
//! woken who is to hear of it: wakes before, so that the runtime has something to do again. On the machine's clock all of
//! this is nothing.

use std::time::Duration;

use tokio::sync::Notify;

use super::Clock;
#[cfg(feature = "testing")]
use super::Source;

/// As long as it is there, a test's time stands still.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    #[cfg(feature = "testing")]
    _held: Option<held::Held>,
}

impl Hold {
    /// Lets time go on, as far as nobody else holds it.
    pub(crate) fn let_go(self) {}
}

/// As long as it is there, no [`Hold`] has an effect: what works waits for something that has to come from outside.
#[derive(Debug, Default)]
pub(crate) struct Excuse {
    #[cfg(feature = "testing")]
    _excused: Option<held::Excused>,
}

impl Clock {
    /// Lets a test's time stand still.
    pub(crate) fn hold(&self) -> Hold {
        Hold {
            #[cfg(feature = "testing")]
            _held: self.stillness().map(held::Stillness::hold),
        }
    }

    /// Lets a test's time go on, whoever holds it.
    pub(crate) fn excuse(&self) -> Excuse {
        Excuse {
            #[cfg(feature = "testing")]
            _excused: self.stillness().map(held::Stillness::excuse),
        }
    }

    /// Waits so long by this clock, on a thread of its own. A test's time goes on meanwhile, as far as `hold` has held it, and
    /// stands still when the wait is over.
    pub(crate) async fn wait(&self, length: Duration, hold: Hold) -> Hold {
        #[cfg(feature = "testing")]
        if let Some(stillness) = self.stillness() {
            return Hold { _held: Some(stillness.wait(length, hold).await) };
        }
        hold.let_go();
        tokio::time::sleep(length).await;
        Hold::default()
    }

    /// Waits until nobody holds a test's time.
    #[cfg(feature = "testing")]
    pub(crate) async fn settled(&self) {
        if let Some(stillness) = self.stillness() {
            stillness.settled().await;
        }
    }

    #[cfg(feature = "testing")]
    fn stillness(&self) -> Option<&std::sync::Arc<held::Stillness>> {
        match &self.source {
            Source::System { .. } => None,
            Source::Virtual(clock) => Some(&clock.stillness),
        }
    }
}

/// A call to a thread of its own, at which a test's time stands still until it is answered. Many calls are one until then.
#[derive(Debug, Default)]
pub(crate) struct Call {
    notify: Notify,
    #[cfg(feature = "testing")]
    state: std::sync::Mutex<Called>,
}

#[cfg(feature = "testing")]
#[derive(Debug, Default)]
enum Called {
    #[default]
    No,
    Yes(Hold),
    /// Nobody listens any more.
    Closed,
}

impl Call {
    #[cfg(feature = "testing")]
    fn lock(&self) -> std::sync::MutexGuard<'_, Called> {
        // Each step leaves it whole.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn call(&self, clock: Option<&Clock>) {
        #[cfg(feature = "testing")]
        {
            let mut state = self.lock();
            if matches!(*state, Called::No) {
                *state = Called::Yes(clock.map(Clock::hold).unwrap_or_default());
            }
        }
        let _ = clock;
        self.notify.notify_one();
    }

    /// Completes when there was a call. What was to be seen before it is seen now.
    #[cfg(not(feature = "testing"))]
    pub(crate) async fn called(&self) -> Hold {
        self.notify.notified().await;
        Hold::default()
    }

    /// The same, and nobody begins without a hold: a call that is told of late may have been answered with another.
    #[cfg(feature = "testing")]
    pub(crate) async fn called(&self) -> Hold {
        loop {
            self.notify.notified().await;
            let mut state = self.lock();
            match std::mem::take(&mut *state) {
                Called::Yes(hold) => return hold,
                Called::No => {}
                Called::Closed => *state = Called::Closed,
            }
        }
    }

    /// Nobody listens any more.
    pub(crate) fn close(&self) {
        #[cfg(feature = "testing")]
        {
            *self.lock() = Called::Closed;
        }
    }
}

/// An answer that somebody waits for, and until then a test's time stands still.
#[derive(Debug)]
pub(crate) struct Told<T> {
    to: tokio::sync::oneshot::Sender<T>,
    _hold: Hold,
}

impl<T> Told<T> {
    pub(crate) fn new(to: tokio::sync::oneshot::Sender<T>, clock: &Clock) -> Self {
        Self { to, _hold: clock.hold() }
    }

    /// Whoever has gone does not mind.
    pub(crate) fn tell(self, answer: T) {
        let _ = self.to.send(answer);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.to.is_closed()
    }
}

#[cfg(feature = "testing")]
pub(super) mod held {
    use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
    use std::time::Duration;

    use tokio::runtime::Handle;
    use tokio::sync::{Notify, oneshot};

    /// Who holds the time of one clock.
    #[derive(Debug, Default)]
    pub(crate) struct Stillness {
        state: Mutex<State>,
        changed: Condvar,
        settled: Notify,
        runtime: OnceLock<Handle>,
    }

    #[derive(Debug, Default)]
    struct State {
        holds: usize,
        excuses: usize,
        /// A thread of the runtime stands guard, beside which its time does not go on by itself.
        is_guarded: bool,
    }

    impl State {
        fn is_still(&self) -> bool {
            self.holds > 0 && self.excuses == 0
        }
    }

    impl Stillness {
        /// Of the runtime that this is called on, where it is not that of another already.
        pub(crate) fn enter(&self) {
            if let Ok(runtime) = Handle::try_current() {
                let _ = self.runtime.set(runtime);
            }
        }

        pub(crate) fn runtime(&self) -> Option<&Handle> {
            self.runtime.get()
        }

        fn lock(&self) -> MutexGuard<'_, State> {
            // Each step leaves it whole.
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
            let mut state = self.lock();
            change(&mut state);
            if !state.is_still() {
                // Before the guard goes, as always: those who wait for it are woken.
                self.settled.notify_waiters();
                self.changed.notify_all();
            } else if let Some(runtime) = self.runtime.get().filter(|_| !state.is_guarded) {
                state.is_guarded = true;
                let stillness = Arc::clone(self);
                runtime.spawn_blocking(move || stillness.guard());
            }
        }

        /// tokio's time does not go on while a blocking thread works.
        fn guard(&self) {
            let mut state = self.lock();
            while state.is_still() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.is_guarded = false;
        }

        pub(crate) fn hold(self: &Arc<Self>) -> Held {
            self.change(|state| state.holds += 1);
            Held(Arc::clone(self))
        }

        pub(crate) fn excuse(self: &Arc<Self>) -> Excused {
            self.change(|state| state.excuses += 1);
            Excused(Arc::clone(self))
        }

        /// Waits until nobody holds the time.
        pub(crate) async fn settled(&self) {
            loop {
                let mut settled = std::pin::pin!(self.settled.notified());
                settled.as_mut().enable();
                if !self.lock().is_still() {
                    return;
                }
                settled.await;
            }
        }

        pub(crate) async fn wait(self: &Arc<Self>, length: Duration, hold: super::Hold) -> Held {
            let (told, answer) = oneshot::channel();
            let stillness = Arc::clone(self);
            let waits = async move {
                tokio::time::sleep(length).await;
                drop(told.send(stillness.hold()));
            };
            let _waits = self.runtime.get().map(|runtime| Aborted(runtime.spawn(waits)));
            // The runtime knows of it by now.
            hold.let_go();
            match answer.await {
                Ok(held) => held,
                // The test is over.
                Err(_) => std::future::pending().await,
            }
        }
    }

    struct Aborted(tokio::task::JoinHandle<()>);

    impl Drop for Aborted {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    #[derive(Debug)]
    pub(crate) struct Held(Arc<Stillness>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.change(|state| state.holds -= 1);
        }
    }

    #[derive(Debug)]
    pub(crate) struct Excused(Arc<Stillness>);

    impl Drop for Excused {
        fn drop(&mut self) {
            self.0.change(|state| state.excuses -= 1);
        }
    }
}
