#!/usr/bin/env bash
# From nothing to a trained teacher and student on toy faces, with a table and a picture.
#   bash scripts/quickstart.sh [--setup-only]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
if [ "${1:-}" = --setup-only ]; then exit; fi
cd "$root"

basicsr prepare toy --dst datasets/toy_faces --num 600 --seed 0
for network in pkdn_teacher pkdn_student pkdn_student_alone; do
    resume=()  # a run that was interrupted goes on, a finished one is not repeated
    if compgen -G "experiments/quickstart_$network/training_states/*.state" > /dev/null; then resume=(--auto_resume); fi
    basicsr train -opt "options/quickstart/$network.yml" "${resume[@]}"
done
basicsr compare -opt options/quickstart/compare.yml
