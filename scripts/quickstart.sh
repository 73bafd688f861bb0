#!/usr/bin/env bash
# From nothing to a trained teacher and student on toy faces, with a table and a picture.
#   bash scripts/quickstart.sh [--setup-only]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
if [ "${1:-}" = --setup-only ]; then exit; fi
cd "$root"

basicsr prepare toy --dst datasets/toy_faces --num 600 --seed 0
for network in pkdn_teacher pkdn_student pkdn_student_alone; do
    options="options/quickstart/$network.yml"
    experiment="experiments/quickstart_$network"
    resume=  # a run that was interrupted goes on and a finished one is not repeated, unless its options have changed
    if compgen -G "$experiment/training_states/*.state" > /dev/null &&
        tail -n +5 "$experiment/$network.yml" | cmp --quiet - "$options"; then resume=--auto_resume; fi
    basicsr train -opt "$options" $resume
done
basicsr compare -opt options/quickstart/compare.yml --reference 'student alone'
