#!/usr/bin/env bash
# Environment, style check and all tests.   bash scripts/test.sh [--setup-only] [PYTEST ARGUMENTS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
if [ "${1:-}" = --setup-only ]; then exit; fi
cd "$root"
ruff check .
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # the cores go to a worker each instead
exec python -m pytest -n auto --maxprocesses 8 --dist loadfile "$@"  # -n0: in this process, as --pdb wants it
