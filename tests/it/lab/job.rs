//! Manifests for tests: short patience, no pace, and the text that a test adds.

/// A job in the making.
#[derive(Debug, Clone)]
#[must_use = "`yaml` gives the text"]
pub(crate) struct Job {
    source: String,
    range: String,
    series: Vec<String>,
    limits: String,
    retry: String,
    timeouts: String,
    more: String,
}

impl Job {
    /// A job over one day, 2015-12-11, of one series, `sharp_720s`, of the service at `url`.
    pub(crate) fn at(url: &str) -> Job {
        Job::from_source(&format!("{{ hmi: {{ url: \"{url}\" }} }}"))
    }

    /// A job of the built-in service.
    pub(crate) fn embedded() -> Job {
        Job::from_source("{ embedded: {} }")
    }

    /// A job of any source, as YAML in flow style.
    pub(crate) fn from_source(source: &str) -> Job {
        Job {
            source: source.to_owned(),
            range: "{ start: 2015-12-11, end: 2015-12-12 }".to_owned(),
            series: vec!["{ name: sharp_720s }".to_owned()],
            limits: "{ requests: unlimited, bandwidth: unlimited, concurrency: 4 }".to_owned(),
            retry: "{ attempts: 3, max_wait: 1s }".to_owned(),
            timeouts: "{ connect: 5s, stall: 5s }".to_owned(),
            more: String::new(),
        }
    }

    /// Further keys of the service, as YAML in flow style: what opens its door.
    pub(crate) fn credentials(mut self, keys: &str) -> Job {
        let open = self.source.strip_suffix(" } }").expect("a service").to_owned();
        self.source = format!("{open}, {keys} }} }}");
        self
    }

    /// Another range, half-open.
    pub(crate) fn range(mut self, start: &str, end: &str) -> Job {
        self.range = format!("{{ start: {start}, end: {end} }}");
        self
    }

    /// A range that follows active regions, as YAML in flow style.
    pub(crate) fn following(mut self, regions: &str) -> Job {
        regions.clone_into(&mut self.range);
        self
    }

    /// Other series, each as YAML in flow style.
    pub(crate) fn series(mut self, series: &[&str]) -> Job {
        self.series = series.iter().map(|&s| s.to_owned()).collect();
        self
    }

    /// Other limits, as YAML in flow style.
    pub(crate) fn limits(mut self, limits: &str) -> Job {
        limits.clone_into(&mut self.limits);
        self
    }

    /// Other attempts, as YAML in flow style.
    pub(crate) fn retry(mut self, retry: &str) -> Job {
        retry.clone_into(&mut self.retry);
        self
    }

    /// Other timeouts, as YAML in flow style.
    pub(crate) fn timeouts(mut self, timeouts: &str) -> Job {
        timeouts.clone_into(&mut self.timeouts);
        self
    }

    /// Further top-level lines.
    pub(crate) fn more(mut self, lines: &str) -> Job {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    /// The manifest. Its archive is `data` beside it.
    pub(crate) fn yaml(&self) -> String {
        let Job { source, range, series, limits, retry, timeouts, more } = self;
        let series: String = series.iter().flat_map(|s| ["  - ", s, "\n"]).collect();
        format!(
            "version: 1\nname: lab\nsource: {source}\nrange: {range}\nseries:\n{series}\
             archive: {{ root: data }}\nlimits: {limits}\nretry: {retry}\ntimeouts: {timeouts}\n{more}"
        )
    }
}
