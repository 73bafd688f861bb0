import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildWithOptions(build_py):
    """Puts the option files into the built package; in a checkout they stay beside it, where editing them counts."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree('options', Path(self.build_lib, 'pkdn_basicsr', 'options'), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns('__pycache__'))


# A lower bound is the oldest version that was tried and that the tests pass with, and says what they miss below it; a
# package without one is taken as its neighbours want it. scripts/constraints.txt has what is tested together.
setup(
    name='pkdn_basicsr',
    version='0.1.0',  # the same literal as pkdn_basicsr.__version__; tests/test_version.py compares them
    description='Prior knowledge distillation for face super-resolution, as a plugin for BasicSR',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.14',  # 3.13 needs help to build BasicSR (README); newer ones were not tried
    packages=find_packages(include=['pkdn_basicsr', 'pkdn_basicsr.*']),
    package_data={'pkdn_basicsr': ['py.typed', 'weights/*.safetensors', '**/README.md', 'bench/*.png', 'infer/*.jpg']},
    cmdclass={'build_py': BuildWithOptions},
    install_requires=[
        # 2.6 cannot write ONNX files; 2.8 fails the tests of PhaseLoss on flat faces and of MACs, 2.10 does not
        'torch>=2.8',
        'torchvision>=0.23',  # belongs to torch 2.8
        'basicsr==1.4.2',  # its last release, which host/ is written for
        'lmdb',
        'lpips>=0.1.4',  # its last release; older ones were not tried
        'matplotlib',
        'mmengine>=0.10.7',  # older ones fail beside yapf 0.40.2, which BasicSR brings
        'numpy>=2',  # as opencv-python asks for
        # cv2.utils.logging. Not headless: basicsr and mmengine ask for this one, and both would share cv2/
        'opencv-python>=4.13',
        'pillow>=11',  # tiles of a picture have names
        'pyyaml',
        'safetensors',
        'scikit-image',
        'scipy>=1.13,<2',  # the first for NumPy 2; basicsr imports scipy.ndimage.filters, which SciPy 2 removes
        'tqdm',
    ],
    extras_require={
        # identity similarity, parsers in ONNX; wavelet VIF
        'metrics': ['onnxruntime', 'pyrtools>=1.0.7'],
        # prepare parse with a BiSeNet or ParseNet
        'parsers': ['facexlib>=0.3.0'],
        # export to ONNX, bench infer --onnx
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
        # a page to try networks on; 6.31 is the oldest version tried, and wants Pillow below 13
        'demo': ['gradio>=6.31,<7'],
        # students in its ModelLoader, and so in ComfyUI; 0.3 does not take them
        'spandrel': ['spandrel>=0.4'],
        # students on the Hugging Face hub; 0.26 has no field for the paper
        'hub': ['huggingface_hub>=0.30'],
        # metrics `pyiqa_<name>`; brings opencv-python-headless, which shares cv2/ with opencv-python
        'pyiqa': ['pyiqa>=0.1.16'],
        # sewar and onnx are also for oracles and for small networks made by tests
        'test': ['facexlib>=0.3.0', 'gradio>=6.31,<7', 'huggingface_hub>=0.30', 'hypothesis', 'markdown-it-py', 'onnx',
                 'onnxruntime', 'onnxscript', 'playwright', 'pyrtools>=1.0.7', 'pytest', 'pytest-cov', 'pytest-xdist',
                 'ruff', 'sewar', 'spandrel>=0.4'],
    },
    entry_points={'console_scripts': ['basicsr = pkdn_basicsr.cli:main']},
    classifiers=[
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Processing',
        'Typing :: Typed',
    ],
)
