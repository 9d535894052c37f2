"""Values passed by callers: forms of a message, files, and omitted values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from lobby_client import params, types

Content = Union[
    params.Content,
    types.TextContent,
    types.ImageContent,
    types.VideoContent,
    types.AudioContent,
    types.FileContent,
    types.StickerContent,
    types.TemplateContent,
]
Sendable = Union[
    types.SendText,
    types.SendImage,
    types.SendVideo,
    types.SendAudio,
    types.SendFile,
    types.SendSticker,
    types.SendTemplate,
    types.SendApprovedTemplate,
    types.SendButtons,
    types.SendProduct,
    types.SendPost,
    types.SendLocation,
    types.SendContacts,
]


class Unset:
    """A value that was omitted, where None has a meaning."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


@dataclass(frozen=True)
class File:
    """A file of a message."""

    content: bytes = field(repr=False)
    content_type: str
