//! What speaks HTTP: the serve loop, the webhook endpoints, health and metrics, the API.
//!
//! The public listener has nothing but [`webhooks`]; everything else is on the admin listener.

pub mod access;
pub mod admin;
pub mod answer;
pub mod api;
mod back;
pub mod body;
pub mod console;
mod engine;
mod form;
pub mod login;
mod routes;
pub mod server;
pub mod webhooks;

#[cfg(test)]
mod tests;
