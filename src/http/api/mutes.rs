//! Mutes: the list, making one, lifting one.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, named, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::RuleName;
use crate::domain::mute::Mute;
use crate::http::answer::{self, Refusal};
use crate::people::muting::{LONGEST, Wish};
use crate::telemetry::metrics::AdminCall;
use crate::time::duration;

/// A reason is a sentence, not an essay.
const REASON_MAX: usize = 500;

pub(super) fn routes() -> Routes {
    Routes::default().get("/mutes", list).post("/mutes", make).post("/mutes/{id}/lift", lift)
}

/// The mutes that count.
#[derive(Serialize, ToSchema)]
pub(super) struct Mutes {
    mutes: Vec<Mute>,
}

/// A mute that has ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Lifted {
    /// Its id.
    lifted: String,
}

/// The mutes that people have made and that count now, the one that ends first first.
#[utoipa::path(get, path = "/api/v1/mutes", tag = "mutes", responses(
    (status = 200, description = "The mutes.", body = Mutes),
))]
pub(super) async fn list(State(api): State<Api>) -> Result<Response, Refusal> {
    let mutes = api.people.mutes().await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Mutes { mutes }))
}

/// Open no cases for some time, of one rule or of all. What still fires then gets its case.
#[utoipa::path(post, path = "/api/v1/mutes", tag = "mutes", params(
    ("for" = String, Query, description = "for how long, such as `2h`; at most `30d`"),
    ("reason" = String, Query, min_length = 1, max_length = 500, description = "why"),
    ("rule" = Option<String>, Query, description = "cases of this rule"),
    ("all" = Option<bool>, Query, description = "`true` in place of `rule`: every case"),
), responses((status = 201, description = "The mute.", body = Mute)))]
pub(in crate::http) async fn make(
    State(api): State<Api>,
    by: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let refused = |refusal: Refusal| {
        api.metrics.admin_call(AdminCall::Mute, "refused");
        refusal
    };
    let asked =
        Asked::read(query.as_deref(), &["for", "reason", "rule", "all"]).map_err(refused)?;
    let lasts = duration::parse(asked.demanded("for").map_err(refused)?)
        .map_err(|why| refused(asked.refuse(format!("`for` is no time: {why}"))))?;
    if lasts.is_zero() || lasts > LONGEST {
        let most = duration::format(LONGEST);
        return Err(refused(asked.refuse(format!(
            "`for` is out of range: it is more than nothing and {most} at most"
        ))));
    }
    let reason = asked.demanded("reason").map_err(refused)?.to_owned();
    if reason.chars().count() > REASON_MAX {
        let what = format!("`reason` has 1 to {REASON_MAX} characters");
        return Err(refused(asked.refuse(what)));
    }
    let rule = asked.text("rule");
    if rule.is_some() == (asked.yes("all").map_err(refused)? == Some(true)) {
        let what = "say which cases: `rule` names one, or `all=true` is every case of every rule";
        return Err(refused(asked.refuse(what)));
    }
    let wish = Wish { rule: rule.map(RuleName::new), lasts, reason };
    let (people, who) = (api.people.clone(), by.name.clone());
    let made = whole(async move { people.mute(&by, wish).await }).await?;
    match made.map_err(|error| trouble(&error))? {
        Ok(mute) => {
            api.metrics.admin_call(AdminCall::Mute, "done");
            let what =
                mute.rule.as_ref().map_or("everything".to_owned(), |rule| format!("rule {rule}"));
            tracing::warn!(
                who,
                mute = mute.id,
                "{who} has muted {what} until {}: {}",
                mute.until,
                mute.reason
            );
            Ok(answer::json(StatusCode::CREATED, &mute))
        }
        Err(why) => {
            api.metrics.admin_call(AdminCall::Mute, "refused");
            Err(Refusal::unknown(why.to_string()).hint("`rule` is the name of a rule in force"))
        }
    }
}

/// End a mute before its time: what still fires gets its case now.
#[utoipa::path(post, path = "/api/v1/mutes/{id}/lift", tag = "mutes", params(
    ("id" = String, Path, description = "the mute"),
), responses((status = 200, description = "It has ended.", body = Lifted)))]
pub(in crate::http) async fn lift(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let id = named(path);
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let lifted = whole(async move { people.unmute(&by, &asked).await }).await?;
    let lifted = lifted.map_err(|error| trouble(&error))?;
    api.metrics.admin_call(AdminCall::Unmute, if lifted { "done" } else { "refused" });
    if !lifted {
        return Err(Refusal::unknown("there is no such mute")
            .hint("`casewright mutes list` shows those that count; the others are over"));
    }
    tracing::info!(who, mute = id, "{who} has lifted mute {id}");
    Ok(answer::json(StatusCode::OK, &Lifted { lifted: id }))
}
