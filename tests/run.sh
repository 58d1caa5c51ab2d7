#!/usr/bin/env bash
# Installs what the tests need where it can, then runs all of them. `--help` explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

# The programs that tests start, one a line: the check that proves it is there | its Debian package | the tests
# that need it, as a name to skip. Only what a test really uses stands here. `-` for a package is a right, not a
# program: where this user does not have it, its tests are left out.
needs='
git --version | git | repository::
python3 -c "import requests" | python3-requests | tutorial::
python3 --version | python3 | documentation::python
jq --version | jq | documentation::the_files_of_an_archive
python3 -c "import ensurepip, venv" | python3-venv | export::tools::
python3 -c "import ensurepip, venv" | python3-venv | sources::jsoc::listing::a_table_of_keywords_opens
python3 -c "import ensurepip, venv" | python3-venv | sources::jsoc::tables::a_text_of_several_lines_is_one_cell
python3 -c "import ensurepip, venv" | python3-venv | sources::sunpy::
python3 -c "import ensurepip, venv" | python3-venv | sources::clients::drms
python3 -c "import ensurepip, venv" | python3-venv | sources::clients::fido
python3 -c "import ensurepip, venv" | python3-venv | sources::clients::hapiclient
python3 -c "import ensurepip, venv" | python3-venv | fits_verdicts::
command -v fitsverify | fitsverify | fits_verdicts::
python3 -c "import ensurepip, venv" | python3-venv | reports::junit::junitparser
python3 -c "import ensurepip, venv" | python3-venv | editor::
python3 -c "import ensurepip, venv" | python3-venv | ci_files::workflows_actions
node --version | nodejs | ci_files::workflows_and
npm --version | npm | ci_files::workflows_and
/usr/sbin/nginx -v | nginx | sources::real::nginx
/usr/sbin/apache2 -v | apache2 | sources::real::apache
/usr/sbin/lighttpd -v | lighttpd | sources::real::lighttpd
strace -f true | strace | kills::steps
strace -f true | strace | power_cut::
/usr/sbin/mkfs.ext4 -V | e2fsprogs | power_cut::
f=$(mktemp) && truncate -s 4M $f && /usr/sbin/mkfs.ext4 -q $f && unshare --mount mount -o loop $f /mnt; s=$?; rm $f; exit $s | - | power_cut::
unshare --mount mount -t tmpfs none /mnt | - | d_01_a_full_disk
strace -V | strace | torture::
strace -V | strace | adopt::a_file_that_can_have_no_further_name
strace -V | strace | faults::local::d_05
faketime -f +0s true | faketime | faults::local::d_13
faketime -f +0s true | faketime | faults::local::n_10
faketime -f +0s true | faketime | ten_nights::
unshare --mount mount -t tmpfs none /mnt | - | faults::mounted::
f=$(mktemp) && truncate -s 16M $f && /usr/sbin/mkfs.ext4 -q -O casefold $f && unshare --mount mount -o loop $f /mnt; s=$?; rm $f; exit $s | - | f_05_where_case_is_ignored
test -x /usr/sbin/sshd | openssh-server | tunnel::through_a_gateway::
ssh -V && command -v ssh-keygen | openssh-client | tunnel::through_a_gateway::
unshare --mount mount -t tmpfs none /run | - | tunnel::through_a_gateway::
man --version | man-db | man::man_shows_every_page
groff --version | groff-base | man::man_shows_every_page
zsh --version | zsh | man::zsh_and_fish
fish --version | fish | man::zsh_and_fish
chromium --version | chromium | page::in_a_browser::
chromedriver --version | chromium-driver | page::in_a_browser::
'

