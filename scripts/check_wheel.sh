#!/usr/bin/env bash
# The wheel in a new environment with packages of its own, outside the checkout: minutes, and the downloads of torch.
#   PYTHON=python3.12 bash scripts/check_wheel.sh [FACES]      FACES: a folder of pictures, by default toy faces
# The wheel is that of the last commit; scripts/constraints.txt has the versions.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
faces="$(realpath "${1:-/dev/null}")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/environment"
export PATH="$folder/environment/bin:$PATH" CUDA_VISIBLE_DEVICES=
unset PYTHONPATH VIRTUAL_ENV
install() {
    pip install --quiet --disable-pip-version-check --constraint "$root/scripts/constraints.txt" "$@"
}
mkdir "$folder/source" "$folder/dist" "$folder/empty"
git -C "$root" archive HEAD | tar -x -C "$folder/source"
cd "$folder/empty"
install torch torchvision
install setuptools wheel cython numpy
PYTHONPATH="$root/scripts/python313" install --no-build-isolation basicsr
pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$folder/dist" "$folder/source"
install "$folder"/dist/*.whl

set -x
python --version
pip check
basicsr --version
if [ ! -d "$faces" ]; then
    basicsr prepare toy --dst toy --num 4 --seed 0
    faces=toy/images
fi
basicsr infer -i "$faces" -o large --shrink 32 --compare
find large -type f | wc -l
