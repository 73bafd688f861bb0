#!/usr/bin/env bash
# Makes the environment: the active virtual or conda environment, or else .venv in this checkout.
# Sourced by quickstart.sh and test.sh; running it alone only installs. A second run with nothing changed takes no time.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
environment="${VIRTUAL_ENV:-${CONDA_PREFIX:-$root/.venv}}"

if [ ! -x "$environment/bin/python" ]; then
    echo "Making the environment $environment"
    "${PYTHON:-python3}" -m venv "$environment"
fi
export PATH="$environment/bin:$PATH"

# what was installed is known by what it was installed from
stamp="$environment/.pkdn_basicsr_installed"
wanted="$root $(cat "$root/setup.py" "$root/scripts/constraints.txt" "${BASH_SOURCE[0]}" | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    install="python -m pip install --quiet --disable-pip-version-check --constraint $root/scripts/constraints.txt"
    echo 'Installing torch and torchvision'
    $install torch torchvision
    echo 'Installing BasicSR'
    # its build asks for a second torch unless it may use the installed one
    $install setuptools wheel cython numpy
    $install --no-build-isolation basicsr
    echo 'Installing pkdn_basicsr'
    $install --no-build-isolation --editable "$root[test]"
    echo "$wanted" > "$stamp"
fi
echo "Environment ready: $environment"
