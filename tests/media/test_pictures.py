"""Pictures lose what cameras write into them, and nothing of what they show."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image, ImageChops, ImageOps

from host.media import pictures
from tests.media import samples

FORMS = ("JPEG", "PNG", "WEBP", "GIF")


def shown(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def cleaned(content: bytes, form: str) -> pictures.CleanPicture:
    return pictures.clean(content, f"image/{form.lower()}")


@pytest.mark.parametrize("form", FORMS)
def test_where_it_was_taken_is_gone_and_every_pixel_is_there(form: str) -> None:
    dirty = samples.picture(form)
    picture = cleaned(dirty, form)
    assert b"GPS" in dirty
    for word in (b"GPS", b"Camera", b"xmpmeta", b"Location"):
        assert word not in picture.content
    with Image.open(io.BytesIO(picture.content)) as image:
        assert not image.getexif()
    assert ImageChops.difference(shown(dirty), shown(picture.content)).getbbox() is None
    assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_which_way_up_it_is_stays(form: str, orientation: int) -> None:
    dirty = samples.picture(form, orientation=orientation)
    picture = cleaned(dirty, form)
    assert b"GPS" not in picture.content
    assert pictures.orientation_of(picture.content) == orientation
    assert ImageChops.difference(shown(dirty), shown(picture.content)).getbbox() is None
    assert (picture.width, picture.height) == shown(dirty).size
    with Image.open(io.BytesIO(picture.content)) as image:
        assert set(image.getexif()) <= {0x0112}


def test_nothing_is_compressed_anew() -> None:
    clean = samples.picture("JPEG", dirty=False)
    assert cleaned(clean, "JPEG").content == clean
    assert cleaned(samples.picture("JPEG"), "JPEG").content == clean


def test_all_blocks_of_a_jpeg_and_what_stands_behind_its_end() -> None:
    picture = cleaned(samples.jpeg_with_everything(), "JPEG")
    assert samples.GPS not in picture.content
    assert b"ftyp" not in picture.content
    assert (picture.width, picture.height) == (40, 60)


def test_a_colour_profile_stays() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for form in ("JPEG", "PNG", "WEBP"):
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, form, icc_profile=profile, exif=samples.exif())
        with Image.open(io.BytesIO(cleaned(out.getvalue(), form).content)) as image:
            assert image.info.get("icc_profile") == profile


def test_a_film_of_pictures_stays_one() -> None:
    for form in ("GIF", "WEBP", "PNG"):
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
        out = io.BytesIO()
        frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=40, loop=0)
        with Image.open(io.BytesIO(cleaned(out.getvalue(), form).content)) as image:
            assert getattr(image, "n_frames", 1) == 3
            assert image.info.get("loop") == 0


@pytest.mark.parametrize("form", FORMS)
def test_one_that_is_cut_off_is_refused(form: str) -> None:
    whole = samples.picture(form, size=(200, 200))
    for share in (0.3, 0.7, 0.97):
        with pytest.raises(pictures.PictureError):
            cleaned(whole[: int(len(whole) * share)], form)


@pytest.mark.parametrize("form", FORMS)
def test_damage_is_an_answer_and_never_anything_else(form: str) -> None:
    whole = bytearray(samples.picture(form))
    for at in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        try:
            cleaned(bytes(broken), form)
        except pictures.PictureError:
            continue


def test_a_bomb_is_not_decoded() -> None:
    began = time.monotonic()
    with pytest.raises(pictures.TooManyPixelsError):
        cleaned(samples.bomb(), "PNG")
    assert time.monotonic() - began < 10


def test_a_picture_drawn_in_endless_passes_is_refused() -> None:
    assert cleaned(samples.passes(3), "JPEG")
    with pytest.raises(pictures.PictureError):
        cleaned(samples.passes(500), "JPEG")


def test_another_type_than_it_says_is_refused() -> None:
    with pytest.raises(pictures.PictureError):
        cleaned(samples.picture("PNG"), "JPEG")
    with pytest.raises(pictures.PictureError):
        cleaned(b"\xff\xd8\xff" + samples.HTML, "JPEG")


def test_what_is_hidden_behind_a_picture_goes() -> None:
    for form in FORMS:
        picture = cleaned(samples.picture(form, dirty=False) + samples.HTML + b"PK\3\4", form)
        assert b"<script>" not in picture.content
