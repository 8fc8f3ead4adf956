//! Query parameters, read strictly: a name that the operation does not know, or that comes twice,
//! is refused. (The real API's answer is not documented; a client that sends such a thing errs.)

use std::collections::BTreeMap;

use super::problem::Problem;

/// The parameters of one request, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(raw: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let detail = format!("unknown query parameter '{name}'");
                return Err(Problem::bad_request(detail));
            }
            if found.insert(name.to_string(), value.into_owned()).is_some() {
                let detail = format!("query parameter '{name}' is given more than once");
                return Err(Problem::bad_request(detail));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::bad_request(format!(
                "query parameter '{name}' must be a whole number from {least} to {most}, not '{text}'"
            ))),
        }
    }
}
