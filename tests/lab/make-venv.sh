#!/bin/sh
# Make the virtual environment from the hashed lock file, then add the project itself, editable.
# Plain sh, since on a new machine nothing else is there yet.
set -eu
python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Remediator needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Name another: make PYTHON=python3.13" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    # Debian ships these two in a package of their own.
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        echo "installing $package"
        apt-get update --quiet > /dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$package" > /dev/null
    else
        echo "this Python has no venv: install the package $package (apt-get install $package), then run make again" >&2
        exit 1
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv --clear "$venv"
echo "filling $venv from requirements-dev.lock"
"$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
"$venv/bin/pip" install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
