#!/bin/sh
# Creates .venv and installs the packages of requirements/dev.txt with their hashes.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-}
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$python" ] && break
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$candidate
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is required, but not on the PATH (found: $(python3 --version 2>/dev/null || echo none))." >&2
    echo "Debian, Ubuntu: apt-get install python3 python3-venv. Elsewhere: PYTHON=/path/to/python3 make" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$python has no venv module or no pip. Debian, Ubuntu: apt-get install python$version-venv" >&2
    exit 1
fi

# make runs this script if requirements/dev.txt is newer than .venv/installed.txt. After a git checkout, the file can be newer and have
# the same content. Then nothing needs to be installed.
cmp -s requirements/dev.txt .venv/installed.txt 2>/dev/null && .venv/bin/python -c '' 2>/dev/null && touch .venv/installed.txt && exit 0

started=$(date +%s)
.venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
echo "installing $(grep -c '==' requirements/dev.txt) packages into .venv ($(.venv/bin/python --version))"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
cp requirements/dev.txt .venv/installed.txt
echo "installed in $(($(date +%s) - started)) s"
