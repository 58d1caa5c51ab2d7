//! The kinds of sources as typed. What all that lie on a network have in common stands in one place.
//!
//! What it does not do: know which kind can do what; `resolve` does.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::de::{self, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use crate::manifest::raw::{
    BaseUrl, Email, HeaderName, Host, Parameter, Port, PositiveSpan, RemoteName, Seed, Sensitive, Switch, Text,
    TimedName, TimedPath, TimedTemplate, Wavelength,
};
use crate::manifest::spanned::Typed;

/// A kind of source, named by its one key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::manifest) enum Source {
    /// The HMI service (FLARECAST), or `sunhaul serve`.
    Hmi(Box<Hmi>),
    /// JSOC at Stanford: SHARPs and everything else of SDO.
    Jsoc(Box<Jsoc>),
    /// MEDOC at IAS in France: `SITools2` records of SDO.
    Medoc(Box<Medoc>),
    /// Directory listings of a web server, under dated paths.
    Index(Box<Index>),
    /// URLs that follow from the time; nothing is listed.
    Template(Box<Template>),
    /// A HAPI 3 server: lists of files, or the data themselves as CSV.
    Hapi(Box<Hapi>),
    /// The built-in HMI service with synthetic data: no network.
    Embedded(Embedded),
}

/// What a source on a network is reached by, as typed.
#[derive(Debug, Clone, Copy)]
pub(in crate::manifest) struct Reach<'a> {
    pub(in crate::manifest) url: &'a Typed<Urls>,
    pub(in crate::manifest) hosts: &'a Typed<Vec<Typed<Host>>>,
    pub(in crate::manifest) tunnel: &'a Typed<Tunnel>,
    pub(in crate::manifest) headers: &'a Typed<Headers>,
    pub(in crate::manifest) basic: &'a Typed<Basic>,
    pub(in crate::manifest) bearer: &'a Typed<Sensitive>,
    pub(in crate::manifest) netrc: &'a Typed<Switch>,
}

