from pathlib import Path

from setuptools import find_packages, setup

setup(
    name='pkdn_basicsr',
    version='0.1.0',  # the same literal as pkdn_basicsr.__version__; tests/test_version.py compares them
    description='Prior knowledge distillation for face super-resolution, as a plugin for BasicSR',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',  # BasicSR 1.4.2 cannot be built by newer ones
    packages=find_packages(include=['pkdn_basicsr', 'pkdn_basicsr.*']),
    package_data={'pkdn_basicsr': ['py.typed', 'weights/*.safetensors', 'weights/README.md']},
    install_requires=[
        'torch>=2.4',
        'torchvision>=0.19',
        'basicsr==1.4.2',
        'lmdb',
        'lpips>=0.1.4',
        'matplotlib',
        'mmengine>=0.10.7',
        'numpy',
        'opencv-python',  # as basicsr and mmengine ask for; the headless wheel would share cv2/ with it
        'pillow>=10',
        'pyyaml',
        'safetensors',
        'scikit-image',
        'scipy>=1.10,<2',  # for gaussian_filter(radius=); basicsr imports scipy.ndimage.filters, which SciPy 2 removes
        'tqdm',
    ],
    extras_require={
        # identity similarity, parsers in ONNX; wavelet VIF
        'metrics': ['onnxruntime', 'pyrtools>=1.0.7'],
        # prepare parse with a BiSeNet or ParseNet
        'parsers': ['facexlib>=0.3.0'],
        # export to ONNX, bench infer --onnx
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
        # a page to try networks on; 6.31 is the version tested, and wants Pillow below 13
        'demo': ['gradio>=6.31,<7'],
        # students in its ModelLoader, and so in ComfyUI; 0.3 does not take them
        'spandrel': ['spandrel>=0.4'],
        # students on the Hugging Face hub; 0.26 has no field for the paper
        'hub': ['huggingface_hub>=0.30'],
        # metrics `pyiqa_<name>`; brings opencv-python-headless, which shares cv2/ with opencv-python
        'pyiqa': ['pyiqa>=0.1.16'],
        # sewar and onnx are also for oracles and for small networks made by tests
        'test': ['facexlib>=0.3.0', 'huggingface_hub>=0.30', 'hypothesis', 'onnx', 'onnxruntime', 'onnxscript',
                 'pyrtools>=1.0.7', 'pytest', 'pytest-cov', 'ruff', 'sewar', 'spandrel>=0.4'],
    },
    entry_points={'console_scripts': ['basicsr = pkdn_basicsr.cli:main']},
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Processing',
    ],
)
