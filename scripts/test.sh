#!/usr/bin/env bash
# Environment, style check and all tests.   bash scripts/test.sh [--setup-only] [PYTEST ARGUMENTS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
if [ "${1:-}" = --setup-only ]; then exit; fi
cd "$root"
ruff check .
exec python -m pytest "$@"
