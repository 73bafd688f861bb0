#!/usr/bin/env bash
# Everything that may happen to a run, its options, pictures and checkpoints, in full: about eight minutes on two cores.
#   bash scripts/faults.sh [PYTEST ARGUMENTS]
# The table of outcomes is at the end of pytest's report. scripts/test.sh runs the quick part.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=
python -m pytest tests/faults tests/cli/test_exact_resume.py tests/host/test_tensorboard.py --all-faults "$@"
python scripts/kill_and_resume.py --kills 30
