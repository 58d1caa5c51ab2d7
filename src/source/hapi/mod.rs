//! A HAPI server: the files that a dataset's addresses name, or the data themselves as one table a day.
//!
//! The protocol is HAPI 3 (`capabilities`, `info`, `data`, status codes, `stringType`), and HAPI 2 by its names. No
//! value is changed.

mod coverage;
mod day_table;
mod info;
mod pieces;
mod query;
mod rows;
mod status;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, NaiveDateTime, Utc};
use tokio::sync::OnceCell;
use url::Url;

use super::url_scope::UrlScope;
use super::{Listed, Listing, Memory, Source, read_capped};
use crate::day::{Day, Scale, Window};
use crate::failure::{Class, Failure};
use crate::manifest::{self, Series};
use crate::net::{Client, RefusedRequest, Response, shown};
use crate::untrusted::escape;
use coverage::WindowCoverage;
use day_table::DayTable;
use info::{Info, Parameter};
use pieces::{Piece, Pieces};
use query::ParameterNames;
use rows::{LastRow, ResponseEnd};
use status::Meaning;

/// The largest `capabilities` or `info` that is read.
const SMALL: u64 = 4 * 1024 * 1024;

/// A server at one base.
#[derive(Debug)]
pub struct HapiSource {
    base: Url,
    hosts: Vec<String>,
    parameters: Option<Vec<String>>,
    client: Client,
    /// What the series' dataset is, or why that is refused: asked once.
    dataset: OnceCell<Result<DatasetInfo, Failure>>,
    /// It was told that a table holds addresses whose files are not fetched.
    has_told_addresses: AtomicBool,
    has_told_order: AtomicBool,
}

/// What is known of a dataset before its data are asked for.
#[derive(Debug)]
struct DatasetInfo {
    names: ParameterNames,
    info: Info,
    chosen: Vec<Parameter>,
    /// What the question says of them; none where all are asked for.
    asked: Option<String>,
}

/// The rows of a day.
struct RowsOfDay<'a> {
    table: DayTable<'a>,
    /// The data end within the day for now.
    may_grow: bool,
}

/// What a request for data brought.
enum Brought {
    Data { answer: Vec<u8>, end: ResponseEnd },
    Nothing,
    TooMuch(Failure),
    Outside(Failure),
}

impl HapiSource {
    /// The server whose HAPI folder is `base`; its path ends in `/`.
    #[must_use]
    pub fn new(spec: &manifest::Hapi, base: Url, client: Client) -> HapiSource {
        let hosts = spec.reach.hosts.clone();
        let (has_told_addresses, has_told_order) = (AtomicBool::new(false), AtomicBool::new(false));
        let (parameters, dataset) = (spec.parameters.clone(), OnceCell::new());
        HapiSource { base, hosts, parameters, client, dataset, has_told_addresses, has_told_order }
    }

    async fn ask(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        let asked = self.dataset.get_or_try_init(async || match self.look_up(&series.name).await {
            // The refusal holds for every other day, too.
            Err(refused) if refused.class == Class::SourceRefused => Ok(Err(refused)),
            told => told.map(Ok),
        });
        let dataset = asked.await?.as_ref().map_err(Clone::clone)?;
        let (info, now) = (&dataset.info, DateTime::<Utc>::from(self.client.wall()).naive_utc());
        let window = match coverage::part(info, &day.window, now) {
            WindowCoverage::Within(window) => window,
            WindowCoverage::NotYet => return Ok(Listed { may_grow: true, ..Listed::default() }),
            WindowCoverage::Never => return Err(Failure::new(Class::SourceRefused, outside(info, &series.name, day))),
        };
        if coverage::ends_within(info, &window) && !coverage::still_grows(info, now) {
            tracing::warn!("{}", ended(info, &series.name, day));
        }
        let RowsOfDay { table, may_grow } = self.rows(series, day, window, dataset, now).await?;
        self.warn_of_oddities(&series.name, &table);
        let whole = dataset.names.data(&self.base, &series.name, &window, dataset.asked.as_deref());
        let listed =
            table.into_listed(series, info, &whole).map_err(|failure| read_capped::about(shown(&whole), failure))?;
        Ok(Listed { may_grow, ..listed })
    }

