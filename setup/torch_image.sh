#!/bin/sh
# Makes the image moodarena/torch:VERSION, unless the engine has it already: moodarena/python:3.11, and torch,
# scipy, numpy and nibabel in one layer, /opt/python. All methods with networks stand on it.
#
#   sh setup/torch_image.sh
#
# pip chooses the wheel: where it finds torch with CUDA, the image runs on GPUs and has several gigabytes.
# Honours DOCKER_HOST.
set -eu
. "$(dirname "$0")/common.sh"

PYTHON=$ROOT/.venv/bin/python
LOG=$CACHE/torch_image.log
folder=

clean_up() { [ -z "$folder" ] || rm -rf "$folder"; }

# For the image's Python, whichever runs here.
install() {
    "$PYTHON" -m pip --disable-pip-version-check --no-input install --target "$folder/python" \
        --python-version 3.11 --only-binary :all: --constraint "$ROOT/requirements.lock" \
        --requirement "$ROOT/reference_methods/requirements.lock" numpy scipy nibabel
}

# What a program that runs a network never reads.
shrink() {
    rm -rf "$folder/python/bin" "$folder/python/torch/include" "$folder/python/torch/test"
    find "$folder/python/torch/bin" -name '*test*' -delete
    find "$folder/python" -name '*.a' -delete
    find "$folder/python/scipy" "$folder/python/numpy" "$folder/python/nibabel" -type d -name tests -prune \
        -exec rm -rf {} +
}

build() {
    cat >"$folder/Dockerfile" <<DOCKERFILE
FROM moodarena/python:3.11
COPY python /opt/python
ENV PYTHONPATH=/opt/python
DOCKERFILE
    "$PYTHON" "$ROOT/setup/image.py" build "$NAME" "$folder"
}

VERSION=$(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$ROOT/reference_methods/requirements.lock")
NAME=moodarena/torch:$VERSION
sh "$ROOT/setup/base_image.sh"
there=0
"$PYTHON" "$ROOT/setup/image.py" has "$NAME" || there=$?
[ "$there" = 1 ] || exit "$there"
mkdir -p "$CACHE"
say "torch image: torch $VERSION in one layer on the base image, about a minute (log in ${LOG#"$ROOT"/})"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
folder=$(mktemp -d /var/tmp/moodarena-torch.XXXXXX)
if ! { install && shrink && build; } >"$LOG" 2>&1; then
    say "torch image: that failed; the end of the log:"
    tail -n 8 "$LOG" >&2
    exit 1
fi
say "torch image: $NAME is ready"
