//! Active regions asked for again: what the source has of them now, against what the lock had.
//!
//! It does not move the lock; the run that follows does.

use serde::Serialize;

use crate::cli::{Result, Shell, regions};
use crate::day::Scale;
use crate::manifest::{Manifest, Patch, Region, RegionNumber, Series};
use crate::net::Net;
use crate::plan::Selection;

/// A region that the source has otherwise than the lock.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct RegionChange {
    pub(super) series: String,
    pub(super) region: String,
    /// Its patches in the lock, each with its window where the range follows it.
    pub(super) old: Vec<String>,
    /// Its patches now.
    pub(super) new: Vec<String>,
}

/// Looks up all regions of the selected series again; gives those that have changed.
///
/// # Errors
/// As [`regions::look_up`], and where the source has no patch of any of them.
pub(super) async fn look_up_again(
    job: &mut Manifest,
    selection: &Selection,
    net: &Net,
    shell: &Shell,
) -> Result<Vec<RegionChange>> {
    let before: Vec<Vec<Region>> = job.series.iter().map(|series| series.regions.known.clone()).collect();
    let all = |series: &Series| -> Vec<RegionNumber> {
        if selection.takes(&series.id) { series.region_numbers().into_iter().collect() } else { Vec::new() }
    };
    regions::look_up_until_signal(job, all, net, shell).await?;
    regions::must_have_patches(job, |series| selection.takes(&series.id), shell)?;
    Ok(job.series.iter().zip(before).flat_map(|(series, before)| changes(series, &before)).collect())
}

/// The regions of a series that are known otherwise than before.
fn changes(series: &Series, before: &[Region]) -> Vec<RegionChange> {
    let scale = series.source.scale();
    let change = |old: &Region| {
        let new = series.regions.region(old.number)?;
        (new != old).then(|| RegionChange {
            series: series.id.0.clone(),
            region: old.number.to_string(),
            old: shown(&old.patches, scale),
            new: shown(&new.patches, scale),
        })
    };
    before.iter().filter_map(change).collect()
}

fn shown(patches: &[Patch], scale: Scale) -> Vec<String> {
    let shown = patches.iter().map(|patch| match patch.window {
        None => format!("HARP {}", patch.harpnum),
        Some(window) => {
            format!("HARP {} from {} to {}", patch.harpnum, scale.label(window.start), scale.label(window.end))
        }
    });
    shown.collect()
}

impl RegionChange {
    /// In words, a line for each side.
    pub(super) fn text(&self) -> String {
        let side = |patches: &[String]| if patches.is_empty() { "no HARP".to_owned() } else { patches.join(", ") };
        format!("  old {}\n  new {}\n", side(&self.old), side(&self.new))
    }
}
