#!/bin/sh
# From a checkout and Python >= 3.11 to a running engine: finds Python, makes uv, makes .venv from requirements.lock.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
uv_version=0.13.9

say() { printf 'dev.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }

usage() {
  cat >&2 <<'TEXT'
usage: sh dev.sh demo            collect from a simulated Apigee and write tables and an html page
       sh dev.sh test [WORDS]    the quick tests; WORDS go to pytest
       sh dev.sh ci              all that CI does, in a copy of its own
       sh dev.sh run PAGE ...    engine run PAGE ...
       sh dev.sh setup           only make or renew the environment
TEXT
  exit 2
}

find_python() {
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$candidate" && return
  done
  fail "Python 3.11 or newer is needed and none was found; install it, or name it: PYTHON=/path/to/python3 sh dev.sh ..."
}

# Debian keeps venv and pip out of its python3, hence three ways to the same uv.
make_uv() {
  rm -rf "$here/.uv"
  if "$python" -m venv "$here/.uv" >/dev/null 2>&1; then
    "$here/.uv/bin/python" -m pip install -q "uv==$uv_version"
  elif rm -rf "$here/.uv" && "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip install -q --target "$here/.uv" "uv==$uv_version"
  elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing python3-venv with apt-get"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    told=$(apt-get update -qq 2>&1 && apt-get install -y -qq --no-install-recommends python3-venv ca-certificates 2>&1) ||
      fail "apt-get could not install python3-venv: $told"
    "$python" -m venv "$here/.uv" || fail "$python still has no venv; install the venv package that belongs to it"
    "$here/.uv/bin/python" -m pip install -q "uv==$uv_version"
  else
    fail "$python has neither venv nor pip; install one of them (Debian, Ubuntu: apt-get install python3-venv)"
  fi || fail "uv $uv_version could not be installed; is the package index reachable?"
}

# Scripts in .venv name its place, hence the place in the stamp: a checkout that was moved gets a new one.
sync() {
  stamp="$here $(cat "$here/requirements.lock" "$here/pyproject.toml" "$here/dev.sh" | cksum)"
  if [ "$(cat "$here/.venv/stamp" 2>/dev/null)" = "$stamp" ] && "$here/.venv/bin/python" -c '' 2>/dev/null; then return; fi
  python=$(find_python)
  uv="$here/.uv/bin/uv"
  case $("$uv" --version 2>/dev/null) in "uv $uv_version"*) ;; *) make_uv ;; esac
  # uv's own list of authorities knows nothing of a proxy that the system trusts.
  : "${UV_SYSTEM_CERTS:=1}"
  export UV_SYSTEM_CERTS
  "$uv" venv -q --clear --python "$python" "$here/.venv"
  "$uv" pip sync -q --require-hashes --python "$here/.venv" "$here/requirements.lock" ||
    fail "the packages of requirements.lock could not be installed; the reason stands above"
  "$uv" pip install -q --python "$here/.venv" --no-deps --no-build-isolation --editable "$here"
  echo "$stamp" >"$here/.venv/stamp"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
  setup | demo | test | run) sync ;;
  ci) exec "$here/.ci/run" ;;
  *) usage ;;
esac
case $verb in
  demo) cd "$here" && exec .venv/bin/engine run pipelines/apigee.yaml --simulate "$@" ;;
  # Where PYTHONDONTWRITEBYTECODE is set, each process that a test starts would compile everything that it imports.
  test) cd "$here" && exec env PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -n auto --dist worksteal "$@" ;;
  run) exec "$here/.venv/bin/engine" run "$@" ;;
esac
