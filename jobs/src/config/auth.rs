//! Who may see the status page, `jobs.auth.*`, and whether it may steer, `jobs.page_readonly`; who may read its
//! metrics, `jobs.metrics_public`.

use std::fmt;

use super::keys::{KeyError, Spelling, list};
use super::meant::nearest_of;
use super::settings::Sourced;
use super::shown::shown;
use super::value::{self, Form, Mistake, Raw};
use crate::error::{Place, Problem};

/// The keys behind `jobs.auth.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum AuthKey {
    Enabled,
    User,
    Pass,
}

impl AuthKey {
    pub(super) const ALL: [Self; 3] = [Self::Enabled, Self::User, Self::Pass];

    /// The name without `jobs.`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "auth.enabled",
            Self::User => "auth.user",
            Self::Pass => "auth.pass",
        }
    }

    /// Understands what stands behind `jobs.auth`; alone, as in Revel, it is the switch.
    pub(super) fn parse(rest: &[&str], written: &str, spelling: Spelling) -> Result<Self, KeyError> {
        let [name] = rest else {
            return if rest.is_empty() {
                Ok(Self::Enabled)
            } else {
                Err(Self::unknown(rest, written, spelling))
            };
        };
        let known = Self::ALL.into_iter().find(|key| key.last() == *name);
        known.ok_or_else(|| Self::unknown(rest, written, spelling))
    }

    fn last(self) -> &'static str {
        &self.name()["auth.".len()..]
    }

    fn unknown(rest: &[&str], written: &str, spelling: Spelling) -> KeyError {
        let name = rest.join(".").to_lowercase();
        let meant = match name.as_str() {
            "username" | "name" | "login" => Some(Self::User.last()),
            "password" | "passwd" | "pwd" | "secret" => Some(Self::Pass.last()),
            other => nearest_of(other, Self::ALL.map(Self::last)),
        };
        let write = |key: &str| spelling.write(&format!("jobs.auth.{key}"));
        let help = match meant {
            Some(near) => format!("did you mean `{}`?", write(near)),
            None => format!("there are {}", list(Self::ALL.map(|key| write(key.last())))),
        };
        KeyError { message: format!("unknown key {}", shown(written)), help: Some(help) }
    }
}

/// What one source says about the page.
#[derive(Debug, Clone, Default)]
pub(super) struct PageLayer {
    enabled: Option<Sourced<bool>>,
    user: Option<Sourced<String>>,
    pass: Option<Sourced<Password>>,
    readonly: Option<Sourced<bool>>,
    metrics_public: Option<Sourced<bool>>,
}

impl PageLayer {
    pub(super) fn set_auth(
        &mut self,
        key: AuthKey,
        raw: &Raw,
        form: Form,
        name: &str,
        place: &Place,
    ) -> Result<(), Mistake> {
        needs_feature()?;
        match key {
            AuthKey::Enabled => self.enabled = said(value::boolean(raw, form, name)?, place),
            AuthKey::User => self.user = said(user(raw)?, place),
            AuthKey::Pass => self.pass = said(Password::read(raw)?, place),
        }
        Ok(())
    }

    pub(super) fn set_readonly(
        &mut self,
        raw: &Raw,
        form: Form,
        name: &str,
        place: &Place,
    ) -> Result<(), Mistake> {
        needs_feature()?;
        self.readonly = said(value::boolean(raw, form, name)?, place);
        Ok(())
    }

    pub(super) fn set_metrics_public(
        &mut self,
        raw: &Raw,
        form: Form,
        name: &str,
        place: &Place,
    ) -> Result<(), Mistake> {
        needs_feature()?;
        self.metrics_public = said(value::boolean(raw, form, name)?, place);
        Ok(())
    }

    /// Lays another over this one: where the other says something, it wins.
    pub(super) fn overlay(&mut self, upper: Self) {
        self.enabled = upper.enabled.or(self.enabled.take());
        self.user = upper.user.or(self.user.take());
        self.pass = upper.pass.or(self.pass.take());
        self.readonly = upper.readonly.or(self.readonly.take());
        self.metrics_public = upper.metrics_public.or(self.metrics_public.take());
    }

