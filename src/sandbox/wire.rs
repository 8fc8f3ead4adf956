//! The JSON that the API answers with, made from the records. Names and nullability follow the
//! vendor's OpenAPI document; dates are RFC 3339 in UTC with whole seconds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::attachments::{Attachment, UploadStatus};
use super::cases::{Account, Case, Comment};
use super::catalog::{AccountEntry, Catalog, CategoryEntry};
use super::endpoint::BASE;

/// Where a case is, relative to the host.
pub(super) fn case_path(case_id: &str) -> String {
    format!("{BASE}/cases/{case_id}")
}

fn file_path(case_id: &str, file: &Attachment) -> String {
    format!("{}/attachments/{}", case_path(case_id), file.attachment_id)
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn link(rel: &str, href: &str) -> Value {
    json!({ "rel": rel, "href": href })
}

/// The user behind the API client. There is only one, so "my" cases are all cases.
fn api_contact() -> Value {
    json!({
        "name": "API client of the sandbox",
        "email": "api-client@sandbox.example",
        "phone": null,
        "company": null,
    })
}

fn account_or_nulls(account: Option<&Account>) -> Value {
    account
        .map_or_else(|| json!({ "accountId": null, "accountName": null }), |account| json!(account))
}

/// What creating, reading and updating a case answer.
pub(super) fn full_case(case: &Case, now: Timestamp) -> Value {
    let filed = &case.filed;
    let open = !case.is_closed();
    // Null for every category but this one, says the documentation.
    let turn = case.next_action.as_deref().unwrap_or("CASE_OWNER");
    let next_action = (filed.category.category_id == "TECHNICAL" && open).then_some(turn);
    let initial_response = case
        .first_response_date
        .map(|first| first.duration_since(case.created_date).as_secs() / 60);
    let path = case_path(&case.case_id);
    json!({
        "caseId": case.case_id,
        "subject": filed.subject,
        "description": filed.description,
        "severity": filed.severity,
        "status": case.status,
        "category": filed.category,
        "account": filed.account,
        "createdByAccount": account_or_nulls(None),
        "parentAccount": account_or_nulls(filed.parent_account.as_ref()),
        "contact": api_contact(),
        "alternateContact": filed.alternate_contact,
        "alsoNotify": filed.also_notify,
        "customerTrackingNumber": filed.customer_tracking_number,
        "partnerTicketNumber": filed.partner_ticket_number,
        "productName": filed.product_name,
        "problemName": filed.problem_name,
        "areaName": filed.area_name,
        "serviceName": filed.service_name,
        "productSolutionName": filed.product_solution_name,
        "psPackageName": filed.ps_package_name,
        "policyDomainName": filed.policy_domain_name,
        "serviceContractId": null,
        "createdDate": date(case.created_date),
        "modifiedDate": date(case.modified_date),
        "resolvedDate": case.resolved_date.map(date),
        "closedDate": case.closed_date.map(date),
        "solutionSummary": null,
        "age": now.duration_since(case.created_date).as_secs().max(0),
        "timeToInitialResponse": initial_response,
        "nextAction": next_action,
        "permissions": {
            "requestClose": open,
            "addComments": case.takes_comments(now),
            "updateCase": open,
            "uploadAttachments": open,
        },
        "links": [
            link("comments", &format!("{path}/comments")),
            link("attachments", &format!("{path}/attachments")),
        ],
    })
}

/// What a list shows of a case: neither its description nor its tracking number.
pub(super) fn case_item(case: &Case) -> Value {
    json!({
        "caseId": case.case_id,
        "subject": case.filed.subject,
        "severity": case.filed.severity,
        "status": case.status,
        "category": case.filed.category,
        "account": case.filed.account,
        "contact": api_contact(),
        "createdDate": date(case.created_date),
        "updatedDate": date(case.modified_date),
        "policyDomainName": case.filed.policy_domain_name,
        "links": [link("self", &case_path(&case.case_id))],
    })
}

/// A page of cases; `this` is the request's own path and query.
pub(super) fn case_list(items: &[Value], this: &str, next: Option<&str>) -> Value {
    let mut links = vec![link("self", this)];
    links.extend(next.map(|next| link("next", next)));
    json!({ "cases": items, "links": links })
}

/// A comment as its creation answers it.
pub(super) fn new_comment(comment: &Comment, case_id: &str) -> Value {
    let mut value = comment_item(comment, case_id, None);
    if let Some(object) = value.as_object_mut() {
        object.insert("links".to_owned(), json!([link("case", &case_path(case_id))]));
    }
    value
}

/// A comment as a list shows it; one that tells of a file that is through leads to it.
pub(super) fn comment_item(comment: &Comment, case_id: &str, file: Option<&Attachment>) -> Value {
    let links: Vec<Value> =
        file.iter().map(|file| link("attachment", &file_path(case_id, file))).collect();
    json!({
        "commentId": comment.comment_id,
        "comment": comment.comment,
        "commentType": comment.comment_type,
        "createdBy": comment.created_by,
        "createdDate": date(comment.created_date),
        "links": links,
    })
}

/// A page of comments.
pub(super) fn comment_list(
    items: &[Value],
    case_id: &str,
    this: &str,
    next: Option<&str>,
) -> Value {
    let mut links = vec![link("self", this)];
    links.extend(next.map(|next| link("next", next)));
    links.push(link("case", &case_path(case_id)));
    json!({ "comments": items, "links": links })
}

/// What accepting a file answers: it is never through by then.
pub(super) fn accepted(file: &Attachment, case_id: &str) -> Value {
    let status = format!("{}/attachments/status/{}", case_path(case_id), file.upload_id);
    json!({
        "fileName": file.file_name,
        "uploadId": file.upload_id,
        "uploadStatus": UploadStatus::Uploading.name(),
        "uploadStatusMessage": UploadStatus::Uploading.message(),
        "links": [
            link("attachment_upload_status", &status),
            link("case", &case_path(case_id)),
        ],
    })
}

/// How far an upload is. Only one that is through has an attachment's id: the others lack the
/// field, for which the vendor's document allows no null.
pub(super) fn upload(file: &Attachment, case_id: &str, now: Timestamp) -> Value {
    let status = file.status(now);
    let through = status == UploadStatus::Uploaded;
    let mut links = vec![link("case", &case_path(case_id))];
    if through {
        links.insert(0, link("attachment", &file_path(case_id, file)));
    }
    let mut value = json!({
        "fileName": file.file_name,
        "uploadId": file.upload_id,
        "uploadStatus": status.name(),
        "uploadStatusMessage": status.message(),
        "links": links,
    });
    if let Some(object) = value.as_object_mut().filter(|_| through) {
        object.insert("attachmentId".to_owned(), json!(file.attachment_id));
    }
    value
}

/// A file as a list shows it.
pub(super) fn attachment_item(file: &Attachment, case_id: &str) -> Value {
    json!({
        "attachmentId": file.attachment_id,
        "fileName": file.file_name,
        "fileType": file.file_type,
        "createdBy": file.created_by,
        "createdDate": date(file.created_date),
        "links": [link("attachment", &file_path(case_id, file))],
    })
}

/// A page of files.
pub(super) fn attachment_list(
    items: &[Value],
    case_id: &str,
    this: &str,
    next: Option<&str>,
) -> Value {
    let mut links = vec![link("self", this)];
    links.extend(next.map(|next| link("next", next)));
    links.push(link("case", &case_path(case_id)));
    json!({ "attachments": items, "links": links })
}

/// The accounts and the names of their categories: a bare array.
pub(super) fn accounts(catalog: &Catalog) -> Value {
    catalog
        .accounts
        .iter()
        .map(|account| {
            let categories: Vec<Value> = account
                .categories
                .iter()
                .map(|category| {
                    let id = &category.category_id;
                    let href = format!("{BASE}/categories/{id}?accountId={}", account.account_id);
                    json!({
                        "categoryId": id,
                        "categoryName": category.category_name,
                        "links": [link("self", &href)],
                    })
                })
                .collect();
            json!({
                "accountId": account.account_id,
                "accountName": account.account_name,
                "categories": categories,
            })
        })
        .collect()
}

/// What a category accepts from an account.
pub(super) fn category(category: &CategoryEntry, account: &AccountEntry) -> Value {
    let mut value = json!(category);
    if let Some(object) = value.as_object_mut() {
        object.insert(
            "account".to_owned(),
            json!({ "accountId": account.account_id, "accountName": account.account_name }),
        );
    }
    value
}
