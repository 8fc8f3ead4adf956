//! Who asks, and what that person may have done.
//!
//! *Invariant:* whatever changes something takes an [`Operator`] or an [`Admin`], and neither can be
//! had but from a [`Who`] whose role suffices. So a way to an act that forgets to ask for the role
//! does not compile.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// How much somebody may do. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Do what a person on call does: approve, reject, retry, mute, resume.
    Operator,
    /// Change what is in force for everybody: have the files read anew.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Every role by its name.
    pub const NAMED: [(&'static str, Self); 3] =
        [("viewer", Self::Viewer), ("operator", Self::Operator), ("admin", Self::Admin)];

    /// The name in files, in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By what somebody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Means {
    /// A token in the request itself.
    Token,
    /// A session that a token began.
    Session,
    /// The word of a proxy that is trusted.
    Proxy,
}

impl Means {
    /// Every means.
    pub const ALL: [Self; 3] = [Self::Token, Self::Session, Self::Proxy];

    /// The name in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Proxy => "proxy",
        }
    }
}

/// Somebody who was recognised. Everybody who was may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The name of the token, or of the proxy's user.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// By what they were recognised.
    pub means: Means,
    /// Where the request came from, if that is known.
    pub from: Option<IpAddr>,
}

/// Why somebody may not have something done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this needs the role `{needs}`, and {name} has the role `{has}`")]
pub struct Denied {
    /// Whom it was denied.
    pub name: String,
    /// The role that is needed.
    pub needs: Role,
    /// The role that they have.
    pub has: Role,
}

impl Who {
    /// Whether the role suffices.
    ///
    /// # Errors
    ///
    /// Which role is needed.
    pub fn may(&self, needs: Role) -> Result<(), Denied> {
        if self.role >= needs {
            return Ok(());
        }
        Err(Denied { name: self.name.clone(), needs, has: self.role })
    }
}

/// Somebody who may do what a person on call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator(Who);

impl TryFrom<Who> for Operator {
    type Error = Denied;

    fn try_from(who: Who) -> Result<Self, Denied> {
        who.may(Role::Operator).map(|()| Self(who))
    }
}

impl Deref for Operator {
    type Target = Who;

    fn deref(&self) -> &Who {
        &self.0
    }
}

/// Somebody who may change what is in force for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(Who);

impl TryFrom<Who> for Admin {
    type Error = Denied;

    fn try_from(who: Who) -> Result<Self, Denied> {
        who.may(Role::Admin).map(|()| Self(who))
    }
}

impl Deref for Admin {
    type Target = Who;

    fn deref(&self) -> &Who {
        &self.0
    }
}

/// The SHA-256 digest of a token. It has no `PartialEq`, because comparing takes constant time, and
/// shows nothing, because the digest of a weak token is as good as the token.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// As a file has it: 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// As a file has it.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Whether both are of the same token, in constant time.
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// The digest of this digest and a secret: proves to who has the secret which token it was, and
    /// tells nobody else.
    pub fn sealed_with(&self, secret: &[u8]) -> String {
        hex::encode(Sha256::new().chain_update(secret).chain_update(self.0).finalize())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(role: Role) -> Who {
        Who { name: "kim".to_owned(), role, means: Means::Token, from: None }
    }

    #[test]
    fn each_role_may_do_what_the_lesser_ones_may_and_no_more() {
        let operates = Role::ALL.map(|role| Operator::try_from(who(role)).is_ok());
        assert_eq!(operates, [false, true, true]);
        let administers = Role::ALL.map(|role| Admin::try_from(who(role)).is_ok());
        assert_eq!(administers, [false, false, true]);
    }

    #[test]
    fn who_is_denied_is_told_which_role_is_needed_and_which_is_there() {
        let denied = Admin::try_from(who(Role::Operator)).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "this needs the role `admin`, and kim has the role `operator`"
        );
    }

    #[test]
    fn roles_are_read_by_the_names_that_they_write() {
        for (name, role) in Role::NAMED {
            assert_eq!((role.name(), Role::named(name)), (name, Some(role)));
        }
        assert_eq!(Role::named("root"), None);
    }

    #[test]
    fn a_digest_is_read_as_it_is_written_and_shows_nothing() {
        let digest = TokenDigest::of(b"a token");
        let read = TokenDigest::from_hex(&digest.to_hex()).unwrap();
        assert!(bool::from(digest.is(&read)));
        assert!(!bool::from(digest.is(&TokenDigest::of(b"another"))));
        assert_eq!(format!("{digest:?}"), "TokenDigest");
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert!(TokenDigest::from_hex(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_seal_depends_on_the_token_and_on_the_secret() {
        let (one, other) = (TokenDigest::of(b"one"), TokenDigest::of(b"other"));
        assert_ne!(one.sealed_with(b"s"), other.sealed_with(b"s"));
        assert_ne!(one.sealed_with(b"s"), one.sealed_with(b"t"));
    }
}
