"""Small square pictures, re-encoded from an upload: of team members and of posts."""

from __future__ import annotations

import io
import warnings

from flask_babel import lazy_gettext as _l

from host.core import storage
from host.media import pictures, sniff
from host.media.limits import FileRefusedError

SIDE = 256
"""Pixels of each side."""
THUMBNAIL = 160
"""Pixels of each side of a post's thumbnail: twice its displayed size."""
MOST_BYTES = 5 * 1024 * 1024
CONTENT_TYPE = "image/webp"
_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


def keep(stream: storage.Readable) -> str:
    """Store the picture in *stream* as a square and return its key.

    Only the pixels of its centre are kept, without metadata or further frames.

    :raises FileRefusedError: if it is not a picture, too large, or damaged.
    """
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise FileRefusedError(
            "too_large", _l("The picture is larger than 5 MB."), next_step=_l("Choose a smaller one.")
        )
    content_type = sniff.content_type(content[:4096])
    if content_type not in _TYPES:
        raise FileRefusedError(
            "type_not_allowed",
            _l("This is not a supported image format."),
            next_step=_l("Choose a JPEG, PNG, GIF or WebP file."),
        )
    try:
        cleaned = pictures.clean(content, content_type).content
        return storage.store(_square(cleaned))
    except pictures.TooManyPixelsError:
        raise FileRefusedError(
            "too_large", _l("This picture has too many pixels."), next_step=_l("Choose a smaller one.")
        ) from None
    except pictures.PictureError:
        raise FileRefusedError(
            "broken_picture", _l("This picture is damaged."), next_step=_l("Choose another one.")
        ) from None


def thumbnail(content: bytes, content_type: str) -> tuple[bytes, str]:
    """Return the centre of a picture as a small square, and its content type.

    :raises PictureError: if it is of another type, damaged, or too large to decode.
    """
    if content_type not in _TYPES:
        raise pictures.PictureError(f"no square is made of {content_type}")
    return _square(pictures.clean(content, content_type).content, THUMBNAIL), CONTENT_TYPE


def _square(content: bytes, side: int = SIDE) -> bytes:
    from PIL import Image, ImageOps  # imported here, see host.media.pictures

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pictures.decoding(content) as image:
                image.draft("RGB", (2 * side, 2 * side))
                turned = ImageOps.exif_transpose(image)
                fitted = ImageOps.fit(turned.convert("RGBA"), (side, side), Image.Resampling.LANCZOS)
                made = io.BytesIO()
                fitted.save(made, "WEBP", quality=85)
    except pictures.PictureError:
        raise
    except Exception as error:
        # A decoder may raise any exception; all of them mean a bad picture.
        raise pictures.PictureError(f"it cannot be decoded: {type(error).__name__}") from error
    return made.getvalue()
