//! Every kind of source against a fake that speaks its service's protocol as documented: one contract for all, and what
//! each kind has of its own.

mod autoindex;
mod contract;
mod hapi;
mod hmi;
mod index;
mod jsoc;
mod medoc;
mod mirrors;
mod own;
mod real;
mod sunpy;
mod template;

use contract::{answers, lists, times};

times!(hmi_times, hmi::Fake);
lists!(hmi_lists, hmi::Fake);
answers!(hmi_answers, hmi::Fake);

times!(medoc_times, medoc::Fake);
lists!(medoc_lists, medoc::Fake);
answers!(medoc_answers, medoc::Fake);

times!(jsoc_times, jsoc::Fake);
lists!(jsoc_lists, jsoc::Fake);
answers!(jsoc_answers, jsoc::Fake);

times!(hapi_times, hapi::Fake);
lists!(hapi_lists, hapi::Fake);
answers!(hapi_answers, hapi::Fake);

times!(apache_times, index::Fake<index::Apache>);
lists!(apache_lists, index::Fake<index::Apache>);
answers!(apache_answers, index::Fake<index::Apache>);
times!(nginx_times, index::Fake<index::Nginx>);
lists!(nginx_lists, index::Fake<index::Nginx>);
answers!(nginx_answers, index::Fake<index::Nginx>);
times!(lighttpd_times, index::Fake<index::Lighttpd>);
lists!(lighttpd_lists, index::Fake<index::Lighttpd>);
answers!(lighttpd_answers, index::Fake<index::Lighttpd>);

times!(template_times, template::Fake);
answers!(template_answers, template::Fake);
