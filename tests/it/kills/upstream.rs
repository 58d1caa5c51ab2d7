//! What the service of the kill tests holds: some hundred files of mixed sizes and manners.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sunhaul::digest::Digest;

use crate::lab::fits;

/// The series and the days of each, half-open.
pub(super) const SERIES: [&str; 2] = ["sharp_720s", "notes"];
pub(super) const DAYS: [&str; 3] = ["2015-12-11", "2015-12-12", "2015-12-13"];
pub(super) const END: &str = "2015-12-14";

/// How many files each day of each series has.
const FILES: usize = 35;

/// The bytes of a file, and their validator.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
}

impl Body {
    fn new(bytes: Vec<u8>) -> Body {
        Body { etag: format!("\"{}\"", Digest::sha256(&bytes)), bytes }
    }
}

/// How the service treats a file.
#[derive(Debug)]
pub(super) enum Manner {
    /// With an `ETag`, and parts on request.
    Steady,
    /// Without a validator: it comes whole or not at all.
    Mute,
    /// As steady, but before it became what it is it held these bytes, and nobody got all of them.
    Changing(Body),
}

/// One file.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) series: &'static str,
    pub(super) day: &'static str,
    /// The last part of its URL.
    pub(super) name: String,
    /// Its name on disk.
    pub(super) file: String,
    date_obs: String,
    pub(super) body: Body,
    pub(super) manner: Manner,
}

impl Held {
    /// Where the default layout puts it.
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}", self.series, self.day.replace('-', "/"), self.file)
    }

    /// True when a broken transfer of it can be gone on with.
    pub(super) fn is_resumable(&self) -> bool {
        !matches!(self.manner, Manner::Mute)
    }
}

/// All files, by their path at the service.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) files: BTreeMap<String, Held>,
}

impl Upstream {
    /// The same files for the same seed.
    pub(super) fn new(seed: u64) -> Upstream {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut files = BTreeMap::new();
        for series in SERIES {
            for day in DAYS {
                for nth in 0..FILES {
                    let held = held(&mut rng, series, day, nth);
                    files.insert(format!("/HMI/{series}/{}", held.name), held);
                }
            }
        }
        Upstream { files }
    }

    /// The user's files as they must be, with their SHA-256.
    pub(super) fn tree(&self) -> BTreeMap<String, Digest> {
        self.files.values().map(|held| (held.path(), Digest::sha256(&held.body.bytes))).collect()
    }

    /// What a day of a series lists, in the old service's form.
    pub(super) fn listing(&self, series: &str, day: &str) -> Value {
        let held = self.files.iter().filter(|(_, held)| held.series == series && held.day == day);
        let url = |path: &str| format!("http://cluster-r730-1:8001{path}");
        held.map(|(path, held)| json!({ "url": url(path), "date_obs": held.date_obs })).collect()
    }
}

fn held(rng: &mut StdRng, series: &'static str, day: &'static str, nth: usize) -> Held {
    let date_obs = format!("{day}T{:02}:{:02}:08.799999Z", nth / 2, nth % 2 * 30);
    let name = format!("{series}_{}_{nth:02}", day.replace('-', ""));
    // A few are too large to be held in memory; most are small.
    let bytes = match nth {
        0 => rng.random_range(1_100_000..3_000_000),
        1..=7 => rng.random_range(50_000..900_000),
        _ => rng.random_range(1024..40_000),
    };
    // One series is of FITS files, which are checked; of the other only the size is known.
    let is_fits = series == SERIES[0];
    let mut body = || {
        if is_fits {
            let pixels: usize = bytes / 2;
            Body::new(fits(rng.next_u32(), pixels.isqrt(), &date_obs))
        } else {
            let mut body = vec![0; bytes];
            rng.fill_bytes(&mut body);
            Body::new(body)
        }
    };
    let (body, before) = (body(), body());
    let manner = match nth % 7 {
        3 => Manner::Mute,
        0 | 5 => Manner::Changing(before),
        _ => Manner::Steady,
    };
    let file = format!("{name}.{}", if is_fits { "fits" } else { "dat" });
    Held { series, day, name, file, date_obs, body, manner }
}