usage() {
  cat <<'HELP'
Runs all tests of sunhaul: unit tests, the integration binary, the ones that need other programs.

usage: tests/run.sh [--install] [--kills N] [--model SECONDS] [--help] [FILTER...]

  FILTER      run only the tests whose name holds one of these words
  --install   install the programs that tests start (Debian or Ubuntu, as root), run nothing
  --kills N   kill runs N times with no warning and look at what they leave, run nothing else; progress goes to
              standard error. 10000 take some 15 minutes on two idle cores. SUNHAUL_KILLS_SEED=S draws the same odds
  --model SECONDS
              put archives through random steps (commands, kills, changed manifests, a changed service, files and links of
              the user's, damage) for so long and check what must hold after each, run nothing else.
              SUNHAUL_MODEL_SEED=S draws the same steps
  --help      show this

As root on Debian or Ubuntu, missing programs are installed first. The Python tools of tests/export/requirements.txt and
tests/sunpy, tests/hapi, tests/junit and tests/ci are put into virtual environments, and those of tests/ci/package.json beside them, below ${XDG_CACHE_HOME:-~/.cache}/sunhaul-tests, once:
2 minutes, 1 GB. Where something
stays missing, its tests are left out and named; with CI=true that is a failure. A test that mounts is left out, and named, where the user may not.
Before cargo's results of the integration tests stands what became of each fault of tests/it/faults/ids.txt. The last
lines are cargo's own results.
HELP
}

only_install=false
kills=
model=
filters=()
while [ $# -gt 0 ]; do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --install) only_install=true ;;
    --kills)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,8}$ ]] || { echo "tests/run.sh: --kills takes a number (see --help)" >&2; exit 2; }
      kills=$2
      shift
      ;;
    --model)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,5}$ ]] || { echo "tests/run.sh: --model takes a number of seconds (see --help)" >&2; exit 2; }
      model=$2
      shift
      ;;
    -*) echo "tests/run.sh: unknown option: $1 (see --help)" >&2; exit 2 ;;
    *) filters+=("$1") ;;
  esac
  shift
done

