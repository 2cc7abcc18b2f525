//! Why a service refuses, does not answer or cannot be asked: one reason for each thing that someone can do about it.

use std::io;

/// Names what is asked, as messages do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A store: S3, or what speaks as S3 does.
    Store,
    /// The Parameter Store of Systems Manager.
    Parameters,
}

impl Service {
    /// Returns what it is called where it acts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Store => "the store",
            Self::Parameters => "the Parameter Store",
        }
    }

    /// Returns whose ways it has.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Store => "S3",
            Self::Parameters => "Parameter Store",
        }
    }
}

/// Says why a service refuses something to whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// They may not do it.
    Plain,
    /// They may not list what is there.
    Listing,
    /// They may not read it, or it is not there: the service does not tell.
    Reading,
    /// They may not write.
    Writing,
    /// They may not delete.
    Deleting,
    /// What says who they are is no longer valid.
    Expired,
    /// What says who they are was never valid, or belongs to another key.
    Token,
    /// The service does not know their key.
    Key,
    /// They do not have the secret of their key.
    Secret,
}

impl Denial {
    /// Says whether it is about who asks, so that nothing else is granted either.
    #[must_use]
    pub fn is_of_identity(self) -> bool {
        match self {
            Self::Expired | Self::Token | Self::Key | Self::Secret => true,
            Self::Plain | Self::Listing | Self::Reading | Self::Writing | Self::Deleting => false,
        }
    }

    pub(crate) fn of(self, what: &str, service: Service) -> String {
        match self {
            Self::Plain | Self::Listing | Self::Writing | Self::Deleting => format!("access to {what} is denied"),
            Self::Reading => format!("{what} is missing or forbidden"),
            Self::Expired => format!("access to {what} is denied: the credentials have expired"),
            Self::Token => format!("access to {what} is denied: the session token is not valid"),
            Self::Key => format!("access to {what} is denied: {} does not know the access key", service.name()),
            Self::Secret => format!("access to {what} is denied: the secret is not that of the access key"),
        }
    }
}

/// What the system says where a disk has no room.
const FULL: [io::ErrorKind; 3] =
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];

/// What it says where it may do this another time.
const PASSING: [io::ErrorKind; 7] = [
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::Interrupted,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::ResourceBusy,
    io::ErrorKind::StaleNetworkFileHandle,
    io::ErrorKind::TimedOut,
];

/// Says why a service gives no answer that is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It fails, or connections to it do.
    Plain,
    /// It is asked more often than it wants to be.
    Throttled,
    /// It is there and says nothing more.
    Stalled,
    /// There is no way to it.
    Unreachable,
    /// There is no way to the proxy before it.
    Proxy,
    /// Its disk is full, or keeps no file of that size.
    Full,
    /// Its disk fails.
    Failing,
    /// Too many files are open at once.
    Crowded,
}

impl Outage {
    /// Returns what is wrong with a disk, as far as the system says something that may pass.
    #[must_use]
    pub fn of_system(error: &io::Error) -> Option<Self> {
        let kind = error.kind();
        if FULL.contains(&kind) {
            return Some(Self::Full);
        }
        if PASSING.contains(&kind) {
            return Some(Self::Plain);
        }
        error.raw_os_error().and_then(Self::of_number)
    }

    /// Judges what the standard library has no name for.
    #[cfg(unix)]
    fn of_number(number: i32) -> Option<Self> {
        match number {
            nix::libc::EIO => Some(Self::Failing),
            nix::libc::EMFILE | nix::libc::ENFILE => Some(Self::Crowded),
            _ => None,
        }
    }

    #[cfg(not(unix))]
    fn of_number(_: i32) -> Option<Self> {
        None
    }

    pub(crate) fn of(self, what: &str, service: Service) -> String {
        match self {
            Self::Plain | Self::Unreachable => format!("{what} cannot be reached"),
            Self::Throttled => format!("{what} cannot be had now: {} is asked too often", service.name()),
            Self::Stalled => format!("{what} is waited for in vain"),
            Self::Proxy => format!("{what} cannot be reached by the proxy"),
            Self::Full => format!("{} has no room for {what}", service.name()),
            Self::Failing => format!("{what} cannot be had: the disk fails"),
            Self::Crowded => format!("{what} cannot be had: too many files are open"),
        }
    }
}

/// Names the setting that is wrong when a service cannot be asked, or when what is asked is not that service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// One that says how it is reached makes no sense.
    Value,
    /// There are no credentials.
    Credentials,
    /// The profile that should have them is not there or not whole.
    Profile,
    /// They come with a login, which is over.
    Login,
    /// They come from something that fails.
    Provider,
    /// There is no such bucket.
    Bucket,
    /// The bucket is in another region.
    Region,
    /// Nothing says in which region it is, and there is one in each.
    NoRegion,
    /// What answers is another service, or none.
    Endpoint,
    /// It is asked by TLS and speaks without.
    Encryption,
    /// Nobody who is trusted vouches for it.
    Authority,
    /// Its certificate is not valid at this time.
    Validity,
    /// Its certificate is that of somebody else.
    Name,
    /// The clock of this machine is wrong.
    Clock,
    /// The proxy does not let it be asked.
    Proxy,
    /// It does not know the conditions without which nothing is written.
    Conditions,
    /// In its directory something else stands where a directory or a file belongs.
    Place,
}

impl Setting {
    /// Returns what is wrong with a directory, as far as the system says that something else stands there.
    #[must_use]
    pub fn of_system(error: &io::Error) -> Option<Self> {
        use io::ErrorKind as System;
        let kinds = [System::NotADirectory, System::IsADirectory, System::AlreadyExists];
        (kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(is_loop)).then_some(Self::Place)
    }

    pub(crate) fn of(self, place: &str, service: Service) -> String {
        match self {
            Self::Value => format!("the settings for {place} are wrong"),
            Self::Credentials | Self::Profile | Self::Login | Self::Provider => {
                format!("no credentials for {place} could be had")
            }
            Self::Bucket => format!("the bucket {place} does not exist"),
            Self::Region => format!("the bucket {place} is in another region"),
            Self::NoRegion => "no region is set".to_owned(),
            Self::Endpoint => format!("what answers for {place} is no {}", service.model()),
            Self::Encryption => format!("what answers for {place} does not speak TLS"),
            Self::Authority => format!("the certificate that answers for {place} is not trusted"),
            Self::Validity => format!("the certificate that answers for {place} is not valid now"),
            Self::Name => format!("the certificate that answers for {place} is for another name"),
            Self::Clock => format!("{place} refuses what comes from a machine whose clock is wrong"),
            Self::Proxy => format!("the proxy does not let {place} be asked"),
            Self::Conditions => format!("{place} cannot be written to: it does not know conditional writes"),
            Self::Place => format!("something else stands where {place} belongs, or on the way there"),
        }
    }
}

/// Says whether links lead to each other: the standard library has no name for that.
#[cfg(unix)]
fn is_loop(number: i32) -> bool {
    number == nix::libc::ELOOP
}

#[cfg(not(unix))]
fn is_loop(_: i32) -> bool {
    false
}
