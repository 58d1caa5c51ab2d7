//! Where the source has a file that a record or a lock names.

use url::Url;

use crate::manifest::SourceSpec;
use crate::source::from_base;

/// Where a file is, by its address relative to the source's base, or its whole one on a further host that the source
/// names; none when that leads elsewhere.
pub(super) fn address(base: &Url, source: &SourceSpec, relative: &str) -> Option<Url> {
    let elsewhere = source.reach().and_then(|reach| reach.elsewhere(relative));
    elsewhere.or_else(|| from_base(base, relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Credentials, Hmi, Reach};

    #[test]
    fn an_address_of_the_lock_stays_on_the_source_s_own_origin() {
        let base: Url = "http://localhost:8001/store/".parse().unwrap();
        let reach = Reach {
            urls: vec![base.clone()],
            hosts: vec!["data.example.org".into()],
            tunnel: None,
            credentials: Credentials::default(),
        };
        let source = SourceSpec::Hmi(Hmi { reach });
        let of = |relative: &str| address(&base, &source, relative).map(String::from);
        assert_eq!(of("/HMI/a/b.fits?x=1").as_deref(), Some("http://localhost:8001/store/HMI/a/b.fits?x=1"));
        assert_eq!(of("//evil.example/x").as_deref(), Some("http://localhost:8001/store//evil.example/x"));
        assert_eq!(of("../pub/b.fits").as_deref(), Some("http://localhost:8001/pub/b.fits"), "beside the base");
        assert_eq!(of("https://data.example.org/a").as_deref(), Some("https://data.example.org/a"));
        for leaving in ["http://evil.example/x", "https://data.example.org:81/a", "/../x", "/%2e%2e/x", "x", ""] {
            assert_eq!(of(leaving), None, "{leaving}");
        }
    }
}
