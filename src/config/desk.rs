//! `kind: http`: a ticket system with a JSON API, described call by call.
//!
//! What is read here is the way to ask; see [`crate::domain::desk`] for what it means. `offer` reads
//! what the desk accepts, `request` the pieces of a call.

mod offer;
mod request;
#[cfg(test)]
mod tests;

use url::Url;

use super::decode::{Located, Section};
use super::vendor_config::{VendorKind, check_base};
use crate::domain::desk::{
    Auth, Closed, Comments, Desk, Open, Paging, Read, Request, Taken, Template, Tickets, Write,
    scope,
};
use request::{Names, body, method, pointer, request};

/// A desk, where it is, and who we are there.
#[derive(Debug, Clone)]
pub struct HttpDesk {
    /// What every address begins with.
    pub base_url: Url,
    /// Who we are.
    pub auth: Auth,
    /// How it is asked.
    pub desk: Desk,
}

/// Reads the keys of the kind.
pub(super) fn read(section: &mut Section<'_>) -> Option<VendorKind> {
    let base_url: Option<Located<Url>> = section.required("base_url");
    let base_url = base_url.map(|url| check_base(section, url));
    let auth = needed(section, "auth", read_auth);
    let offer = offer::read(section);
    // Severities are what a body may speak of. Where they could not be read, nothing is unknown.
    let fields = offer.as_ref().map(offer::fields);
    let open = needed(section, "open", |section| {
        let open = read_open(section, fields.as_deref());
        if let (Some(offer), Some(open)) = (&offer, &open) {
            offer::check_forms(section, offer, &open.write.body);
        }
        open
    });
    let comment = needed(section, "comment", |section| read_note(section, "comment"));
    let close = needed(section, "close", |section| read_note(section, "close"));
    let contacts = section.section("contacts").map(read_contacts);
    let read = needed(section, "read", read_read);
    let look = needed(section, "look", read_look);
    let paging = section.section("paging").map(read_paging);
    let probe = needed(section, "probe", |section| {
        let probe = request(section, scope::PROBE);
        section.finish_by_ref();
        probe
    });
    let (comment, close) = (comment?, close?);
    let (tickets, comments) = look?;
    if comments.is_none() && !(comment.idempotent && close.idempotent) {
        let message = format!(
            "`{}.look` needs `comments`: whether a comment was made could not be told otherwise",
            section.path()
        );
        let hint = "describe how comments are listed; or, where the desk itself makes no second one for the same key, say `idempotent: true` under `comment` and `close`";
        section.error_at_key("look", message, hint);
        return None;
    }
    let desk = Desk {
        open: open?,
        comment,
        close,
        contacts: contacts.map_or(Some(None), |contacts| contacts.map(Some))?,
        read: read?,
        tickets,
        comments,
        paging: paging.map_or(Some(None), |paging| paging.map(Some))?,
        probe: probe?,
        offer: offer?,
    };
    Some(VendorKind::Http(Box::new(HttpDesk { base_url: base_url?, auth: auth?, desk })))
}

