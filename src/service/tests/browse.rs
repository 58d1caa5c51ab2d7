//! The pages of series and days.

use super::*;

fn html(got: &Got) -> String {
    assert_eq!((got.status, got.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(got.header("content-security-policy").starts_with("default-src 'none'"));
    String::from_utf8(got.body.clone()).expect("text")
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<String> {
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

#[tokio::test]
async fn the_pages_lead_from_the_series_to_the_days_and_their_listings() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in [
        "one_20151211_182208.fits",
        "one_20151211_222208.fits",
        "one_20160101_000000.fits",
        "a<b>&\"c_20151211_182208.fits",
    ] {
        std::fs::write(dir.path().join(name), header_file()).expect("a file");
    }
    let over_folder = folder(dir.path(), LOOPBACK, Access::default()).await.expect("a service");
    for (lab, year) in [(Lab::over(over_folder), 2015), (Lab::embedded(0).await, 2015)] {
        let top = html(&lab.get("browse/").await);
        let series: Vec<String> = links(&top).into_iter().filter(|link| link.contains("/browse/")).collect();
        assert_eq!(series.len(), lab.running.service.holdings.series().len(), "{top}");
        for link in series {
            let page = html(&lab.send(reqwest::Method::GET, &format!("{link}?year={year}"), &[]).await);
            assert!(!page.contains("<b>"), "{page}");
            let days: Vec<String> = links(&page).into_iter().filter(|link| link.contains("/HMI/")).collect();
            assert!((1..=366).contains(&days.len()), "{page}");
            let listed = lab.send(reqwest::Method::GET, days.last().expect("a day"), &[]).await.json();
            let shown = format!(": {}</li>", listed.as_array().expect("items").len());
            assert!(page.contains(&shown) && !listed[0].is_null(), "{page}");
        }
    }
}

#[tokio::test]
async fn a_page_of_days_has_one_year_and_links_to_the_others() {
    let lab = Lab::embedded(0).await;
    let page = html(&lab.get("browse/sharp_720s").await);
    assert!(page.contains("sharp_720s in 2015"), "the year of the example: {page}");
    assert!(links(&page).iter().any(|link| link.ends_with("/browse/sharp_720s?year=2099")));
    assert!(html(&lab.get("browse/sharp_720s?year=1999").await).contains("<li>nothing</li>"));
    assert!(lab.get("browse/none").await.problem(404).contains("there is no series `none` here"));
    assert!(lab.get("browse/sharp_720s?year=x").await.problem(400).contains("write it as 2015"));
    let description = lab.get("openapi.json").await.json();
    assert!(description["info"]["description"].as_str().expect("text").contains("(../browse/)"), "{description}");
}
