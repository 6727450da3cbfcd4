#!/bin/sh
# Makes a virtual environment and installs this package into it: sh tools/venv.sh FOLDER REQUIREMENT.
# PYTHON names the Python to use; else the first of those on the path that is new enough.
set -eu
venv=$1
requirement=$2

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$python"; then
            echo "$python"
            return
        fi
    done
    echo "Python 3.11 or later is needed${PYTHON:+, and $PYTHON is not}. On Debian: apt-get install python3 python3-venv" >&2
    exit 1
}

# Debian ships the part of Python that makes environments as a package of its own.
make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "installing python$version-venv"
            install_package "python$version-venv"
        else
            echo "$python cannot make virtual environments yet. Install what it lacks, then try again:" >&2
            echo "    sudo apt-get install python$version-venv" >&2
            exit 1
        fi
    fi
    "$python" -m venv --clear "$venv"
}

install_package() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq install -y --no-install-recommends "$1" >/dev/null 2>&1 && return
    apt-get -qq update && apt-get -qq install -y --no-install-recommends "$1" >/dev/null
}

# One that was interrupted, or whose Python is gone, is made anew.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || ! new_enough "$venv/bin/python"; then
    make_venv
fi
echo "installing $requirement into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$requirement"
