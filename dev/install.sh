#!/bin/sh
# install.sh run: creates .venv and installs what `make run` and `make demo` need: the packages of requirements/run.txt.
# install.sh dev: also installs what the tests and linters need: the packages of requirements/dev.txt.
# pip installs uv, and uv installs the rest in a fraction of pip's time. Every package is checked against its hash.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
run) installed=.venv/installed-run.txt ;;
dev) installed=.venv/installed.txt ;;
*) echo "usage: install.sh run | dev" >&2 && exit 2 ;;
esac
wanted=requirements/$1.txt

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

# make runs this script if the list of packages is newer than the copy in .venv. After a git checkout, the list can be newer and have
# the same content. Then nothing needs to be installed. The list of `dev` contains that of `run`.
.venv/bin/python -c '' 2>/dev/null || rm -f .venv/installed.txt .venv/installed-run.txt
cmp -s "$wanted" "$installed" && touch "$installed" && exit 0
if [ "$1" = run ] && cmp -s requirements/dev.txt .venv/installed.txt; then
    cp "$wanted" "$installed"
    exit 0
fi

rm -f .venv/installed.txt .venv/installed-run.txt # they tell what .venv contains: not true any more if this stops midway
started=$(date +%s)
pip="python -m pip --disable-pip-version-check"
.venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
echo "installing $(grep -c '==' "$wanted") packages into .venv ($(.venv/bin/python --version))"
.venv/bin/$pip install --quiet --require-hashes --requirement requirements/uv.txt
# uv does not read pip's configuration, which may name a mirror.
index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-$(.venv/bin/$pip config get global.index-url 2>/dev/null || true)}}}
# --compile-bytecode, or each process of the first start would compile the same files.
if ! env ${index:+"UV_DEFAULT_INDEX=$index"} .venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --require-hashes \
    --requirement "$wanted"; then
    echo "uv did not succeed: installing with pip, which may take a minute" >&2
    .venv/bin/$pip install --require-hashes --requirement "$wanted"
fi
cp "$wanted" "$installed"
echo "installed in $(($(date +%s) - started)) s"
