"""What one face of the embedded sample set looks like: pose, colours and outlines, before anything is painted.

Lengths are fractions of the picture's width, measured from the point between the eyes, x to the right, y down. Means
follow CelebA-HQ's framing as measured on 150 of its parsing maps (eyes at 0.40 and 0.60 of the width and 0.48 of the
height, nose 0.15 wide, mouth 0.21 wide, chin at 0.92); spreads are our choice, wide enough that the outlines of eyes,
brows, nose and lips move by several pixels of 128, which a 16×16 picture does not show.
"""

from dataclasses import dataclass

import numpy as np

from pkdn_basicsr.data.toy_faces.drawing import spline

HEAD_RADIUS = 0.31  # depth of the head: how far features move when it turns

# RGB in 0..1; our choice. Jitter comes on top, so that hair, skin, brows and background share colours.
SKIN_TONES = np.array([[.96, .80, .70], [.91, .73, .61], [.85, .65, .50], [.74, .54, .40], [.58, .40, .29],
                       [.40, .27, .20]])
HAIR_TONES = np.array([[.07, .06, .06], [.18, .12, .09], [.34, .22, .14], [.52, .35, .20], [.78, .62, .40],
                       [.88, .76, .58], [.55, .24, .12], [.62, .60, .58], [.86, .85, .83], [.66, .50, .40]])
IRIS_TONES = np.array([[.25, .15, .09], [.36, .24, .13], [.38, .42, .22], [.33, .47, .60], [.48, .55, .58],
                       [.12, .08, .06]])


@dataclass
class Pose:
    """Where the head is and how it is turned: angles in radians, shift and zoom relative to CelebA-HQ's framing."""

    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: np.ndarray

    def place(self, points: np.ndarray, lift: float | np.ndarray = 0.0, depth: float | None = None) -> np.ndarray:
        """Points (n, 2) of the face in picture units (n, 2), turned as lying on a round head.

        Args:
            points (np.ndarray): Points of the face seen from the front.
            lift (float | np.ndarray): How far they stick out of the head.
            depth (float | None): Their depth where it is not that of the head's surface; 0 is the head's silhouette.
        """
        points = np.asarray(points, np.float64)
        surface = np.sqrt(np.maximum(HEAD_RADIUS ** 2 - points[:, 0] ** 2, 0)) if depth is None else depth
        # The picture is aligned by the eyes, so the head turns around them and its silhouette gives way.
        forward = surface + lift - 0.85 * HEAD_RADIUS
        x = points[:, 0] * np.cos(self.yaw) + forward * np.sin(self.yaw)
        y = points[:, 1] + forward * np.sin(self.pitch)
        turn = np.array([[np.cos(self.roll), np.sin(self.roll)], [-np.sin(self.roll), np.cos(self.roll)]])
        return np.stack([x, y], 1) @ turn * self.zoom + np.array([0.5, 0.48]) + self.shift


@dataclass
class Mouth:
    """Outlines of the lips and of the gap between them (None when closed), and the line where they meet."""

    upper: np.ndarray
    lower: np.ndarray
    inner: np.ndarray | None
    line: np.ndarray


@dataclass
class Eye:
    """One eye: the two lids as lines from the inner to the outer corner, and the iris."""

    upper: np.ndarray
    lower: np.ndarray
    iris: np.ndarray
    iris_radius: float


@dataclass
class Person:
    """One face, seen from the front: colours in 0..1, outlines (n, 2). Pairs are (image right, image left)."""

    pose: Pose
    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    cheek: float
    chin: float
    head: np.ndarray
    nose: np.ndarray
    eyes: tuple[Eye, Eye]
    brows: tuple[np.ndarray, np.ndarray]
    mouth: Mouth


