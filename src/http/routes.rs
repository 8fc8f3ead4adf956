//! Routes that can be listed: which address takes which methods is said once, and the router, its
//! `405` answers, the comparison with the API's document and the tests of who may do what follow from
//! it.

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post, put};
use http::Method;

use super::answer::Refusal;

/// See the [module](self). `S` is what its handlers need.
pub(super) struct Routes<S>(BTreeMap<&'static str, (Vec<Method>, MethodRouter<S>)>);

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, run: H) -> Self {
        self.add(path, Method::GET, get(run))
    }

    pub(super) fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, run: H) -> Self {
        self.add(path, Method::POST, post(run))
    }

    pub(super) fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, run: H) -> Self {
        self.add(path, Method::PUT, put(run))
    }

    fn add(mut self, path: &'static str, method: Method, run: MethodRouter<S>) -> Self {
        let (methods, routes) = self.0.remove(path).unwrap_or_default();
        let methods = methods.into_iter().chain([method]).collect();
        self.0.insert(path, (methods, routes.merge(run)));
        self
    }

    /// These as well.
    pub(super) fn merge(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Every address with each method.
    pub(super) fn operations(&self) -> Vec<(Method, &'static str)> {
        let of = |(path, (methods, _)): (&&'static str, &(Vec<Method>, _))| {
            methods.iter().map(|method| (method.clone(), *path)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    pub(super) fn router(self) -> Router<S> {
        let mut router = Router::new();
        for (path, (methods, routes)) in self.0 {
            let mut allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
            if let Some(get) = allowed.iter().position(|method| *method == "GET") {
                allowed.insert(get + 1, "HEAD");
            }
            let allowed = allowed.join(", ");
            let refuse = move || {
                let allowed = allowed.clone();
                async move { Refusal::method(&allowed) }
            };
            router = router.route(path, routes.fallback(refuse));
        }
        router
    }
}
