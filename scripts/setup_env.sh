#!/usr/bin/env bash
# Makes the environment: the active virtual or conda environment, or else .venv in this checkout.
# Sourced by quickstart.sh and test.sh; running it alone only installs. A second run with nothing changed takes no time.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
environment="${VIRTUAL_ENV:-${CONDA_PREFIX:-$root/.venv}}"

suits() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null
}

if [ ! -x "$environment/bin/python" ]; then
    for python in ${PYTHON:-python3 python3.12 python3.11 python3.10 python3.13}; do
        if suits "$python"; then break; fi
    done
    if ! suits "$python"; then
        echo "No Python 3.10 to 3.13 found; install one, or name it: PYTHON=/path/to/python $0" >&2
        exit 1
    fi
    echo "Making the environment $environment"
    "$python" -m venv "$environment"
fi
export PATH="$environment/bin:$PATH"
if ! suits python; then
    echo "The environment $environment has $(python --version); expected Python 3.10 to 3.13" >&2
    exit 1
fi

# what was installed is known by what it was installed from
stamp="$environment/.pkdn_basicsr_installed"
wanted="$root $(cat "$root/setup.py" "$root/scripts/constraints.txt" "${BASH_SOURCE[0]}" | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    install() {
        python -m pip install --quiet --disable-pip-version-check --constraint "$root/scripts/constraints.txt" "$@"
    }
    echo 'Installing torch and torchvision'
    install torch torchvision
    echo 'Installing BasicSR'
    # its build asks for a second torch unless it may use the installed one
    install setuptools wheel cython numpy
    PYTHONPATH="$root/scripts/python313" install --no-build-isolation basicsr
    echo 'Installing pkdn_basicsr'
    install --no-build-isolation --editable "$root[test]"
    echo "$wanted" > "$stamp"
fi
echo "Environment ready: $environment"
