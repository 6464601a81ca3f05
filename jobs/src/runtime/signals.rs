//! Ctrl-C and SIGTERM, counted.
//!
//! Whoever listens for a signal takes its effect away for as long as the process lives, so whoever listens for the first
//! has to heed those that follow, too: also when the program's runtime has ended already, and waits for a plain function
//! that never returns. A thread of its own does, with a runtime of its own, which also spares the program's the I/O.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;

use tokio::sync::watch;

use crate::telemetry;

/// The signal of this number ends the process.
const LAST: u32 = 3;

/// Counts them; none where the system does not let us listen.
static COUNT: OnceLock<Option<watch::Sender<u32>>> = OnceLock::new();

/// Listens from the call on, and starts to count at none. None where nothing is to be heard.
pub(super) fn listen() -> Option<watch::Receiver<u32>> {
    let count = COUNT.get_or_init(|| start().inspect_err(telemetry::no_signals).ok()).as_ref()?;
    let mut receiver = count.subscribe();
    // Signals before were for instances that have ended.
    count.send_replace(0);
    receiver.mark_unchanged();
    Some(receiver)
}

/// Starts the thread, and returns when it listens.
fn start() -> io::Result<watch::Sender<u32>> {
    let count = watch::Sender::new(0);
    let counted = count.clone();
    let (told, listens) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("jobs-signals".to_owned());
    thread.spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(told.send(Err(error))),
        };
        let entered = runtime.enter();
        let signals = Signals::new();
        drop(entered);
        let mut signals = match signals {
            Ok(signals) => signals,
            Err(error) => return drop(told.send(Err(error))),
        };
        // The other end waits for it.
        let _ = told.send(Ok(()));
        runtime.block_on(async {
            loop {
                let status = signals.next().await;
                counted.send_modify(|count| *count += 1);
                if *counted.borrow() >= LAST {
                    telemetry::last_signal();
                    std::process::exit(status);
                }
            }
        });
    })?;
    listens.recv().unwrap_or_else(|error| Err(io::Error::other(error)))?;
    Ok(count)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal, as the status with which a shell tells of a process that it has ended.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> i32 {
        let _ = self.0.recv().await;
        // STATUS_CONTROL_C_EXIT.
        -1_073_741_510
    }
}

#[cfg(not(any(unix, windows)))]
struct Signals;

#[cfg(not(any(unix, windows)))]
impl Signals {
    fn new() -> io::Result<Self> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    async fn next(&mut self) -> i32 {
        std::future::pending().await
    }
}
