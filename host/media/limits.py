"""Check files against a channel's capabilities. Errors name the exceeded limit."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind

MAX_BYTES = 25 * 1024 * 1024
"""Maximum bytes of any file, regardless of the channel."""

_NAMES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "video/ogg": "OGG",
    "video/x-msvideo": "AVI",
    "video/webm": "WebM",
    "video/x-matroska": "MKV",
    "audio/aac": "AAC",
    "audio/mp4": "M4A",
    "audio/wav": "WAV",
    "audio/mpeg": "MP3",
    "audio/ogg": "OGG",
    "audio/webm": "WebM",
    "application/pdf": "PDF",
}


class FileRefusedError(LobbyError):
    """A file cannot be accepted or sent, and was not stored. *code* is the reason, for programs."""

    status = 422
    title = _l("That file cannot be sent")

    def __init__(
        self,
        code: str,
        sentence: object,
        *,
        next_step: object = "",
        status: int = 422,
        field: str | None = None,
    ) -> None:
        super().__init__(sentence, next_step=next_step, field=field)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


def check(
    kind: MessageKind, content_type: str, size: int, media: Mapping[MessageKind, MediaLimits] | None
) -> None:
    """Refuse a file that *media*, a channel's ``Capabilities.media``, does not allow; None allows any.

    :param content_type: as detected from its bytes.
    :param size: in bytes.
    :raises FileRefusedError: naming the limit; codes ``kind_not_allowed``, ``type_not_allowed``,
        ``too_large``.
    """
    if media is None:
        return
    limits = media.get(kind)
    if limits is None:
        raise FileRefusedError("kind_not_allowed", _not_sent(kind), next_step=_offer(media))
    if limits.content_types and content_type not in limits.content_types:
        raise FileRefusedError(
            "type_not_allowed",
            _l("This channel does not support %(type)s files.", type=type_name(content_type)),
            next_step=_l("Supported types: %(types)s.", types=type_names(limits.content_types)),
        )
    if size > limits.max_bytes:
        raise too_large(limits.max_bytes, size)


def too_large(most: int, size: int | None = None) -> FileRefusedError:
    """Return the error for a file of more than *most* bytes; *size* is None if unknown."""
    sentence = (
        _l("The file is larger than %(most)s.", most=megabytes(most))
        if size is None
        else _l(
            "The file is %(size)s; at most %(most)s can be sent.", size=megabytes(size), most=megabytes(most)
        )
    )
    return FileRefusedError("too_large", sentence, next_step=_l("Send a smaller file."), status=413)


def too_large_together(most: int, size: int) -> FileRefusedError:
    """Return the error for files of a message with more than *most* bytes in total."""
    sentence = _l(
        "The files total %(size)s; at most %(most)s can be sent at once.",
        size=megabytes(size),
        most=megabytes(most),
    )
    return FileRefusedError(
        "too_large_together", sentence, next_step=_l("Send some of them separately."), status=413
    )


def megabytes(size: int) -> object:
    """Return *size* as text: ``8 MB``, ``8.4 MB``, ``12 kB``. A megabyte has 1,048,576 bytes here."""
    if size < 1024 * 1024:
        return _l("%(n)s kB", n=max(1, round(size / 1024)))
    number = f"{size / (1024 * 1024):.2f}".rstrip("0").rstrip(".")
    return _l("%(n)s MB", n=number)


def type_name(content_type: str) -> str:
    """Return the common name of a content type: ``JPEG``."""
    return _NAMES.get(content_type, content_type)


def type_names(content_types: frozenset[str]) -> str:
    """Return the common names of content types: ``GIF, JPEG, PNG``."""
    return ", ".join(sorted({type_name(one) for one in content_types}))


def _not_sent(kind: MessageKind) -> object:
    return {
        MessageKind.IMAGE: _l("Images cannot be sent on this channel."),
        MessageKind.VIDEO: _l("Videos cannot be sent on this channel."),
        MessageKind.AUDIO: _l("Audio cannot be sent on this channel."),
    }.get(kind, _l("Files of this kind cannot be sent on this channel."))


def _offer(media: Mapping[MessageKind, MediaLimits]) -> object:
    types = frozenset(one for limits in media.values() for one in limits.content_types)
    return _l("Supported types: %(types)s.", types=type_names(types)) if types else ""
