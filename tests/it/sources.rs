//! Every kind of source against a fake that speaks its service's protocol as documented: one contract for all, and what
//! each kind has of its own.

mod contract;
mod hmi;
mod mirrors;

use contract::{lists, times};

times!(hmi_times, hmi::Fake);
lists!(hmi_lists, hmi::Fake);
