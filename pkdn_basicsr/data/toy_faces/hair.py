"""Painters of hair and hats of the embedded sample set."""

from dataclasses import dataclass

import cv2
import numpy as np

from pkdn_basicsr.data.toy_faces.drawing import ellipse, ribbon, ring_noise, smooth_noise, spline
from pkdn_basicsr.data.toy_faces.features import PART, Scene
from pkdn_basicsr.data.toy_faces.light import cast_shadow
from pkdn_basicsr.data.toy_faces.person import shared_colour

STRANDS = 4096  # tones around the crown
# Styles and how often they come; our choice.
STYLES = {'bald': .08, 'short': .30, 'fringe': .16, 'tied': .12, 'long': .22, 'long_fringe': .12}
TIP = np.linspace(0, 1, 9)  # from a strand's root to its tip


@dataclass
class Hair:
    """Hair style: outlines (n, 2) of the part behind the head and of the part before it, and the strands' tones.

    `back` and `front` are None where the style has no such part; `tone` is light over the canvas, (side, side).
    """

    style: str
    back: np.ndarray | None
    front: np.ndarray | None
    tone: np.ndarray


def sample_hair(scene: Scene) -> Hair:
    """Draw a hair style and comb its strands."""
    rng = scene.rng
    style = str(rng.choice(list(STYLES), p=list(STYLES.values())))
    if style == 'bald':
        return Hair(style, None, None, scene.shade)
    volume = rng.uniform([.015, .02], [.09, .12])
    front = _front_outline(scene, volume, long='long' in style, fringe='fringe' in style)
    back = _back_outline(scene, volume) if 'long' in style else None
    return Hair(style, back, front, _comb(scene))


def _front_outline(scene: Scene, volume: np.ndarray, long: bool, fringe: bool) -> np.ndarray:
    """From the image-left end over the top to the image-right end and back along the hairline."""
    rng, person = scene.rng, scene.person
    side, top = person.cheek + volume[0], .27 + volume[1]
    turn = np.linspace(-1.75, 1.75, 61)
    crest = np.stack([side * np.sin(turn), -.10 - top * np.cos(turn)], 1)
    crest += _frizz(rng, 61, 18, rng.uniform(.004, .016)) * np.stack([np.sin(turn), -np.cos(turn)], 1)
    ends = rng.uniform(.15, .5, 2) if long else rng.uniform(-.06, .10, 2)
    part = rng.uniform(-.15, .15)
    height = np.clip(rng.normal(-.235, .025), -.30, -.19)
    if fringe:
        height = rng.uniform(-.175, -.085)
    hang = rng.uniform(.80, 1.02) if long else rng.uniform(.92, 1.0)
    temple = rng.uniform(.82, .98)

    def sideline(sign: int, end: float) -> np.ndarray:
        inner = [[sign * person.cheek * hang, end * .55 - .02], [sign * person.cheek * temple, -.10],
                 [sign * person.cheek * temple * .88 + part * .1, (height - .14) / 2 - rng.uniform(-.01, .02)]]
        tail = [[sign * (side + rng.normal(0, .01)), end * .5], [sign * (side * rng.uniform(.75, 1.05)), end]]
        return np.array((tail if long else [[sign * (person.cheek + .008), end]]) + inner)

    right, left = sideline(1, ends[1]), sideline(-1, ends[0])
    middle = np.array([[.14 + part * .3, height - .004], [part, height - rng.uniform(-.005, .03)],
                       [-.14 + part * .3, height + rng.normal(0, .01)]])
    hairline = spline(np.concatenate([right, middle, left[::-1]]), closed=False, steps=10)
    inward = _frizz(rng, len(hairline), 40, rng.uniform(.008, .030) if fringe else rng.uniform(.003, .012))
    hairline = hairline + inward * np.array([[.25, 1.0]])
    return person.pose.place(np.concatenate([crest, hairline]), depth=.05)


def _back_outline(scene: Scene, volume: np.ndarray) -> np.ndarray:
    """The curtain behind neck and shoulders."""
    rng, person = scene.rng, scene.person
    width, end = person.cheek + volume[0] + rng.uniform(0, .06), rng.uniform(.28, .62)
    right = np.array([[.20, -.30], [width, -.10], [width + rng.normal(.01, .02), .15],
                      [width * rng.uniform(.8, 1.1), end]])
    points = np.concatenate([right, [[0, end + .02]], right[::-1] * [-1, 1]])
    curve = spline(points, closed=False, steps=12)
    return person.pose.place(curve + _frizz(rng, len(curve), 40, rng.uniform(.004, .016)), depth=-.1)


def _frizz(rng: np.random.Generator, points: int, knots: int, size: float) -> np.ndarray:
    """Strand-like jags along an outline, (points, 1): straight between random knots, so that they have corners."""
    at = np.sort(rng.uniform(0, points, knots))
    return np.interp(np.arange(points), at, rng.normal(0, size, knots))[:, None]


