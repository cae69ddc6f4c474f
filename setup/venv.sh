#!/bin/sh
# Makes .venv from requirements.lock and puts the command `moodarena` into it. Does nothing when the stamp
# in .venv says that it is up to date. MOODARENA_PYTHON names another interpreter than the first found.
#
#   sh setup/venv.sh [methods]
#
# With `methods`, what only the reference methods with networks need (torch) is installed as well.
set -eu
. "$(dirname "$0")/common.sh"
cd "$ROOT"

find_python() {
    for name in ${MOODARENA_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        has "$name" || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        command -v "$name"
        return 0
    done
    return 1
}

# Debian ships Python without ensurepip; `import venv` alone works there and then fails half-way.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The editable install holds this folder's path, so a moved checkout is set up again.
digest_of() {
    { cat "$@"; echo "$ROOT"; .venv/bin/python -V; } | sha256sum | cut -d ' ' -f 1
}

# up_to_date STAMP FILE...
up_to_date() {
    stamp=$1
    shift
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null &&
        [ "$(cat ".venv/$stamp" 2>/dev/null)" = "$(digest_of "$@")" ]
}

PLATFORM_LOCKS="requirements.lock pyproject.toml"
METHODS_LOCKS="requirements.lock reference_methods/requirements.lock"
platform_is_there() { up_to_date moodarena.stamp $PLATFORM_LOCKS; }
methods_are_there() {
    [ "$WANTED" != methods ] || up_to_date moodarena-methods.stamp $METHODS_LOCKS
}

log=$CACHE/venv.log
pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 || {
        say "pip failed; the end of $log:"
        tail -n 20 "$log" >&2
        exit 1
    }
}

make_venv() {
    python=$(find_python) || { apt_install "Python 3.11 or later" python3 python3-venv && python=$(find_python); } || {
        say "Python 3.11 or later is needed, and none was found. Set MOODARENA_PYTHON to one."
        exit 1
    }
    can_make_venv "$python" || apt_install "a virtual environment" python3-venv || exit 1
    if ! can_make_venv "$python"; then
        # python3-venv serves Debian's own default interpreter only.
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "a virtual environment" "python$minor-venv" || exit 1
    fi
    say "making .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
}

install_platform() {
    { [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1; } || make_venv
    say "installing $(grep -c '==' requirements.lock) pinned packages into .venv (about a minute; log: .cache/venv.log)"
    pip install -r requirements.lock
    pip install --no-deps --no-build-isolation --editable .
    digest_of $PLATFORM_LOCKS >.venv/moodarena.stamp
}

install_methods() {
    say "installing torch into .venv, which only the reference methods with networks need"
    pip install -r reference_methods/requirements.lock
    digest_of $METHODS_LOCKS >.venv/moodarena-methods.stamp
}


WANTED=${1:-}
platform_is_there && methods_are_there && exit 0
mkdir -p "$CACHE"
exec 9>"$CACHE/venv.lock"
has flock && flock 9
: >"$log"
platform_is_there || install_platform
methods_are_there || install_methods
