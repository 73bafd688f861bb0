"""Light of the embedded sample set: the head as a relief, lit from one side.

Light varies smoothly, so it is worked out on a coarse grid and stretched over the canvas. The relief is built from the
outlines of the very face (nose, lips, eye sockets), so that its shading follows the parsing map without giving it away:
nose, lips and ears have no colour of their own, only their slopes.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pkdn_basicsr.data.toy_faces.drawing import Canvas, smooth_noise
from pkdn_basicsr.data.toy_faces.person import HEAD_RADIUS, Person

GRID = 128  # cells across; the nose ridge is six of them wide


@dataclass
class Light:
    """Where the light comes from: unit vector x, y (down), z (towards the viewer), and the share of ambient light."""

    direction: np.ndarray
    ambient: float


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a light from anywhere in front, most often from above."""
    direction = np.array([rng.normal(0, .5), rng.normal(-.3, .3), 1.0])
    return Light(direction / np.linalg.norm(direction), rng.uniform(.35, .65))


def light_head(person: Person, light: Light, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse light (about 1 where it falls straight) and highlights (0..1) over the picture, (GRID, GRID) each."""
    height = _relief(person) + .0016 * smooth_noise(rng, 7, GRID)
    slope_y, slope_x = np.gradient(height, 1 / GRID)
    length = np.sqrt(slope_x ** 2 + slope_y ** 2 + 1)
    facing = (light.direction[2] - slope_x * light.direction[0] - slope_y * light.direction[1]) / length
    diffuse = light.ambient + (1 - light.ambient) * np.maximum(facing, 0) / light.direction[2] ** .5
    halfway = light.direction + np.array([0, 0, 1])  # between the light and the viewer
    halfway /= np.linalg.norm(halfway)
    shine = np.maximum((halfway[2] - slope_x * halfway[0] - slope_y * halfway[1]) / length, 0) ** 24
    return diffuse.astype(np.float32), shine.astype(np.float32)


def _relief(person: Person) -> np.ndarray:
    """Height of the head above the picture's plane, (GRID, GRID), in widths of the picture."""
    pose = person.pose
    axis = (np.arange(GRID) + .5) / GRID
    x, y = np.meshgrid(axis, axis)
    centre = pose.place(np.array([[0, .05]]), depth=0)[0]
    reach = ((x - centre[0]) / (person.cheek * 1.12)) ** 2 + ((y - centre[1]) / .47) ** 2
    height = HEAD_RADIUS * np.exp(-.75 * reach ** 1.5)  # a ball without a rim, which would show in long hair
    left_eye, right_eye = (eye.upper.mean(0) for eye in person.eyes)
    lips = np.concatenate([person.mouth.upper, person.mouth.lower])

    def bump(at: list[float], spread: tuple[float, float], lift: float = 0.0) -> np.ndarray:
        spot = pose.place(np.array([at]), lift)[0]
        return np.exp(-.5 * (((x - spot[0]) / spread[0]) ** 2 + ((y - spot[1]) / spread[1]) ** 2))

    height += .055 * _raised(pose.place(person.nose, lift=nose_lift(person.nose)), .016)
    tip = person.nose[:, 1].max()
    height += .020 * bump([0, tip - .032], (.020, .022), .07)
    height += .010 * _raised(pose.place(lips[:82]), .010) + .008 * _raised(pose.place(lips[82:]), .010)
    for eye in (left_eye, right_eye):
        height -= .017 * bump([eye[0] * .92, eye[1] - .008], (.042, .026))
        height += .008 * bump([eye[0], eye[1]], (.024, .016))
        height += .006 * bump([eye[0] * 1.1, eye[1] - .075], (.055, .018))
        height += .016 * bump([eye[0] * 1.3, .125], (.055, .055))
    height += .016 * bump([0, person.chin - .045], (.042, .034))
    return height - .006 * bump([0, person.chin - .105], (.05, .014))


def nose_lift(nose: np.ndarray) -> np.ndarray:
    """How far each point of the nose sticks out: nothing at the bridge, most at the tip."""
    return .075 * np.clip(nose[:, 1] / .16, 0, 1) * np.clip(1.15 - np.abs(nose[:, 0]) / .12, 0, 1)


def _raised(outline: np.ndarray, softness: float) -> np.ndarray:
    mask = np.zeros((GRID, GRID), np.float32)
    cv2.fillPoly(mask, [np.rint((outline * GRID - .5) * 16).astype(np.int32)], 1.0, shift=4)
    return cv2.GaussianBlur(mask, (0, 0), softness * GRID)


def cast_shadow(canvas: Canvas, outline: np.ndarray, light: Light, reach: float, strength: float) -> None:
    """Darken what lies behind an outline, on the side away from the light; `reach` and blur in picture units."""
    offset = -light.direction[:2] * reach + [0, reach * .35]
    canvas.darken(canvas.stencil(outline + offset, soft=reach * .5), strength)
