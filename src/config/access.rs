//! Who may come in at the admin listener: tokens, a proxy that is trusted, and how long browsers
//! stay in.
//!
//! Never keeps a token of the daemon's: what is read here as a token leaves as its digest.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::decode::{Decode, Field, Located, Section, quote};
use super::name::Word;
use crate::domain::access::{Role, TokenDigest};
use crate::domain::network::{Network, NoNetwork};
use crate::domain::session::Lifetimes;

/// The name under which the token beside the database is logged.
pub const LOCAL_TOKEN: &str = "local";

/// An admin token of fewer characters could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The header that proxies which authenticate people set, as a rule.
const USER_HEADER: &str = "X-Forwarded-User";

/// Who may come in.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    /// Whoever has one of these.
    pub tokens: Vec<AdminToken>,
    /// Whoever this says.
    pub proxy: Option<ProxyConfig>,
    /// How long browsers stay in.
    pub sessions: Lifetimes,
    /// Whether browsers are told to send cookies over TLS only, whatever a request came over.
    pub secure_cookies: bool,
}

/// A token that lets somebody in.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Whose it is: what the log says. Unique.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Of the token.
    pub digest: TokenDigest,
}

/// A proxy whose word counts.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Where it is. Nobody else's word counts.
    pub from: Vec<Network>,
    /// The header that names the user.
    pub user_header: http::HeaderName,
    /// The role of users who are not named.
    pub role: Role,
    /// The roles of those who are.
    pub roles: BTreeMap<String, Role>,
}

impl Decode for Network {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        match text.parse::<Self>() {
            Ok(network) if network.is_everything() => {
                field.error("this trusts everybody", "name the addresses of the proxy alone");
                None
            }
            Ok(network) => Some(network),
            Err(why) => {
                let hint = match why {
                    NoNetwork::Form => "such as `10.0.0.5` or `10.0.0.0/24`",
                    NoNetwork::Middle(_) => "or write the one address",
                };
                let message = format!("{} is not a block of addresses: {why}", field.quoted());
                field.error(message, hint);
                None
            }
        }
    }
}

impl Decode for Role {
    fn decode(field: &Field<'_>) -> Option<Self> {
        super::decode::named(field, &Self::NAMED)
    }
}

/// What tokens and proxy of the section `server` say; and the first token that stands there in
/// clear, which the command line takes.
pub(super) fn read(server: &mut Section<'_>) -> (AccessConfig, Option<SecretString>) {
    let (tokens, clear) = read_tokens(server);
    let example = "trusted_proxy: { from: [10.0.0.5], role: viewer }";
    let proxy = server.section_like("trusted_proxy", example).and_then(read_proxy);
    let mut access = AccessConfig { tokens, proxy, ..AccessConfig::default() };
    if let Some(mut console) = server.section_like("console", "console: { session: 12h }") {
        let range = || Lifetimes::LEAST..=Lifetimes::MOST;
        let default = Lifetimes::default();
        access.sessions = Lifetimes {
            lasts: console.within("session", default.lasts, range()),
            idle: console.within("session_idle", default.idle, range()),
        };
        access.secure_cookies = console.with_default("secure_cookies", false);
        console.finish();
    }
    (access, clear)
}

fn read_tokens(server: &mut Section<'_>) -> (Vec<AdminToken>, Option<SecretString>) {
    let mut tokens: Vec<AdminToken> = Vec::new();
    let mut first = None;
    for mut section in server.sections("admin_tokens") {
        let name = section.required::<Located<Word>>("name");
        let role = section.required::<Role>("role");
        let place = section.place();
        let (digest, clear) = read_token(&mut section);
        if let Some(Located { value: Word(name), place }) = &name
            && (name == LOCAL_TOKEN || tokens.iter().any(|token| token.name == *name))
        {
            let message = format!("the name {} is taken", quote(name));
            let hint = "the log tells by the name who did what: give this one another";
            section.error_at(place.clone(), message, hint);
        }
        let twin = digest
            .and_then(|digest| tokens.iter().find(|token| bool::from(token.digest.is(&digest))));
        if let Some(twin) = twin {
            let message = format!("this is the token of {} as well", quote(&twin.name));
            section.error_at(place, message, "make another one with `casewright token new`");
        }
        section.finish();
        if let (Some(name), Some(role), Some(digest)) = (name, role, digest) {
            tokens.push(AdminToken { name: name.value.0, role, digest });
            first = first.or(clear);
        }
    }
    (tokens, first)
}

/// One of `token`, `token_file` and `token_sha256`; and the token, where it stands there in clear.
fn read_token(section: &mut Section<'_>) -> (Option<TokenDigest>, Option<SecretString>) {
    let in_clear = section.has("token") || section.has("token_file");
    if let Some(field) = section.field("token_sha256") {
        section.known(&["token", "token_file"]);
        if in_clear {
            let message = "`token_sha256` stands beside the token itself";
            section.error_at_key("token_sha256", message, "keep one of them");
            return (None, None);
        }
        let digest = field.decode::<SecretString>();
        let digest = digest.and_then(|digest| {
            let read = TokenDigest::from_hex(digest.expose_secret());
            if read.is_none() {
                let hint = "64 hexadecimal digits, as `casewright token new` prints them";
                field.error("`token_sha256` is not a SHA-256 digest", hint);
            }
            read
        });
        return (digest, None);
    }
    if !in_clear {
        section.known(&["token", "token_file"]);
        let message = format!("{} needs `token`, `token_file` or `token_sha256`", section.name());
        section.error(message, "make one with `casewright token new`");
        return (None, None);
    }
    let place = section.place();
    let token = section.secret("token");
    if token.as_ref().is_some_and(|token| token.expose_secret().len() < SHORTEST_TOKEN) {
        let message = format!("the token is shorter than {SHORTEST_TOKEN} characters");
        section.error_at(place, message, "make one with `casewright token new`");
    }
    let digest =
        token.as_ref().map(|token| TokenDigest::of(token.expose_secret().trim().as_bytes()));
    (digest, token)
}

fn read_proxy(mut section: Section<'_>) -> Option<ProxyConfig> {
    section.require("from");
    section.reject_empty_list("from");
    let from: Vec<Network> = section.one_or_many("from");
    let header = section.optional::<Located<String>>("user_header");
    let role = section.with_default("role", Role::Viewer);
    let mut roles = BTreeMap::new();
    if let Some(field) = section.field("roles") {
        for (user, role) in field.entries().unwrap_or_default() {
            if let Some(role) = role.decode() {
                roles.insert(user.text.clone(), role);
            }
        }
    }
    let user_header = match header {
        None => http::HeaderName::from_bytes(USER_HEADER.as_bytes()).ok(),
        Some(Located { value, place }) => {
            let header = http::HeaderName::from_bytes(value.as_bytes()).ok();
            let taken = [http::header::AUTHORIZATION, http::header::COOKIE, http::header::HOST];
            match header.filter(|header| !taken.contains(header)) {
                None => {
                    let message = "this cannot be the header that names the user";
                    section.error_at(place, message, format!("such as `{USER_HEADER}`"));
                    None
                }
                header => header,
            }
        }
    };
    section.finish();
    if from.is_empty() {
        return None;
    }
    Some(ProxyConfig { from, user_header: user_header?, role, roles })
}
