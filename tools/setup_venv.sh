# Sourced by quickstart.sh and test.sh with $root set: puts a virtual environment on the PATH.
# The active one serves if there is one, else the checkout's .venv, which is made if missing.

find_python() {
  local name
  for name in python3.11 python3 python; do
    if [ "$("$name" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)" = "3 11" ]; then
      echo "$name"
      return
    fi
  done
  echo "epnas_tf needs Python 3.11: none of python3.11, python3 and python is that" >&2
  return 1
}

make_venv() {
  local python
  python="$(find_python)"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "Python's venv module is missing: on Debian it is the package python3.11-venv" >&2
    return 1
  fi
  "$python" -m venv "$root/.venv"
}

if [ -z "${VIRTUAL_ENV:-}" ]; then
  [ -x "$root/.venv/bin/pip" ] || make_venv
  source "$root/.venv/bin/activate"
fi

# Questions would wait for ever where nobody answers.
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What an older build left behind would go into the new wheel.
rm -rf "$root/dist/build"
