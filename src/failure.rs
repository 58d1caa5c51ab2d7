//! What can go wrong with a day or a file: one class each, and what the class means for trying again.
//!
//! The class names are part of the report's format. What it does not do: decide on an exit code; `cli` does.

use std::fmt;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A passing state of the network or the host: the same command later may do it.
    Later,
    /// The thing itself is wrong: trying again does not help by itself.
    None,
    /// The job's lock: it is moved, or upstream is put right.
    Lock,
    /// This machine's storage.
    Storage,
}

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, retry: $retry:literal, $remedy:ident;)+) => {
        /// The class of a failure. The names are stable: reports and scripts match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Class { $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+ }

        impl Class {
            /// Every class, in the order of their declaration.
            pub const ALL: &'static [Class] = &[$(Class::$variant,)+];

            /// The name in reports and logs.
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Class::$variant => $name,)+ } }

            /// True when another attempt within the same run may succeed.
            #[must_use]
            pub fn is_retried(self) -> bool { match self { $(Class::$variant => $retry,)+ } }

            /// What the user can do about it.
            #[must_use]
            pub fn remedy(self) -> Remedy { match self { $(Class::$variant => Remedy::$remedy,)+ } }
        }
    };
}

classes! {
    /// Name not found, connection refused or reset, TLS or proxy failure, no SSH tunnel.
    Unreachable = "unreachable", retry: true, Later;
    /// No answer, or no byte of it, within the time allowed.
    Stalled = "stalled", retry: true, Later;
    /// 429, or 503 or 403 that says when to come back.
    Throttled = "throttled", retry: true, Later;
    /// A 5xx answer.
    ServerError = "server-error", retry: true, Later;
    /// What was ordered is not made yet, or nothing may be ordered yet: another run asks on.
    Pending = "pending", retry: false, Later;
    /// Twenty failures in a row, or a wait beyond `retry.max_wait`: the host gets no more requests in this run.
    HostGivenUp = "host-given-up", retry: false, Later;
    /// 401, 403, 451 and the like; an SSH gateway that lets nobody in, or is not the known one.
    Forbidden = "forbidden", retry: false, None;
    /// 404 or 410.
    NotFound = "not-found", retry: true, Later;
    /// Any other status that makes no sense for the request.
    UnexpectedStatus = "unexpected-status", retry: true, None;
    /// A redirect that loops, leaves for a place it may not go to, or has no target; of a listing, one to another path; of a
    /// file, one to the place of another of the run.
    Redirect = "redirect", retry: false, None;
    /// The answer breaks HTTP, or contradicts itself or the one before: its framing, a digest, a strong `ETag`.
    Protocol = "protocol", retry: true, None;
    /// The body ended before its declared or known length, or is empty and nothing shows that the file is.
    Truncated = "truncated", retry: true, Later;
    /// The body is longer than declared, known or allowed.
    TooLong = "too-long", retry: true, None;
    /// The bytes differ from the size that the listing gave.
    Size = "size", retry: true, None;
    /// A web page or an error message came where data was due: the service is not well.
    Html = "html", retry: true, Later;
    /// The first bytes are not those of the file's type.
    Magic = "magic", retry: true, None;
    /// The file breaks the FITS structure: cut, junk at the end, no END card.
    FitsStructure = "fits-structure", retry: true, None;
    /// CHECKSUM or DATASUM of an HDU does not match its bytes.
    FitsChecksum = "fits-checksum", retry: true, None;
    /// The file breaks the structure of its format, other than FITS: a compressed stream or tar archive that is cut, a CDF,
    /// HDF5 or netCDF file that is shorter than it states, a ZIP archive without its end.
    FileStructure = "file-structure", retry: true, None;
    /// The listing is no listing: cut or deep JSON, wrong shape, or nothing of its day.
    ListingMalformed = "listing-malformed", retry: true, None;
    /// The listing is larger than the cap.
    ListingTooLarge = "listing-too-large", retry: false, None;
    /// The listing is empty, and stays so, for a day that has files here: they are kept as they are.
    Vanished = "vanished", retry: false, None;
    /// The source refuses the question, or cannot apply a filter.
    SourceRefused = "source-refused", retry: false, None;
    /// The file, or the day, is not what the lock says.
    LockMismatch = "lock-mismatch", retry: false, Lock;
    /// Two keys want one path.
    Collision = "collision", retry: false, None;
    /// The path holds other bytes than sunhaul put there, or a file that it did not put there.
    Occupied = "occupied", retry: false, None;
    /// Several files of the folder fit a listed one, and differ.
    Ambiguous = "ambiguous", retry: false, None;
    /// A name or layout that gives no safe path.
    UnsafePath = "unsafe-path", retry: false, None;
    /// A day record or journal that cannot be read, or that another job owns.
    Record = "record", retry: false, None;
    /// Disk full, read-only, no permission, I/O error; or a limit of this process, such as on open files.
    Storage = "storage", retry: false, Storage;
    /// Another process is working on the day, or moved its files.
    Held = "held", retry: false, Later;
    /// This program failed: a bug, which its makers want to hear of.
    Internal = "internal", retry: false, None;
}

