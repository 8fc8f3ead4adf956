//! A desk: somebody's ticket system with a JSON API, as a person describes it.
//!
//! What is said here is only *how* a desk is asked. When it is asked, and what an answer means, is
//! the same for every vendor. The words of a case reach a desk as JSON values, one by one, so that
//! no alert can write JSON; addresses and headers are made of our own tokens only (see
//! [`scope`]), so that no alert can write an address.

pub mod facts;
pub mod pointer;
pub mod template;

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::catalog::{Catalog, Category};
use super::ids::AccountId;

pub use facts::Facts;
pub use pointer::Pointer;
pub use template::Template;

/// A desk.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Opens a ticket.
    pub open: Open,
    /// Comments on a ticket.
    pub comment: Write,
    /// Closes a ticket, or asks for that.
    pub close: Write,
    /// Makes a ticket's contacts exactly those of the case; `None`: the desk has no such call.
    pub contacts: Option<Write>,
    /// Reads one ticket.
    pub read: Read,
    /// Finds a ticket by its marker.
    pub tickets: Tickets,
    /// Lists the comments of a ticket. *Invariant*: `None` only where [`Self::comment`] and
    /// [`Self::close`] are idempotent.
    pub comments: Option<Comments>,
    /// How a list goes on; `None`: its first answer is all of it.
    pub paging: Option<Paging>,
    /// A harmless read.
    pub probe: Request,
    /// What it accepts.
    pub offer: Offer,
}

/// How we say who we are at a desk.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A user with a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
    /// A header of the desk's own.
    Header {
        /// Its name.
        name: String,
        /// Its whole value.
        value: SecretString,
    },
}

/// What every request has.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Begins with `/`; comes after the base address.
    pub path: Template,
    /// Names and values; one that cannot be made is left out.
    pub query: Vec<(String, Template)>,
    /// Names and values; one that cannot be made is left out.
    pub headers: Vec<(String, Template)>,
}

/// How a write is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

/// A request that changes something.
#[derive(Debug, Clone)]
pub struct Write {
    /// How.
    pub method: Method,
    /// Where.
    pub request: Request,
    /// What.
    pub body: Body,
    /// The desk does it once, however often it is asked: what may have been done is asked for
    /// again without a look.
    pub idempotent: bool,
}

/// The request that opens a ticket. It is never idempotent: keys expire at desks.
#[derive(Debug, Clone)]
pub struct Open {
    /// The request.
    pub write: Write,
    /// Where the new ticket's id stands in the answer.
    pub id: Pointer,
    /// Where the number stands by which people know it.
    pub reference: Option<Pointer>,
    /// The answer that says that its key was used before.
    pub taken: Option<Taken>,
}

/// An answer that is no success, and yet says that an earlier request came through.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its status.
    pub status: u16,
    /// Where its body says so.
    pub pointer: Pointer,
    /// What is said there, among other things.
    pub contains: String,
}

/// How one ticket is read.
#[derive(Debug, Clone)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// Where the marker stands, alone or in a text.
    pub marker: Pointer,
    /// How a closed ticket is known.
    pub closed: Option<Closed>,
}

/// How a closed ticket is known.
#[derive(Debug, Clone)]
pub struct Closed {
    /// Where its state stands.
    pub pointer: Pointer,
    /// The states in which it is closed, as texts.
    pub is: Vec<String>,
}

/// How tickets are listed that may carry a marker.
#[derive(Debug, Clone)]
pub struct Tickets {
    /// The request.
    pub request: Request,
    /// Where the list stands in the answer.
    pub list: Pointer,
    /// Where the id stands in an item.
    pub id: Pointer,
    /// Where the marker stands in an item, alone or in a text.
    pub marker: Pointer,
    /// Where the time stands at which it was opened, in a form whose order is that of time.
    pub created: Option<Pointer>,
}

/// How the comments of a ticket are listed.
#[derive(Debug, Clone)]
pub struct Comments {
    /// The request.
    pub request: Request,
    /// Where the list stands in the answer.
    pub list: Pointer,
    /// Where the text stands in an item: a text, or a tree with texts in it.
    pub text: Pointer,
}

