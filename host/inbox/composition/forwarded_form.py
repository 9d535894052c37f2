"""The formatted form of a message that is forwarded, safe to send on.

It is the form the page shows: without scripts, styles for the whole mail, and remote pictures. A forward
fetches nothing, and the recipient's program asks the original sender for nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from host.core import storage
from host.media import formatted
from host.models.inbox import Attachment, Message
from host.sdk.formatting import PICTURE_TYPES, pictures
from host.sdk.messages import AttachmentRole

log = logging.getLogger(__name__)

MOST = formatted.MOST
"""Maximum total bytes of the formatted forms of a forward; further messages go as text."""

_FOLD = "quote"
_FOLDED = re.compile(r'<details class="lobby-earlier">.*?</details>', re.DOTALL)
_BLOCKED = re.compile(r'<img(?![^<]*? src=")((?: [a-z-]+="[^"]*")*)>')
_ALT = re.compile(r' alt="([^"]*)"')


class PassedForm(msgspec.Struct, frozen=True):
    """How a forwarded message looks.

    :param html: returns its formatted form, empty if it can't be shown; None if it has none.
    :param pictures: content ids of its pictures by their names in the text of a message of ours.
    """

    html: Callable[[], str] | None = None
    pictures: Mapping[str, str] = {}


def content_id(file: Attachment) -> str:
    """Return the name of a picture in a forward, unique among the pictures of all forwarded messages."""
    return f"file{file.id}"


class Forms:
    """Reads the forms of the messages of one forward, within :data:`MOST`."""

    def __init__(self, along: Sequence[Attachment]) -> None:
        """:param along: the files that are forwarded."""
        self._along = along
        self._left = MOST

    def of(self, message: Message, form: Attachment | None, *, without_quote: bool) -> PassedForm:
        """Return how *message* looks.

        :param form: its stored form, if any.
        :param without_quote: leave out the messages it quotes, because they are forwarded as well.
        """
        files = [one for one in self._along if one.message_id == message.id]
        key, size = (None, 0) if form is None else (form.storage_key, form.size or 0)
        if key is None or message.edited_at is not None or size > min(formatted.MOST, self._left):
            names = pictures(message.text)
            shown = [one for one in files if one.name in names and one.content_type in PICTURE_TYPES]
            return PassedForm(pictures={one.name: content_id(one) for one in reversed(shown)})
        self._left -= size
        inline = {
            one.content_id: f"cid:{content_id(one)}"
            for one in files
            if one.role == AttachmentRole.INLINE and one.content_id
        }
        return PassedForm(lambda: _read(key, inline, without_quote=without_quote))


def _read(storage_key: str, inline: Mapping[str, str], *, without_quote: bool) -> str:
    try:
        with storage.open_stored(storage_key) as file:
            source = file.read(formatted.MOST).decode("utf-8", "replace")
    except storage.NotStoredError:
        return ""
    if not formatted.is_cleaned_in_time(source):
        log.info("the form of a message has too much formatting to be forwarded")
        return ""
    made = formatted.clean(source, inline=inline.get, remote=None, earlier=_FOLD if without_quote else "")
    return _BLOCKED.sub(_alternative, _FOLDED.sub("", made.html) if without_quote else made.html).strip()


def _alternative(match: re.Match[str]) -> str:
    """Return the words for a picture that is not forwarded, as HTML."""
    found = _ALT.search(match[1])
    return "" if found is None else found[1].replace("<", "&lt;").replace(">", "&gt;")
