#!/bin/sh
# Finds, else starts, else installs the container engine.
#
#   engine.sh              sees to an engine; prints `export DOCKER_HOST=…` for eval, all else on standard error
#   engine.sh run CMD…     the same, runs CMD with it, and stops the engine again if this call started it
#   engine.sh stop         stops the engine that an earlier call started, and no other
#
# MOODARENA_NO_INSTALL=1       installs nothing and starts no system daemon
# MOODARENA_ENGINE=podman      takes Podman even where Docker answers
# MOODARENA_DOCKER_SOCKET=…    where Docker's socket is, if not /var/run/docker.sock
# MOODARENA_ENGINE_WAIT=60     seconds a started engine has until it must answer
set -eu
. "$(dirname "$0")/common.sh"

STATE=$CACHE/engine
DOCKER_SOCKET=${MOODARENA_DOCKER_SOCKET:-/var/run/docker.sock}
WAIT=${MOODARENA_ENGINE_WAIT:-60}
PYTHON=$ROOT/.venv/bin/python
HOST=
STARTED=

# --- asking ---------------------------------------------------------------------------------------------------

# The question is put the way the platform will put it, not by the docker command: that one may be Podman in
# disguise, may follow a context that the platform does not know, or may be absent.
answers() {
    "$PYTHON" - "$1" <<'PY' 2>/dev/null
import sys

import docker

docker.DockerClient(base_url=sys.argv[1], timeout=5, tls=docker.utils.kwargs_from_env().get("tls") or False).ping()
PY
}