if [ -n "$kills$model" ]; then
  # They are about the program, not about the disk, which would only be worn.
  if [ -z "${TMPDIR:-}" ] && [ -d /dev/shm ] && [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
  fi
  if [ -n "$model" ]; then
    SUNHAUL_MODEL_SECONDS="$model" exec cargo test --locked --test it -- --nocapture \
      --exact model::an_archive_keeps_its_promises_whatever_happens_to_it
  fi
  SUNHAUL_KILLS="$kills" exec cargo test --locked --test it -- --nocapture \
    --exact kills::d_07_a_run_that_is_killed_at_any_moment_and_again_ends_as_an_unbroken_one
fi

# Says what is missing: lines `package|tests`.
missing() {
  local check package tests
  while IFS='|' read -r check package tests; do
    [ -n "${check// /}" ] || continue
    bash -c "$check" >/dev/null 2>&1 || printf '%s|%s\n' "${package// /}" "${tests// /}"
  done <<<"$needs"
}

lacking="$(missing)"
if [ -n "$lacking" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  mapfile -t packages < <(cut -d'|' -f1 <<<"$lacking" | grep -vx -e - | sort -u)
  if [ ${#packages[@]} -gt 0 ]; then
    echo "installing: ${packages[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 || true
    apt-get install -qq --yes --no-install-recommends "${packages[@]}" >&2 || true
    lacking="$(missing)"
  fi
fi

skips=()
if [ -n "$lacking" ]; then
  while IFS='|' read -r package tests; do
    if [ "$package" = - ]; then
      echo "tests/run.sh: this user may not mount that here: leaving out $tests" >&2
      skips+=(--skip "$tests")
      continue
    fi
    if [ "${CI:-}" = true ]; then
      echo "tests/run.sh: $package is not installed, and with CI=true no test is left out" >&2
      exit 1
    fi
    echo "tests/run.sh: $package is not installed: leaving out $tests" >&2
    skips+=(--skip "$tests")
  done <<<"$lacking"
fi
if [ "$only_install" = true ]; then
  exit 0
fi

# Fills a folder of tools, once, and says where it is. $1 is what the tools follow from; the command after it gets the
# folder as its last word.
once() {
  local from=$1 folder
  shift
  folder="${XDG_CACHE_HOME:-$HOME/.cache}/sunhaul-tests/$(sha256sum <<<"$from" | cut -c1-16)"
  mkdir -p "$folder" && exec 9>"$folder/lock" && flock 9 || return
  if [ ! -e "$folder/complete" ]; then
    "$@" "$folder" >&2 && touch "$folder/complete" || return
  fi
  echo "$folder"
}

# Puts the Python tools of the list $1 into the folder $2.
install_python() {
  echo "installing the Python tools of $1 into $2"
  python3 -m venv --clear "$2/venv" &&
    "$2/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$1"
}

# Says where the programs of a list of Python tools are.
python_tools() {
  local folder
  folder="$(once "$(cat "$1" <(python3 --version))" install_python "$1")" && echo "$folder/venv/bin"
}

# Puts the linters that npm has into the folder $1.
install_linters() {
  echo "installing the linters of tests/ci/package.json into $1"
  cp tests/ci/package.json "$1" &&
    npm install --prefix "$1" --silent --no-audit --no-fund --no-package-lock --ignore-scripts
}

# Says where they are, with the script that calls them.
linters() {
  local folder
  folder="$(once "$(cat tests/ci/package.json <(node --version))" install_linters)" &&
    cp tests/ci/lint.cjs "$folder" && echo "$folder"
}

# Sets a variable to where a command says that tools are; where it fails, the tests that need them are left out. $1 the
# variable, $2 the list of the tools, then the tests, `--`, the command.
provide() {
  local variable=$1 list=$2 tests=() folder name
  shift 2
  while [ "$1" != -- ]; do
    tests+=("$1")
    shift
  done
  shift
  [[ " ${skips[*]} " == *" ${tests[0]} "* ]] && return
  if folder="$("$@")"; then
    export "$variable=$folder"
  elif [ "${CI:-}" = true ]; then
    echo "tests/run.sh: the tools of $list are not installed, and with CI=true no test is left out" >&2
    exit 1
  else
    echo "tests/run.sh: the tools of $list are not installed: leaving out ${tests[*]}" >&2
    for name in "${tests[@]}"; do
      skips+=(--skip "$name")
    done
  fi
}

# The same for Python tools: $1 the list, $2 the variable, then the tests.
with_python() {
  local list=$1 variable=$2
  shift 2
  provide "$variable" "$list" "$@" -- python_tools "$list"
}

with_python tests/export/requirements.txt SUNHAUL_TEST_TOOLS export::tools:: sources::jsoc::listing::a_table_of_keywords_opens
with_python tests/sunpy/requirements.txt SUNHAUL_TEST_SUNPY sources::sunpy:: fits_verdicts:: sources::clients::drms sources::clients::fido
with_python tests/hapi/requirements.txt SUNHAUL_TEST_HAPI sources::clients::hapiclient
with_python tests/junit/requirements.txt SUNHAUL_TEST_JUNIT reports::junit::junitparser
with_python tests/ci/requirements.txt SUNHAUL_TEST_SCHEMAS editor:: ci_files::workflows_actions
provide SUNHAUL_TEST_LINTERS tests/ci/package.json ci_files::workflows_and -- linters

# What became of each fault that has a name, told before the results of the binary that has its tests.
outcomes() {
  awk -v all="$1" '
    BEGIN {
      while ((getline line <"tests/it/faults/ids.txt") > 0) {
        id = substr(line, 1, 4); ids[++count] = id; what[id] = substr(line, 6)
        key = tolower(id); sub(/-/, "_", key); pattern[id] = "(^|[:_])" key "(_|$)"
      }
      while ((getline line <"src/cli/help/limits.md") > 0) {
        for (i = 1; i <= count; i++) if (index(line, ids[i])) limit[ids[i]] = 1
      }
    }
    /^test .* \.\.\. / {
      for (i = 1; i <= count; i++) if ($2 ~ pattern[ids[i]]) {
        id = ids[i]
        if (/ \.\.\. ok$/) { ok[id]++; seen = 1 } else if (/ \.\.\. FAILED$/) { failed[id]++; seen = 1 }
      }
    }
    /^test result:/ && integration && seen {
      for (i = 1; i <= count; i++) {
        id = ids[i]
        told = failed[id] ? "FAILED" : ok[id] ? "ok, " ok[id] (ok[id] > 1 ? " tests" : " test") : limit[id] ? "see sunhaul help limits" : "left out"
        if (all || ok[id] || failed[id]) printf "%s %s: %s\n", id, what[id], told
      }
      print ""
    }
    /^test (faults|repository)::/ { integration = 1 }
    { print; fflush() }'
}

# One command for all: the tests marked `ignored` need a program of the list above, and it is there.
# Most tests wait more than they work, so twice as many run at once as there are processors.
cargo test --locked --no-fail-fast -- --include-ignored --test-threads "$((2 * $(nproc)))" "${skips[@]}" "${filters[@]}" |
  outcomes "$([ ${#filters[@]} -gt 0 ] || echo all)"
