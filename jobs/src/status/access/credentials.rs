//! User and password by HTTP Basic (RFC 7617).

use std::sync::Mutex;

use argon2::{Argon2, PasswordVerifier};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Auth, Password};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longer ones are nobody's.
const LONGEST: usize = 4096;

type Hash = [u8; 32];

/// What a request says who it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    /// Not `Basic`, not base64, not UTF-8, or without a colon.
    Malformed,
    Credentials(Credentials),
}

#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    user: String,
    pass: String,
}

/// Without them.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Given {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::Nothing,
            (Some(only), None) => {
                only.to_str().ok().and_then(Credentials::decode).map_or(Self::Malformed, Self::Credentials)
            }
            _ => Self::Malformed,
        }
    }
}

impl Credentials {
    fn decode(header: &str) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST {
            return None;
        }
        let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
        let (user, pass) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), pass: pass.to_owned() })
    }

    /// Of both together; the user's name has no colon.
    fn hash(&self) -> Hash {
        hash(&format!("{}:{}", self.user, self.pass))
    }
}

/// The one user, and how a password is compared.
#[derive(Debug)]
pub(super) struct Lock {
    auth: Auth,
    /// One slow hash is computed at a time: it takes tens of milliseconds and megabytes, and whoever guesses is judged
    /// before the next guess is.
    slow: Semaphore,
    /// The credentials that were right the last time, so that a slow hash is not computed for every request.
    known: Mutex<Option<Hash>>,
}

impl Lock {
    pub(super) fn new(auth: Auth) -> Self {
        Self { auth, slow: Semaphore::new(1), known: Mutex::new(None) }
    }

    /// Whether they are right, in a time that does not depend on how wrong they are; none where that takes a slow
    /// hash.
    pub(super) fn is_opened_at_once_by(&self, given: &Credentials) -> Option<bool> {
        // Hashes are of one length, whatever the texts are.
        let user = hash(&given.user).ct_eq(&hash(&self.auth.user));
        let pass = match &self.auth.pass {
            Password::Plain(pass) => hash(&given.pass).ct_eq(&hash(pass)),
            Password::Sha256(known) => hash(&given.pass).ct_eq(known),
            Password::Phc(_) => {
                let known = *self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                return known.is_some_and(|known| known.ct_eq(&given.hash()).into()).then_some(true);
            }
        };
        Some((user & pass).into())
    }

    /// The turn of who needs a slow hash.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.slow.acquire().await.expect("invariant: nobody closes the semaphore")
    }

    /// Whether they are right, by the slow hash, for whom it is the [`turn`](Self::turn). It takes its time for another user's name too.
    pub(super) async fn is_opened_slowly_by(&self, given: &Credentials) -> bool {
        let Password::Phc(phc) = &self.auth.pass else { return false };
        let (phc, pass) = (phc.to_owned(), given.pass.clone());
        let verified = tokio::task::spawn_blocking(move || {
            let hash = argon2::PasswordHash::new(&phc).ok()?;
            Argon2::default().verify_password(pass.as_bytes(), &hash).ok()
        });
        let pass = Choice::from(u8::from(verified.await.ok().flatten().is_some()));
        let user = hash(&given.user).ct_eq(&hash(&self.auth.user));
        let right = (user & pass).into();
        if right {
            *self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(given.hash());
        }
        right
    }

    pub(super) fn user(&self) -> &str {
        &self.auth.user
    }
}

pub(super) fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// Compares two texts in a time that does not depend on where they differ.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    hash(one).ct_eq(&hash(other)).into()
}
