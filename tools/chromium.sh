#!/bin/sh
# Sees to it that there is a browser for the tests: root gets Debian's chromium, anybody else is told what is missing.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq install -y --no-install-recommends chromium >/dev/null 2>&1 && exit 0
    apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null && exit 0
fi
# The tests that need it say so again, and fail.
echo "no Chromium here, so the tests in a browser will fail: sudo apt-get install chromium" >&2
