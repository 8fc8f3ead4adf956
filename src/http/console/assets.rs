//! The console's style, script and icon: inside the binary, named by what is in them, so that a
//! browser keeps them for ever and a new version never meets an old file.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};

use crate::http::answer::Refusal;

/// Where they are.
pub(super) const ROUTE: &str = "/console/assets/{name}";

/// A file of the console's.
#[derive(Debug)]
pub(super) struct Asset {
    /// Where a page finds it.
    pub(super) address: String,
    kind: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, content: &'static str) -> Self {
        let digest = hex::encode(Sha256::digest(content.as_bytes()));
        let digest = digest.get(..12).unwrap_or_default();
        Self { address: format!("/console/assets/{name}-{digest}.{ending}"), kind, content }
    }
}

/// How pages look.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "css", "text/css; charset=utf-8", include_str!("assets/console.css"))
});

/// What keeps them up to date.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("assets/live.js"))
});

/// What a browser's tab shows.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// A file, by its name. Open to everybody: it tells nothing.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let all = [&*STYLE, &*SCRIPT, &*ICON];
    let asked = |asset: &&&Asset| asset.address.strip_prefix("/console/assets/") == Some(&name);
    let Some(asset) = all.iter().find(asked) else {
        return Refusal::not_found().into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.content).into_response()
}
