"""What scripts/check_docs.py runs for the commands in the documents, and what it takes for granted."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'options/*.md', 'scripts/*.md', 'scripts/*/*.md',
             'pkdn_basicsr/*/*.md']


class Rule(NamedTuple):
    """What is run for commands that match as a whole; the reason says why it is another thing that is checked."""

    pattern: str
    instead: str = r'\g<0>'
    not_run: str = ''


TINY = ('train:total_iter=2 logger:save_checkpoint_freq=1 datasets:train:batch_size_per_gpu=2 '
        'datasets:train:num_worker_per_gpu=0')
QUICKSTART = 'options/quickstart'
DETECTOR = ROOT.parent / 'shared' / 'weights' / 'yunet_n_640_640.onnx'  # what needs one runs where it is
PLACEHOLDERS = {'-opt FILE': f'-opt {QUICKSTART}/pkdn_student.yml', '--weights F': '--weights net_g_latest.pth',
                'prepare KIND': 'prepare toy', 'HOST0': '127.0.0.1'}

SETUP = f"""
basicsr prepare toy --dst datasets/toy_faces --num 24 --seed 0 --num-val 3 --scale 8
basicsr prepare toy --dst datasets/celebamask_hq --num 20 --seed 1 --num-val 2 --size 512
ln -s celebamask_hq datasets/celebamask_hq_1000
basicsr prepare toy --dst dic --num 4 --seed 2 --size 128 --scale 8
mkdir datasets/celeba_test_dic_1000 && mv dic/images datasets/celeba_test_dic_1000/HR
mv dic/lq_x8 datasets/celeba_test_dic_1000/LR
mkdir datasets/my_faces && cp -r datasets/toy_faces/images datasets/toy_faces/meta_info.txt datasets/my_faces
mkdir -p CelebAMask-HQ/CelebA-HQ-img CelebAMask-HQ/mask
cp datasets/celebamask_hq/images/00000.png CelebAMask-HQ/CelebA-HQ-img/0.png
cp datasets/celebamask_hq/parsing/00000.png CelebAMask-HQ/mask/0.png
mkdir album && cp {ROOT}/pkdn_basicsr/infer/astronaut.jpg album && ln -s album photographs
ln -s {DETECTOR} face_detection_yunet_2023mar.onnx
cp -r datasets/toy_faces/lq_x8 faces && cp -r datasets/toy_faces/images blurred && cp faces/00000.png face.png
for name in pkdn_teacher pkdn_student pkdn_student_alone; do
    basicsr train -opt {QUICKSTART}/$name.yml --force_yml {TINY}; done
