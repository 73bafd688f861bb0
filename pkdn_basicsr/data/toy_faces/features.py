"""Painters of the face itself: skin, ears, eyes, brows, nose and mouth of the embedded sample set."""

from dataclasses import dataclass

import numpy as np

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.toy_faces.drawing import Canvas, Stencil, ellipse, ribbon, shift, smooth_noise, spline, taper
from pkdn_basicsr.data.toy_faces.light import Light, light_head, nose_lift
from pkdn_basicsr.data.toy_faces.person import Eye, Person

PART = {name: index for index, name in enumerate(get_scheme('celebamask_hq').classes)}
"""Class index of each part, by CelebAMask-HQ's names."""


@dataclass
class Scene:
    """One face being painted: `shade` and `shine` are the head's light over the whole canvas, (side, side)."""

    canvas: Canvas
    person: Person
    light: Light
    rng: np.random.Generator
    shade: np.ndarray
    shine: np.ndarray


def set_scene(canvas: Canvas, person: Person, light: Light, rng: np.random.Generator) -> Scene:
    """Light the head; skin gets its grain here, because face, ears and neck share it."""
    diffuse, shine = light_head(person, light, rng)
    shade = canvas.enlarge(diffuse * (1 + .03 * smooth_noise(rng, 24)))
    shade *= 1 + rng.uniform(.01, .03) * canvas.enlarge(smooth_noise(rng, 160, 256))
    return Scene(canvas, person, light, rng, shade, canvas.enlarge(shine))


def paint_ears(scene: Scene) -> list[np.ndarray]:
    """Both ears behind the face; returns their lobes (1, 2) in picture units, image right first."""
    rng, person, canvas = scene.rng, scene.person, scene.canvas
    width, height = rng.uniform(.032, .052), rng.uniform(.075, .105)
    middle, tilt = rng.normal(.075, .012), rng.uniform(-.01, .03)
    shape = np.array([[-.5, -.75], [.1, -1], [.8, -.85], [1, -.4], [.8, .2], [.45, .7], [.1, 1], [-.5, .85]])
    lobes = []
    for side, name in ((1, 'l_ear'), (-1, 'r_ear')):
        points = shape * [width, height] + rng.normal(0, .002, (8, 2))
        points[:, 0] += tilt * -points[:, 1] / height + person.cheek + .012
        ear = shift(points, 0, middle) * [side, 1]
        canvas.paint(canvas.stencil(person.pose.place(spline(ear), depth=-.02)), person.skin * [1, .95, .94],
                     scene.shade, PART[name])
        around = shift(points.mean(0), 0, middle)
        ridge = spline(shift((points[1:6] - points.mean(0)) * .68, *around), closed=False) * [side, 1]
        for fold, dark in ((ridge, .5), ((ridge - ridge.mean(0)) * .6 + ridge.mean(0), .35)):
            line = person.pose.place(fold, depth=-.02)
            canvas.darken(canvas.stencil(ribbon(line, .011 * taper(len(line))), soft=.002), dark)
        lobes.append(person.pose.place(ear[6:7], depth=-.02))
    return lobes


def paint_skin(scene: Scene) -> np.ndarray:
    """Head, blush, shine, moles and folds; returns the outline of the head in picture units."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    outline = person.pose.place(person.head, depth=.02)
    head = canvas.stencil(outline)
    canvas.paint(head, person.skin, scene.shade, PART['skin'])
    blush = rng.uniform(0, .25)
    for at in ([.15, .13], [-.15, .13], [0, .14]):
        spot = ellipse(person.pose.place(np.array([at]))[0], (.07, .05))
        canvas.paint(canvas.stencil(spot, soft=.03), person.skin * [1, .72, .68], scene.shade, opacity=blush)
    if rng.random() < .25:
        _paint_beard(scene, head)
    canvas.paint(head.times(scene.shine), np.ones(3), opacity=rng.uniform(.05, .3))
    _paint_folds(scene)
    for _ in range(rng.integers(0, 9) if rng.random() < .4 else 0):
        mole = ellipse(person.pose.place(rng.uniform([-.2, -.2], [.2, .35], (1, 2)))[0], (rng.uniform(.002, .005),) * 2)
        canvas.paint(canvas.stencil(mole, soft=.001), person.skin * .45, scene.shade, opacity=.7)
    return outline


def _paint_beard(scene: Scene, head: Stencil) -> None:
    """Stubble or beard: CelebAMask-HQ counts it as skin, so colour alone cannot tell hair."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    jaw = spline(np.array([[.30, -.02], [.33, .2], [.2, .5], [-.2, .5], [-.33, .2], [-.30, -.02], [-.19, .17],
                           [-.09, .20], [0, .195], [.09, .20], [.19, .17]]) + rng.normal(0, .01, (11, 2)))
    stubble = .85 + .15 * np.clip(canvas.enlarge(smooth_noise(rng, 200, 256)), -1, 1)
    patch = canvas.stencil(person.pose.place(jaw), soft=.014).inside(head).times(stubble)
    canvas.paint(patch, person.hair * .8 + person.skin * .1, scene.shade, opacity=rng.uniform(.2, .85))