def sample_person(rng: np.random.Generator) -> Person:
    """Draw a random face."""
    skin = _jitter(rng, SKIN_TONES[rng.choice(6, p=[.22, .24, .2, .14, .12, .08])], 0.018)
    hair = _jitter(rng, HAIR_TONES[rng.integers(len(HAIR_TONES))], 0.015)
    redness = rng.uniform(0.05, 1.0) ** 1.5  # most lips are near the skin's colour
    lips = np.clip(skin * (1 - redness * np.array([.12, .52, .42])) + rng.normal(0, .02, 3), .05, 1)
    cheek, chin = rng.normal(0.268, 0.014), np.clip(rng.normal(0.425, 0.02), 0.37, 0.47)
    mouth_y = np.clip(rng.normal(0.25, 0.014), 0.22, chin - 0.13)
    return Person(pose=_sample_pose(rng), skin=skin, hair=hair, lips=lips,
                  iris=_jitter(rng, IRIS_TONES[rng.integers(len(IRIS_TONES))], 0.03), cheek=cheek, chin=chin,
                  head=_sample_head(rng, cheek, chin), nose=_sample_nose(rng), eyes=_sample_eyes(rng),
                  brows=_sample_brows(rng), mouth=_sample_mouth(rng, mouth_y))


def _jitter(rng: np.random.Generator, colour: np.ndarray, spread: float) -> np.ndarray:
    return np.clip(colour * rng.uniform(0.9, 1.1) + rng.normal(0, spread, 3), 0.02, 1)


def _sample_pose(rng: np.random.Generator) -> Pose:
    yaw, pitch, roll = np.clip(rng.normal(0, [11, 6, 5]), [-24, -13, -13], [24, 13, 13]) * np.pi / 180
    return Pose(yaw, pitch, roll, np.clip(rng.normal(1.06, 0.05), 0.94, 1.18), rng.normal(0, 0.008, 2))


def _sample_head(rng: np.random.Generator, cheek: float, chin: float) -> np.ndarray:
    """Silhouette of skull and jaw; only the part that is not covered by hair or hat becomes visible skin."""
    forehead, jaw, point = cheek * rng.normal(0.93, .03), cheek * rng.normal(0.80, .05), rng.uniform(.05, .10)
    right = np.array([[forehead * .55, -.315], [forehead * .93, -.23], [forehead * 1.01, -.11], [cheek, .02],
                      [cheek * .97, .12], [(jaw + cheek) / 2 - .005, .22], [jaw * .86, chin - .10],
                      [point, chin - .018]])
    left = right[::-1] * [-1, 1]
    return spline(np.concatenate([[[0, -.35]], right, [[0, chin]], left]) + rng.normal(0, .003, (18, 2)))


def _sample_nose(rng: np.random.Generator) -> np.ndarray:
    wing, bridge = np.clip(rng.normal(.068, .011), .045, .10), np.clip(rng.normal(.024, .006), .012, .04)
    tip = np.clip(rng.normal(.165, .014), .13, .20)
    drop = rng.uniform(.008, .034)  # how far the tip hangs below the wings
    right = np.array([[bridge * .9, -.025], [bridge * .85, .03], [bridge * 1.25, .08], [wing * .78, tip - .045],
                      [wing, tip - .018], [wing * .9, tip + .006], [wing * .5, tip + .008]])
    points = np.concatenate([right, [[0, tip + drop]], right[::-1] * [-1, 1]]) + rng.normal(0, .0025, (15, 2))
    return spline(points)


