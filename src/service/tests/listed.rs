//! Our own source asks our own service: every series, in every shape, is understood.

use std::path::Path;

use super::{LOOPBACK, Lab, header_file};
use crate::day::Day;
use crate::manifest::{Manifest, parse};
use crate::net::{Net, Policy};
use crate::service::{Access, folder};
use crate::source::{self, Listed};

fn manifest(series: &str) -> Manifest {
    let text = format!(
        "version: 1\nname: listed\nsource: {{ embedded: {{}} }}\nrange: {{ start: 2015-12-11, end: 2015-12-12 }}\n\
         series: [{{ name: {series} }}]\narchive: {{ root: data }}\n"
    );
    parse(Path::new("listed.yaml"), text.as_bytes(), &|_| None).expect("a manifest")
}

async fn list(lab: &Lab, series: &str, date: &str) -> Listed {
    let manifest = manifest(series);
    let policy = Policy {
        job: manifest.name.clone(),
        run: "test".into(),
        contact: None,
        limits: manifest.limits.clone(),
        timeouts: manifest.timeouts,
        retry: manifest.retry,
        way: crate::manifest::HostAccess::Embedded,
    };
    let client = Net::new().client(lab.running.base_url(), policy).expect("a client");
    let spec = &manifest.series[0];
    let source = source::open(spec, lab.running.base_url(), client);
    source.list(spec, &Day::whole(date.parse().expect("a date")), None).await.expect("a listing")
}

#[tokio::test]
async fn the_hmi_source_takes_every_series_of_the_built_in_service_whole() {
    let lab = Lab::embedded(1).await;
    for (series, per_slot) in [
        ("sharp_720s", 1),
        ("sharp_cea_720s", 1),
        ("sharp_cea_720s_nrt", 11),
        ("hmi.sharp_720s", 6),
        ("hmi.sharp_cea_720s", 11),
    ] {
        let listed = list(&lab, series, "2015-12-11").await;
        assert_eq!((listed.outside_day, listed.duplicates), (0, 0), "{series}");
        assert!(listed.files.len() >= 100 * per_slot, "{series}: {} files", listed.files.len());
        assert!(listed.files.len().is_multiple_of(per_slot), "{series}: {} files", listed.files.len());
    }
}

#[tokio::test]
async fn the_hmi_source_takes_a_folder_whole_whatever_its_series_is_called() {
    let dir = tempfile::tempdir().expect("a folder");
    for segment in ["Br", "Bp", "bitmap"] {
        let name = format!("hmi.sharp_cea_720s.377.20151211_020000_TAI.{segment}.fits");
        std::fs::write(dir.path().join(name), header_file()).expect("a file");
    }
    let lab = Lab::over(folder(dir.path(), LOOPBACK, Access::default()).await.expect("a service"));
    let listed = list(&lab, "hmi.sharp_cea_720s", "2015-12-11").await;
    assert_eq!((listed.files.len(), listed.outside_day, listed.duplicates), (3, 0, 0));
}
