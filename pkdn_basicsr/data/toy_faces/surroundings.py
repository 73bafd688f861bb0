"""Painters of what is around the face: background, neck, clothes, glasses and jewellery of the embedded sample set."""

import cv2
import numpy as np

from pkdn_basicsr.data.toy_faces.drawing import Canvas, Stencil, ellipse, ribbon, shift, smooth_noise, spline
from pkdn_basicsr.data.toy_faces.features import PART, Scene
from pkdn_basicsr.data.toy_faces.light import cast_shadow
from pkdn_basicsr.data.toy_faces.person import Person, shared_colour

GRID = 256  # background clutter is drawn this fine and stretched: it is out of focus anyway


def paint_background(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    """A gradient with clutter, part of it in the colours of hair and skin, more or less out of focus."""
    first, second = shared_colour(rng, person), shared_colour(rng, person)
    blend = np.clip(.5 + .5 * smooth_noise(rng, 4, GRID), 0, 1)[..., None]
    scenery = (first + (second - first) * blend).astype(np.float32)
    for _ in range(rng.integers(0, 14)):
        colour = shared_colour(rng, person)
        centre, radii = rng.uniform(-.05, 1.05, 2), rng.uniform(.02, .25, 2)
        shape = ellipse(centre, radii, power=float(rng.choice([2, 6])))
        lean = rng.normal(0, .3)
        shape[:, 0] += lean * (shape[:, 1] - centre[1])
        cv2.fillPoly(scenery, [np.rint(shape * GRID * 16).astype(np.int32)], colour.tolist(), cv2.LINE_AA, shift=4)
    blur = rng.choice([.8, 2.0, 4.0, 8.0])
    scenery = cv2.GaussianBlur(scenery, (0, 0), blur)
    grain = 1 + rng.uniform(0, .045) * smooth_noise(rng, int(rng.choice([16, 100, 200])), GRID)
    for plane, band in zip(canvas.planes, cv2.split(scenery), strict=True):
        plane[:] = canvas.enlarge(band * grain)


def paint_neck(scene: Scene) -> None:
    """Neck in the head's shadow."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    width, flare = person.cheek * rng.uniform(.55, .74), rng.uniform(.02, .10)
    right = np.array([[width * 1.02, .12], [width, .30], [width * 1.01, .42], [width + flare * .4, .52],
                      [width + flare, .70]])
    outline = person.pose.place(spline(np.concatenate([right, right[::-1] * [-1, 1]])), depth=-.12)
    neck = canvas.stencil(outline)
    side = np.clip((canvas.x - outline[:, 0].mean()) / .25, -1, 1)
    light = .78 + .22 * scene.light.direction[0] * side - .18 * np.abs(side)  # a column: the same from top to bottom
    light = np.broadcast_to(light.astype(np.float32), scene.shade.shape)
    canvas.paint(neck, person.skin * [1, .95, .92], light, PART['neck'])
    for sign in (1, -1) if rng.random() < .6 else ():
        tendon = person.pose.place(spline(np.array([[sign * width * .8, .34], [sign * width * .4, .46],
                                                    [sign * .03, .56]]), False), depth=-.1)
        canvas.darken(canvas.stencil(ribbon(tendon, .02), soft=.008), rng.uniform(.1, .3))
    under = canvas.stencil(person.pose.place(person.head * [.92, 1] + [0, rng.uniform(.03, .08)], depth=0), soft=.014)
    canvas.darken(under.inside(neck), rng.uniform(.25, .55))


def paint_clothes(scene: Scene) -> None:
    """Shoulders with a round or pointed neckline, or a collar, in plain, striped, checked or dotted cloth."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    neck, rise = person.cheek * rng.uniform(.6, .85), rng.uniform(.42, .54)
    dip, pointed = rise + rng.uniform(-.01, .12), rng.random() < .4
    slope = rng.uniform(.04, .16)
    halfway = rise + (dip - rise) * (.55 if pointed else .8)
    line = np.array([[neck, rise], [neck * .72, halfway], [0, dip], [-neck * .72, halfway], [-neck, rise]])
    if not pointed:
        line = spline(line, closed=False)
    shoulders = np.array([[-.35, rise + slope * .6], [-.75, rise + slope * 2], [-.9, 1], [.9, 1],
                          [.75, rise + slope * 2], [.35, rise + slope * .6]]) + rng.normal(0, .008, (6, 2))
    outline = person.pose.place(np.concatenate([line, shoulders]), depth=-.08)
    first, second = shared_colour(rng, person), shared_colour(rng, person)
    folds = canvas.enlarge(1 + .12 * smooth_noise(rng, 9) + .05 * smooth_noise(rng, 30))
    cast_shadow(canvas, shift(outline, 0, -.01), scene.light, .012, .3)
    body = canvas.stencil(outline)
    canvas.paint(body, first, folds * np.float32(.9), PART['cloth'])
    kind = rng.choice(['plain', 'stripes', 'checks', 'dots'])
    if kind != 'plain':
        canvas.paint(body.times(_pattern(canvas, rng, kind)), second, folds * np.float32(.9))
    if rng.random() < .6:  # a hem along the neckline
        hem = ribbon(shift(outline[:len(line)], 0, .006), rng.uniform(.008, .03))
        canvas.paint(canvas.stencil(hem).inside(body), second if kind == 'plain' else first * .8, folds)


def _pattern(canvas: Canvas, rng: np.random.Generator, kind: str) -> np.ndarray:
    """Where the second colour of a cloth goes, (side, side) in [0, 1]."""
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(18, 60) * np.pi
    across = np.sin(((canvas.x * np.cos(angle) + canvas.y * np.sin(angle)) * pitch).astype(np.float32))
    if kind == 'stripes':
        return np.clip(across * 4 + .5, 0, 1)
    along = np.sin(((canvas.y * np.cos(angle) - canvas.x * np.sin(angle)) * pitch).astype(np.float32))
    if kind == 'dots':
        return np.clip((across * along - .5) * 6, 0, 1)
    return .5 * np.clip(across * 4 + .5, 0, 1) + .5 * np.clip(along * 4 + .5, 0, 1)


def paint_necklace(scene: Scene) -> None:
    """A chain or a row of beads round the neck."""
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    half, low = person.cheek * rng.uniform(.6, .72), rng.uniform(.47, .52)
    rise = rng.uniform(.03, .09)
    t = np.linspace(-1, 1, 60)
    line = person.pose.place(np.stack([half * t, low - rise * t ** 2], 1), depth=-.06)
    metal = np.array([[.85, .68, .30], [.80, .80, .82], [.93, .90, .84]])[rng.integers(3)] * rng.uniform(.7, 1.05)
    if rng.random() < .5:
        thick = rng.uniform(.009, .016)
        outlines, glints = [ribbon(line, thick)], [ribbon(line, thick * .25)]
    else:
        thick = rng.uniform(.016, .032)
        stations = np.cumsum(np.r_[0, np.linalg.norm(np.diff(line, axis=0), axis=1)])
        at = np.arange(0, stations[-1], thick * 1.02)
        beads = np.stack([np.interp(at, stations, line[:, i]) for i in (0, 1)], 1)
        outlines = [ellipse(bead, (thick / 2,) * 2, points=12) for bead in beads]
        glints = [ellipse(bead, (thick * .16,) * 2, points=8) for bead in beads]
    canvas.paint(canvas.stencil(*outlines), metal, None, PART['neck_l'])
    towards_light = scene.light.direction[:2] * thick * .2
    canvas.paint(canvas.stencil(*(shift(glint, *towards_light) for glint in glints)), np.ones(3), opacity=.6)


def paint_earrings(scene: Scene, lobes: list[np.ndarray]) -> None:
    """The same earring, a stud, a ring or a drop, at one lobe or both."""
    canvas, rng = scene.canvas, scene.rng
    colour = np.clip(rng.choice([[.86, .70, .32], [.82, .82, .84], [.92, .90, .86], [.15, .35, .55], [.65, .12, .18]])
                     * rng.uniform(.8, 1.1), 0, 1)
    kind, size = rng.choice(['stud', 'ring', 'drop']), rng.uniform(.014, .045)
    for lobe in lobes if rng.random() < .85 else lobes[:1]:
        at = shift(lobe[0], 0, .002)
        if kind == 'stud':
            outlines = [ellipse(at, (size * .45,) * 2)]
        elif kind == 'ring':
            loop = ellipse(shift(at, 0, size), (size * .75, size))
            outlines = [ribbon(np.concatenate([loop, loop[:2]]), max(.010, size * .25))]
        else:
            outlines = [ellipse(shift(at, 0, size * 1.5), (size * .4, size)),
                        ribbon(np.stack([at, shift(at, 0, size)]), .007)]
        for outline in outlines:
            canvas.paint(canvas.stencil(outline), colour, None, PART['ear_r'])
        glint = shift(at, 0, 0 if kind == 'stud' else size * 1.2) + scene.light.direction[:2] * size * .15
        canvas.paint(canvas.stencil(ellipse(glint, (size * .12,) * 2, points=10)), np.ones(3), opacity=.7)


def paint_glasses(scene: Scene) -> None:
    """Spectacles or sunglasses.

    As in CelebAMask-HQ, frame and lenses are one class, over which eyes and brows keep theirs where they can be seen.
    """
    canvas, person, rng = scene.canvas, scene.person, scene.rng
    half, tall = np.clip(rng.normal([.088, .058], [.010, .013]), [.068, .034], [.112, .088])
    power, narrowing = rng.uniform(1.9, 5), rng.uniform(-.05, .2)
    rim, drop = rng.uniform(.005, .018), rng.normal(.012, .007)
    apart = max(half + .012, np.abs(person.eyes[0].iris[0]) + rng.normal(.002, .006))
    sunglasses = rng.random() < .3
    frame = shared_colour(rng, person) * rng.uniform(.1, 1)
    lenses, rims = [], []
    for side in (1, -1):
        lens = ellipse((0, 0), (half, tall), power, 60)
        lens[:, 0] *= 1 - narrowing * lens[:, 1] / tall
        lens = person.pose.place(shift(lens, side * apart, drop), lift=.03)
        lenses.append(lens)
        rims.append(ribbon(np.concatenate([lens, lens[:2]]), rim))
        temple = np.array([[side * (apart + half), drop - tall * .35], [side * (person.cheek + .012), 0]])
        rims.append(ribbon(person.pose.place(temple, lift=np.array([.03, 0])), rim * 1.2))
    x = np.linspace(-1, 1, 12) * (apart - half + .004)
    bridge = np.stack([x, drop - tall * .2 - .012 * (1 - (x / x[-1]) ** 2)], 1)
    rims.append(ribbon(person.pose.place(bridge, .06), rim * 1.1))
    tint = shared_colour(rng, person) * .3 if sunglasses else np.array([.92, .95, 1])
    for lens in lenses:
        area = canvas.stencil(lens)
        _label_lens(canvas, area, see_through=not sunglasses)
        canvas.paint(area, tint, opacity=rng.uniform(.8, .97) if sunglasses else rng.uniform(.02, .10))
        slant = np.array([[-.03, -.10], [.012, -.10], [-.025, .10], [-.067, .10]])
        streak = shift(slant + lens.mean(0), rng.normal(0, .03), 0)
        canvas.paint(canvas.stencil(streak, soft=.004).inside(area), np.ones(3), opacity=rng.uniform(0, .3))
    for outline in rims:
        cast_shadow(canvas, outline, scene.light, .012, .25)
    for outline in rims:
        canvas.paint(canvas.stencil(outline), frame, .25 + .75 * scene.shade, PART['eye_g'])


def _label_lens(canvas: Canvas, area: Stencil, see_through: bool) -> None:
    labels = canvas.labels[area.rows, area.cols]
    covered = area.coverage > .5
    if see_through:
        covered &= ~np.isin(labels, [PART[name] for name in ('l_eye', 'r_eye', 'l_brow', 'r_brow')])
    labels[covered] = PART['eye_g']
