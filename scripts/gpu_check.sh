#!/bin/sh
# What nmt does on a GPU: tests, speed, memory, a profile. The machine needs Python 3.12 with torch, and no network.
#     scripts/gpu_check.sh --prepare            # with a network: collects wheels in build/gpu_check/wheels
#     scripts/gpu_check.sh                      # on the GPU: at most 8 minutes; report.json and report.md
#     scripts/gpu_check.sh --device cpu --quick # a rehearsal
# OUT is the folder of the report, PYTHON the Python that has torch, DATA the folder of Multi30k if it is there.
set -eu
cd "$(dirname "$0")/.."
OUT=${OUT:-build/gpu_check}
WHEELS=build/gpu_check/wheels
PYTHON=${PYTHON:-python3}
mkdir -p "$OUT" "$WHEELS"

if [ "${1:-}" = --prepare ]; then
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --dest "$WHEELS" --no-deps --only-binary :all: \
        --python-version 3.12 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform any \
        -c constraints.txt -r scripts/gpu_check/wheels.txt
    echo "$(ls "$WHEELS" | wc -l) wheels in $WHEELS"
    exit 0
fi

# The wheels go into a folder of their own. What the machine has already, above all its torch, stays and comes first.
SITE=$(mktemp -d)
trap 'rm -rf "$SITE"' EXIT
if ls "$WHEELS"/*.whl >/dev/null 2>&1; then
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --target "$SITE" "$WHEELS"/*.whl ||
        echo "note: the wheels do not fit this Python; its own packages must do" >&2
fi
NMT_GPU_CHECK_SITE=$SITE PYTHONPATH="$PWD:$PWD/scripts" "$PYTHON" scripts/gpu_check/check.py --out "$OUT" "$@"