    /// Requests the rows of a day, in as many pieces as the server wants.
    async fn rows<'a>(
        &'a self,
        series: &Series,
        day: &'a Day,
        window: Window,
        dataset: &'a DatasetInfo,
        now: NaiveDateTime,
    ) -> Result<RowsOfDay<'a>, Failure> {
        let info = &dataset.info;
        let (stop, still_grows) = (info.stop.1, coverage::still_grows(info, now));
        let mut may_grow = coverage::ends_within(info, &window);
        let mut table = DayTable::of(&dataset.chosen, day, UrlScope { base: &self.base, hosts: &self.hosts });
        let mut pieces = Pieces::of(window);
        while let Some(piece) = pieces.next() {
            let Piece { window: Window { start, .. }, request } = piece;
            let url = dataset.names.data(&self.base, &series.name, &request, dataset.asked.as_deref());
            match self.data(&url, read_capped::CAP.saturating_sub(table.bytes())).await? {
                Brought::Nothing => {}
                Brought::Data { answer, end } => {
                    let answer = self.confirmed(answer, &request, &series.name, dataset).await?;
                    let taken = table.take(&answer, piece.window, end);
                    taken.map_err(|failure| read_capped::about(shown(&url), failure))?;
                }
                Brought::Outside(_) if stop < request.end && (start < stop || still_grows) => {
                    pieces.retry_until(stop, piece);
                    may_grow = true;
                }
                Brought::Outside(failure) => {
                    let message = format!("{}; {}", failure.message, outside(info, &series.name, day));
                    return Err(Failure { message, ..failure });
                }
                Brought::TooMuch(failure) => {
                    if !pieces.retry_in_halves(piece) {
                        let seconds = (piece.window.end - start).num_seconds();
                        let why = format!("it says so of {seconds} s as well: name fewer `parameters`");
                        return Err(Failure { message: format!("{}; {why}", failure.message), ..failure });
                    }
                }
            }
        }
        Ok(RowsOfDay { table, may_grow })
    }

    /// Warns once of addresses whose files are not fetched, and of rows that are not in order.
    fn warn_of_oddities(&self, id: &str, table: &DayTable<'_>) {
        if let Some(column) = table.addresses()
            && !self.has_told_addresses.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{}", self.client.veil(unfetched(&self.base, id, column)));
        }
        if table.is_unordered() && !self.has_told_order.swap(true, Ordering::Relaxed) {
            let what =
                format!("{}: the rows of `{}` are not in the order of their times", shown(&self.base), escape(id));
            tracing::warn!("{}", self.client.veil(format!("{what}; they are kept as the server sends them")));
        }
    }

    /// Ends the last row of an answer that has no line break (RFC 4180 lets it go without one, and so does an answer that was cut)
    /// where the server says the same of that row when it is asked for it and what comes after it alone.
    async fn confirmed(
        &self,
        mut answer: Vec<u8>,
        question: &Window,
        id: &str,
        dataset: &DatasetInfo,
    ) -> Result<Vec<u8>, Failure> {
        let columns = dataset.chosen.iter().map(|parameter| parameter.columns().len()).sum();
        let open = rows::last_row(&answer, columns).filter(|row| !row.is_ended && question.contains(row.time));
        let Some(LastRow { time, text, .. }) = open else { return Ok(answer) };
        let alone = Window { start: time, ..*question };
        let url = dataset.names.data(&self.base, id, &alone, dataset.asked.as_deref());
        let Brought::Data { answer: again, end: ResponseEnd::Framed } = self.data(&url, read_capped::CAP).await? else {
            return Ok(answer);
        };
        if rows::last_row(&again, columns).is_some_and(|last| last.text == text) {
            answer.push(b'\n');
        }
        Ok(answer)
    }

    /// Asks for the server's version and for what the dataset is.
    async fn look_up(&self, id: &str) -> Result<DatasetInfo, Failure> {
        let url = query::capabilities(&self.base);
        let answer = self.small(&url).await?;
        let names =
            ParameterNames::from_capabilities(&answer).map_err(|failure| read_capped::about(shown(&url), failure))?;
        let url = names.info(&self.base, id);
        let answer = self.small(&url).await?;
        let chosen = || -> Result<(Info, Vec<Parameter>), Failure> {
            let info = Info::read(&answer)?;
            let chosen = info.choose(self.parameters.as_deref())?;
            Ok((info, chosen))
        };
        let (info, chosen) = chosen().map_err(|failure| read_capped::about(shown(&url), failure))?;
        let has_files = chosen.iter().any(|parameter| parameter.uri.is_some());
        let list = query::list(&chosen);
        let asked = (has_files || self.parameters.is_some()).then_some(list);
        Ok(DatasetInfo { names, info, chosen, asked })
    }

    /// The answer of an endpoint that always speaks JSON.
    async fn small(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        let answer = match self.client.get_told(url).await {
            Ok(mut response) => read_capped::whole(&mut response, SMALL).await?,
            Err(refused) => return Err(known(url, refused).1),
        };
        read_capped::expect_json(&answer, "{}").map_err(|failure| read_capped::about(shown(url), failure))?;
        match status::read_status(&answer) {
            Some(status) if !matches!(status.meaning(), Meaning::Ok | Meaning::NoData) => {
                Err(status.failure(url, None))
            }
            Some(_) => Ok(answer),
            None => match serde_json::from_slice::<serde::de::IgnoredAny>(&answer) {
                Err(error) => Err(read_capped::about(shown(url), read_capped::no_json(&answer, &error))),
                Ok(_) => {
                    Err(read_capped::about(shown(url), read_capped::malformed("the answer has no `status` of HAPI")))
                }
            },
        }
    }

    /// Data, or the word that there are none, or too many at once.
    async fn data(&self, url: &Url, cap: u64) -> Result<Brought, Failure> {
        let mut response = match self.client.get_told(url).await {
            Ok(response) => response,
            Err(refused) => {
                return match known(url, refused) {
                    (Meaning::NoData, _) => Ok(Brought::Nothing),
                    (Meaning::TooMuch, failure) => Ok(Brought::TooMuch(failure)),
                    (Meaning::Outside, failure) => Ok(Brought::Outside(failure)),
                    (_, failure) => Err(failure),
                };
            }
        };
        let end = end_of(&response);
        let answer = read_capped::whole(&mut response, cap).await?;
        match read_capped::first_byte(&answer) {
            Some(b'<') => Err(read_capped::about(shown(url), read_capped::page(&answer, "CSV"))),
            Some(b'{') => {
                let status = status::read_status(&answer).ok_or_else(|| {
                    read_capped::about(
                        shown(url),
                        read_capped::malformed("JSON came where CSV is due, and it is no status of HAPI"),
                    )
                })?;
                let failure = status.failure(url, None);
                match status.meaning() {
                    Meaning::NoData => Ok(Brought::Nothing),
                    Meaning::Ok => {
                        let why =
                            "JSON came where CSV is due, with the status of success: the server ignores `format=csv`";
                        Err(read_capped::about(shown(url), read_capped::malformed(why)))
                    }
                    Meaning::TooMuch => Ok(Brought::TooMuch(failure)),
                    Meaning::Outside => Ok(Brought::Outside(failure)),
                    Meaning::Refused => Err(failure),
                }
            }
            _ => Ok(Brought::Data { answer, end }),
        }
    }
}

