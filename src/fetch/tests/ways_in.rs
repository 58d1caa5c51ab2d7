//! Every way by which bytes can come into an archive, and everything that can be wrong with them: no way in leaves out a
//! check.

use super::local_copy::{LocalSource, Taking};
use super::*;
use crate::source::{Body, Rounded};

/// How a body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From its first byte, with a length, held in a file without a name.
    Fresh,
    /// From its first byte, in chunks.
    Streamed,
    /// As the rest of a part.
    Resumed,
    /// Whole, after an answer that contradicts the part.
    Restarted,
    /// As a part that is all of it, by a 416.
    WholePart,
    /// From a folder of this machine.
    Copied,
    /// From there by a further name.
    Linked,
    /// Made of a listing.
    Generated,
    /// Looked at, for a lock.
    Sampled,
}

const WAYS: [Way; 9] = [
    Way::Fresh,
    Way::Streamed,
    Way::Resumed,
    Way::Restarted,
    Way::WholePart,
    Way::Copied,
    Way::Linked,
    Way::Generated,
    Way::Sampled,
];

/// What is claimed of a body.
struct Claimed {
    what: &'static str,
    name: &'static str,
    body: Vec<u8>,
    listed: Option<u64>,
    rounded: Option<Rounded>,
    locked: Option<LockedBody>,
    /// What becomes of it; some know a wrong length in more than one way.
    classes: &'static [Class],
}

fn page() -> Vec<u8> {
    let mut page = b"<!DOCTYPE html><html>".to_vec();
    page.resize(200_000, b' ');
    page
}

fn cut_fits() -> Vec<u8> {
    let mut fits = format!(
        "{:80}{:80}{:80}{:80}",
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        "NAXIS1  =               999999"
    )
    .into_bytes();
    fits.extend(format!("{:80}", "END").bytes());
    fits.resize(2880, b' ');
    fits.resize(2880 * 70, 0);
    fits
}

