#!/bin/sh
# Makes the image moodarena/python:3.11 (Python 3.11, numpy, nibabel), unless the engine has it already.
#
#   sh setup/base_image.sh [NAME]
#
# python:3.11-slim is pulled where that is possible; else a Debian is built with debootstrap, which needs a
# Debian mirror and nothing else. Honours DOCKER_HOST.
#
# MOODARENA_AIR_GAPPED=1        does not try to pull
# MOODARENA_NO_INSTALL=1        installs nothing on this machine
# MOODARENA_DEBIAN_MIRROR=URL   the mirror to build from, if not the one that this machine's apt uses
set -eu
. "$(dirname "$0")/common.sh"

NAME=${1:-moodarena/python:3.11}
PULLED=python:3.11-slim
SUITE=bookworm # Debian's release with Python 3.11
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
PYTHON=$ROOT/.venv/bin/python
LOG=$CACHE/base_image.log
tree=

engine() { "$PYTHON" "$ROOT/setup/image.py" "$@"; }

pin() { grep "^$1==" "$ROOT/requirements.lock" | cut -d ' ' -f 1; }

from_registry() {
    [ "${MOODARENA_AIR_GAPPED:-0}" != 1 ] || return 1
    timeout 60 "$PYTHON" "$ROOT/setup/image.py" pull "$PULLED" >>"$LOG" 2>&1 || return 1
    say "base image: adding numpy and nibabel to $PULLED"
    timeout 300 "$PYTHON" "$ROOT/setup/image.py" build "$NAME" >>"$LOG" 2>&1 <<DOCKERFILE
FROM $PULLED
RUN pip install --no-cache-dir $(pin numpy) $(pin nibabel)
DOCKERFILE
}

screen() {
    cat >&2 <<SCREEN

The image $NAME, on which the example methods stand, cannot be made here:
$1.

Do one of these, then type the same command again:

  pull             let the engine pull $PULLED (what it said is in ${LOG#"$ROOT"/})
  Debian, Ubuntu   sudo apt-get install debootstrap debian-archive-keyring
                   sudo DOCKER_HOST="\$DOCKER_HOST" sh setup/base_image.sh
  own mirror       export MOODARENA_DEBIAN_MIRROR=http://mirror.of.your.site/debian
  other machine    there:  docker save $NAME | gzip >base.tar.gz
                   here:   docker load -i base.tar.gz

SCREEN
    exit 1
}

# debootstrap trusts whatever it downloads when it finds no keyring, so there must be one.
need_debootstrap() {
    missing=
    has debootstrap || missing=debootstrap
    [ -e "$KEYRING" ] || missing="$missing debian-archive-keyring"
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt_install "base image" $missing || screen "it cannot be pulled, and $missing is missing"
    may_become_root || screen "it cannot be pulled, and building it takes root or sudo without a password"
}

mirror() {
    if [ -n "${MOODARENA_DEBIAN_MIRROR:-}" ]; then
        echo "$MOODARENA_DEBIAN_MIRROR"
    elif has apt-get; then
        # shellcheck disable=SC2016
        apt-get indextargets --format '$(REPO_URI)' 'ORIGIN: Debian' 'LABEL: Debian' 2>/dev/null |
            sed -n '/^https\{0,1\}:/{p;q}'
    fi
}

clean_up() {
    [ -n "$tree" ] || return 0
    privileged umount "$tree/proc" "$tree/sys" 2>/dev/null || true
    privileged rm -rf --one-file-system "$tree" "$tree.tar"
}

# Debian's python3-nibabel depends on scipy and, through it, on a C++ compiler (900 MB). nibabel itself asks for
# numpy and packaging only, so its files are unpacked without its dependencies.
add_nibabel() {
    privileged chroot "$tree" sh -c '
        set -e
        cd /root
        apt-get -qq -o APT::Sandbox::User=root download python3-nibabel
        dpkg-deb --extract python3-nibabel_*.deb /
        rm python3-nibabel_*.deb
        python3 -m compileall -q /usr/lib/python3/dist-packages/nibabel'
}

shrink() {
    privileged sh -c '
        set -e
        cd "$1"
        rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/* var/cache/ldconfig/* var/log/* \
            usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian etc/resolv.conf
        find usr/lib/python3/dist-packages -type d -name tests -prune -exec rm -rf {} +
        chroot . python3 -B -c "import nibabel, numpy"' sh "$tree"
}

debootstrapped() {
    # shellcheck disable=SC2046
    privileged env PATH="$PATH" debootstrap --variant=minbase --keyring="$KEYRING" \
        --include=python3-numpy,python3-packaging,python-is-python3 "$SUITE" "$tree" $(mirror) &&
        add_nibabel &&
        shrink &&
        privileged tar -C "$tree" --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$tree.tar" . &&
        privileged chmod a+r "$tree.tar" &&
        engine import "$NAME" "$tree.tar"
}

from_debian() {
    need_debootstrap
    say "base image: building a Debian $SUITE with debootstrap, about a minute (log in ${LOG#"$ROOT"/})"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Not in /tmp, which many systems mount nodev: debootstrap makes device nodes.
    tree=$(mktemp -d /var/tmp/moodarena-base.XXXXXX)
    chmod 755 "$tree"
    if ! debootstrapped >>"$LOG" 2>&1; then
        say "base image: that failed; the end of the log:"
        tail -n 8 "$LOG" >&2
        screen "it cannot be pulled, and building it failed"
    fi
}

there=0
engine has "$NAME" || there=$?
[ "$there" = 1 ] || exit "$there"
mkdir -p "$CACHE"
: >"$LOG"
from_registry || from_debian
say "base image: $NAME is ready"
