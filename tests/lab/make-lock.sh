#!/bin/sh
# Resolve pyproject.toml into hashed lock files: for Python 3.11 and newer, on every platform, naming no index.
#   requirements.lock        what the daemon runs with
#   requirements-build.lock  what builds its wheel
#   requirements-dev.lock    all of these, and what checks and tests it
# All three agree on every version that they share.
set -eu
tools=.lab/lock-tools
"${1:-python3}" -m venv "$tools"
"$tools/bin/pip" install -qq --disable-pip-version-check uv
build=.lab/build-requires.in
"$tools/bin/python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > "$build"

compile() {
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
        --no-config --no-emit-index-url --no-emit-find-links --no-annotate \
        --custom-compile-command 'make lock' "$@" > /dev/null
}
compile pyproject.toml --extra dev "$build" -o requirements-dev.lock
compile pyproject.toml -c requirements-dev.lock -o requirements.lock
compile "$build" -c requirements-dev.lock -o requirements-build.lock
