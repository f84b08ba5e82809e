"""A sound picture is told by its content; everything else is refused with a reason."""

import io
import random

import pytest
from pictures import picture, png_header
from PIL import Image

from annotator_site.importing.image_files import (
    MAX_FILE_BYTES,
    BrokenImageError,
    ImageFacts,
    inspect_image,
    read_image,
)

MIB = 1024 * 1024
# As the module itself says, before pytest makes every warning an error.
PILLOW_MAY_WARN = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (picture("PNG"), ImageFacts("png", 8, 6)),
        (picture("JPEG"), ImageFacts("jpg", 8, 6)),
        (picture("WEBP"), ImageFacts("webp", 8, 6)),
        (picture("JPEG", mode="CMYK"), ImageFacts("jpg", 8, 6)),
        (picture("PNG", mode="P"), ImageFacts("png", 8, 6)),
        (picture("PNG", mode="1"), ImageFacts("png", 8, 6)),
    ],
)
def test_a_sound_picture_is_told_by_its_content(data: bytes, facts: ImageFacts) -> None:
    assert inspect_image(data) == facts


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
def test_the_size_is_that_of_the_picture_as_displayed(
    format_: str, orientation: int, turned: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    facts = inspect_image(picture(format_, exif=exif))

    assert (facts.width, facts.height) == ((6, 8) if turned else (8, 6))


@PILLOW_MAY_WARN
def test_damaged_exif_does_not_make_a_picture_unusable() -> None:
    facts = inspect_image(picture("JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffnonsense"))

    assert (facts.extension, facts.width, facts.height) == ("jpg", 8, 6)


def test_a_phone_picture_with_a_preview_behind_it_is_a_jpeg() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 6)).save(
        out, format="MPO", save_all=True, append_images=[Image.new("RGB", (4, 3))]
    )

    facts = inspect_image(out.getvalue())

    assert (facts.extension, facts.width, facts.height) == ("jpg", 8, 6)


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_an_animation_is_refused(format_: str) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    frames[0].save(out, format=format_, save_all=True, append_images=frames[1:])

    with pytest.raises(BrokenImageError, match="an animation"):
        inspect_image(out.getvalue())


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (5_001, 5_000), (10_000, 9_000)])
def test_too_many_pixels_are_refused_by_the_header_alone(width: int, height: int) -> None:
    with pytest.raises(BrokenImageError, match="more than 25 megapixels"):
        inspect_image(png_header(width, height))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_refused(format_: str) -> None:
    image = Image.effect_noise((64, 64), 80).convert("RGB")
    out = io.BytesIO()
    image.save(out, format=format_)

    with pytest.raises(BrokenImageError, match="damaged"):
        inspect_image(out.getvalue()[: len(out.getvalue()) // 2])


def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(picture("PNG"))
    data[data.index(b"IDAT") - 5] ^= 0xFF  # the last byte of the checksum of the chunk before it

    with pytest.raises(BrokenImageError, match="damaged"):
        inspect_image(bytes(data))


@PILLOW_MAY_WARN
def test_flipped_bytes_never_do_more_than_refuse_a_picture() -> None:
    chance = random.Random(7)
    exif = Image.Exif()
    exif[0x0112] = 6
    sound = [picture(format_, (20, 30), exif=exif) for format_ in ("JPEG", "PNG", "WEBP")]
    for _ in range(600):
        data = bytearray(chance.choice(sound))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            facts = inspect_image(bytes(data))
        except BrokenImageError:
            continue
        assert facts.extension in {"jpg", "png", "webp"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text", "not a JPEG, PNG or WebP picture"),
        (picture("GIF"), "not a JPEG, PNG or WebP picture"),
        (picture("BMP"), "not a JPEG, PNG or WebP picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP picture"),
        (picture("PNG") + bytes(MAX_FILE_BYTES), "larger than 64 MiB"),
    ],
)
def test_what_is_no_picture_is_not_read_on(data: bytes, reason: str) -> None:
    file = io.BytesIO(data)

    with pytest.raises(BrokenImageError, match=reason):
        read_image(file.read)
    assert file.tell() <= MAX_FILE_BYTES + MIB
    assert "larger" in reason or file.tell() <= 16
