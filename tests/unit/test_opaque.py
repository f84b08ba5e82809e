"""People and models see the same of a picture: nothing transparent, and 8 bits of what is there."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from al_engine.training.decoding import decode
from annotator_site.importing.image_files import BrokenImageError, inspect_image

SIDE = 32
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
STROKE = np.zeros((SIDE, SIDE), bool)
STROKE[6:26, 12:20] = True


def saved(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def png(kind: int, bits: int, rows: list[bytes], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of a color type and depth that Pillow itself does not write."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def packed(samples: npt.NDArray[np.int64], bits: int) -> list[bytes]:
    """Rows of samples (SIDE, n) in so many bits each."""
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    places = np.arange(bits)[::-1]
    return [np.packbits((row[:, None] >> places & 1).astype(np.uint8)).tobytes() for row in samples]


def clear_gray(stroke: int, ground: int, bits: int) -> bytes:
    """Grey of which one value is clear."""
    rows = packed(np.where(STROKE, stroke, ground), bits)
    return png(GREY, bits, rows, (b"tRNS", struct.pack(">H", ground)))


def clear_rgb16(stroke: int, ground: int) -> bytes:
    rows = packed(np.where(STROKE, stroke, ground).repeat(3, axis=1), 16)
    return png(RGB, 16, rows, (b"tRNS", struct.pack(">HHH", ground, ground, ground)))


def alpha16(stroke: int, kind: int) -> bytes:
    """16 bits a channel, clear but for the stroke."""
    bands = 1 if kind == GREY_ALPHA else 3
    pixel = [np.full_like(STROKE, stroke, np.int64)] * bands + [np.where(STROKE, 65_535, 0)]
    return png(kind, 16, packed(np.stack(pixel, axis=2).reshape(SIDE, -1), 16))


def rgba(stroke: tuple[int, ...], under: tuple[int, ...] = (0, 0, 0, 0)) -> Image.Image:
    image = Image.new("RGBA", (SIDE, SIDE), under)
    ImageDraw.Draw(image).rectangle((12, 6, 19, 25), stroke)
    return image


def in_palette(stroke: tuple[int, int, int]) -> Image.Image:
    image = Image.new("P", (SIDE, SIDE), 0)
    image.putpalette([255 - stroke[0], 0, 0, *stroke])
    ImageDraw.Draw(image).rectangle((12, 6, 19, 25), 1)
    return image


BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (200, 30, 30)
# What is drawn on clear, and the lightness of stroke and ground that people and models see.
CLEAR: dict[str, tuple[bytes, int, int]] = {
    "RGBA black": (saved(rgba((*BLACK, 255))), 0, 255),
    "RGBA black over white": (saved(rgba((*BLACK, 255), (255, 255, 255, 0))), 0, 255),
    "RGBA white": (saved(rgba((*WHITE, 255))), 255, 0),
    "RGBA nearly white": (saved(rgba((230, 230, 230, 255), (255, 255, 255, 0))), 230, 0),
    "RGBA half black": (saved(rgba((*BLACK, 128))), 127, 255),
    "RGBA red": (saved(rgba((*RED, 255))), 81, 255),
    "LA black": (saved(rgba((*BLACK, 255)).convert("LA")), 0, 255),
    "LA white": (saved(rgba((*WHITE, 255)).convert("LA")), 255, 0),
    "WebP black": (saved(rgba((*BLACK, 255)), "WEBP", lossless=True), 0, 255),
    "WebP white": (saved(rgba((*WHITE, 255)), "WEBP", lossless=True), 255, 0),
    "WebP lossy": (saved(rgba((*BLACK, 255)), "WEBP", quality=90), 0, 255),
    "P with one clear": (saved(in_palette(BLACK), transparency=0), 0, 255),
    "P with shares": (saved(in_palette(BLACK), transparency=bytes([0, 255])), 0, 255),
    "P white": (saved(in_palette(WHITE), transparency=0), 255, 0),
    "L with tRNS": (saved(rgba((7, 7, 7, 255)).convert("L"), transparency=0), 7, 255),
    "RGB with tRNS": (saved(rgba((*RED, 255)).convert("RGB"), transparency=BLACK), 81, 255),
    "1 bit black": (clear_gray(0, 1, 1), 0, 255),
    "1 bit white": (clear_gray(1, 0, 1), 255, 0),
    "2 bits": (clear_gray(0, 3, 2), 0, 255),
    "2 bits white": (clear_gray(3, 2, 2), 255, 0),
    "4 bits": (clear_gray(1, 15, 4), 17, 255),
    "8 bits": (clear_gray(1, 200, 8), 1, 255),
    "16 bits": (clear_gray(0x2000, 0xFFFF, 16), 0x80, 255),
    "16 bits white": (clear_gray(0xFFFF, 0x0100, 16), 255, 0),
    "16 bits RGB": (clear_rgb16(0x5000, 0xFFFF), 0x50, 255),
    "16 bits LA": (alpha16(0x6000, GREY_ALPHA), 0x60, 255),
    "16 bits LA white": (alpha16(0xFFFF, GREY_ALPHA), 255, 0),
    "16 bits RGBA": (alpha16(0x6000, RGB_ALPHA), 0x60, 255),
}  # fmt: skip


def shown(data: bytes) -> npt.NDArray[np.int64]:
    """Lightness as people see it."""
    copy = inspect_image(data).copy
    image = Image.open(io.BytesIO(copy.data if copy else data))
    assert not image.has_transparency_data
    return np.asarray(image.convert("L")).astype(np.int64)


def learned(data: bytes) -> npt.NDArray[np.int64]:
    """Lightness as the model sees it."""
    pixels = decode(data, image_size=SIDE).transpose(1, 2, 0)
    return np.asarray(Image.fromarray(pixels).convert("L")).astype(np.int64)


@pytest.mark.parametrize("name", CLEAR)
def test_what_is_drawn_on_clear_is_seen_alike(name: str) -> None:
    data, stroke, ground = CLEAR[name]
    for seen in (shown(data), learned(data)):
        assert abs(np.median(seen[STROKE]) - stroke) <= 2
        assert abs(np.median(seen[~STROKE]) - ground) <= 2
    assert np.abs(shown(data) - learned(data)).max() <= 2


def test_a_channel_of_transparency_that_is_nowhere_clear_changes_nothing() -> None:
    image = rgba((*WHITE, 255), (9, 9, 9, 255))
    data = saved(image)
    assert inspect_image(data).copy is None
    assert (learned(data) == np.asarray(image.convert("L"))).all()


def test_a_picture_with_nothing_on_it_is_white() -> None:
    data = saved(Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0)))
    assert shown(data).min() == 255
    assert learned(data).min() == 255


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_picture_stands_on_the_same_ground(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(rgba((*WHITE, 255)), exif=exif)
    assert (shown(data) == learned(data)).all()
    assert shown(data)[0, 0] == 0


def test_the_ground_of_a_large_picture_is_that_of_its_small_copy() -> None:
    data = saved(rgba((*WHITE, 255)).resize((2000, 2000)))
    copy = shown(data)
    assert copy.shape == (1600, 1600)
    assert copy[0, 0] == learned(data)[0, 0] == 0


@pytest.mark.parametrize(
    ("largest", "depth"),
    [(200, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4000, 12), (4095, 12),
     (4096, 14), (16_383, 14), (16_384, 16), (65_535, 16)],
)  # fmt: skip
def test_fewer_bits_that_are_stored_in_sixteen_are_stretched(largest: int, depth: int) -> None:
    samples = np.linspace(0, largest, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.int64)
    data = png(GREY, 16, packed(samples, 16))
    assert (learned(data) == samples >> (depth - 8)).all()
    if inspect_image(data).copy is not None:
        assert (shown(data) == samples >> (depth - 8)).all()
    # What a browser shows by itself needs no copy.
    assert (inspect_image(data).copy is None) is (depth == 16)


@pytest.mark.parametrize("kind", [RGB, RGB_ALPHA, GREY_ALPHA])
@pytest.mark.parametrize(("largest", "told"), [(4095, True), (16_383, True), (65_535, False)])
def test_colors_of_fewer_bits_than_sixteen_are_refused_with_a_way_out(
    kind: int, largest: int, told: bool
) -> None:
    if kind == RGB:
        data = png(RGB, 16, packed(np.full((SIDE, 3 * SIDE), largest), 16))
    else:
        data = alpha16(largest, kind)
    if told:
        with pytest.raises(BrokenImageError, match="save it with 8 bits a color"):
            inspect_image(data)
    else:
        inspect_image(data)
