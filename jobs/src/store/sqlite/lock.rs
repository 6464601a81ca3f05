//! Sole ownership of a database: a lock on a file beside it, which the system lets go when the process ends, however it
//! ends. By whatever links a path leads to a database, its lock is beside the file itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Held for as long as it is kept.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a database, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io { path: database.to_owned(), error };
        // Only what is there has a name of its own. An empty file is an empty database.
        OpenOptions::new().append(true).create(true).open(database).map_err(io)?;
        let mut name = database.canonicalize().map_err(io)?.into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // It is there to be read by people; that it is missing is no reason to fail otherwise.
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                let by = text.trim().parse().ok();
                return Err(OpenError::Owned { path: database.to_owned(), by });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Self { _file: file })
    }
}
