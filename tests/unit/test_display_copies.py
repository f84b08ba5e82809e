"""What people are shown: upright, of a size for screens, and with nothing but the picture in it."""

import io
import random
from typing import Any

import pytest
from pictures import picture
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageOps, PngImagePlugin

from annotator_site.importing.bare_files import bare_file
from annotator_site.importing.display_copies import DisplayCopy, shown_size
from annotator_site.importing.image_files import inspect_image

SECRET = "52 N 13 E, by Ann"
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def photograph(width: int, height: int, *, mode: str = "RGB") -> Image.Image:
    """Soft and noisy, as photographs are."""
    few = Image.frombytes("RGB", (8, 6), random.Random(width).randbytes(8 * 6 * 3))
    soft = few.resize((width, height), Image.Resampling.BICUBIC)
    noise = Image.effect_noise((width, height), 12).convert("RGB")
    return ImageChops.add(soft, noise, scale=1.5).convert(mode)


def drawing(width: int, height: int) -> Image.Image:
    """Sharp edges in two colors."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for n in range(0, width, 7):
        draw.line([(n, 0), (width - n, height)], "navy")
    return image


def notes(orientation: int = 1) -> Image.Exif:
    """Where a photograph was taken, and by whom."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x013B] = SECRET
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (52.0, 31.0, 12.0)
    return exif


