"""Enlarge one small face with an ONNX file of `basicsr export`, without torch: needs numpy, pillow and onnxruntime.

    python onnx_example.py student.onnx face.png large.png
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def main(model: str, source: str, target: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    facts = session.get_modelmeta().custom_metadata_map
    print(f'x{facts["scale"]}, licence: {facts["licence"]}')

    face = ImageOps.exif_transpose(Image.open(source)).convert('RGB')
    lq = np.asarray(face, np.float32).transpose(2, 0, 1)[None] / 255  # (1, 3, h, w), RGB in [0, 1]
    sr, = session.run(['sr'], {'lq': lq})
    pixels = (255 * sr[0].clip(0, 1)).round().astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(pixels).save(target)


if __name__ == '__main__':
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
