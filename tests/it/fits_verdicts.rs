//! The verdict on FITS files, held against those of astropy and fitsverify by `tests/fits/compare.py`.
//!
//! `tests/run.sh` installs fitsverify, and says in `SUNHAUL_TEST_SUNPY` where an environment with astropy is.

use crate::lab::{Lab, fits, gzip};

#[test]
#[ignore = "needs astropy and fitsverify, which tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
fn no_file_is_taken_that_astropy_or_fitsverify_finds_damaged_and_none_refused_that_both_find_sound() {
    let tools = std::env::var("SUNHAUL_TEST_SUNPY").expect("tests/run.sh sets it");
    let lab = Lab::new();
    let whole = fits(7, 100, "2015-12-11T18:22:08.8Z");
    let mut flipped = whole.clone();
    flipped[9000] ^= 1;
    for (name, bytes) in [
        ("whole.fits", whole.clone()),
        ("whole.fits.gz", gzip(&whole)),
        ("no-ending", whole.clone()),
        ("cut.fits", whole[..12_000].to_vec()),
        ("cut-within.fits.gz", gzip(&whole[..12_000])),
        ("flipped.fits", flipped),
        ("longer.fits", [&whole[..], b"junk"].concat()),
        ("two/whole.fits", whole),
    ] {
        lab.write(&format!("files/{name}"), bytes);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fits/compare.py");
    let said = lab
        .program(&format!("{tools}/python"), &[script, env!("CARGO_BIN_EXE_sunhaul"), "files"])
        .stdout_has("8 files: ")
        .stdout_has(" 0 of them wrong")
        .done();
    assert!(!said.stdout.contains("WRONG"), "{}", said.stdout);
}