impl Class {
    /// True for bytes that are not what they must be: only the file's source can mend them.
    #[must_use]
    pub fn is_of_bytes(self) -> bool {
        matches!(
            self,
            Class::FitsStructure
                | Class::FitsChecksum
                | Class::FileStructure
                | Class::Magic
                | Class::Size
                | Class::TooLong
        )
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failed attempt, or the end of all attempts, at a file or a listing. An outcome, not a bug.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub class: Class,
    /// What failed, on which URL or file, why, and what to do; already safe to show.
    pub message: String,
    /// The HTTP status, when one was the reason.
    pub status: Option<u16>,
    /// How long the host asked to wait before the next try.
    pub retry_after: Option<Duration>,
    /// How many attempts were made; none where what is known decides it already.
    pub attempts: u32,
}

impl Failure {
    /// A failure of one attempt without a status. `message` must be safe to show (see `untrusted`).
    #[must_use]
    pub fn new(class: Class, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), status: None, retry_after: None, attempts: 1 }
    }

    /// A failure that no request was made for. `message` must be safe to show.
    #[must_use]
    pub fn unasked(class: Class, message: impl Into<String>) -> Failure {
        Failure { attempts: 0, ..Failure::new(class, message) }
    }

    /// The same as the end of so many attempts. In the last of them, a host that is given up got no request.
    #[must_use]
    pub fn after(self, attempts: u32) -> Failure {
        let refused = u32::from(self.class == Class::HostGivenUp);
        Failure { attempts: attempts.saturating_sub(refused), ..self }
    }
}

/// A message without the address that it begins with: for one reason it is the same of all days and files.
#[must_use]
pub fn without_address(message: &str) -> &str {
    let about = message.starts_with("http").then(|| message.split_once(": ")).flatten();
    about.map_or(message, |(_, why)| why)
}

/// What to do when the system refuses because of a limit of this process or this machine, which is nobody else's fault;
/// none for any other error.
#[must_use]
pub fn limit_hint(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some("raise the limit on open files, such as by `ulimit -n 1024`"),
        Errno::NFILE => Some("the machine has too many files open: close other programs"),
        Errno::NOMEM | Errno::NOBUFS => Some("the machine is out of memory: close other programs"),
        Errno::FBIG => {
            Some("raise the limit on the size of files (`ulimit -f`), or use a filesystem that holds larger ones")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_those_that_sent_a_request() {
        let ended = |class, attempts| Failure::new(class, "m").after(attempts).attempts;
        assert_eq!(Failure::unasked(Class::Collision, "m").attempts, 0);
        assert_eq!([1, 6].map(|attempts| ended(Class::Unreachable, attempts)), [1, 6]);
        assert_eq!([1, 3].map(|attempts| ended(Class::HostGivenUp, attempts)), [0, 2]);
    }
}