/// What a refusal means: by the status of HAPI in its body, else by that of HTTP.
fn known(url: &Url, RefusedRequest { failure, body }: RefusedRequest) -> (Meaning, Failure) {
    // 204 is an answer as well: it says that there are no data.
    if failure.status == Some(204) {
        return (Meaning::NoData, failure);
    }
    match status::read_status(&body).filter(|_| !matches!(failure.class, Class::Throttled | Class::HostGivenUp)) {
        Some(status) => {
            let told = status.failure(url, failure.status);
            let meaning = status.meaning();
            // A HAPI success under an HTTP error is an error.
            let meaning = if meaning == Meaning::Ok { Meaning::Refused } else { meaning };
            (meaning, told)
        }
        // A server that knows HAPI has each endpoint, and says of a dataset that is not there that it is not.
        None if failure.class == Class::NotFound => {
            let why = "is `url` the folder of a HAPI server, the part before `capabilities`?";
            let message = format!("{}; {why}", failure.message);
            (Meaning::Refused, Failure { class: Class::SourceRefused, message, ..failure })
        }
        None => (Meaning::Refused, failure),
    }
}

/// Reads a day of one answer of `data`, whose length was told, to a question for all parameters that `info` has.
///
/// # Errors
/// `html` and `listing-malformed` for what is no `info` or no table of its columns; `source-refused` for a foreign host.
pub fn read_answer(info: &[u8], data: &[u8], base: &Url, series: &Series, day: &Day) -> Result<Listed, Failure> {
    let hosts = series.source.reach().map_or(&[][..], |reach| &reach.hosts);
    let info = Info::read(info)?;
    let chosen = info.choose(None)?;
    let mut table = DayTable::of(&chosen, day, UrlScope { base, hosts });
    table.take(data, day.window, ResponseEnd::Framed)?;
    let asked = ParameterNames::from_capabilities(br#"{"HAPI":"3.0"}"#)?.data(base, &series.name, &day.window, None);
    table.into_listed(series, &info, &asked)
}

impl Source for HapiSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day))
    }
}

fn outside(info: &Info, id: &str, day: &Day) -> String {
    let (start, stop, window) = (escape(&info.start.0), escape(&info.stop.0), &day.window);
    let label = |at| Scale::Utc.label(at);
    format!(
        "`{}` has data from {start} to {stop}, as the server says, and {} to {} is not within that; choose another `range`",
        escape(id),
        label(window.start),
        label(window.end),
    )
}

/// What is said of a table that holds addresses of files.
fn unfetched(base: &Url, id: &str, column: &str) -> String {
    format!(
        "{}: column `{}` of `{}` holds addresses of files, and its `stringType` does not say `uri`: they stay in the table, \
         and those files are not fetched",
        shown(base),
        escape(column),
        escape(id),
    )
}

/// What is said of the day in which a dataset ends that has had no more data for long.
fn ended(info: &Info, id: &str, day: &Day) -> String {
    format!(
        "`{}` has data to {} alone, as the server says, so {} is looked at again in each run; if the dataset is complete, \
         end its `range` a second after that",
        escape(id),
        escape(&info.stop.0),
        day.date,
    )
}

fn end_of(response: &Response) -> ResponseEnd {
    if response.content_length().is_some() || response.is_framed() { ResponseEnd::Framed } else { ResponseEnd::Close }
}