def file_of(image: Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def copy_of(data: bytes) -> DisplayCopy:
    copy = inspect_image(data).copy
    assert copy is not None
    assert opened(copy.data).size == (copy.width, copy.height)
    return copy


def same_pixels(first: Image.Image, second: Image.Image) -> bool:
    return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


@pytest.mark.parametrize("size", [(8, 6), (256, 200), (300, 220)])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_small_bare_file_is_shown_as_it_is(format_: str, size: tuple[int, int]) -> None:
    data = file_of(drawing(*size), format_)
    assert len(data) < 64 * 1024
    assert inspect_image(data).copy is None


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_place_is_taken_out_of_a_file_and_every_pixel_stays(format_: str) -> None:
    data = file_of(photograph(200, 150), format_, exif=notes(), xmp=SECRET.encode(), comment=SECRET)
    copy = copy_of(data)
    assert SECRET.encode() in data
    assert SECRET.encode() not in copy.data
    assert not opened(copy.data).getexif()
    assert (copy.extension, copy.width, copy.height) == (EXTENSIONS[format_], 200, 150)
    assert opened(copy.data).tobytes() == opened(data).tobytes()


def test_words_in_a_png_are_taken_out() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", SECRET)
    words.add_itxt("Comment", SECRET, zip=True)
    data = file_of(drawing(40, 30), "PNG", pnginfo=words, dpi=(300, 300))
    copy = opened(copy_of(data).data)
    assert {"Author", "Comment"}.isdisjoint(copy.info)
    assert same_pixels(copy, drawing(40, 30))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_all_kinds_of_jpeg_stay_the_same_picture(mode: str, options: dict[str, Any]) -> None:
    data = file_of(photograph(120, 90, mode=mode), "JPEG", exif=notes(), **options)
    bare = bare_file(data, "jpg")
    assert bare is not None
    assert opened(bare).tobytes() == opened(data).tobytes()
    assert bare_file(bare, "jpg") == bare


def test_what_phones_put_behind_a_photograph_is_left_out() -> None:
    data = file_of(
        photograph(80, 60), "MPO", save_all=True, append_images=[photograph(40, 30)], exif=notes()
    )
    copy = copy_of(data)
    assert copy.data.count(b"\xff\xd8\xff") == 1
    assert opened(copy.data).format == "JPEG"
    film = file_of(photograph(80, 60), "JPEG") + b"\0\0\0\x18ftypmp42" + SECRET.encode()
    assert SECRET.encode() not in copy_of(film).data


@pytest.mark.parametrize("size", [(40, 30), (900, 700), (1800, 1350)])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_copy_is_upright(orientation: int, size: tuple[int, int]) -> None:
    lying = Image.new("RGB", size, "white")
    lying.paste("red", (0, 0, size[0] // 2, size[1] // 2))
    data = file_of(lying, "JPEG", quality=95, exif=notes(orientation))
    copy = opened(copy_of(data).data)
    upright = ImageOps.exif_transpose(opened(data))
    assert copy.size == shown_size(*upright.size)
    assert not copy.getexif()
    differs = ImageChops.difference(copy, upright.resize(copy.size)).convert("L")
    # Along the edges of the red quarter, resized in another order.
    assert sum(differs.point(lambda value: value > 60).histogram()[1:]) < 0.01 * size[0] * size[1]


def test_a_small_picture_is_turned_without_loss() -> None:
    image = photograph(256, 190)
    copy = copy_of(file_of(image, "PNG", exif=notes(6)))
    assert same_pixels(opened(copy.data), image.transpose(Image.Transpose.ROTATE_270))


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1, 1), (1, 1)),
        ((1600, 1600), (1600, 1600)),
        ((1601, 1600), (1600, 1599)),
        ((5000, 5000), (1600, 1600)),
        ((3000, 4000), (1200, 1600)),
        ((700, 9000), (400, 5143)),
        ((24_000, 1000), (8000, 333)),
        ((25_000_000, 1), (8000, 1)),
        ((1, 9000), (1, 8000)),
        ((300, 2000), (300, 2000)),
    ],
)
def test_the_size_is_for_screens_and_a_strip_stays_readable(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert shown_size(*size) == shown


def test_a_large_photograph_becomes_a_light_copy() -> None:
    data = file_of(photograph(3000, 2000), "JPEG", quality=92, exif=notes())
    facts = inspect_image(data)
    assert (facts.width, facts.height) == (3000, 2000)
    copy = copy_of(data)
    assert (copy.extension, copy.width, copy.height) == ("webp", 1600, 1067)
    assert len(copy.data) < len(data) / 3


def test_a_heavy_file_is_replaced_by_a_lighter_one_and_a_light_one_is_not() -> None:
    image = photograph(900, 700)
    heavy = file_of(image, "PNG")
    assert len(copy_of(heavy).data) < len(heavy) / 3
    light = file_of(image, "WEBP", quality=60)
    assert len(light) > 64 * 1024
    assert inspect_image(light).copy is None


def test_a_drawing_is_copied_without_loss() -> None:
    image = drawing(1500, 1100)
    data = file_of(image, "PNG", compress_level=1)
    copy = copy_of(data)
    assert len(copy.data) < len(data)
    assert same_pixels(opened(copy.data), image)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGB", "RGBA", "CMYK"])
def test_a_picture_of_any_kind_has_a_copy(mode: str) -> None:
    format_ = "JPEG" if mode == "CMYK" else "PNG"
    size = (1700, 900)
    image = Image.new("I;16", size) if mode == "I;16" else photograph(*size).convert(mode)
    copy = copy_of(file_of(image, format_))
    assert (copy.extension, copy.width, copy.height) == ("webp", *shown_size(*size))


def test_sixteen_bits_of_gray_are_not_cut_off() -> None:
    gray = Image.new("I;16", (2000, 900), 0x8000)
    copy = opened(copy_of(file_of(gray, "PNG")).data)
    assert abs(copy.convert("L").getpixel((5, 5)) - 0x80) <= 1  # type: ignore[operator]  # one band


def test_the_colors_of_a_profile_become_those_of_screens() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = photograph(1700, 900)
    plain = opened(copy_of(file_of(image, "JPEG")).data)
    for icc in (profile, profile[:300], b"nonsense"):
        copy = opened(copy_of(file_of(image, "JPEG", icc_profile=icc)).data)
        assert "icc_profile" not in copy.info
        assert max(high for _, high in ImageChops.difference(copy, plain).getextrema()) < 40  # type: ignore[misc]  # three bands


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_damage_never_does_more_than_hide_the_parts(format_: str) -> None:
    chance = random.Random(7)
    sound = picture(format_, (40, 30), exif=notes())
    for _ in range(2_000):
        data = bytearray(sound)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.randrange(4, len(data))])
        for broken in (bytes(data), cut):
            bare = bare_file(broken, EXTENSIONS[format_])
            assert bare is None or len(bare) <= len(broken) + 2
