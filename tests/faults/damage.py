"""What can happen to the bytes of a file. Every function takes bytes and a generator, and returns other bytes."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

Damage = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, rng: random.Random) -> bytes:
    """The end is missing, as after a copy that was interrupted."""
    return content[:rng.randrange(1, len(content))]


def flip_bit(content: bytes, rng: random.Random) -> bytes:
    """One bit is another."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1:]


def zero_block(content: bytes, rng: random.Random) -> bytes:
    """A block that never reached the disk reads as zeros."""
    length = max(1, len(content) // 8)
    start = rng.choice([start for start in range(0, len(content), length) if any(content[start:start + length])])
    return content[:start] + bytes(len(content[start:start + length])) + content[start + length:]


def empty(content: bytes, rng: random.Random) -> bytes:
    """The name was written, the content was not."""
    return b''


def noise(content: bytes, rng: random.Random) -> bytes:
    """Something else of the same length."""
    return rng.randbytes(len(content))


def web_page(content: bytes, rng: random.Random) -> bytes:
    """What a failed download leaves."""
    return b'<!DOCTYPE html><html><title>404 Not Found</title></html>\n'


BYTES: dict[str, Damage] = {'cut': cut, 'flipped bit': flip_bit, 'zeroed block': zero_block, 'empty': empty,
                            'noise': noise, 'web page': web_page}
"""Damage of any file, by name."""


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return name and data of every chunk of a PNG."""
    place = 8
    while place < len(content):
        length, name = struct.unpack('>I4s', content[place:place + 8])
        yield name, content[place + 8:place + 8 + length]
        place += length + 12


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG with right checksums."""
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks)


def broken_stream(content: bytes, rng: random.Random) -> bytes:
    """A flipped bit in the compressed pixels under a right checksum, such that they cannot be unpacked in full."""
    chunks = list(png_chunks(content))
    index, data = next((index, data) for index, (name, data) in enumerate(chunks) if name == b'IDAT')
    while True:
        damaged = flip_bit(data, rng)
        if len(_unpacked(damaged)) < len(zlib.decompress(data)):
            chunks[index] = b'IDAT', damaged
            return png_of(chunks)


def _unpacked(data: bytes) -> bytes:
    unpack, found = zlib.decompressobj(), b''
    try:
        for byte in data:
            found += unpack.decompress(bytes([byte]))
    except zlib.error:
        pass
    return found


def only_header(content: bytes, rng: random.Random) -> bytes:
    """The size is there, no pixels."""
    return content[:33]


def no_pixels(content: bytes, rng: random.Random) -> bytes:
    """A PNG that is in order but for its pixels."""
    return png_of([chunk for chunk in png_chunks(content) if chunk[0] != b'IDAT'])


def declared(width: int, height: int) -> Damage:
    """Another size in the header, under a right checksum."""
    def change(content: bytes, rng: random.Random) -> bytes:
        (_, header), *rest = png_chunks(content)
        return png_of([(b'IHDR', struct.pack('>II', width, height) + header[8:]), *rest])
    return change


def picture(array: np.ndarray, kind: str = 'PNG', mode: str | None = None) -> bytes:
    """Return an array as the content of a picture."""
    file = io.BytesIO()
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    image.save(file, kind)
    return file.getvalue()


def another_size(content: bytes, rng: random.Random) -> bytes:
    """A picture in order, one pixel too wide."""
    image = Image.open(io.BytesIO(content))
    return picture(np.asarray(image.resize((image.width + 1, image.height), Image.Resampling.NEAREST)))


def sixteen_bits(content: bytes, rng: random.Random) -> bytes:
    """A grey picture of 16 bits."""
    grey = np.asarray(Image.open(io.BytesIO(content)).convert('L'))
    return picture(grey.astype(np.uint16) * 257)


def sixteen_bit_colours(content: bytes, rng: random.Random) -> bytes:
    """A colour picture of 16 bits a channel."""
    colours = np.asarray(Image.open(io.BytesIO(content)).convert('RGB')).astype('>u2') * 257
    rows = b''.join(b'\0' + row.tobytes() for row in colours)
    header = struct.pack('>IIBBBBB', colours.shape[1], colours.shape[0], 16, 2, 0, 0, 0)
    return png_of([(b'IHDR', header), (b'IDAT', zlib.compress(rows)), (b'IEND', b'')])


def grey(content: bytes, rng: random.Random) -> bytes:
    """The colours are gone."""
    return picture(np.asarray(Image.open(io.BytesIO(content)).convert('L')))


def colours_instead_of_classes(content: bytes, rng: random.Random) -> bytes:
    """A map that somebody saved as a picture to look at."""
    return picture(np.stack([np.asarray(Image.open(io.BytesIO(content))) * 10] * 3, axis=-1),
                   rng.choice(['PNG', 'JPEG', 'BMP']))


def unknown_class(content: bytes, rng: random.Random) -> bytes:
    """One pixel of a map has a class that the scheme has not."""
    array = np.array(Image.open(io.BytesIO(content)))
    array[rng.randrange(len(array)), rng.randrange(len(array))] = rng.randrange(19, 255)
    return picture(array)


PICTURES: dict[str, Damage] = {
    **BYTES, 'broken stream': broken_stream, 'only header': only_header, 'no pixels': no_pixels,
    'huge declared size': declared(60_000, 60_000), 'no declared size': declared(0, 32), 'another size': another_size,
    'more declared rows': declared(32, 33), '16 bits': sixteen_bits}
"""Damage of any PNG of 32x32 pixels that belongs to others, by name."""
FACES: dict[str, Damage] = {**PICTURES, '16-bit colours': sixteen_bit_colours, 'grey': grey}
MAPS: dict[str, Damage] = {**PICTURES, 'colours': colours_instead_of_classes, 'unknown class': unknown_class}