def _comb(scene: Scene) -> np.ndarray:
    """Light on the hair, (side, side): streaks that run from the crown outwards, waved, over the head's roundness."""
    canvas, rng, pose = scene.canvas, scene.rng, scene.person.pose
    crown = pose.place(np.array([[rng.uniform(-.12, .12), rng.uniform(-.42, -.33)]]), depth=.05)[0]
    radius, angle = cv2.cartToPolar(np.repeat(canvas.x - np.float32(crown[0]), canvas.side, 0),
                                    np.repeat(canvas.y - np.float32(crown[1]), canvas.side, 1))
    wave = rng.uniform(0, .05) * np.sin(radius * rng.uniform(15, 60)) + canvas.enlarge(.05 * smooth_noise(rng, 9))
    turn = ((angle + wave) * np.float32(STRANDS / (2 * np.pi))).astype(np.int32) & (STRANDS - 1)
    amount = rng.uniform(.10, .26)
    tones = 1 + amount * (.6 * ring_noise(rng, STRANDS, 28) + .5 * ring_noise(rng, STRANDS, 6))
    gloss = np.exp(-((radius - rng.uniform(.12, .25)) / .06) ** 2) * np.float32(rng.uniform(0, .5))
    parted = np.minimum(radius * 6, 1)  # strands lie flat around the crown
    streaks = 1 + (np.take(tones, turn) - 1) * parted
    return np.clip(streaks, .35, 1.9) * (.35 + .65 * scene.shade) * (1 + gloss)


def paint_back_hair(scene: Scene, hair: Hair) -> None:
    """The hair behind neck and shoulders, in the head's shadow."""
    if hair.back is not None:
        area = scene.canvas.stencil(hair.back)
        scene.canvas.paint(area, scene.person.hair * .72, hair.tone, PART['hair'])


def paint_front_hair(scene: Scene, hair: Hair) -> None:
    """The hair over forehead, temples and ears, its shadow on the skin and some stray strands."""
    if hair.front is None:
        return
    canvas, rng = scene.canvas, scene.rng
    cast_shadow(canvas, hair.front, scene.light, rng.uniform(.008, .03), rng.uniform(.1, .35))
    if hair.style == 'tied' and rng.random() < .6:
        bun = ellipse(scene.person.pose.place(np.array([[rng.normal(0, .03), -.40]]), depth=-.1)[0],
                      rng.uniform(.07, .13, 2))
        bun = canvas.stencil(bun + _frizz(rng, len(bun), 12, .006))
        canvas.paint(bun, scene.person.hair * .9, hair.tone, PART['hair'])
    canvas.paint(canvas.stencil(hair.front), scene.person.hair, hair.tone, PART['hair'])
    strands = []
    for start in hair.front[rng.integers(0, len(hair.front), rng.integers(8, 40))]:
        bend, length = rng.normal(0, .012, 2), rng.uniform(.02, .06)
        line = start + np.stack([bend[0] * TIP + bend[1] * TIP ** 2, (TIP - .3) * length], 1)
        strands.append(ribbon(line, np.linspace(.0045, .0015, len(TIP))))
    canvas.paint(canvas.stencil(*strands), scene.person.hair * .95, hair.tone, PART['hair'])


def paint_hat(scene: Scene) -> None:
    """A beanie, a peaked cap or a hat with a brim."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    colour = shared_colour(rng, person)
    kind = rng.choice(['beanie', 'cap', 'brim'])
    width, edge, top = person.cheek + rng.uniform(.02, .07), rng.uniform(-.21, -.12), rng.uniform(-.50, -.40)
    sag = rng.uniform(-.03, .03)
    dome = spline(np.array([[-width, edge + .02], [-width * .95, edge - .12], [-width * .55, top + .02], [0, top],
                            [width * .55, top + .02], [width * .95, edge - .12], [width, edge + .02],
                            [width * .5, edge + sag], [-width * .5, edge + sag]]) + rng.normal(0, .005, (9, 2)))
    outline = person.pose.place(dome, depth=.08)
    cast_shadow(canvas, outline, scene.light, .03, rng.uniform(.25, .5))
    weave = 1 + .03 * canvas.enlarge(smooth_noise(rng, 160, 256)) + .08 * canvas.enlarge(smooth_noise(rng, 6))
    if kind == 'beanie':
        weave = weave * (1 + .12 * np.sin((canvas.x + .4 * person.pose.roll * canvas.y) * rng.uniform(120, 260)))
    cloth = weave * (.3 + .7 * scene.shade)
    canvas.paint(canvas.stencil(outline), colour, cloth, PART['hat'])
    reach, drop = (width * rng.uniform(1.25, 1.7), .05) if kind == 'brim' else (width * 1.02, rng.uniform(.05, .09))
    if kind == 'beanie':
        reach, drop = width * 1.03, rng.uniform(.04, .09)
    band = spline(np.array([[-reach, edge + .03], [-width * .6, edge + sag - .035], [0, edge + sag - .045],
                            [width * .6, edge + sag - .035], [reach, edge + .03], [width * .7, edge + sag + drop],
                            [0, edge + sag + drop * (1.2 if kind == 'cap' else .6)], [-width * .7, edge + sag + drop]]))
    band = person.pose.place(band, lift=.05 if kind == 'cap' else 0, depth=None if kind == 'cap' else .12)
    cast_shadow(canvas, band, scene.light, .025, rng.uniform(.2, .45))
    second = colour if rng.random() < .5 else shared_colour(rng, person)
    canvas.paint(canvas.stencil(band), second, cloth * np.float32(.9), PART['hat'])
