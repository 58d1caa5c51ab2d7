//! A map in sunpy of a file that holds no keywords and its row of the day's table, as `sunhaul help jsoc` shows it.
//!
//! `tests/run.sh` puts sunpy into a virtual environment and says where in `SUNHAUL_TEST_SUNPY`.

use serde_json::{Value, json};

use crate::lab::{Answer, Job, Lab, Server, fits, recipe};

/// The keywords of one record of `hmi.sharp_cea_720s` that place its pixels on the Sun: name, type, value as JSOC writes it.
const KEYWORDS: [(&str, &str, &str); 25] = [
    ("HARPNUM", "int", "377"),
    ("T_REC", "time", "2011.02.15_02:00:00_TAI"),
    ("DATE__OBS", "time", "2011-02-15T01:58:12.30Z"),
    ("T_OBS", "time", "2011.02.15_01:59:54_TAI"),
    ("QUALITY", "int", "0x00000000"),
    ("NOAA_AR", "int", "11158"),
    ("TELESCOP", "string", "SDO/HMI"),
    ("INSTRUME", "string", "HMI_SIDE1"),
    ("WAVELNTH", "float", "6173.000"),
    ("BUNIT", "string", "Mx/cm^2"),
    ("CTYPE1", "string", "CRLN-CEA"),
    ("CTYPE2", "string", "CRLT-CEA"),
    ("CUNIT1", "string", "degree"),
    ("CUNIT2", "string", "degree"),
    ("CRPIX1", "float", "10.5"),
    ("CRPIX2", "float", "10.5"),
    ("CRVAL1", "float", "34.879105"),
    ("CRVAL2", "float", "-21.076900"),
    ("CDELT1", "float", "0.030000"),
    ("CDELT2", "float", "0.030000"),
    ("CRLN_OBS", "float", "21.725103"),
    ("CRLT_OBS", "float", "-6.827900"),
    ("RSUN_REF", "double", "696000000.0"),
    ("DSUN_OBS", "double", "147746220503.41"),
    ("MEANPOT", "double", "MISSING"),
];

fn jsoc(file: Vec<u8>) -> Server {
    Server::speaking(move |request| {
        if request.path == "/SUM1/D1/S00000/Br.fits" {
            return Some(Answer::file(file.clone()));
        }
        match request.parameter("op")?.as_str() {
            "series_struct" => {
                let keyword = |(name, kind, _): &(&str, &str, &str)| json!({ "name": name, "type": kind, "units": "none", "defval": "", "recscope": "variable", "note": "" });
                Some(Answer::json(&json!({
                    "primekeys": ["HARPNUM", "T_REC"], "keywords": KEYWORDS.iter().map(keyword).collect::<Vec<_>>(),
                    "segments": [{ "name": "Br", "type": "int", "units": "Gauss", "protocol": "fits", "dims": "", "note": "" }],
                    "links": [], "status": 0,
                })))
            }
            "rs_list" => {
                let value = |name: &str| match name {
                    "*recnum*" => "1234567",
                    "*size*" => "1",
                    "*online*" => "Y",
                    name => {
                        KEYWORDS.iter().find(|(known, ..)| *known == name).map_or("Invalid KeyLink", |known| known.2)
                    }
                };
                let all = KEYWORDS.iter().map(|known| known.0).collect::<Vec<_>>().join(",");
                let keys = request.parameter("key")?.replace("**ALL**", &all);
                let column = |name: &str| json!({ "name": name, "values": [value(name)] });
                let segments: Vec<Value> = match request.parameter("seg").as_deref() {
                    None | Some("**NONE**") => Vec::new(),
                    Some(_) => vec![json!({ "name": "Br", "values": ["/SUM1/D1/S00000/Br.fits"], "dims": [] })],
                };
                Some(Answer::json(&json!({
                    "keywords": keys.split(',').map(column).collect::<Vec<_>>(), "segments": segments, "links": [],
                    "recinfo": [{ "name": "hmi.sharp_cea_720s[377][2011.02.15_02:00:00_TAI]", "online": 1 }],
                    "count": 1, "runtime": 0.01, "status": 0,
                })))
            }
            _ => None,
        }
    })
}

