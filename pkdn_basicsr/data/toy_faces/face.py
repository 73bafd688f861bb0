"""One face, put together."""

import numpy as np

from pkdn_basicsr.data.toy_faces import features, surroundings
from pkdn_basicsr.data.toy_faces import hair as hairdo
from pkdn_basicsr.data.toy_faces.drawing import Canvas
from pkdn_basicsr.data.toy_faces.light import sample_light
from pkdn_basicsr.data.toy_faces.person import sample_person

VERSION = 1
"""Raise it with every change of what is drawn: folders of another version are then refused instead of mixed."""

# How often a face wears glasses, hat, earrings and necklace. Rarer in CelebA-HQ (6, 4, 23 and 5 %), but a small set
# should have every class.
_WEARS = (.20, .15, .25, .20)


def draw_toy_face(seed: int, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Draw one face, the same for the same arguments; another size gives the same face at another resolution.

    Args:
        seed (int): Any number >= 0.
        size (int): Side of picture and map in pixels, at least 64.

    Returns:
        The picture, RGB uint8 (size, size, 3), and its parsing map, uint8 (size, size), with the 19 class indices of
        CelebAMask-HQ: of each pixel's 2×2 sub-pixels the most frequent class.
    """
    rng = np.random.default_rng(seed)
    person, light, canvas = sample_person(rng), sample_light(rng), Canvas(size)
    glasses, hat, earrings, necklace = rng.random(4) < _WEARS
    surroundings.paint_background(canvas, person, rng)
    scene = features.set_scene(canvas, person, light, rng)
    hair = hairdo.sample_hair(scene)

    hairdo.paint_back_hair(scene, hair)
    surroundings.paint_neck(scene)
    surroundings.paint_clothes(scene)
    if necklace:
        surroundings.paint_necklace(scene)
    lobes = features.paint_ears(scene)
    features.paint_skin(scene)
    features.paint_eyes(scene)
    features.paint_mouth(scene)
    features.paint_nose(scene)
    features.paint_brows(scene)
    hairdo.paint_front_hair(scene, hair)
    if earrings:
        surroundings.paint_earrings(scene, lobes)
    if glasses:
        surroundings.paint_glasses(scene)
    if hat:
        hairdo.paint_hat(scene)

    exposure, tint = rng.uniform(.88, 1.18), np.clip(rng.normal(1, .03, 3), .93, 1.07)
    canvas.planes *= (exposure * tint)[:, None, None].astype(np.float32)
    return canvas.finish()
