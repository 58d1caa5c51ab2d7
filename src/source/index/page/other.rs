//! Listings in other forms than that of a web page.

/// A listing in another form than that of a web page with links to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Other {
    Bucket,
    Azure,
    Thredds,
    Opendap,
    WebDav,
    Json,
}

impl Other {
    /// What it is, in words.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Other::Bucket => "the listing of a bucket in XML, as Amazon S3, Google Cloud Storage and others give it",
            Other::Azure => "the listing of a container of Azure Blob Storage in XML",
            Other::Thredds => "a catalogue of a THREDDS server",
            Other::Opendap => "the contents page of an OPeNDAP server",
            Other::WebDav => "a WebDAV listing in XML",
            Other::Json => "a listing in JSON",
        }
    }

    /// By a page's title.
    pub(super) fn of_title(title: &str) -> Option<Other> {
        let title = title.to_ascii_lowercase();
        let named = [("thredds", Other::Thredds), ("opendap", Other::Opendap)];
        named.into_iter().find(|(name, _)| title.contains(name)).map(|(_, other)| other)
    }

    /// By the name of a document's outermost element.
    pub(super) fn of_root(tag: &[u8]) -> Option<Other> {
        let name = tag.rsplit(|byte| *byte == b':').next().unwrap_or(tag);
        match name {
            b"listbucketresult" | b"listversionsresult" => Some(Other::Bucket),
            b"enumerationresults" => Some(Other::Azure),
            b"catalog" => Some(Other::Thredds),
            b"multistatus" => Some(Other::WebDav),
            _ => None,
        }
    }
}
