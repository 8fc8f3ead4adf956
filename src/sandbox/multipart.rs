//! Reads the body of an upload: `multipart/form-data` (RFC 7578, RFC 2046) with one part named
//! `attachmentContent`. Strict: what a good client would not send is refused with a reason.

use super::problem::Problem;

/// The name of the only part.
const PART: &str = "attachmentContent";
/// The longest boundary of RFC 2046.
const LONGEST_BOUNDARY: usize = 70;
/// The longest file name that is taken. The vendor documents none.
const LONGEST_NAME: usize = 255;

/// The file that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilePart<'a> {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) content: &'a [u8],
}

/// The file in a body with this `Content-Type`.
pub(super) fn file<'a>(
    content_type: Option<&str>,
    body: &'a [u8],
) -> Result<FilePart<'a>, Problem> {
    let boundary = content_type.and_then(boundary).ok_or_else(Problem::not_multipart)?;
    let broken = |what: &str| Problem::bad_request(format!("the multipart body {what}"));
    let opening = format!("--{boundary}\r\n");
    let delimiter = format!("\r\n--{boundary}");
    let rest = body
        .strip_prefix(opening.as_bytes())
        .ok_or_else(|| broken("does not begin with its boundary"))?;
    let (head, rest) =
        split(rest, b"\r\n\r\n").ok_or_else(|| broken("has a part without a blank line"))?;
    let (content, rest) =
        split(rest, delimiter.as_bytes()).ok_or_else(|| broken("does not end in its boundary"))?;
    match rest {
        b"--" | b"--\r\n" => {}
        _ if rest.starts_with(b"\r\n") => return Err(broken("has more than one part")),
        _ => return Err(broken("goes on after its end")),
    }
    let head = std::str::from_utf8(head).map_err(|_| broken("has a header that is not UTF-8"))?;
    let (mut disposition, mut kind) = (None, None);
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(|| broken("has a broken header"))?;
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => disposition = Some(value.trim()),
            "content-type" => kind = Some(value.trim().to_owned()),
            _ => return Err(broken("has a header that no form sends")),
        }
    }
    let parameters = disposition
        .and_then(|value| value.strip_prefix("form-data"))
        .ok_or_else(|| broken("has a part that is not form-data"))?;
    if parameter(parameters, "name").as_deref() != Some(PART) {
        return Err(Problem::bad_request(format!("the only part must be named '{PART}'")));
    }
    let name = parameter(parameters, "filename")
        .filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME)
        .ok_or_else(|| Problem::bad_request("the part needs a filename of 1 to 255 bytes"))?;
    if name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        return Err(Problem::bad_request("the filename must not be a path"));
    }
    let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
    Ok(FilePart { name, kind, content })
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
    parameter(&format!(";{parameters}"), "boundary").filter(|boundary| {
        (1..=LONGEST_BOUNDARY).contains(&boundary.len())
            && boundary.chars().all(allowed)
            && !boundary.ends_with(' ')
    })
}

/// The value of `; name=value` or `; name="value"`.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters.trim_start();
    loop {
        let (name, value) = rest.strip_prefix(';')?.split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.to_owned());
        }
        rest = after.trim_start();
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((bytes.get(..place)?, bytes.get(place + at.len()..)?))
}
