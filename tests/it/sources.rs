//! Every kind of source against a fake that speaks its service's protocol as documented: one contract for all, and what
//! each kind has of its own.

mod autoindex;
mod clients;
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
times!(hmi_first_times, hmi::shapes::Older<hmi::shapes::First>);
lists!(hmi_first_lists, hmi::shapes::Older<hmi::shapes::First>);
answers!(hmi_first_answers, hmi::shapes::Older<hmi::shapes::First>);
times!(hmi_second_times, hmi::shapes::Older<hmi::shapes::Second>);
lists!(hmi_second_lists, hmi::shapes::Older<hmi::shapes::Second>);
answers!(hmi_second_answers, hmi::shapes::Older<hmi::shapes::Second>);
times!(hmi_keywords_times, contract::Asked<hmi::Keywords>);
lists!(hmi_keywords_lists, contract::Asked<hmi::Keywords>);
answers!(hmi_keywords_answers, contract::Asked<hmi::Keywords>);

times!(medoc_times, medoc::Fake);
lists!(medoc_lists, medoc::Fake);
answers!(medoc_answers, medoc::Fake);

times!(jsoc_times, jsoc::Fake);
lists!(jsoc_lists, jsoc::Fake);
answers!(jsoc_answers, jsoc::Fake);
times!(jsoc_keywords_times, contract::Asked<jsoc::Keywords>);
lists!(jsoc_keywords_lists, contract::Asked<jsoc::Keywords>);
answers!(jsoc_keywords_answers, contract::Asked<jsoc::Keywords>);
times!(jsoc_fallback_times, contract::Asked<jsoc::Fallback>);
lists!(jsoc_fallback_lists, contract::Asked<jsoc::Fallback>);
answers!(jsoc_fallback_answers, contract::Asked<jsoc::Fallback>);
times!(jsoc_export_times, contract::Asked<jsoc::Orders>);
lists!(jsoc_export_lists, contract::Asked<jsoc::Orders>);
answers!(jsoc_export_answers, contract::Asked<jsoc::Orders>);

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
