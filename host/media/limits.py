"""Check files against a channel's capabilities. Errors name the exceeded limit."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind

MAX_BYTES = 25 * 1024 * 1024
"""Maximum bytes of any file, regardless of the channel."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
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
    "text/plain": "TXT",
    "application/pdf": "PDF",
    "application/zip": "ZIP",
    "application/msword": "DOC",
    "application/vnd.ms-excel": "XLS",
    "application/vnd.ms-powerpoint": "PPT",
    f"{_OFFICE}.wordprocessingml.document": "DOCX",
    f"{_OFFICE}.spreadsheetml.sheet": "XLSX",
    f"{_OFFICE}.presentationml.presentation": "PPTX",
}

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "video/mp4": ("mp4", "m4v"),
    "video/quicktime": ("mov",),
    "video/ogg": ("ogv",),
    "video/x-msvideo": ("avi",),
    "video/webm": ("webm",),
    "audio/aac": ("aac",),
    "audio/mp4": ("m4a",),
    "audio/wav": ("wav",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/amr": ("amr",),
    "audio/flac": ("flac",),
    "text/plain": ("txt",),
    "application/pdf": ("pdf",),
    "application/msword": ("doc",),
    "application/vnd.ms-excel": ("xls",),
    "application/vnd.ms-powerpoint": ("ppt",),
    f"{_OFFICE}.wordprocessingml.document": ("docx",),
    f"{_OFFICE}.spreadsheetml.sheet": ("xlsx",),
    f"{_OFFICE}.presentationml.presentation": ("pptx",),
}
"""File name extensions by content type: browsers do not know every type."""
_DOCUMENTS = {ending: one for one in ENDINGS if one[:5] in {"appli", "text/"} for ending in ENDINGS[one]}
"""Types of documents by extension."""
_KNOWN = {ending for endings in ENDINGS.values() for ending in endings}


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
    kind: MessageKind,
    content_type: str,
    size: int,
    media: Mapping[MessageKind, MediaLimits] | None,
    *,
    name: str = "",
) -> None:
    """Refuse a file that *media*, a channel's ``Capabilities.media``, does not allow; None allows any.

    :param content_type: as detected from its bytes.
    :param size: in bytes.
    :param name: its name, which the customer's device may go by where a channel takes only some types.
    :raises FileRefusedError: naming the limit; codes ``renamed``, ``kind_not_allowed``,
        ``type_not_allowed``, ``too_large``.
    """
    if media is None:
        return
    limits = media.get(kind)
    documents = media.get(MessageKind.FILE)
    if documents is not None and documents.content_types:
        _check_name(name, content_type)
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


def _check_name(name: str, content_type: str) -> None:
    """Refuse a document named like another type, and anything else named like a document."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    said, own = _DOCUMENTS.get(ending), ENDINGS.get(content_type, ())
    document = content_type in _DOCUMENTS.values()
    if ending in own or not (said or (document and ending in _KNOWN)):
        return
    raise FileRefusedError(
        "renamed",
        _l(
            "“%(name)s” is named like a %(said)s file, but its content is of the type %(type)s.",
            name=name,
            said=ending.upper(),
            type=type_name(content_type),
        )
        if content_type != "application/octet-stream"
        else _l(
            "“%(name)s” is named like a %(said)s file, but its content is something else.",
            name=name,
            said=ending.upper(),
        ),
        next_step=_l("Name it .%(ending)s, or choose another file.", ending=own[0])
        if own
        else _l("Open it in the program it was made with, and save it as %(said)s.", said=ending.upper()),
    )


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