#[test]
#[ignore = "needs sunpy, which tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn a_file_and_its_row_of_the_table_make_a_map_as_the_help_shows() {
    let python = std::env::var("SUNHAUL_TEST_SUNPY").expect("SUNHAUL_TEST_SUNPY: tests/run.sh sets it");
    let jsoc = jsoc(fits(1, 20, "2011-02-15T01:58:12.30Z"));
    let lab = Lab::new();
    let series = ["{ name: hmi.sharp_cea_720s, segments: [Br] }"];
    let job = Job::from_source(&format!("{{ jsoc: {{ url: \"{}\" }} }}", jsoc.url())).series(&series);
    lab.write("job.yaml", job.range("2011-02-15", "2011-02-16").yaml());
    lab.report(0);
    let script = format!(
        "{}\nprint(image.date.isot, image.observatory, round(image.reference_coordinate.lon.deg, 3), image.data.shape)\n",
        recipe("python", "sunpy.map.Map")
    );
    assert_eq!(
        script.lines().filter(|line| !line.is_empty()).count(),
        10,
        "nine lines, and what is printed:\n{script}"
    );
    lab.write("map.py", script);
    lab.program(&format!("{python}/python"), &["map.py"])
        .env("SUNPY_CONFIGDIR", lab.path("tmp").to_str().expect("a path"))
        .env("MPLCONFIGDIR", lab.path("tmp").to_str().expect("a path"))
        .stdout("2011-02-15T01:58:12.300 SDO 34.879 (20, 20)\n")
        .chatty()
        .done();
}

/// What JSOC's disks hold: an image in compressed tiles behind an empty HDU, with no keyword of its record.
const AS_IT_COMES: &str = "import numpy, astropy.io.fits as fits
image = fits.CompImageHDU(numpy.arange(400, dtype=numpy.int16).reshape(20, 20), compression_type='RICE_1')
fits.HDUList([fits.PrimaryHDU(), image]).writeto('as-it-comes.fits', checksum=True)
";

const MAP: &str = "import sys, warnings, numpy, astropy.io.fits as fits, sunpy.map
path = sys.argv[1]
with warnings.catch_warnings():
    warnings.simplefilter('error')
    fits.open(path, checksum=True)[1].data
image = sunpy.map.Map(path)
data = fits.getdata('as-it-comes.fits')
print(image.date.isot, image.observatory, round(image.reference_coordinate.lon.deg, 3), image.unit, image.meta['harpnum'],
      numpy.array_equal(image.data, data))
";

#[test]
#[ignore = "needs sunpy, which tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn a_file_with_embedded_keywords_is_a_map_by_itself_and_its_sums_are_right_to_astropy() {
    let python = std::env::var("SUNHAUL_TEST_SUNPY").expect("SUNHAUL_TEST_SUNPY: tests/run.sh sets it");
    let lab = Lab::new();
    let python = format!("{python}/python");
    let call = |args: &[&str]| {
        let folder = lab.path("tmp");
        let folder = folder.to_str().expect("a path");
        lab.program(&python, args)
            .env("SUNPY_CONFIGDIR", folder)
            .env("MPLCONFIGDIR", folder)
            .chatty()
            .stdout_has("")
            .done()
    };
    lab.write("make.py", AS_IT_COMES);
    call(&["make.py"]);
    let jsoc = jsoc(lab.read("as-it-comes.fits"));
    let series = ["{ name: hmi.sharp_cea_720s, segments: [Br], fetch: files, headers: embed }"];
    let job = Job::from_source(&format!("{{ jsoc: {{ url: \"{}\" }} }}", jsoc.url())).series(&series);
    lab.write("job.yaml", job.range("2011-02-15", "2011-02-16").yaml());
    lab.report(0);
    lab.write("map.py", MAP);
    let path = lab.files("data").into_keys().next().expect("a file");
    let said = call(&["map.py", &format!("data/{path}")]).stdout;
    assert_eq!(said, "2011-02-15T01:58:12.300 SDO 34.879 Mx / cm2 377 True\n");
}