/// How a list goes on.
#[derive(Debug, Clone)]
pub enum Paging {
    /// The answer holds the address of the next page.
    Next {
        /// Where: a text, or nothing on the last page.
        next: Pointer,
        /// Where it says whether there is a next page; `false` ends the list.
        more: Option<Pointer>,
    },
    /// Pages are asked for by the number of the first item; one that is not full is the last.
    Offset {
        /// The name in the query of that number, counted from 0.
        offset: String,
        /// The name in the query of the size.
        limit: String,
        /// Items of a full page.
        size: u32,
    },
}

/// A JSON body whose texts are templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text; one that cannot be made is left out of the list or map that it stands in.
    Text(Template),
    /// A list.
    List(Vec<Body>),
    /// A map; its keys are as they are written.
    Map(Vec<(String, Body)>),
}

/// What a desk accepts.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The accounts; none: any.
    pub accounts: Vec<AccountId>,
    /// The severities, the worst first.
    pub severities: Vec<Severity>,
    /// What belongs to each category. Their severities are all of [`Self::severities`].
    pub categories: BTreeMap<Category, Catalog>,
}

/// A severity of a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severity {
    /// Its name.
    pub name: String,
    /// What a template finds at `severity.NAME`.
    pub fields: BTreeMap<String, String>,
}

impl Offer {
    /// What the desk accepts for an account and category.
    ///
    /// # Errors
    ///
    /// What it does not accept, and what it does, in a sentence.
    pub fn catalog(&self, account: &AccountId, category: Category) -> Result<&Catalog, String> {
        if !self.accounts.is_empty() && !self.accounts.contains(account) {
            let names: Vec<&str> = self.accounts.iter().map(AccountId::as_str).collect();
            let names = names.join(", ");
            return Err(format!("it has no account `{account}` (`accounts` has: {names})"));
        }
        self.categories.get(&category).ok_or_else(|| {
            let names: Vec<&str> = self.categories.keys().map(|one| one.as_str()).collect();
            format!("it has no category {category} (`categories` has: {})", names.join(", "))
        })
    }

    /// What a severity has, by its name.
    pub fn fields(&self, severity: &str) -> Option<&BTreeMap<String, String>> {
        self.severities.iter().find(|one| one.name == severity).map(|one| &one.fields)
    }
}

/// The names that templates may use, by what is being made.
pub mod scope {
    /// Addresses and headers of the call that opens a ticket.
    pub const OPEN_ADDRESS: &[&str] = &["marker", "token", "key"];
    /// Its body, severity fields aside.
    pub const OPEN: &[&str] = &[
        "marker",
        "token",
        "key",
        "subject",
        "description",
        "account",
        "category",
        "severity",
        "product",
        "problem",
        "policy_domain",
        "area",
        "service",
        "parent_account",
        "solution",
        "package",
        "also_notify",
        "contact.name",
        "contact.company",
        "contact.email",
        "contact.phone",
    ];
    /// Those of [`OPEN`] that every case has: a text that uses another is left out where that is
    /// absent.
    pub const ALWAYS: &[&str] =
        &["marker", "token", "key", "subject", "description", "account", "category", "severity"];
    /// Addresses and headers of the calls that comment and close.
    pub const NOTE_ADDRESS: &[&str] = &["case", "marker", "token", "key"];
    /// Their bodies.
    pub const NOTE: &[&str] = &["case", "marker", "token", "key", "text"];
    /// Addresses and headers of the call that sets contacts, and of the one that reads a ticket.
    pub const TICKET: &[&str] = &["case", "marker"];
    /// The body of the call that sets contacts.
    pub const CONTACTS: &[&str] = &[
        "case",
        "marker",
        "also_notify",
        "contact.name",
        "contact.company",
        "contact.email",
        "contact.phone",
    ];
    /// Looking for a ticket.
    pub const LOOK: &[&str] = &["marker", "token", "since"];
    /// Looking for a comment.
    pub const COMMENTS: &[&str] = &["case", "marker", "token"];
    /// The probe.
    pub const PROBE: &[&str] = &[];
}