cp experiments/quickstart_pkdn_student/models/net_g_latest.pth .
basicsr export --weights net_g_latest.pth -o student.onnx
"""

PRELUDE = """
import torch
from PIL import Image
image, images = Image.open('face.png'), torch.rand(1, 3, 128, 128)
"""

RULES = [
    Rule(r'(basicsr|python -m pkdn_basicsr)( [a-z]+)*', r'\g<0> --help'),  # only named
    Rule(r'.* --help'),
    # shorter
    Rule(r'basicsr train .* --force_yml .*', rf'\g<0> {TINY}'),
    Rule(r'basicsr train .*', rf'\g<0> --force_yml {TINY}'),
    Rule(r'torchrun --nproc_per_node 8 (.* train .*)', rf'torchrun --nproc_per_node 2 \1 --force_yml {TINY}'),
    Rule(r'torchrun --nproc_per_node 8 (.* compare -opt) FILE(.*)',
         rf'torchrun --nproc_per_node 2 \1 {QUICKSTART}/compare.yml\2'),
    Rule(r'basicsr compare -opt (options/(?:small/)?compare_\w+\.yml)( .*)?',
         r'basicsr compare -opt \1 --limit 2 --allow-missing'),
    Rule(r'basicsr compare --from .*', f'basicsr compare -opt {QUICKSTART}/compare.yml -o results/a && '
                                       r'cp -r results/a results/b && \g<0>'),
    Rule(r'basicsr prepare celebamask-hq (.*) --dst \S+', r'basicsr prepare celebamask-hq \1 --dst datasets/copy'),
    Rule(r'basicsr bench step .*', r'\g<0> --repeats 1 --warmup 0'),
    Rule(r'basicsr bench infer .*', 'basicsr bench infer --networks PKDNStudent SPARNet --batch 1 --repeats 1'),
    Rule(r'basicsr bench growth', 'basicsr bench growth --files 10 20 --samples 8 --rounds 1'),
    Rule(r'basicsr bench scale (-opt \S+) .*',
         rf'basicsr bench scale \1 --ranks 1 2 --batch 1 --repeats 1 --rounds 1 --force_yml {TINY}'),
    Rule(r'python scripts/network_table\.py.*', r'\g<0> --no-latency'),
    Rule(r'python scripts/bench_data\.py.*', 'python scripts/bench_data.py --images datasets/celebamask_hq/images '
                                              '--parsing datasets/celebamask_hq/parsing --samples 8 --rounds 1'),
    # something else
    Rule(r'torchrun --nnodes 2 --node_rank 0 (.*)--nproc_per_node 8 (.*)',
         rf'torchrun --nnodes 1 --node_rank 0 \1--nproc_per_node 2 \2 --force_yml {TINY}', 'one machine'),
    Rule(r'srun .* basicsr train -opt (\S+).*', r'basicsr check -opt \1', 'no Slurm'),
    Rule(r'basicsr prepare KIND .*', 'basicsr prepare --help', 'a pattern'),
    Rule(r'basicsr prepare folder (.*) --dst \S+(.*)', r'basicsr prepare folder \1 --dst datasets/found\2')
    if DETECTOR.is_file() else
    Rule(r'basicsr (prepare folder|infer) .*--detector .*', r'basicsr \1 --help', 'the detector is a download'),
    Rule(r'basicsr prepare (celeba|helen) .*', r'basicsr prepare \1 --help', 'the pictures are a download'),
    Rule(r'basicsr demo .*', 'basicsr demo --help', 'waits for a browser; tests/demo'),
    Rule(r'ssh -L (\d+):127\.0\.0\.1:\1 HOST', r'basicsr demo --help | grep --quiet "default: \1"', 'another machine'),
    Rule(r'python scripts/kill_and_resume\.py.*', 'python scripts/kill_and_resume.py --help', 'minutes'),
    Rule(r'python tests/learning\.py .*', f'test -f {ROOT}/tests/archs/test_learning.py', 'minutes'),
    Rule(r'python scripts/upstream_patch\.py.*', 'python scripts/upstream_patch.py --help', 'downloads linters'),
    Rule(r'bash (scripts/\w+\.sh).*', r'bash -n \1', 'minutes to hours, and makes an environment'),
    Rule(r"pip install 'pkdn_basicsr\[NAME\]'", 'pip install --help', 'a pattern'),
    Rule(r"pip install '?pkdn_basicsr\[(\w+)\]'?", "python -c \"from importlib.metadata import metadata; "
         "assert '\\1' in metadata('pkdn_basicsr').get_all('Provides-Extra')\"", 'changes the environment'),
    Rule(r'pip install (torch torchvision|setuptools wheel cython numpy)( && .*)?',
         r"grep --quiet 'install \1' scripts/setup_env.sh", 'changes the environment'),
    Rule(r'pip install --no-build-isolation -e \.',
         "grep --quiet -e '--no-build-isolation --editable' scripts/setup_env.sh", 'changes the environment'),
    Rule(r'pip install .*', 'pip install --help', 'changes the environment'),
    Rule(r'pip download .*|tar xzf basicsr-.*', f'test -f {ROOT}/tests/scripts/test_upstream_patch.py', 'a download'),
    # again, where a result is there already
    Rule(r'basicsr (export|infer) .*', r'\g<0> --overwrite'),
    # as it is
    Rule(r'basicsr (test|compare|prepare|check|options) .*'),
    Rule(r'(awk|ln|sed) .*'),
    Rule(r'python scripts/(option_reference|onnx_example)\.py.*'),
    Rule(r"python - <<'END'\n(.*)END", rf"python - <<'END'\n{PRELUDE}\1END"),
]

PROSE = ('datasets/celebamask_hq/', '{"schema": "pkdn_basicsr.compare/1"')
"""How blocks begin that are neither commands nor Python nor YAML."""

ELSEWHERE = ('basicsr/*', 'options/train/PKDN/*', 'tests/test_*', 'docs/PKDN.md', 'pkdn_util.py', 'parsing_map_util.py',
             'distillation_util.py', 'custom_nodes/*', 'my_*.yml', 'table.md')
"""Files that documents name and that are not here: BasicSR's, other programs', the reader's."""
