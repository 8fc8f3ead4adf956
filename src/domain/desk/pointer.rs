//! Where something stands in a JSON document: a JSON Pointer (RFC 6901).

use std::fmt;

/// A JSON Pointer, such as `/result/sys_id`; empty for the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

/// Why a text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is a path of another kind.
    #[error("a JSON Pointer begins with `/`")]
    NoSlash,
    /// `~` escapes: `~0` is `~`, `~1` is `/`.
    #[error("in a JSON Pointer `~` is written `~0`, and a `/` within a name `~1`")]
    Tilde,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(PointerError::NoSlash);
        }
        let escapes = text.split('~').skip(1);
        if escapes.into_iter().any(|rest| !rest.starts_with(['0', '1'])) {
            return Err(PointerError::Tilde);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        for good in ["", "/", "/a", "/a/0", "/a~1b/m~0n"] {
            assert_eq!(Pointer::parse(good).unwrap().as_str(), good);
        }
        for bad in ["a", "$.a", ".a"] {
            assert_eq!(Pointer::parse(bad), Err(PointerError::NoSlash), "{bad}");
        }
        for bad in ["/~", "/a~2", "/~~0"] {
            assert_eq!(Pointer::parse(bad), Err(PointerError::Tilde), "{bad}");
        }
    }
}