/// Declares a kind of source on a network: its own keys, and those that all of them have. They are written out for each,
/// since the reader of YAML loses the place of a key under `flatten`.
macro_rules! networked {
    ($(#[$meta:meta])* $name:ident { $(#[$url:meta])* url; $($(#[$field:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(inline)]
        pub(in crate::manifest) struct $name {
            $(#[$url])*
            pub(in crate::manifest) url: Typed<Urls>,
            $($(#[$field])* pub(in crate::manifest) $key: Typed<$type>,)*
            /// Further hosts that its links and redirects may lead to. Each is asked at its own pace, and no secret
            /// goes there.
            #[schemars(example = ["data.example.org"], length(min = 1))]
            #[serde(default)]
            pub(in crate::manifest) hosts: Typed<Vec<Typed<Host>>>,
            /// An SSH gateway to go through: the host in `url` is looked up on its far side. Runs the system's `ssh`.
            #[schemars(example = serde_json::json!({ "ssh": "jane@gateway.example.org" }))]
            #[serde(default)]
            pub(in crate::manifest) tunnel: Typed<Tunnel>,
            /// Headers that open the door, such as an API key. They go to this service alone. The secret in each is
            /// `${SUNHAUL_...}`.
            #[schemars(example = serde_json::json!({ "X-Api-Key": "${SUNHAUL_KEY}" }))]
            #[serde(default)]
            pub(in crate::manifest) headers: Typed<Headers>,
            /// A user and a password, as in `Authorization: Basic`. They go to this service alone.
            #[schemars(example = serde_json::json!({ "user": "jane", "password": "${SUNHAUL_PASSWORD}" }))]
            #[serde(default)]
            pub(in crate::manifest) basic: Typed<Basic>,
            /// A token, as in `Authorization: Bearer`. It goes to this service alone.
            #[schemars(example = "${SUNHAUL_TOKEN}")]
            #[serde(default)]
            pub(in crate::manifest) bearer: Typed<Sensitive>,
            /// True to take user and password from `$NETRC` or `~/.netrc`, by the host in `url`. Default: false.
            #[schemars(example = true)]
            #[serde(default)]
            pub(in crate::manifest) netrc: Typed<Switch>,
        }

        impl $name {
            /// What it is reached by.
            pub(in crate::manifest) fn reach(&self) -> Reach<'_> {
                let $name { url, hosts, tunnel, headers, basic, bearer, netrc, .. } = self;
                Reach { url, hosts, tunnel, headers, basic, bearer, netrc }
            }
        }
    };
}

networked! {
    /// The HMI service.
    Hmi {
        /// Where the service listens: `http` or `https`, a host, and a path where there is one. A list names replicas: the
        /// next is asked when one cannot be reached.
        #[schemars(example = &"http://localhost:8001")]
        url;
    }
}

networked! {
    /// JSOC.
    Jsoc {
        /// Where JSOC is, or replicas of it. Default: `http://jsoc.stanford.edu`.
        #[schemars(example = &"http://jsoc.stanford.edu")]
        #[serde(default)]
        url;
        /// Order self-contained files from the export system in place of those on disk there.
        #[schemars(example = serde_json::json!({ "email": "jane@example.org", "protocol": "fits" }))]
        #[serde(default)]
        export: Export,
    }
}

networked! {
    /// MEDOC.
    Medoc {
        /// Where the service is, or replicas of it. Default: `https://idoc-medoc.ias.u-psud.fr`.
        #[schemars(example = &"https://idoc-medoc.ias.u-psud.fr")]
        #[serde(default)]
        url;
        /// The `SITools2` dataset. Default: `webs_aia.lev1_dataset` for `aia.lev1`, `webs_IAS_SDO_HMI_dataset` for the
        /// series of HMI.
        #[schemars(example = &"webs_IAS_SDO_HMI_dataset")]
        #[serde(default)]
        dataset: RemoteName,
    }
}

networked! {
    /// Directory listings.
    Index {
        /// The folder that all dated paths lie under, or replicas of it.
        #[schemars(example = &"https://jsoc1.stanford.edu/data/aia/synoptic/")]
        url;
        /// The folders of a day below it, by strftime. A format that changes within a day, such as `H%H00`, asks for each
        /// of them. Default: the folder itself.
        #[schemars(example = "%Y/%m/%d/H%H00/")]
        #[serde(default)]
        path: TimedPath,
        /// The names of its files: strftime where the time stands, `*` and `?` where anything may.
        #[schemars(example = "AIA%Y%m%d_%H%M_0171.fits")]
        files: TimedName,
        /// Of names that differ by `*` and `?` alone, take all, or the newest version. Default: all.
        #[schemars(example = &"newest")]
        #[serde(default)]
        pick: Pick,
    }
}

networked! {
    /// URLs by time.
    Template {
        /// The folder that all dated paths lie under, or replicas of it.
        #[schemars(example = &"https://jsoc1.stanford.edu/data/aia/synoptic/")]
        url;
        /// The path of a file below it: strftime for its time, `{name}` or `{name:04}` for what `each` varies.
        #[schemars(example = "%Y/%m/%d/H%H00/AIA%Y%m%d_%H%M_{wavelength:04}.fits")]
        path: TimedTemplate,
        /// How far apart the times are, counted from 00:00 of each day.
        #[schemars(example = "2m")]
        cadence: PositiveSpan,
        /// Values that multiply the files of each time.
        #[schemars(example = serde_json::json!({ "wavelength": [171, 193] }))]
        #[serde(default)]
        each: Each,
    }
}

networked! {
    /// HAPI.
    Hapi {
        /// The server's HAPI folder, or replicas of it. The series' name is the dataset's id.
        #[schemars(example = &"https://cdaweb.gsfc.nasa.gov/hapi")]
        url;
        /// Only these parameters; the time comes always. Default: all.
        #[schemars(example = ["Magnitude", "BGSEc"], length(min = 1))]
        #[serde(default)]
        parameters: Vec<Typed<Parameter>>,
    }
}

/// One address, or replicas.
#[derive(Debug)]
pub(in crate::manifest) struct Urls(pub(in crate::manifest) Vec<Typed<BaseUrl>>);

impl<'de> Deserialize<'de> for Urls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Urls, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Urls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a list of them")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut urls: A) -> Result<Urls, A::Error> {
                let mut all = Vec::new();
                while let Some(url) = urls.next_element()? {
                    all.push(url);
                }
                Ok(Urls(all))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, one: D) -> Result<Urls, D::Error> {
                Typed::deserialize(one).map(|url| Urls(vec![url]))
            }
        }
        deserializer.deserialize_newtype_struct("Urls", Visitor)
    }
}

