//! The range of a series: its ends checked against each other, or the active regions that it follows.

use chrono::TimeDelta;

use super::super::diagnostic::{Finding, Span};
use super::super::model::{Bound, Passage, Range, RegionNumber, SourceSpec};
use super::super::raw;
use super::super::resolve::source::Source;
use super::super::spanned::Typed;
use super::Resolver;

/// NOAA's numbers have five digits since 2002; HMI, which has the patches, begins in 2010.
const FIRST_OF_HMI: i64 = 10_000;

/// What a series' range is.
pub(super) struct Dates {
    pub(super) range: Range,
    pub(super) passage: Option<Passage>,
}

impl Resolver<'_> {
    /// The range of a series, whose own keys say whether it names regions itself.
    pub(super) fn dates(
        &mut self,
        range: &Typed<raw::Range>,
        series: &raw::Series,
        source: Option<&Source>,
    ) -> Option<Dates> {
        let (at, form) = range.given()?;
        let by_number = form.harpnum.given().map(|(at, _)| at).or(form.noaa.given().map(|(at, _)| at));
        if let (Some(first), Some((second, _))) = (form.harpnum.given().map(|(at, _)| at), form.noaa.given()) {
            let finding = Finding::new(second, "a range that follows both HARP numbers and NOAA numbers");
            self.note(finding.hint("keep one of `harpnum` and `noaa`").also(first, "the other"));
            return None;
        }
        if form.harpnum.is_missing() && form.noaa.is_missing() {
            if let Some((at, _)) = form.margin.given() {
                let finding = Finding::new(at, "`margin` without a region whose records it is around");
                self.note(finding.hint("move `start` and `end`, or name a region: `{ noaa: 11158, margin: 12h }`"));
            }
            let range = self.ends(form, at, source)?;
            return Some(Dates { range, passage: None });
        }
        let own_end = form.start.given().map(|(at, _)| at).or(form.end.given().map(|(at, _)| at));
        if let (Some(end), Some(region)) = (own_end, by_number) {
            let finding = Finding::new(end, "`start` and `end` in a range that follows regions");
            self.note(finding.hint("keep the ends or the regions").also(region, "the regions"));
            return None;
        }
        if let (Some((at, _)), Some(region)) = (series.prefer.given(), by_number) {
            let finding = Finding::new(region, "a range that follows regions cannot be combined with `prefer`");
            let hint = "definitive and nrt series number patches differently: write `start` and `end`, and `noaa`";
            self.note(finding.hint(hint).also(at, "`prefer`"));
            return None;
        }
        let is_filter = series.harpnum.is_missing() && series.noaa.is_missing();
        let passage = self.passage(form, by_number?, is_filter, source?)?;
        Some(Dates { range: Range::UNKNOWN, passage: Some(passage) })
    }

    fn passage(&mut self, form: &raw::Range, at: Span, is_filter: bool, source: &Source) -> Option<Passage> {
        if !matches!(&*source.spec, SourceSpec::Jsoc(_)) {
            let message = format!("a range that follows regions cannot be asked of `{}`", source.spec.kind());
            let hint = "write `start` and `end`; only `jsoc` says when it has records of a region";
            self.note(Finding::new(at, message).hint(hint));
            return None;
        }
        self.must_have_five_digits(form.noaa.value().map(|list| list.0.as_slice()).unwrap_or_default());
        let harps = form.harpnum.value().into_iter().flat_map(|list| &list.0).filter_map(Typed::value);
        let noaa = form.noaa.value().into_iter().flat_map(|list| &list.0).filter_map(Typed::value);
        let harps = harps.map(|number| RegionNumber::Harp(number.0));
        let mut numbers: Vec<RegionNumber> = harps.chain(noaa.map(|number| RegionNumber::Noaa(number.0))).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            let is_list_empty = |list: Option<usize>| list == Some(0);
            if is_list_empty(form.harpnum.value().map(|list| list.0.len()))
                || is_list_empty(form.noaa.value().map(|list| list.0.len()))
            {
                self.note(Finding::new(at, "an empty list, which requests nothing").hint("name at least one region"));
            }
            return None;
        }
        let margin = form.margin.value().and_then(|margin| TimeDelta::from_std(margin.0).ok()).unwrap_or_default();
        Some(Passage { numbers, margin, is_filter })
    }

    /// Notes NOAA numbers that no record of HMI can have.
    pub(super) fn must_have_five_digits(&mut self, numbers: &[Typed<raw::Noaa>]) {
        for (at, number) in numbers.iter().filter_map(Typed::given).filter(|(_, number)| number.0 < FIRST_OF_HMI) {
            let finding = Finding::new(at, format!("NOAA {} is from before HMI: JSOC writes five digits", number.0));
            let whole = FIRST_OF_HMI + number.0;
            self.note(finding.hint(format!("NOAA's own tables leave out the first digit: write {whole}")));
        }
    }

    fn ends(&mut self, form: &raw::Range, at: Span, source: Option<&Source>) -> Option<Range> {
        let start = form.start.required("start", at, "write for example `start: 2015-12-11`", self.findings);
        let end = form.end.required(
            "end",
            at,
            "write for example `end: 2015-12-14`; the end is not in the range",
            self.findings,
        );
        let scale = source?.spec.scale();
        let mut bound = |at: Span, date: &raw::Date| match date.0.bound(scale) {
            Ok(bound) => Some(bound),
            Err(wrong) => {
                self.note(wrong.at(at));
                None
            }
        };
        let (start_at, start) = start?;
        let (end_at, end) = end?;
        let range = Range { start: bound(start_at, start)?, end: bound(end_at, end)? };
        let (empty, inverted) = match (range.start, range.end) {
            (Bound::At(start), Bound::At(end)) => (start == end, start > end),
            (Bound::Today { minus_days: start }, Bound::Today { minus_days: end }) => (start == end, start < end),
            _ => (false, false),
        };
        if !empty && !inverted {
            return Some(range);
        }
        let finding = if empty {
            Finding::new(end_at, "an empty range: its end is its start")
                .hint("the end is not in the range: for one day write the day after")
        } else {
            Finding::new(end_at, "the end is before the start").hint("swap the two, or correct one")
        };
        self.note(finding.also(start_at, "the start"));
        None
    }
}