/// Reads a section that must be there.
fn needed<T>(
    section: &mut Section<'_>,
    key: &str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Option<T> {
    section.require(key);
    let mut inner = section.section(key)?;
    read(&mut inner)
}

pub(super) fn read_auth(section: &mut Section<'_>) -> Option<Auth> {
    let basic = section.section("basic").and_then(|mut basic| {
        let user: Option<Located<String>> = basic.required("user");
        let password = basic.secret("password");
        if let Some(user) = user.as_ref().filter(|user| user.value.contains(':')) {
            basic.error_at(user.place.clone(), "a user must not contain `:`", "");
        }
        basic.finish();
        Some(Auth::Basic { user: user?.value, password: password? })
    });
    let tried = section.has("bearer") || section.has("bearer_file");
    let bearer = if tried { section.secret("bearer") } else { None };
    section.known(&["bearer", "bearer_file"]);
    let header = section.section("header").and_then(|mut header| {
        let name: Option<Located<String>> = header.required("name");
        let value = header.secret("value");
        let name = name.and_then(|name| request::header_name(&header, name));
        header.finish();
        Some(Auth::Header { name: name?, value: value? })
    });
    let ways = [section.has("basic"), tried, section.has("header")];
    match ways.iter().filter(|way| **way).count() {
        0 => section.error(
            format!("{} has no credential", section.name()),
            "write one of `basic: { user: ..., password_file: ... }`, `bearer_file: ...` and `header: { name: ..., value_file: ... }`",
        ),
        1 => {}
        _ => section.error(
            format!("{} has more than one credential", section.name()),
            "keep one of `basic`, `bearer` and `header`",
        ),
    }
    section.finish_by_ref();
    basic.or(bearer.map(Auth::Bearer)).or(header)
}

fn read_open(section: &mut Section<'_>, fields: Option<&[String]>) -> Option<Open> {
    let method = method(section);
    let request = request(section, scope::OPEN_ADDRESS);
    let fields = Names { names: scope::OPEN, fields };
    let body = body(section, fields);
    let id = pointer(section, "id");
    let reference = section.has("reference").then(|| pointer(section, "reference"));
    section.known(&["reference"]);
    let taken = section.section("taken").map(read_taken);
    section.finish_by_ref();
    let body = body?;
    // *Invariant:* a ticket can be found again.
    if !request::uses(&body, "marker") {
        section.error_at_key(
            "body",
            format!("nothing in `{}.body` says `{{{{marker}}}}`", section.path()),
            "put it into a field that can be searched for: without it, a ticket whose answer was lost could not be found again",
        );
    } else if !request::any_text(&body, &always_says_marker) {
        section.error_at_key(
            "body",
            format!("`{{{{marker}}}}` in `{}.body` does not mark every ticket for certain", section.path()),
            "give it a text of its own: a text is left out where a name in it has no value, and behind the words of an alert only the last marker counts",
        );
    }
    Some(Open {
        write: Write { method: method?, request: request?, body, idempotent: false },
        id: id?,
        reference: reference.map_or(Some(None), |reference| reference.map(Some))?,
        taken: taken.map_or(Some(None), |taken| taken.map(Some))?,
    })
}

fn always_says_marker(template: &Template) -> bool {
    let names: Vec<&str> = template.expressions().map(|one| one.name.as_str()).collect();
    let foreign = names.iter().any(|name| matches!(*name, "subject" | "description"));
    names.contains(&"marker")
        && names.iter().all(|name| scope::ALWAYS.contains(name))
        // Words of an alert may hold the marker of another incident: the last one counts.
        && (!foreign || names.last() == Some(&"marker"))
}

fn read_taken(mut section: Section<'_>) -> Option<Taken> {
    let status = section.required_within("status", 400..=499);
    let pointer = pointer(&mut section, "pointer");
    let contains: Option<Located<String>> = section.required("contains");
    if let Some(text) = contains.as_ref().filter(|text| text.value.is_empty()) {
        section.error_at(text.place.clone(), "an empty text stands in every answer", "");
    }
    section.finish();
    Some(Taken { status: status?, pointer: pointer?, contains: contains?.value })
}

fn read_note(section: &mut Section<'_>, what: &str) -> Option<Write> {
    let method = method(section);
    let request = request(section, scope::NOTE_ADDRESS);
    let body = body(section, Names { names: scope::NOTE, fields: Some(&[]) });
    let idempotent = section.with_default("idempotent", false);
    section.finish_by_ref();
    let (request, body) = (request?, body?);
    // *Invariant:* what was said is found again by the end of its text.
    if what == "comment" && !request::uses(&body, "text") {
        section.error_at_key(
            "body",
            format!("nothing in `{}.body` says `{{{{text}}}}`", section.path()),
            "put it where the comment's text belongs",
        );
    }
    refuse_without_case(section, &request, Some(&body));
    Some(Write { method: method?, request, body, idempotent })
}

fn read_contacts(mut section: Section<'_>) -> Option<Write> {
    let method = method(&mut section);
    let request = request(&mut section, scope::TICKET);
    let body = body(&mut section, Names { names: scope::CONTACTS, fields: Some(&[]) });
    section.finish_by_ref();
    let (request, body) = (request?, body?);
    refuse_without_case(&section, &request, Some(&body));
    // Contacts are set to what they shall be: a second time changes nothing.
    Some(Write { method: method?, request, body, idempotent: true })
}

fn read_read(section: &mut Section<'_>) -> Option<Read> {
    let request = request(section, scope::TICKET);
    let marker = pointer(section, "marker");
    let closed = section.section("closed").map(read_closed);
    section.finish_by_ref();
    let request = request?;
    refuse_without_case(section, &request, None);
    let closed = closed.map_or(Some(None), |closed| closed.map(Some))?;
    Some(Read { request, marker: marker?, closed })
}

fn read_closed(mut section: Section<'_>) -> Option<Closed> {
    let pointer = pointer(&mut section, "pointer");
    section.require("is");
    let is = section.one_or_many("is");
    section.reject_empty_list("is");
    section.finish();
    Some(Closed { pointer: pointer?, is })
}

fn read_look(section: &mut Section<'_>) -> Option<(Tickets, Option<Comments>)> {
    let tickets = needed(section, "case", |section| {
        let request = request(section, scope::LOOK);
        let (list, id) = (pointer(section, "list"), pointer(section, "id"));
        let marker = pointer(section, "marker");
        let created = section.has("created").then(|| pointer(section, "created"));
        section.known(&["created"]);
        section.finish_by_ref();
        Some(Tickets {
            request: request?,
            list: list?,
            id: id?,
            marker: marker?,
            created: created.map_or(Some(None), |created| created.map(Some))?,
        })
    });
    let comments = section.section("comments").map(|mut section| {
        let request = request(&mut section, scope::COMMENTS);
        let (list, text) = (pointer(&mut section, "list"), pointer(&mut section, "text"));
        section.finish_by_ref();
        let request = request?;
        refuse_without_case(&section, &request, None);
        Some(Comments { request, list: list?, text: text? })
    });
    section.finish_by_ref();
    Some((tickets?, comments.map_or(Some(None), |comments| comments.map(Some))?))
}

fn read_paging(mut section: Section<'_>) -> Option<Paging> {
    let next = section.has("next").then(|| pointer(&mut section, "next"));
    let more = section.has("more").then(|| pointer(&mut section, "more"));
    section.known(&["next", "more"]);
    let offset: Option<String> = section.optional("offset");
    let limit: Option<String> = section.optional("limit");
    let size = section.within("size", 100, 1..=1000);
    let by_offset = ["offset", "limit", "size"].into_iter().any(|key| section.has(key));
    let by_link = section.has("next") || section.has("more");
    let paging = if by_offset && by_link {
        let message = format!("{} pages in two ways", section.name());
        section.error(message, "keep `next` (and `more`), or `offset`, `limit` and `size`");
        None
    } else if by_offset {
        let (had, path) = (section.has("offset") && section.has("limit"), section.name());
        if !had {
            section.error(
                format!("{path} needs both `offset` and `limit`"),
                "write the names that they have in the query",
            );
        }
        offset.zip(limit).map(|(offset, limit)| Paging::Offset { offset, limit, size })
    } else {
        section.require("next");
        let more = more.map_or(Some(None), |more| more.map(Some));
        next.flatten().zip(more).map(|(next, more)| Paging::Next { next, more })
    };
    section.finish();
    paging
}

/// A request about a ticket must say which.
fn refuse_without_case(
    section: &Section<'_>,
    request: &Request,
    body: Option<&crate::domain::desk::Body>,
) {
    let query = request.query.iter().map(|(_, value)| value);
    let names = std::iter::once(&request.path).chain(query);
    let says = names.flat_map(|template| template.expressions()).any(|one| one.name == "case");
    if !says && !body.is_some_and(|body| request::uses(body, "case")) {
        section.error_at_key(
            "path",
            format!("nothing in {} says `{{{{case}}}}`", section.name()),
            "put it where the ticket's id belongs, such as `path: /tickets/{{case}}`",
        );
    }
}