wait_until_answers() {
    deadline=$(($(date +%s) + WAIT))
    until answers "$1"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        [ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
        sleep 0.5
    done
}

found_docker() {
    context=
    if has docker; then context=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || context=; fi
    for HOST in $context "unix://$DOCKER_SOCKET" "unix://${XDG_RUNTIME_DIR:-/nowhere}/docker.sock"; do
        if answers "$HOST"; then return 0; fi
    done
    admit_user "$DOCKER_SOCKET" && HOST=unix://$DOCKER_SOCKET && answers "$HOST"
}

# A daemon that runs but is closed to us: whoever may use sudo is let in until the daemon's next start.
admit_user() {
    [ -S "$1" ] && ! [ -w "$1" ] && why_no_install >/dev/null || return 1
    has setfacl || apt_install "access to the engine" acl || return 1
    say "letting $(id -un) use $1 until the daemon restarts (setfacl; to keep it: usermod -aG docker $(id -un))"
    privileged setfacl -m "u:$(id -u):rw" "$1"
}

# --- starting -------------------------------------------------------------------------------------------------

remember() {  # KIND PID
    mkdir -p "$STATE"
    echo "$1 $2" >"$STATE/started"
    STARTED=1
}

runs_as() { [ -n "$2" ] && [ "$(cat "/proc/$2/comm" 2>/dev/null)" = "$1" ]; }

start_by_systemd() {
    say "starting Docker: systemctl start docker"
    privileged systemctl start docker >&2 || return 1
    remember systemd 0
    HOST=unix://$DOCKER_SOCKET
    wait_until_answers "$HOST" || { admit_user "$DOCKER_SOCKET" && wait_until_answers "$HOST"; }
}

start_by_hand() {
    mkdir -p "$STATE"
    pid_file=$STATE/dockerd.pid
    log=$STATE/dockerd.log
    runs_as dockerd "$(cat "$pid_file" 2>/dev/null)" || privileged rm -f "$pid_file"
    say "starting Docker: dockerd, log in $log"
    sudo=
    is_root || sudo="sudo -n"
    # With the kernel's own ceiling of open files, programs that close every descriptor take minutes to start.
    # A plain command, not `privileged`: a function in the background would keep our standard output open.
    $sudo setsid dockerd --host "unix://$DOCKER_SOCKET" --group "$(id -g)" --pidfile "$pid_file" \
        --default-ulimit nofile=1024:1024 >"$log" 2>&1 </dev/null 9>&- &
    HOST=unix://$DOCKER_SOCKET
    if wait_until_answers "$HOST" $!; then
        remember dockerd "$(cat "$pid_file")"
        return 0
    fi
    say "dockerd does not answer; the end of its log:"
    tail -n 8 "$log" >&2
    ! runs_as dockerd "$(cat "$pid_file" 2>/dev/null)" || privileged sh -c "kill $(cat "$pid_file")"
    return 1
}

start_docker() {
    if [ -d /run/systemd/system ] && has systemctl; then start_by_systemd; else start_by_hand; fi
}

startable_docker() { [ "${MOODARENA_NO_INSTALL:-0}" != 1 ] && has dockerd && may_become_root; }

# A socket's path may hold 107 characters, so it cannot live in the checkout.
podman_directory() {
    directory=${XDG_RUNTIME_DIR:-/tmp}/moodarena-engine-$(id -u)
    mkdir -p -m 700 "$directory"
    [ -O "$directory" ] && [ ! -L "$directory" ] && echo "$directory"
}

# Podman starts a container's first process through catatonit, which its package only recommends.
need_catatonit() {
    for init in catatonit ${MOODARENA_CATATONIT-/usr/libexec/podman/catatonit /usr/lib/podman/catatonit}; do
        if has "$init"; then return 0; fi
    done
    apt_install "the init of Podman's containers" catatonit
}

start_podman() {
    has podman && need_catatonit || return 1
    directory=$(podman_directory) || return 1
    HOST=unix://$directory/podman.sock
    if answers "$HOST"; then return 0; fi
    mkdir -p "$STATE"
    {
        echo '[containers]'
        echo 'default_ulimits = ["nofile=1024:1024", "nproc=8192:8192"]'
        echo '[engine]'
        # runc is the runtime that the sandbox was measured with.
        ! has runc || echo 'runtime = "runc"'
        [ -d /run/systemd/system ] || printf 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    } >"$STATE/containers.conf"
    say "starting Podman's Docker-compatible socket, log in $STATE/podman.log"
    # From there, since the monitors of its containers drop files where the service was started.
    (
        cd "$STATE"
        CONTAINERS_CONF=$STATE/containers.conf exec setsid podman system service --time=0 "$HOST"
    ) >"$STATE/podman.log" 2>&1 </dev/null 9>&- &
    podman=$!
    if wait_until_answers "$HOST" "$podman"; then
        remember podman "$podman"
        return 0
    fi
    say "Podman does not answer; the end of its log:"
    tail -n 8 "$STATE/podman.log" >&2
    return 1
}

install_docker() {
    packages="docker.io iptables"
    # Where the kernel enforces AppArmor, Docker cannot start a container without its parser.
    if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then packages="$packages apparmor"; fi
    apt_install "no container engine answers" $packages && start_docker
}

screen() {
    cat >&2 <<SCREEN

moodarena runs submissions in containers, and found no container engine to run them with.

  looked for   Docker at $DOCKER_SOCKET${context:+ and $context}
               Podman (the command podman)
  not installed by itself, because $1

Do one of these, then type the same command again:

  Debian, Ubuntu   sudo apt-get install docker.io && sudo systemctl start docker
  other Linux      install Docker or Podman from your distribution, and start it
  no systemd       sudo dockerd --default-ulimit nofile=1024:1024 &
  installed, but not for you
                   sudo usermod -aG docker $(id -un), and log in again
  elsewhere        export DOCKER_HOST=unix:///path/to/docker.sock

SCREEN
}

# --- the order ------------------------------------------------------------------------------------------------

ensure() {
    context=
    if [ -n "${DOCKER_HOST:-}" ]; then
        HOST=$DOCKER_HOST
        if answers "$HOST"; then return 0; fi
        say "DOCKER_HOST is $DOCKER_HOST, and no engine answers there. Start it, or unset DOCKER_HOST."
        return 1
    fi
    if [ "${MOODARENA_ENGINE:-docker}" = podman ]; then start_podman && return 0; fi
    if found_docker; then return 0; fi
    if startable_docker && start_docker; then return 0; fi
    if start_podman; then return 0; fi
    reason="what was installed does not start (see above)"
    if why=$(why_no_install); then
        if ! has dockerd && install_docker; then return 0; fi
    else
        reason=$why
    fi
    screen "$reason"
    return 1
}

ensure_alone() {
    [ -x "$PYTHON" ] || sh "$ROOT/setup/venv.sh"
    mkdir -p "$STATE"
    exec 9>"$STATE/lock"
    if has flock; then flock 9; fi
    ensure || exit 1
    exec 9>&-
}

stop() {
    [ -f "$STATE/started" ] || return 0
    read -r kind pid <"$STATE/started"
    rm -f "$STATE/started"
    case $kind in
        systemd) say "stopping Docker"; privileged systemctl stop docker.socket docker.service ;;
        *)
            runs_as "$kind" "$pid" || return 0
            say "stopping $kind (process $pid)"
            privileged sh -c "kill $pid"
            for _ in $(seq 60); do runs_as "$kind" "$pid" || return 0; sleep 0.5; done
            say "$kind (process $pid) is still there after 30 s"
            ;;
    esac
}

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

case ${1:-start} in
    start)
        ensure_alone
        [ -z "$STARTED" ] || say "the engine stays up when this is done; \`make stop\` stops it"
        echo "export DOCKER_HOST=$(quoted "$HOST")"
        ;;
    run)
        shift
        ensure_alone
        [ -z "$STARTED" ] || trap stop EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        export DOCKER_HOST="$HOST"
        "$@"
        ;;
    stop) stop ;;
    *)
        say "usage: engine.sh [start | run COMMAND... | stop]"
        exit 2
        ;;
esac
