//! Series of JSOC that are asked for most, to find the one that was meant by a name that JSOC does not know.
//!
//! Nothing is asked of JSOC for it: it has thousands of series, and lists them in minutes.

use crate::manifest::suggest_word::nearest;

/// Where JSOC lists its series.
const LIST: &str = "http://jsoc.stanford.edu/ajax/lookdata.html";

const SERIES: [&str; 27] = [
    "aia.lev1",
    "aia.lev1_euv_12s",
    "aia.lev1_uv_24s",
    "aia.lev1_vis_1h",
    "hmi.B_720s",
    "hmi.Ic_45s",
    "hmi.Ic_720s",
    "hmi.Ic_noLimbDark_720s",
    "hmi.Ld_45s",
    "hmi.Lw_45s",
    "hmi.M_45s",
    "hmi.M_45s_nrt",
    "hmi.M_720s",
    "hmi.M_720s_nrt",
    "hmi.ME_720s_fd10",
    "hmi.Mharp_720s",
    "hmi.Mharp_720s_nrt",
    "hmi.S_720s",
    "hmi.sharp_720s",
    "hmi.sharp_720s_nrt",
    "hmi.sharp_cea_720s",
    "hmi.sharp_cea_720s_nrt",
    "hmi.V_45s",
    "hmi.V_720s",
    "mdi.fd_M_96m_lev182",
    "mdi.smarp_96m",
    "mdi.smarp_cea_96m",
];

/// What to do about a series that JSOC refuses to describe.
pub(super) fn advice(name: &str) -> String {
    // JSOC takes a name in either case: the same one is no advice.
    let others = || SERIES.into_iter().filter(|known| !known.eq_ignore_ascii_case(name));
    let near = others().find(|known| is_begun(known, name)).or_else(|| nearest(name, others()));
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    format!("{near}{LIST} lists the series of JSOC")
}

/// True where a name is the beginning of a series' own, of its second part at least.
fn is_begun(series: &str, name: &str) -> bool {
    let is_long_enough = name.split_once('.').is_some_and(|(_, second)| second.len() >= 2);
    is_long_enough && series.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_series_is_led_to_the_one_that_was_meant_and_any_other_to_the_list() {
        for (typed, meant) in [
            ("hmi.sharp_cea_720", Some("hmi.sharp_cea_720s")),
            ("hmi.sharp_cea", Some("hmi.sharp_cea_720s")),
            ("hmi.sharp", Some("hmi.sharp_720s")),
            ("hmi.M_45", Some("hmi.M_45s")),
            ("hmi.shrap_720s", Some("hmi.sharp_720s")),
            ("hmi.sharps_cea_720s_nrt", Some("hmi.sharp_cea_720s_nrt")),
            ("hmi.m720s", Some("hmi.M_720s")),
            ("aia.lev1_euv_12", Some("aia.lev1_euv_12s")),
            ("mdi.smarp_cea_96", Some("mdi.smarp_cea_96m")),
            ("su_couvidat.test", None),
            ("iris.lev1_nrt_sji", None),
        ] {
            let due = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
            assert_eq!(advice(typed), format!("{due}{LIST} lists the series of JSOC"), "{typed}");
        }
        assert!(!advice("HMI.SHARP_CEA_720S").contains("`hmi.sharp_cea_720s`"), "JSOC knows it by this name");
    }
}
