#!/usr/bin/env bash
# Train PKDN and the networks it is compared with on the same faces with the same budget, and compare them.
#   bash scripts/reproduce.sh                            on a GPU: scripts/reproduce/networks.yml
#   bash scripts/reproduce.sh --small --jobs 2           on two CPU cores, narrow networks
#   bash scripts/reproduce.sh --minutes 8                a slice; the same command goes on
# Expects in datasets/, as links or folders: celebamask_hq_1000, celeba_hq_extra_1400, celeba_test_dic_1000 and
# us_officials_512, and the detector in weights/; scripts/README.md describes them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
if [ "${CUDA_VISIBLE_DEVICES-}" = '' ] && ! command -v nvidia-smi > /dev/null; then
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # of a training; more at a time make better use of the cores
fi
exec python scripts/reproduce "$@"
