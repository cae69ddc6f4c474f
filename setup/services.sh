#!/bin/sh
# services.sh run|test|test-all: sees to the programs that runs (exact output quotas), the tests (servers,
# a browser) and the check of the compose file need. Programs only: the tests start their own servers.
set -eu
. "$(dirname "$0")/common.sh"

has_postgres() { has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

has_browser() {
    has chromium || has google-chrome || has chromium-browser ||
        ls "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*/ >/dev/null 2>&1
}

# Ubuntu's package `chromium` is a stub that wants snapd, so there playwright brings its own.
install_browser() {
    if [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" = ubuntu ]; then
        reason=$(why_no_install) || { say "the browser tests need chromium but $reason"; return 1; }
        say "the browser tests: installing playwright's own chromium (MOODARENA_NO_INSTALL=1 declines)"
        "$ROOT/.venv/bin/python" -m playwright install --with-deps chromium >&2
    else
        apt_install "the browser tests" chromium
    fi
}

# A newly installed server would come back with the next boot; nobody asked for that.
disable_new_servers() {
    [ -d /run/systemd/system ] || return 0
    privileged systemctl disable --quiet "$@" 2>/dev/null || true
}

# Without these a run falls back to a less exact output quota, so their absence stops nothing.
for_runs() {
    missing=
    has mkfs.ext4 || missing="$missing e2fsprogs"
    has losetup || missing="$missing mount"
    [ -z "$missing" ] || apt_install "exact output quotas" $missing || true
}

for_tests() {
    missing= servers=
    has redis-server || { missing="$missing redis-server"; servers="$servers redis-server"; }
    has_postgres || { missing="$missing postgresql"; servers="$servers postgresql"; }
    has busybox || missing="$missing busybox-static"
    has setpriv || missing="$missing util-linux"
    [ -z "$missing" ] || apt_install "the tests" $missing
    [ -z "$servers" ] || disable_new_servers $servers
    has_browser || install_browser
}

for_compose() {
    has docker-compose || docker compose version >/dev/null 2>&1 || apt_install "the compose check" docker-compose
}

case ${1:-} in
    run) for_runs ;;
    test) for_runs; for_tests ;;
    test-all) for_runs; for_tests; for_compose ;;
    *) say "usage: services.sh run|test|test-all"; exit 2 ;;
esac