    /// What all sources together come to. User and password switch each other on, and `enabled` may switch them off.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Page {
        let readonly = self.readonly.is_some_and(|said| said.value);
        let metrics_public = self.metrics_public.is_some_and(|said| said.value);
        let auth = match (self.enabled, self.user, self.pass) {
            (Some(Sourced { value: false, .. }), ..) | (None, None, None) => None,
            (_, Some(user), Some(pass)) => Some(Auth { user: user.value, pass: pass.value }),
            (enabled, user, pass) => {
                let lacks = match (&user, &pass) {
                    (None, None) => "`jobs.auth` lacks `jobs.auth.user` and `jobs.auth.pass`",
                    (None, _) => "`jobs.auth` lacks `jobs.auth.user`",
                    _ => "`jobs.auth` lacks `jobs.auth.pass`",
                };
                let place = user.map(|said| said.place).or(pass.map(|said| said.place));
                let place = place.or(enabled.map(|said| said.place));
                let problem =
                    Problem::new(lacks).help("the page is opened by a user and a password together");
                problems.push(match place {
                    Some(place) => problem.at(place),
                    None => problem,
                });
                None
            }
        };
        Page { auth, readonly, metrics_public }
    }
}

fn said<T>(value: T, place: &Place) -> Option<Sourced<T>> {
    Some(Sourced { value, place: place.clone() })
}

fn needs_feature() -> Result<(), Mistake> {
    if cfg!(feature = "web") {
        return Ok(());
    }
    Err(Mistake::new(
        "is for the status page, which is the cargo feature `web`",
        "switch it on in Cargo.toml: `jobs = { features = [\"web\"] }`, or leave the key out",
    ))
}

fn user(raw: &Raw) -> Result<String, Mistake> {
    let text = raw.text("the name of a user", "ada")?;
    if text.is_empty() {
        return Err(Mistake::new("is empty", "write a name such as `ada`"));
    }
    // HTTP parts the two at the first colon.
    if text.contains(':') || text.chars().any(char::is_control) {
        return Err(Mistake::new(
            "has a `:` or a control character, which HTTP Basic cannot carry in a user's name",
            "write a name such as `ada`",
        ));
    }
    Ok(text.to_owned())
}

/// What the status page asks of its visitors and lets them do.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "web"), expect(dead_code, reason = "read by the status page"))]
pub(crate) struct Page {
    /// None where only this machine is let in.
    pub(crate) auth: Option<Auth>,
    /// Whether it shows and does not steer.
    pub(crate) readonly: bool,
    /// Whether everybody may read its metrics.
    pub(crate) metrics_public: bool,
}

/// The one user.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "web"), expect(dead_code, reason = "read by the status page"))]
pub(crate) struct Auth {
    pub(crate) user: String,
    pub(crate) pass: Password,
}

/// A password, as the config has it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "read by the status page"))]
pub(crate) enum Password {
    /// Itself.
    Plain(String),
    /// `sha256:` and 64 hexadecimal digits.
    Sha256([u8; 32]),
    /// A PHC string of argon2.
    Phc(String),
}

/// Without the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// No message repeats the text.
    fn read(raw: &Raw) -> Result<Self, Mistake> {
        let Raw::Text(text) = raw else {
            return Err(Mistake::new("must be a text", "write the password in quotes"));
        };
        if text.is_empty() {
            return Err(Mistake::new("is empty", "write a password, or `jobs.auth.enabled = false`"));
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            return sha256(digits).map(Self::Sha256).ok_or_else(|| {
                Mistake::new(
                    "has something other than 64 hexadecimal digits behind `sha256:`",
                    "make them with `printf %s 'the password' | sha256sum`",
                )
            });
        }
        if text.starts_with('$') {
            return phc(text).map(Self::Phc);
        }
        Ok(Self::Plain(text.clone()))
    }
}

fn sha256(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

/// A hash that begins with `$`, in the notation that argon2 has in common with other functions.
fn phc(text: &str) -> Result<String, Mistake> {
    let wrong = |message: &str| {
        Mistake::new(
            message,
            "make one with `argon2`: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`; or write `sha256:` and the digest",
        )
    };
    let function = text[1..].split('$').next().unwrap_or_default();
    if !matches!(function, "argon2id" | "argon2i" | "argon2d") {
        return Err(wrong(
            "is the hash of a function that the page does not know; it knows argon2 and sha256",
        ));
    }
    #[cfg(feature = "web")]
    if let Ok(hash) = argon2::PasswordHash::new(text)
        && hash.hash.is_some()
        && hash.salt.is_some()
        && argon2::Params::try_from(&hash).is_ok()
    {
        return Ok(text.to_owned());
    }
    Err(wrong("is not a whole PHC string of argon2"))
}
