#!/bin/sh
# Brings docker-compose.yml up with data of its own, sends a submission through it over HTTP, and takes it down.
# Called by `make test-all` with an engine at DOCKER_HOST. Nothing is pulled: the public images that the file
# names are stood in for by images of Debian's packages, and libraries come as wheels.
set -eu
. "$(dirname "$0")/common.sh"
cd "$ROOT"

PYTHON=$ROOT/.venv/bin/python
LOG=$CACHE/compose.log
DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}
STAND_IN=moodarena/stand-in
mkdir -p "$CACHE"
: >"$LOG"

quietly() {
    "$@" >>"$LOG" 2>&1 || {
        say "this failed: $*; the end of $LOG:"
        tail -n 30 "$LOG" >&2
        exit 1
    }
}

compose() {
    if has docker-compose; then docker-compose --env-file "$settings" -p "$project" "$@"
    else docker compose --env-file "$settings" -p "$project" "$@"; fi
}

stand_ins() {
    for target in python redis postgres; do
        quietly "$PYTHON" - "$STAND_IN-$target" "$target" <<'PY'
import sys

import docker

name, target = sys.argv[1:]
docker.from_env(timeout=600).images.build(
    path=".", dockerfile="docker/stand_in/Dockerfile", target=target, tag=name, network_mode="host", rm=True, forcerm=True
)
PY
    done
}

# All pins but the tests' heavy tools, whatever their markers say of this machine's Python: the image's is another.
wheels() {
    sed -n 's/ *[#;].*//; /==/p' requirements.lock | grep -vE '^(playwright|mypy|ruff|hypothesis)==' >"$CACHE/pins.txt"
    rm -f docker/wheels/*.whl
    quietly "$PYTHON" -m pip --disable-pip-version-check download -q --no-deps --only-binary :all: \
        --python-version 3.11 --requirement "$CACHE/pins.txt" --dest docker/wheels
}

free_port() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

take_down() {
    status=$?
    trap - EXIT INT TERM
    [ "$status" = 0 ] || { compose ps; compose logs --no-color; } >>"$LOG" 2>&1 || true
    [ "$status" = 0 ] || say "compose check failed; what the services said is in $LOG"
    compose down --volumes --timeout 20 >>"$LOG" 2>&1 || say "the stack $project was not taken down; see $LOG"
    "$PYTHON" setup/image.py remove moodarena/backend:check moodarena/worker:check >>"$LOG" 2>&1 || true
    privileged rm -rf "$data"
    rm -f "$settings"
    exit "$status"
}

say "compose check: stand-ins for the public images, and wheels (a minute or two; log: .cache/compose.log)"
sh setup/base_image.sh
sh setup/assets.sh
stand_ins
wheels

project=moodarena-check-$$
data=$(mktemp -d /var/tmp/moodarena-check.XXXXXX)
settings=$data.env
port=$(free_port)
secret() { "$PYTHON" -c 'import secrets; print(secrets.token_hex(24))'; }
cat >"$settings" <<ENV
POSTGRES_PASSWORD=$(secret)
MOODARENA_WORKER_TOKEN=$(secret)
MOODARENA_BASE_URL=http://127.0.0.1:$port
MOODARENA_BIND=127.0.0.1:$port
MOODARENA_WORKER_DATA=$data
MOODARENA_DOCKER_SOCKET=${DOCKER_HOST#unix://}
MOODARENA_VERSION=check
MOODARENA_PYTHON_IMAGE=$STAND_IN-python
MOODARENA_REDIS_IMAGE=$STAND_IN-redis
MOODARENA_POSTGRES_IMAGE=$STAND_IN-postgres
MOODARENA_PIP_NO_INDEX=1
ENV
chmod 600 "$settings"
export DOCKER_HOST COMPOSE_DOCKER_CLI_BUILD=0 COMPOSE_HTTP_TIMEOUT=300
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "compose check: building the images of backend and worker"
quietly compose build
say "compose check: bringing the stack up"
quietly compose up -d
if has docker-compose; then command=docker-compose; else command="docker compose"; fi
"$PYTHON" setup/compose_walk.py "http://127.0.0.1:$port" $command --env-file "$settings" -p "$project"
say "compose check: a submission went through the stack to a place, another stopped exactly at its output quota"
