//! The integration tests, in one binary. This file is their table of contents.

// The repository itself.
mod layers;
mod repository; // every file's first line and length, the top level // imports go one way

// What the other tests stand on.
mod lab; // the program in a clean environment, a scripted service, and both tried on themselves

// A job, through the public door.
mod accept; // files that the job takes for bad at their source
mod accounting; // every expected day and file is in one count of the report
mod adopt; // files that somebody holds already, taken in
mod archive; // what lies in the archive already: own files, damaged records, other jobs, other specs
mod as_locked; // days whose locked files are all here, and nobody is asked
mod asked_again; // files that came wrong, and the runs that do not ask for them
mod bad_input; // wrong manifests and storage that cannot be used
mod budgets; // time, bytes and files that a run may use up, and runs that go on after it
mod changed; // days looked at again whose files changed upstream, or did not
mod ci_files; // workflows and images under `jobs/ci`
mod documentation; // README and the pages of `sunhaul help`
mod editor; // the schema of manifests, as editors use it
mod examples; // the manifests under `jobs/`
mod export; // proof and catalogue in other programs' forms, and those programs' word on them
mod faults; // what can go wrong, with a name each: what a service, a network, a disk and an operator do
mod fits_verdicts; // what astropy and fitsverify say of the same files
mod future; // days that have not begun
mod giving_up; // one cause on all days of a series, and how much is asked for before the rest is given up
mod hosts; // further hosts that links and redirects lead to
mod identity; // what two versions of a file have in common when their headers differ
mod init; // a new manifest from options, or from a dialogue at a terminal
mod kept_days; // days that a range has left behind, and taking days out
mod kills; // killed with no warning at any moment, again and again
mod lock; // what every file must be: honoured, added to, held to the letter
mod log; // the records of `--log-format json`
mod main_job; // a manifest becomes a verified archive, and a second run has nothing to do
mod man; // pages of the manual and completion scripts, held against the programs that read them
mod many_days; // millions of days to do, in the memory of a few
mod missing_archive; // a disk that is not mounted is no new job
mod model; // whatever happens to an archive, drawn by odds, and what must hold after each step
mod narrowed; // a manifest that asks for less than before
mod newcomer; // what somebody types who comes from another program
mod own_state; // symlinks, pipes and strange records in `.sunhaul`
mod ownership; // whose a file is: the user's, one that days share, one that layouts fight over
mod page; // the report as a web page, and in a browser
mod ping; // one question to each source, and how it fared
mod politeness; // the pace, as the server sees it
mod power_cut; // what is on stable storage when the power goes, and what the next run makes of it
mod provisional; // what each look at a day that is not final costs
mod rehearsal; // a service that does wrong on purpose, for anyone
mod renames; // a changed layout, and what is asked for then: nothing
mod reports; // a run in the forms that CI services and people read, then and later
mod resume; // broken off by signal, kill and network, and gone on with
mod retired; // files that were displaced, and that are asked for again
mod same_bytes; // four ways to one archive: the same files, records and lock
mod same_job; // two manifests with one name and one archive
mod second_look; // days whose listing is empty, and young ones
mod secrets; // credentials: where they go, and where they are never seen
mod serving; // what `sunhaul serve` tells of a folder's files, and what it does not start with
mod shown; // what a server says, and how little it does to whoever reads it
mod sources; // one contract for every kind of source, and what each has of its own
mod status; // the calendar of what is there
mod ten_nights; // a range that follows the clock, night after night, and what each costs
mod terminal; // bars: right at any width, and gone at the end
mod told; // errors as people read them: of the command line, of locks, of plans
mod torture; // each step that touches files or sockets fails once
mod tunnel; // an SSH gateway on the way: with a real one, and with an `ssh` of our own
mod tutorial; // the old service's client against `sunhaul serve`
mod update; // the lock moved on purpose, and the check whether upstream has drifted
mod vacated_folders;
mod verify; // an archive held against its records, and repaired