impl JsonSchema for Urls {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Urls".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = BaseUrl::json_schema(generator);
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": 16 }] })
    }
}

/// An SSH gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::manifest) struct Tunnel {
    /// The gateway: `host` or `user@host`, as `ssh` takes it.
    #[schemars(example = "jane@gateway.example.org")]
    pub(in crate::manifest) ssh: Typed<Text>,
    /// The gateway's port. Default: what `ssh` would take.
    #[schemars(example = 22)]
    #[serde(default)]
    pub(in crate::manifest) port: Typed<Port>,
    /// A host to jump over on the way there, as `ssh -J` takes it.
    #[schemars(example = &"jane@bastion.example.org")]
    #[serde(default)]
    pub(in crate::manifest) jump: Typed<Text>,
    /// The file of the private key. A relative path starts at the manifest's folder, `~/` at home. Default: what `ssh`
    /// would take.
    #[schemars(example = "~/.ssh/id_ed25519")]
    #[serde(default)]
    pub(in crate::manifest) identity: Typed<Text>,
}

/// An order to JSOC's export system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::manifest) struct Export {
    /// The e-mail address that is registered with JSOC.
    #[schemars(example = "jane@example.org")]
    pub(in crate::manifest) email: Typed<Email>,
    /// The files' form: `fits` with all keywords, or `as-is`. Default: fits.
    #[schemars(example = &"fits")]
    #[serde(default)]
    pub(in crate::manifest) protocol: Typed<Protocol>,
    /// How they are made ready: `url`, or `url_quick`, at once where the files are on disk and `as-is`. Default: url.
    #[schemars(example = &"url")]
    #[serde(default)]
    pub(in crate::manifest) method: Typed<Method>,
    /// What the export system is to do with the data, in its own words.
    #[schemars(
        example = "im_patch,t_ref=2011-02-15T01:56:00,t=0,r=0,c=0,locunits=arcsec,boxunits=pixels,x=0,y=0,width=800,height=800"
    )]
    #[serde(default)]
    pub(in crate::manifest) process: Typed<Text>,
}

/// The form of exported files.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(in crate::manifest) enum Protocol {
    /// Self-contained FITS files.
    Fits,
    /// Those on disk.
    AsIs,
}

/// How exported files are made ready.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::manifest) enum Method {
    /// By the queue.
    Url,
    /// At once, where that is possible.
    UrlQuick,
}

/// Which of several versions of a file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::manifest) enum Pick {
    /// Each of them.
    All,
    /// The last one, numbers in names compared as numbers.
    Newest,
}

/// What multiplies the files of a template.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::manifest) struct Each {
    /// Wavelengths in Angstrom: `{wavelength}`, or with leading zeros `{wavelength:04}`.
    #[schemars(example = [171, 193], length(min = 1))]
    #[serde(default)]
    pub(in crate::manifest) wavelength: Typed<Vec<Typed<Wavelength>>>,
    /// Segments: `{segment}`.
    #[schemars(example = ["Br", "Bt"], length(min = 1))]
    #[serde(default)]
    pub(in crate::manifest) segment: Typed<Vec<Typed<RemoteName>>>,
}

/// A user and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::manifest) struct Basic {
    /// The user's name; `${SUNHAUL_...}` is replaced.
    #[schemars(example = &"jane")]
    pub(in crate::manifest) user: Typed<Text>,
    /// The password: `${SUNHAUL_...}`, never the password itself.
    #[schemars(example = "${SUNHAUL_PASSWORD}")]
    pub(in crate::manifest) password: Typed<Sensitive>,
}

/// Headers by name, in the manifest's order.
#[derive(Debug)]
pub(in crate::manifest) struct Headers(pub(in crate::manifest) Vec<(Typed<HeaderName>, Typed<Sensitive>)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(header) = map.next_entry()? {
                    headers.push(header);
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl JsonSchema for Headers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({
            "type": "object",
            "propertyNames": HeaderName::json_schema(generator),
            "additionalProperties": Sensitive::json_schema(generator),
        })
    }
}

/// The built-in HMI service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::manifest) struct Embedded {
    /// What the synthetic data are made from. Default: 0.
    #[schemars(example = 7)]
    #[serde(default)]
    pub(in crate::manifest) seed: Typed<Seed>,
}
