//! The simulated vendor. Imports nothing from `vendors`.
