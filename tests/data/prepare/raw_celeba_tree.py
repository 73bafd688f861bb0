"""A small copy of CelebA in its official layout, with toy faces, and with the quirks of its list files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pkdn_basicsr.data.toy_faces import draw_toy_face

NAMES = [f'{number:06d}.jpg' for number in range(1, 6)]
SIZES = [(300, 240), (200, 320), (260, 260), (301, 233), (190, 250)]
BOXES = [(100, 40, 91, 126), (-8, 30, 120, 101), (150, 120, 100, 130), (201, 31, 83, 86), (20, 90, 150, 151)]
"""Left, upper, width, height: one in the middle, one over each pair of edges, one with half pixels, a wide one."""
LANDMARKS = [tuple(range(10 * number, 10 * number + 100, 10)) for number in range(1, 6)]
PARTITION, IDENTITIES = [0, 0, 1, 2, 0], [2880, 2937, 2880, 5805, 9295]


def write_celeba_tree(root: Path) -> Path:
    """Write five pictures, as they were taken and aligned, and all lists; return `root`."""
    for seed, (name, size) in enumerate(zip(NAMES, SIZES, strict=True)):
        face = Image.fromarray(draw_toy_face(seed, 200)[0])
        for folder, canvas in (('img_celeba', size), ('img_align_celeba', (178, 218))):
            path = root / 'Img' / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(seed).integers(0, 256, (canvas[1] // 10, canvas[0] // 10, 3), np.uint8)
            picture = Image.fromarray(noise).resize(canvas, Image.Resampling.BICUBIC)
            picture.paste(face.resize((150, 150)), ((canvas[0] - 150) // 2, (canvas[1] - 150) // 2))
            picture.save(path, quality=95)
    header = 'lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y'
    write_list(root / 'Anno/list_bbox_celeba.txt', BOXES, 'image_id x_1 y_1 width height ')
    for name in ('list_landmarks_celeba.txt', 'list_landmarks_align_celeba.txt'):
        write_list(root / 'Anno' / name, LANDMARKS, header)
    write_list(root / 'Anno/identity_CelebA.txt', [(number,) for number in IDENTITIES])
    write_list(root / 'Eval/list_eval_partition.txt', [(number,) for number in PARTITION], line_end='\r\n')
    return root


def write_list(path: Path, rows: Sequence[Sequence[int]], header: str | None = None, line_end: str = '\n') -> None:
    """Write a list of `NAMES`; with a header also a count, and numbers aligned with blanks."""
    lines = [f'{len(rows)}', header] if header else []
    lines += [' '.join([name, *(f'{number:4d}' if header else str(number) for number in row)]) + (' ' if header else '')
              for name, row in zip(NAMES, rows, strict=False)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(line_end.join([*lines, '']).encode())


def replace_lines(path: Path, changes: Mapping[int, str]) -> None:
    """Replace lines of a text file, counted from 1."""
    lines = path.read_text().splitlines()
    for number, line in changes.items():
        lines[number - 1] = line
    path.write_text('\n'.join([*lines, '']))
