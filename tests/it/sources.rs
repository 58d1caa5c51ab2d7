//! Every kind of source against a fake that speaks its service's protocol as documented: one contract for all, and what
//! each kind has of its own.

mod contract;
mod hmi;
mod jsoc;
mod medoc;
mod mirrors;
mod own;
mod sunpy;

use contract::{lists, times};

times!(hmi_times, hmi::Fake);
lists!(hmi_lists, hmi::Fake);

times!(medoc_times, medoc::Fake);
lists!(medoc_lists, medoc::Fake);
times!(jsoc_times, jsoc::Fake);
lists!(jsoc_lists, jsoc::Fake);
