//! Rows to values. What a row says beyond the schema's checks is checked here: a row that makes
//! no sense is [`StoreError::Corrupt`], never a panic and never a guess.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::writer::unavailable;
use crate::domain::access::Role;
use crate::domain::alert::Alert;
use crate::domain::audit::{Entry, Outcome};
use crate::domain::ids::{
    ActionId, CaseId, DeliveryId, Fingerprint, Identity, IncidentId, IncidentKey, RuleName, Scope,
    SourceName, VendorName,
};
use crate::domain::incident::{Hold, Incident, State, Tally};
use crate::domain::member::Member;
use crate::domain::news::News;
use crate::domain::session::Session;
use crate::domain::severity::Rank;
use crate::store::{
    Action, ActionState, Attempt, Decided, DeliveryRecord, Fate, KeptDelivery, Phase, StoreError,
};

/// Microseconds since 1970, as all times are stored.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// One row, read by column name.
pub(super) struct Reader<'r>(pub(super) &'r SqliteRow);

impl Reader<'_> {
    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.0.try_get(column).map_err(unavailable)
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.0.try_get(column).map_err(unavailable)
    }

    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.try_get(column).map_err(unavailable)
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.0.try_get(column).map_err(unavailable)
    }

    pub(super) fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.0.try_get(column).map_err(unavailable)
    }

    fn small(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.int(column)?).map_err(|_| odd(column, "a negative or huge number"))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        instant(column, self.int(column)?)
    }

    pub(super) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.maybe_int(column)?.map(|micros| instant(column, micros)).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| odd(column, &error.to_string()))
    }

    fn rank(&self, column: &str) -> Result<Rank, StoreError> {
        Rank::new(u64::from(self.small(column)?)).ok_or_else(|| odd(column, "out of range"))
    }

    /// A column that the schema demands in this state.
    fn demanded<T>(&self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| odd(column, "missing in this state"))
    }

    fn action_id(&self) -> Result<ActionId, StoreError> {
        Ok(ActionId {
            incident: IncidentId::from_stored(self.text("incident")?),
            seq: self.small("seq")?,
        })
    }

    fn state(&self) -> Result<State, StoreError> {
        let case = || self.demanded("case_id", self.maybe_text("case_id")?).map(CaseId::new);
        let due = || self.demanded("due_at", self.maybe_time("due_at")?);
        let ended = || self.demanded("ended_at", self.maybe_time("ended_at")?);
        let seq = || {
            let seq = self.demanded("open_seq", self.maybe_int("open_seq")?)?;
            u32::try_from(seq).map_err(|_| odd("open_seq", "out of range"))
        };
        Ok(match self.text("state")?.as_str() {
            "pending" => State::Pending { due: due()? },
            "opening" => State::Opening { seq: seq()? },
            "held" => {
                let hold = self.demanded("hold", self.maybe_text("hold")?)?;
                let hold = Hold::ALL.into_iter().find(|known| known.name() == hold);
                let hold = hold.ok_or_else(|| odd("hold", "unknown"))?;
                State::Held { hold, due: self.maybe_time("due_at")? }
            }
            "open" => State::Open { case: case()?, due: self.maybe_time("due_at")? },
            "resolving" => State::Resolving { case: case()?, due: due()? },
            "closed" => State::Closed { case: case()?, at: ended()? },
            "dropped" => State::Dropped { at: ended()? },
            "failed" => State::Failed { seq: seq()? },
            other => return Err(odd("state", other)),
        })
    }

    /// An incident, still without its members.
    pub(super) fn incident(&self) -> Result<Incident, StoreError> {
        Ok(Incident {
            id: IncidentId::from_stored(self.text("id")?),
            rule: RuleName::new(self.text("rule")?),
            key: IncidentKey {
                scope: Scope::new(self.text("scope")?),
                identity: Identity::from_stored(self.text("identity")?),
            },
            generation: self.small("generation")?,
            previous_case: self.maybe_text("previous_case")?.map(CaseId::new),
            vendor: VendorName::new(self.text("vendor")?),
            rank: self.rank("rank")?,
            worst: self.rank("worst")?,
            state: self.state()?,
            members: BTreeMap::new(),
            tally: Tally { firing: self.small("firing")?, resolved: self.small("resolved")? },
            left_out: match self.maybe_text("left_out")? {
                Some(_) => Some(self.json("left_out")?),
                None => None,
            },
            origin: self.json("origin")?,
            delivery: DeliveryId::new(self.text("delivery")?),
            created_at: self.time("created_at")?,
            updated_at: self.time("updated_at")?,
            heard_at: self.time("heard_at")?,
            told_at: self.maybe_time("told_at")?,
            news: match self.maybe_text("news")? {
                Some(_) => self.json("news")?,
                None => News::default(),
            },
            last_seq: self.small("last_seq")?,
        })
    }

    pub(super) fn member(&self) -> Result<(IncidentId, Fingerprint, Member), StoreError> {
        let alert: Alert = self.json("alert")?;
        Ok((
            IncidentId::from_stored(self.text("incident")?),
            Fingerprint::new(self.text("fingerprint")?),
            Member { alert, rank: self.rank("rank")?, since: self.time("since")? },
        ))
    }

    pub(super) fn action(&self) -> Result<Action, StoreError> {
        let state = self.text("state")?;
        let phase = match self.text("phase")?.as_str() {
            "send" => Phase::Send,
            _ => Phase::Look {
                looks: self.small("looks")?,
                unknown_since: self.demanded("unknown_since", self.maybe_time("unknown_since")?)?,
            },
        };
        Ok(Action {
            id: self.action_id()?,
            vendor: VendorName::new(self.text("vendor")?),
            kind: self.json("payload")?,
            rank: self.rank("rank")?,
            state: ActionState::ALL
                .into_iter()
                .find(|known| known.name() == state)
                .ok_or_else(|| odd("state", &state))?,
            phase,
            attempts: self.small("attempts")?,
            first_sent_at: self.maybe_time("first_sent_at")?,
            due_at: self.time("due_at")?,
            created_at: self.time("created_at")?,
            revived_at: self.maybe_time("revived_at")?,
            blocked_at: self.maybe_time("blocked_at")?,
            message: self.maybe_text("message")?,
        })
    }

    pub(super) fn decided(&self) -> Result<Decided, StoreError> {
        Ok(Decided {
            at: self.time("at")?,
            cause: self.text("cause")?,
            state: self.text("state")?,
            reason: self.text("reason")?,
        })
    }

    pub(super) fn attempt(&self) -> Result<Attempt, StoreError> {
        Ok(Attempt {
            action: self.action_id()?,
            number: self.small("number")?,
            phase: self.text("phase")?,
            started_at: self.time("started_at")?,
            finished_at: self.maybe_time("finished_at")?,
            outcome: self.text("outcome")?,
            status: self.maybe_int("status")?.and_then(|status| u16::try_from(status).ok()),
            reference: self.maybe_text("reference")?,
            message: self.maybe_text("message")?,
            request: self.maybe_text("request")?,
        })
    }

    pub(super) fn delivery(&self) -> Result<DeliveryRecord, StoreError> {
        let fate = self.text("fate")?;
        Ok(DeliveryRecord {
            id: DeliveryId::new(self.text("id")?),
            source: SourceName::new(self.text("source")?),
            received_at: self.time("received_at")?,
            fate: Fate::ALL
                .into_iter()
                .find(|known| known.name() == fate)
                .ok_or_else(|| odd("fate", &fate))?,
            note: self.maybe_text("note")?,
            verdicts: self.json("verdicts")?,
        })
    }

    pub(super) fn entry(&self) -> Result<Entry, StoreError> {
        let outcome = self.text("outcome")?;
        Ok(Entry {
            number: u64::try_from(self.int("number")?)
                .map_err(|_| odd("number", "a negative number"))?,
            at: self.time("at")?,
            who: self.maybe_text("who")?,
            role: self.maybe_text("role")?,
            means: self.maybe_text("means")?,
            from: self.maybe_text("from_address")?,
            act: self.text("act")?,
            object: self.text("object")?,
            detail: self.text("detail")?,
            outcome: Outcome::ALL
                .into_iter()
                .find(|known| known.name() == outcome)
                .ok_or_else(|| odd("outcome", &outcome))?,
            why: self.text("why")?,
            ended_at: self.maybe_time("ended_at")?,
        })
    }

    pub(super) fn session(&self) -> Result<Session, StoreError> {
        let role = self.text("role")?;
        Ok(Session {
            id: self.text("id")?,
            name: self.text("name")?,
            role: Role::named(&role).ok_or_else(|| odd("role", &role))?,
            seal: self.text("seal")?,
            from: self.maybe_text("from_address")?.and_then(|from| from.parse().ok()),
            created_at: self.time("created_at")?,
            seen_at: self.time("seen_at")?,
            expires_at: self.time("expires_at")?,
        })
    }

    pub(super) fn kept_delivery(&self) -> Result<KeptDelivery, StoreError> {
        Ok(KeptDelivery { record: self.delivery()?, body: self.maybe_bytes("body")? })
    }
}

fn instant(column: &str, micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| odd(column, &error.to_string()))
}

pub(super) fn odd(column: &str, what: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}: {what}"))
}

/// JSON of a value that always has one.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
