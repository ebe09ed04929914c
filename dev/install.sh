#!/bin/sh
# Makes .venv and installs what requirements/dev.txt locks, hash by hash. Quiet when all goes well.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-}
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$python" ] && break
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$candidate
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed, and there is none on the PATH ($(python3 --version 2>/dev/null || echo 'no python3 at all'))." >&2
    echo "Debian, Ubuntu: apt-get install python3 python3-venv. Elsewhere: PYTHON=/path/to/python3 make" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$python has no venv and pip of its own. Debian, Ubuntu: apt-get install python$version-venv" >&2
    exit 1
fi

started=$(date +%s)
.venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
echo "installing $(grep -c '==' requirements/dev.txt) packages into .venv ($(.venv/bin/python --version)), this once"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
cp requirements/dev.txt .venv/installed.txt
echo "installed in $(($(date +%s) - started)) s"
