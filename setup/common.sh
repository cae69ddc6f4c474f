# What the scripts of this folder share. Sourced by them; POSIX sh; messages go to standard error.

# Administrators' programs are not on everybody's path. (The tests of these scripts set their own.)
PATH=$PATH${MOODARENA_SBIN-:/usr/local/sbin:/usr/sbin:/sbin}

say() { printf 'moodarena: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" = 0 ]; }

# privileged COMMAND...: as root, by sudo without a password when we are somebody else.
privileged() {
    if is_root; then "$@"; else sudo -n "$@"; fi
}

may_become_root() { is_root || { has sudo && sudo -n true 2>/dev/null; }; }

# Says why nothing may be installed here; silent and 0 when it may.
why_no_install() {
    if [ "${MOODARENA_NO_INSTALL:-0}" = 1 ]; then echo "MOODARENA_NO_INSTALL=1 declines installing it"; return 1; fi
    if ! has apt-get; then echo "this is no apt system, so it is not installed by itself"; return 1; fi
    if ! may_become_root; then echo "we are not root and sudo asks for a password"; return 1; fi
}

# Debian starts a service as soon as it is installed; the tests want the programs only, so starting is
# refused while apt runs, unless the machine has a policy of its own.
with_services_held() {
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then "$@"; return; fi
    printf '#!/bin/sh\nexit 101\n' | privileged tee "$policy" >/dev/null && privileged chmod 755 "$policy"
    trap 'privileged rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    held=0
    "$@" || held=$?
    privileged rm -f "$policy"
    trap - EXIT INT TERM
    return "$held"
}

apt_install_now() {
    mkdir -p "$CACHE"
    {
        privileged apt-get update -q || true
        privileged env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
    } >"$CACHE/apt.log" 2>&1 </dev/null
}

# apt_install PURPOSE PACKAGE...: one line, then the packages; the log is shown only when it fails.
apt_install() {
    purpose=$1
    shift
    if ! reason=$(why_no_install); then
        say "$purpose: needs $* but $reason."
        say "Install by hand: apt-get install $*"
        return 1
    fi
    say "$purpose: installing $* with apt-get (MOODARENA_NO_INSTALL=1 declines)"
    if ! with_services_held apt_install_now "$@"; then
        say "apt-get could not install $*:"
        tail -n 15 "$CACHE/apt.log" >&2
        return 1
    fi
}

ROOT=$(cd "$(dirname "$0")/.." && pwd)
CACHE=$ROOT/.cache