def _paint_folds(scene: Scene) -> None:
    """Smile lines and, at times, lines on the forehead."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    depth = rng.uniform(0, .32)
    for side in (1, -1):
        line = spline(np.array([[.07, .15], [.105, .19], [.13, .25]]) * [side, 1] + rng.normal(0, .004, (3, 2)), False)
        line = person.pose.place(line)
        canvas.darken(canvas.stencil(ribbon(line, .014 * taper(len(line))), soft=.004), depth)
    for y in np.linspace(-.19, -.12, 3) if rng.random() < .2 else ():
        line = person.pose.place(spline(np.array([[-.11, y + .006], [-.04, y], [.04, y], [.11, y + .006]]), False))
        canvas.darken(canvas.stencil(ribbon(line, .008 * taper(len(line))), soft=.003), .25)


def paint_nose(scene: Scene) -> None:
    """The nose has the skin's colour; its outline shows in slopes, nostrils and the folds of its wings only."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    nose, pose = person.nose, person.pose
    outline = pose.place(nose, nose_lift(nose))
    area = canvas.stencil(outline)
    away = 1 if scene.light.direction[0] < 0 else -1  # the nose's shadow falls to this side
    shadow = canvas.stencil(shift(outline, away * .018, .016), soft=.008)
    shadow.coverage *= 1 - _same_box(area, shadow)
    canvas.darken(shadow, rng.uniform(.15, .4))
    canvas.paint(area, person.skin * [1.02, .95, .94], scene.shade, PART['nose'], opacity=.85)
    canvas.paint(area.times(scene.shine), np.ones(3), opacity=rng.uniform(.1, .4))
    wing, tip = np.abs(nose[:, 0]).max(), nose[:, 1].max()
    base = nose[np.argmax(np.abs(nose[:, 0])), 1] + .012
    tall = rng.uniform(.005, .011)
    for side in (1, -1):
        centre = np.array([[side * wing * .48, min(base + .002, tip - .012)]])
        hole = ellipse(pose.place(centre, nose_lift(centre))[0], (wing * .24 * np.cos(pose.yaw * 1.4), tall))
        nostril = canvas.stencil(hole, soft=.0025).inside(area)
        canvas.paint(nostril, person.skin * [.3, .2, .18], scene.shade, opacity=.9)
    low = np.flatnonzero(nose[:, 1] > base - .045)
    fold = outline[np.concatenate([low, low[:1]])] if low[0] == 0 else outline[low]
    canvas.darken(canvas.stencil(ribbon(fold, .009), soft=.0022), rng.uniform(.2, .5))


def _same_box(stencil: Stencil, like: Stencil) -> np.ndarray:
    """Coverage of one stencil in the box of another."""
    return Stencil(np.ones_like(like.coverage), like.rows, like.cols).inside(stencil).coverage