def _sample_eyes(rng: np.random.Generator) -> tuple[Eye, Eye]:
    apart, half = np.clip(rng.normal(.104, .006), .09, .12), np.clip(rng.normal(.053, .006), .040, .068)
    opening = np.clip(rng.normal(.024, .0065), .007, .040)
    tilt, peak = rng.normal(-.002, .005), rng.uniform(-.35, .35)
    gaze, radius = rng.normal(0, [.010, .004]), rng.uniform(.017, .023)
    power = rng.uniform(1.6, 2.6)

    def one(side: int) -> Eye:
        t = np.linspace(-1, 1, 25)  # inner to outer corner
        height = opening * rng.uniform(.85, 1.15)
        arch = (1 - np.abs(t) ** power) * np.exp(-peak * t)
        middle = tilt * t + .003 * (1 - t)
        x = apart + rng.normal(0, .003) + half * t
        y = rng.normal(0, .003)
        upper = np.stack([side * x, y + middle - height * arch], 1)
        lower = np.stack([side * x, y + middle + .62 * height * (1 - t ** 2) * np.exp(.3 * t)], 1)
        iris = np.array([side * (apart + .002), y - .15 * height]) + gaze
        return Eye(upper, lower, iris, radius)

    return one(1), one(-1)


def _sample_brows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    height, thickness = rng.normal(-.068, .010), np.clip(rng.normal(.022, .007), .008, .042)
    inner, outer = rng.normal(.036, .009), rng.normal(.178, .013)
    arch, slope, peak = rng.normal(.016, .010), rng.normal(-.005, .010), rng.uniform(.5, .75)

    def one(side: int) -> np.ndarray:
        t = np.linspace(0, 1, 20)  # from the nose outwards
        x = inner + (outer - inner) * t
        bend = np.sin(np.pi / 2 * np.where(t < peak, t / peak, 1 + (t - peak) / (1 - peak)))
        y = height + rng.normal(0, .004) + slope * t - (arch + rng.normal(0, .003)) * bend
        body = thickness * (1 - .75 * t ** 2.5) * np.minimum(1, .55 + 3 * t)
        upper, lower = np.stack([side * x, y - body / 2], 1), np.stack([side * x, y + body / 2], 1)
        return np.concatenate([upper, lower[::-1]]) + rng.normal(0, .0012, (40, 2))

    return one(1), one(-1)


def _sample_mouth(rng: np.random.Generator, y: float) -> Mouth:
    half, smile = np.clip(rng.normal(.100, .014), .065, .14), rng.normal(.012, .012)
    top, bottom = np.clip(rng.normal([.020, .031], [.006, .008]), .007, .055)
    opening = rng.uniform(.01, .075) * np.clip(half / .1, .7, 1.2) if rng.random() < .55 else 0.0
    if opening > 0:
        half *= 1.08
    t = np.linspace(-1, 1, 41)
    wave = rng.uniform(-.004, .006) * np.cos(3 * np.pi * t) * (1 - t ** 2)
    middle = y - smile * t ** 2 + wave + rng.normal(0, .005) * t
    gap = np.maximum(0, 1 - (t / .86) ** 2)
    x = rng.normal(0, .006) + half * t
    above, below = middle - .3 * opening * gap, middle + .7 * opening * gap
    cupid = 1 - rng.uniform(.1, .5) * np.exp(-(t / .13) ** 2)
    crest = above - top * (1 - np.abs(t) ** rng.uniform(1.3, 2.2)) * cupid
    base = below + bottom * (1 - np.abs(t) ** rng.uniform(1.8, 3.0))
    edge = [np.stack([x, line], 1) for line in (crest, above, below, base)]
    inner = np.concatenate([edge[1], edge[2][::-1]]) if opening > 0 else None
    return Mouth(upper=np.concatenate([edge[0], edge[1][::-1]]), lower=np.concatenate([edge[2], edge[3][::-1]]),
                 inner=inner, line=edge[1])


def shared_colour(rng: np.random.Generator, person: Person) -> np.ndarray:
    """A colour for background or clothes: near the hair, near the skin or any, so that colour does not tell classes."""
    kind = rng.random()
    if kind < .3:
        return _jitter(rng, person.hair, .06)
    if kind < .55:
        return _jitter(rng, person.skin * rng.uniform(.6, 1.0), .05)
    grey = rng.uniform(.08, .92)
    return np.clip(grey + rng.normal(0, .11, 3), .03, .97)
