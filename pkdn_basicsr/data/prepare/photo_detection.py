"""All faces of a photograph, small ones beside large ones, each with landmarks as exact as in a portrait."""

from dataclasses import replace

import numpy as np

from pkdn_basicsr.data.face_detection import Face, FaceDetector, nearest_face

# Our choices. At the detector's own size, faces below 1/30 of the photograph are lost: up to 640 pixels that is nothing
# one would keep, in a group photograph it is everybody. Seen at 1280 pixels, they are found, and large ones are missed.
_LARGE, _FINE_SIDE = 640, 1280
# YuNet's landmarks are off by a tenth of the distance between the eyes where that is 10 pixels. In a window of 2.4
# boxes, a face is as large as in CelebA-HQ.
_WINDOW = 2.4


def find_faces(detector: FaceDetector, picture: np.ndarray) -> list[Face]:
    """Return the faces of a photograph, the largest box first and of equals the one further left.

    A large photograph is searched twice, as a whole and in detail, and every face is looked at once more in a window
    around it.

    Args:
        detector: The detector, at its usual size.
        picture: uint8 (H, W, 3), BGR.

    Raises:
        UsageError: Not such a picture.
    """
    found = detector.detect(picture)
    if max(picture.shape[:2]) > _LARGE:
        found += replace(detector, side=_FINE_SIDE).detect(picture)
    faces = _distinct([_look_closely(detector, picture, face) for face in _distinct(found)])
    return sorted(faces, key=lambda face: (-_longer_side(face), face.box))


def _distinct(faces: list[Face]) -> list[Face]:
    """Leave out what was found before."""
    kept: list[Face] = []
    for face in faces:
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(one: Face, other: Face) -> bool:
    """Two finds are of one face if the centre of the smaller box lies in the larger one."""
    smaller, larger = sorted((one, other), key=_longer_side)
    left, upper, width, height = larger.box
    x, y = smaller.centre
    return left < x < left + width and upper < y < upper + height


def _longer_side(face: Face) -> float:
    return max(face.box[2:])


def _look_closely(detector: FaceDetector, picture: np.ndarray, face: Face) -> Face:
    half = _WINDOW * _longer_side(face) / 2
    corner = np.maximum(np.floor(face.centre - half), 0).astype(int)
    end = np.ceil(face.centre + half).astype(int)
    window = picture[corner[1]:end[1], corner[0]:end[0]]
    found = nearest_face(detector.detect(window), face.centre - corner)
    if found is None:
        return face
    landmarks = found.landmarks + corner
    landmarks.setflags(write=False)
    left, upper, width, height = found.box
    closer = Face((left + float(corner[0]), upper + float(corner[1]), width, height), landmarks, found.score)
    return closer if _same(closer, face) else face