def paint_brows(scene: Scene) -> None:
    """Brows: short hairs over a soft patch, between the colours of skin and hair."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    colour = (person.hair * .6 + person.skin * .12) * rng.uniform(.7, 1.15)
    density = rng.uniform(.35, .95)
    for brow, name in zip(person.brows, ('l_brow', 'r_brow'), strict=True):
        area = canvas.stencil(person.pose.place(brow, lift=.01))
        canvas.paint(area, colour, scene.shade, PART[name], opacity=density * .75)
        upper, lower = brow[:20], brow[20:][::-1]
        i = rng.integers(0, 19, 34)
        roots = lower[i] + (upper[i] - lower[i]) * rng.uniform(0, .7, (34, 1))
        tips = roots + (upper[i] - lower[i]) * .5 + (upper[i + 1] - upper[i]) * 1.2
        lines = np.stack([person.pose.place(roots, .01), person.pose.place(tips, .01)], 1)
        hairs = [ribbon(line, .003) for line in lines]
        canvas.paint(canvas.stencil(*hairs), colour * .8, scene.shade, opacity=density * .6)


def paint_eyes(scene: Scene) -> None:
    """Both eyes, with make-up or without."""
    rng = scene.rng
    lash, shadow = rng.uniform(.004, .012), rng.uniform(0, .5)
    tint = np.clip(scene.person.skin * rng.uniform(.35, .8) + rng.normal(0, .06, 3), .03, 1)
    white = np.array([.90, .87, .85]) * rng.uniform(.8, 1.02)
    for eye, name in zip(scene.person.eyes, ('l_eye', 'r_eye'), strict=True):
        _paint_eye(scene, eye, PART[name], lash, shadow, tint, white)


def _paint_eye(scene: Scene, eye: Eye, label: int, lash: float, shadow: float, tint: np.ndarray,
               white: np.ndarray) -> None:
    canvas, person, pose = scene.canvas, scene.person, scene.person.pose
    upper, lower = pose.place(eye.upper), pose.place(eye.lower)
    around = np.concatenate([shift(upper, 0, -.022), shift(lower[::-1], 0, .004)])
    canvas.paint(canvas.stencil(around, soft=.008), tint, scene.shade, opacity=shadow)
    area = canvas.stencil(np.concatenate([upper, lower[::-1]]))
    canvas.paint(area, white, .35 + .6 * scene.shade, label)
    centre, radius = pose.place(eye.iris[None])[0], eye.iris_radius * pose.zoom
    squeeze = np.cos(pose.yaw)
    for scale, colour in ((1.0, person.iris * .45), (.86, person.iris * 1.15), (.42, np.full(3, .03))):
        ring = canvas.stencil(ellipse(centre, (radius * scale * squeeze, radius * scale)), soft=.0012).inside(area)
        canvas.paint(ring, colour, opacity=.97)
    glow = canvas.stencil(ellipse(shift(centre, 0, radius * .5), (radius * .5, radius * .3)), soft=.003).inside(area)
    canvas.paint(glow, person.iris * 1.9 + .05, opacity=.45)
    canvas.darken(canvas.stencil(ribbon(shift(upper, 0, .003), .016), soft=.0035).inside(area), .55)
    glint = centre + scene.light.direction[:2] * radius * .7
    canvas.paint(canvas.stencil(ellipse(glint, (.0045, .0045)), soft=.0008).inside(area), np.ones(3), opacity=.9)
    dark = person.hair * .25 + .02
    thick = lash * np.linspace(.45, 1, len(upper)) ** .7
    canvas.paint(canvas.stencil(ribbon(shift(upper, 0, -lash * .25), thick)), dark, opacity=.85)
    canvas.paint(canvas.stencil(ribbon(lower, .004), soft=.001), person.skin * [.55, .38, .35], scene.shade, opacity=.6)
    crease = shift(upper[2:-1], 0, -.013)
    canvas.darken(canvas.stencil(ribbon(crease, .006 * taper(len(crease))), soft=.0018), .45)


def paint_mouth(scene: Scene) -> None:
    """Lips, and between them teeth, tongue and dark."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    mouth, pose = person.mouth, person.pose
    below = canvas.stencil(pose.place(shift(mouth.lower, 0, .014)), soft=.007)
    canvas.darken(below, rng.uniform(.1, .3))
    upper = canvas.stencil(pose.place(mouth.upper, .01))
    lower = canvas.stencil(pose.place(mouth.lower, .01))
    canvas.paint(upper, person.lips * .88, scene.shade, PART['u_lip'])
    canvas.paint(lower, person.lips, scene.shade, PART['l_lip'])
    gloss = shift(mouth.lower.mean(0)[None], scene.light.direction[0] * .03, -.004)
    canvas.paint(canvas.stencil(ellipse(pose.place(gloss, .01)[0], (.032, .005)), soft=.005).inside(lower),
                 np.ones(3), opacity=rng.uniform(0, .45))
    if mouth.inner is None:
        line = pose.place(mouth.line, .01)
        canvas.darken(canvas.stencil(ribbon(line, .008 * taper(len(line), .4)), soft=.0012), .75)
        return
    inner = canvas.stencil(pose.place(mouth.inner, .01))
    canvas.paint(inner, np.array([.20, .06, .06]), scene.shade, PART['mouth'])
    if rng.random() < .45:
        tongue = canvas.stencil(pose.place(shift(mouth.inner[41:], 0, -.004), .01), soft=.005).inside(inner)
        canvas.paint(tongue, np.array([.62, .30, .30]), scene.shade, opacity=.8)
    if rng.random() < .85:
        _paint_teeth(scene, inner)
    canvas.darken(canvas.stencil(ribbon(pose.place(mouth.line, .01), .007), soft=.002).inside(inner), .5)


def _paint_teeth(scene: Scene, inner: Stencil) -> None:
    canvas, mouth, pose, rng = scene.canvas, scene.person.mouth, scene.person.pose, scene.rng
    length = rng.uniform(.016, .045)
    row = np.concatenate([mouth.line, shift(mouth.line, 0, length)[::-1]])
    teeth = canvas.stencil(pose.place(row, .01)).inside(inner)
    canvas.paint(teeth, np.array([.93, .90, .84]) * rng.uniform(.75, 1), .3 + .65 * scene.shade)
    width = rng.uniform(.015, .021)
    gaps = []
    for i in range(-5, 6):
        x = mouth.line[:, 0].mean() + width * i * (1 - .04 * abs(i))
        top = np.interp(x, mouth.line[:, 0], mouth.line[:, 1])
        gaps.append(ribbon(pose.place(np.array([[x, top], [x, top + length]]), .01), .0025))
    canvas.darken(canvas.stencil(*gaps, soft=.0008).inside(teeth), .25)
