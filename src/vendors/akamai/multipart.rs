//! The body of an upload: `multipart/form-data` with one part. Pure.
//!
//! Of a body of more than 131,072 bytes the gateway hashes the head only, as the vendor's own
//! libraries do. Texts of ours are shorter; a file that is fetched may not be.
//!
//! *Invariant*: the boundary does not occur in the content, so no content can end the part early.

use super::files::File;

/// The name that the vendor demands of the only part.
const PART: &str = "attachmentContent";
/// The largest file that is sent, in bytes. The vendor takes 2,000,000,000; a file is held in memory.
const LARGEST: usize = 24 << 20;
/// The longest name of a file that is sent. The vendor documents none; this is what file systems
/// take.
const LONGEST_NAME: usize = 255;

/// A body and what names its boundary.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// The form for a file.
///
/// # Errors
///
/// Why it cannot be sent, for people.
pub(super) fn form(file: File<'_>) -> Result<Form, String> {
    let File { file_name, media_type, content } = file;
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if file_name.is_empty() || file_name.len() > LONGEST_NAME || !file_name.chars().all(harmless) {
        return Err(format!(
            "a file's name has 1 to {LONGEST_NAME} ASCII letters, digits, dots, `_` and `-`"
        ));
    }
    let of_a_header = |c: char| matches!(c, ' '..='~');
    if media_type.is_empty() || !media_type.chars().all(of_a_header) {
        return Err(format!("the file {file_name} has no media type"));
    }
    let too_large =
        || format!("the file {file_name} has {} bytes, which is too much", content.len());
    if content.len() > LARGEST {
        return Err(too_large());
    }
    // All candidates have one length, and a content of n bytes has at most n places where one of
    // them can stand: of n + 1 candidates at least one does not occur.
    let boundary = (0..=content.len())
        .map(|number| format!("casewright-{number:010}"))
        .find(|boundary| !holds(content, boundary.as_bytes()))
        .ok_or_else(too_large)?;
    // The part says its own content type: there are servers that fall over one that does not.
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{PART}\"; filename=\"{file_name}\"\r\nContent-Type: {media_type}\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), content, tail.as_bytes()].concat();
    Ok(Form { content_type: format!("multipart/form-data; boundary={boundary}"), body })
}

fn holds(content: &[u8], text: &[u8]) -> bool {
    content.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(file_name: &str, content: &[u8]) -> Result<Form, String> {
        super::form(File { file_name, media_type: "text/plain; charset=utf-8", content })
    }

    #[test]
    fn a_form_has_the_vendors_part() {
        let form = form("d-cw-1-3.txt", b"text").unwrap();
        assert_eq!(form.content_type, "multipart/form-data; boundary=casewright-0000000000");
        assert_eq!(
            String::from_utf8(form.body).unwrap(),
            "--casewright-0000000000\r\n\
             Content-Disposition: form-data; name=\"attachmentContent\"; filename=\"d-cw-1-3.txt\"\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n\
             text\r\n--casewright-0000000000--\r\n"
        );
    }

    #[test]
    fn a_file_is_as_large_as_is_taken_and_not_larger() {
        assert!(form("a", &vec![b'x'; LARGEST]).is_ok());
        assert!(form("a", &vec![b'x'; LARGEST + 1]).unwrap_err().contains("too much"));
    }

    #[test]
    fn a_media_type_cannot_leave_its_header() {
        for bad in ["", "a\r\nb", "a\u{e9}"] {
            let file = File { file_name: "a", media_type: bad, content: b"" };
            assert!(super::form(file).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert!(form(&"a".repeat(255), b"").is_ok());
        for bad in ["", "a\"b", "a\r\nb", "../a", "a b", "é", &"a".repeat(256)] {
            assert!(form(bad, b"").is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_boundary_does_not_occur_in_the_content(
            numbers in prop::collection::vec(0usize..12, 0..30),
            filler in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut content = Vec::new();
            for number in numbers {
                content.extend(format!("\r\n--casewright-{number:010}").bytes());
                content.extend(&filler);
            }
            let form = form("a", &content).unwrap();
            let (_, boundary) = form.content_type.split_once('=').unwrap();
            prop_assert!(!holds(&content, boundary.as_bytes()));
        }
    }
}