fn claims() -> Vec<Claimed> {
    let body = bytes(200_000);
    let locked =
        |body: &[u8]| Some(LockedBody { sha256: Digest::sha256(body), bytes: Some(body.len() as u64), digests: None });
    let plain = |what, listed, locked, classes| Claimed {
        what,
        name: "a.dat",
        body: body.clone(),
        listed,
        rounded: None,
        locked,
        classes,
    };
    let odd =
        |what, name, body, classes| Claimed { what, name, body, listed: None, rounded: None, locked: None, classes };
    let rounded = Some(Rounded { least: 300_001, most: 400_000 });
    vec![
        plain("nothing", None, None, &[]),
        plain("what is so", Some(200_000), locked(&body), &[]),
        plain("a longer listed size", Some(200_001), None, &[Class::Size]),
        plain("a shorter listed size", Some(199_999), None, &[Class::Size, Class::TooLong]),
        Claimed { rounded, ..plain("another listed size, rounded", None, None, &[Class::Size]) },
        plain("other bytes by the lock", None, locked(b"other"), &[Class::LockMismatch]),
        odd("data, over a web page", "a.dat", page(), &[Class::Html]),
        odd(
            "data, over an error page behind a comment",
            "a.dat",
            [&b"<!-- x --><h1>503"[..], &[b' '; 200_000]].concat(),
            &[Class::Html],
        ),
        odd(
            "data, over a gzip stream that is cut",
            "a.dat",
            [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\xff\xff\0\0"[..], &[7; 199_000]].concat(),
            &[Class::FileStructure],
        ),
        odd("an image, over other bytes", "a.png", body.clone(), &[Class::Magic]),
        odd("a FITS file, over one that is cut", "a.fits", cut_fits(), &[Class::FitsStructure]),
    ]
}

/// The digest of what comes by a way, or the class of what is wrong with it.
async fn come(way: Way, claimed: &Claimed) -> Result<Digest, Class> {
    let body = claimed.body.clone();
    let mut lab = Lab::answering(Box::new(move |head: &str| Some(serve(way, head, &body))));
    lab.file.name = Some(claimed.name.to_owned());
    lab.file.bytes = claimed.listed;
    lab.file.rounded = claimed.rounded;
    lab.locked = claimed.locked.clone();
    let fetched = match way {
        Way::Copied | Way::Linked => import(&lab, way, claimed).map_err(|failure| failure.class)?,
        Way::Sampled => {
            let verify = Verify { fits: true, magic: true };
            let seen = probe::look(&lab.client, &lab.file, verify, Identity::Bytes).await;
            return seen.map(|seen| seen.sha256).map_err(|failure| failure.class);
        }
        _ => {
            let begun = match way {
                Way::Resumed | Way::Restarted => &claimed.body[..LEFT],
                Way::WholePart => &claimed.body[..],
                _ => &[],
            };
            if way == Way::Generated {
                lab.file.body = Body::Made(claimed.body.clone().into());
            } else if !begun.is_empty() {
                lab.left(begun, TAG, (way == Way::WholePart).then_some(claimed.body.len()));
            }
            match lab.attempt().await {
                Ok(FetchOutcome::File(fetched)) => *fetched,
                Ok(FetchOutcome::Unchanged) => panic!("nothing was asked by"),
                Err(failed) => return Err(failed.failure.class),
            }
        }
    };
    let is_resumed = matches!(way, Way::Resumed | Way::WholePart);
    assert_eq!(fetched.resumed_bytes > 0, is_resumed, "{way:?}: {}", claimed.what);
    assert_eq!(fetched.restarted, way == Way::Restarted, "{way:?}: {}", claimed.what);
    Ok(fetched.body.sha256)
}

fn import(lab: &Lab, way: Way, claimed: &Claimed) -> Result<Fetched, Failure> {
    let folder = lab.part().path().parent().unwrap().to_owned();
    let place = folder.join("own.dat");
    std::fs::write(&place, &claimed.body).unwrap();
    let taking = if way == Way::Linked { Taking::Link } else { Taking::Copy };
    let wanted = LocalSource {
        name: claimed.name,
        listed: claimed.listed,
        rounded: claimed.rounded,
        locked: claimed.locked.as_ref(),
        verify: Verify { fits: true, magic: true },
        identity: Identity::Bytes,
    };
    local_copy::take(&place, taking, &lab.part(), wanted).map(|(fetched, taken)| {
        assert_eq!(taken, taking);
        fetched
    })
}

fn serve(way: Way, head: &str, body: &[u8]) -> Vec<u8> {
    let is_ranged = head.contains("range: bytes=");
    match way {
        Way::Streamed => {
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nETag: {TAG}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n",
                body.len()
            )
            .into_bytes();
            answer.extend([body, b"\r\n0\r\n\r\n"].concat());
            answer
        }
        Way::Resumed if is_ranged => rest(body, FROM, body.len()),
        Way::Restarted if is_ranged => rest(body, FROM + 1, body.len()),
        Way::WholePart if is_ranged => {
            answer("416 Range Not Satisfiable", &[("Content-Range", &format!("bytes */{}", body.len()))], b"")
        }
        _ => whole(body),
    }
}

#[tokio::test]
async fn every_way_in_holds_a_body_to_every_claim() {
    for claimed in claims() {
        for way in WAYS {
            // Nobody has locked what is looked at for a lock.
            if way == Way::Sampled && claimed.locked.is_some() {
                continue;
            }
            let found = come(way, &claimed).await;
            match found {
                Ok(sha256) => {
                    assert!(claimed.classes.is_empty(), "{way:?} lets in {}", claimed.what);
                    assert_eq!(sha256, Digest::sha256(&claimed.body), "{way:?}: {}", claimed.what);
                }
                Err(class) => assert!(claimed.classes.contains(&class), "{way:?}: {}: {class}", claimed.what),
            }
        }
    }
}
