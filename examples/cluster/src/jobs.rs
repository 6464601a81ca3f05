//! The jobs of the cluster, which write what they do into a file of their node.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jobs::{BoxError, JobContext, job};

/// What the jobs of one node have done.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<File>);

impl Log {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Arc::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// One line in one call, so that a killed process leaves whole lines.
    fn write(&self, what: &str) -> std::io::Result<()> {
        (&*self.0).write_all(format!("{what}\n").as_bytes())
    }
}

/// Delivers an order, which takes a moment: long enough to be killed in the middle of it.
#[job]
pub(crate) async fn deliver(#[state] log: &Log, order: u32) -> Result<(), BoxError> {
    log.write(&format!("begin order {order}"))?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    log.write(&format!("end order {order}"))?;
    Ok(())
}

/// Fires each second, on one node of all.
#[job(every = "1s", overlap = "allow")]
pub(crate) async fn tick(#[state] log: &Log, cx: &JobContext) -> Result<(), BoxError> {
    let slot = cx.slot().ok_or("it is submitted by nobody")?.timestamp_micros();
    log.write(&format!("begin slot {slot}"))?;
    log.write(&format!("end slot {slot}"))?;
    Ok(())
}
