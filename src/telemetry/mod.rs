//! What the daemon tells about itself: logs and metrics.

pub mod alarms;
pub mod logs;
pub mod metrics;
