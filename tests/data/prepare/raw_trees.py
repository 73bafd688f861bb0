"""Small copies of downloads in their official layout, drawn from toy faces whose maps are exact."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from pkdn_basicsr.data.parsing_labels import convert_parsing, get_scheme
from pkdn_basicsr.data.toy_faces import draw_toy_face

CELEBA_CLASSES = get_scheme('celebamask_hq').classes


def write_celebamask_hq_tree(root: Path, num: int) -> list[np.ndarray]:
    """Write faces 0..num-1 of 1024 pixels with masks of 512, and return their exact maps of 512 pixels."""
    maps = []
    for number in range(num):
        picture, _ = draw_toy_face(number, 256)
        save(root / f'CelebA-HQ-img/{number}.jpg', Image.fromarray(picture).resize((1024, 1024)), quality=95)
        maps.append(draw_toy_face(number, 512)[1])
        for index in np.unique(maps[-1])[1:]:
            mask = np.where(maps[-1] == index, 255, 0).astype(np.uint8)
            save(root / part_file(number, CELEBA_CLASSES[index]), Image.fromarray(mask).convert('RGB'))
    return maps


def part_file(number: int, part: str) -> str:
    return f'CelebAMask-HQ-mask-anno/{number // 2000}/{number:05}_{part}.png'


def write_helen_tree(root: Path, num: int) -> list[np.ndarray]:
    """Write `num` faces of 160 pixels in pictures of 320x240, 100 from the left and 40 from above, with soft maps.

    Returns:
        The exact map of each picture, (240, 320).
    """
    maps = []
    for number, name in enumerate(helen_names(num)):
        face, parsing = draw_toy_face(number, 160)
        picture = Image.new('RGB', (320, 240), (90, 120, 150))
        picture.paste(Image.fromarray(face), (100, 40))
        save(root / f'images/{name}.jpg', picture, quality=95)
        exact = np.zeros((240, 320), dtype=np.uint8)
        exact[40:200, 100:260] = convert_parsing(parsing, 'celebamask_hq', 'helen')
        maps.append(exact)
        for index in range(11):
            hard = Image.fromarray(np.where(exact == index, 255, 0).astype(np.uint8))
            save(root / f'labels/{name}/{name}_lbl{index:02}.png', hard.filter(ImageFilter.GaussianBlur(1)))
    return maps


def helen_names(num: int) -> list[str]:
    return [f'10003254{number}_1' for number in range(num)]


def save(path: Path, picture: Image.Image, **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **how)
    return path
