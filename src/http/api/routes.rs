//! The API's addresses.

use super::Api;

/// See [`Routes`](crate::http::routes::Routes).
pub(super) type Routes = crate::http::routes::Routes<Api>;
