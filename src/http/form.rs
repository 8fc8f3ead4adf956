//! Forms as browsers send them. This is the one place where they are read: whole, within a size and
//! a time, whoever wants to know what is in them.
//!
//! The guard reads a form before anybody else, for its token, and hands the bytes on as the body;
//! whoever reads it after that waits for nothing.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, MapDeserializer};

use super::access::FORM_TOKEN;
use super::answer::Refusal;

/// The longest form in bytes: a description of the greatest length has 32,000 UTF-16 units, of which
/// each takes nine bytes at most where it is written as `%E2%82%AC`.
pub(super) const LIMIT: usize = 512 * 1024;
/// The longest form of somebody who has not shown yet who they are: a token and an address.
pub(super) const LIMIT_OF_STRANGERS: usize = 8 * 1024;
/// How long one may take to arrive.
const IN_TIME: Duration = Duration::from_secs(15);

/// Whether the body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let form = b"application/x-www-form-urlencoded";
    kind.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
}

/// Reads a form of at most so many bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(IN_TIME, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let error = error.into_inner();
            let is_large = error.is::<http_body_util::LengthLimitError>();
            Err(if is_large { Refusal::too_large(limit) } else { Refusal::broken_body() })
        }
        Err(_) => Err(Refusal::too_slow(IN_TIME)),
    }
}

/// What the first field of that name says.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(form);
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

/// Whether a form has nothing in it but the token that shows that it is ours.
pub(super) fn is_token_only(form: &[u8]) -> bool {
    url::form_urlencoded::parse(form).all(|(field, _)| field == FORM_TOKEN)
}

/// A form's fields, as a type that has names for them: texts, or words of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned> Form<T> {
    fn of(form: &[u8]) -> Result<Self, Refusal> {
        let fields = url::form_urlencoded::parse(form).into_owned();
        let fields = MapDeserializer::<_, Error>::new(fields);
        T::deserialize(fields).map(Self).map_err(|error| {
            Refusal::unusable(format!("the form is not understood: {error}"))
                .hint("load the page anew and send it again")
        })
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(Refusal::media("no_form", "what was sent is no form of the console"));
        }
        Self::of(&read(body, LIMIT).await?)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        one: String,
        #[serde(default)]
        other: String,
    }

    fn fields(form: &str) -> Option<Fields> {
        Form::of(form.as_bytes()).ok().map(|Form(fields)| fields)
    }

    #[test]
    fn a_form_is_read_by_its_names_and_what_makes_no_sense_is_refused() {
        let read = fields("form_token=x&one=a+b%0D%0A%C3%BC&other=").unwrap();
        assert_eq!(read, Fields { one: "a b\r\nü".to_owned(), other: String::new() });
        for wrong in ["", "other=x", "one=a&one=b"] {
            assert_eq!(fields(wrong), None, "{wrong}");
        }
        assert_eq!(field(b"a=1&b=2&b=3", "b").as_deref(), Some("2"));
    }

    #[test]
    fn only_forms_are_forms() {
        let is =
            |kind: &str| is_form(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]));
        assert!(is("application/x-www-form-urlencoded"));
        assert!(is("Application/X-WWW-Form-URLencoded; charset=utf-8"));
        assert!(!is("application/json") && !is("text/plain") && !is(""));
        assert!(!is_form(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_form_of_the_greatest_length_is_read_and_one_byte_more_is_not() {
        for (bytes, status) in [(LIMIT, None), (LIMIT + 1, Some(413))] {
            let read = read(Body::from("x".repeat(bytes)), LIMIT).await;
            assert_eq!(read.err().map(|refusal| refusal.status().as_u16()), status);
        }
    }
}
