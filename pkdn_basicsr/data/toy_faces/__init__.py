"""The embedded sample set: drawn faces with exact parsing maps, for tests, a first run and places without a data set.

Neighbouring classes share colour and light (lips and ears near the skin, brows near the hair, hair and skin colours in
the background), so a map cannot be read off its picture; the outlines in the map, on the other hand, tell
where lids, lashes, nostrils, lip line and hair end, which a 16×16 picture does not show. So a network that is given the
map has something to gain, as with real faces. All of it is our choice.
"""

from pkdn_basicsr.data.toy_faces.face import draw_toy_face

__all__ = ['draw_toy_face']
