//! Every kind of source against a fake that speaks its service's protocol as documented: one contract for all, and what
//! each kind has of its own.

mod autoindex;
mod contract;
mod hmi;
mod index;
mod mirrors;
mod real;
mod template;

use contract::{lists, times};

times!(hmi_times, hmi::Fake);
lists!(hmi_lists, hmi::Fake);

times!(apache_times, index::Fake<index::Apache>);
lists!(apache_lists, index::Fake<index::Apache>);
times!(nginx_times, index::Fake<index::Nginx>);
lists!(nginx_lists, index::Fake<index::Nginx>);
times!(lighttpd_times, index::Fake<index::Lighttpd>);
lists!(lighttpd_lists, index::Fake<index::Lighttpd>);

times!(template_times, template::Fake);
