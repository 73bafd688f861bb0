#!/usr/bin/env bash
# Run every command of the documents on toy faces, or account for it, and follow their links: some minutes.
#   bash scripts/check_docs.sh [DOCUMENT ...]
# The table at the top of check_docs.py says what is run in place of which command.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=
exec python scripts/check_docs.py "$@"
