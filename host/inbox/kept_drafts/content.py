"""The content of a draft: validate a browser's version, and remove the parts that were sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from flask_babel import lazy_gettext as _l

from host.core.cleaning import clean, clean_value
from host.core.errors import InvalidError, TooLargeError
from host.sdk import strictjson

MOST_BYTES = 64 * 1024
"""Maximum total size of a draft in bytes. One text of a reply has at most 20,000 characters."""
MOST_OTHERS = 20
"""Maximum number of other versions of one text."""
MOST_FILES = 100
"""Maximum number of files: a reply takes fewer, but two forms of a conversation can have files."""

Mode = Literal["reply", "private", "onward", "note"]
"""A form of the composer."""


class Text(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text, and the open page that wrote it.

    :param by: a random name that the page chose.
    """

    text: str
    by: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """A draft.

    :param texts: the text of each form.
    :param others: other versions of a form's text, from pages that wrote at the same time.
    :param parts: other data of each form: files, a quote, addresses, a subject.
    """

    texts: Mapping[Mode, Text] = {}
    others: Mapping[Mode, Annotated[Sequence[Text], msgspec.Meta(max_length=MOST_OTHERS)]] = {}
    parts: Mapping[Mode, Mapping[str, Any]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether it has no content."""
        return not (self.texts or self.others or self.parts)

    def without(self, mode: Mode) -> Content:
        """Return it without the sent content of the form *mode*. Other versions of that text stay."""

        def rest(of: Mapping[Mode, Any]) -> dict[Mode, Any]:
            return {name: value for name, value in of.items() if name != mode}

        return Content(rest(self.texts), self.others, rest(self.parts))

    def without_text(self, mode: Mode, text: str) -> Content:
        """Return it without the sent *text* of the form *mode*. What was written below it since stays."""
        found = self.texts.get(mode)
        if found is None or not text.strip():
            return self
        if found.text == text:
            return self.without(mode)
        below = found.text.removeprefix(f"{text}\n\n")
        if below == found.text:
            return self
        return msgspec.structs.replace(self, texts={**self.texts, mode: Text(below, found.by)})

    def without_quotes(self, message_ids: Collection[int]) -> Content:
        """Return it without its quotes of these messages."""
        gone = {str(one) for one in message_ids}

        def kept(parts: Mapping[str, Any]) -> Mapping[str, Any]:
            quote = parts.get("quote")
            quoted = str(quote.get("id")) if isinstance(quote, dict) else ""
            return {name: value for name, value in parts.items() if name != "quote" or quoted not in gone}

        return Content(
            self.texts,
            self.others,
            {mode: left for mode, parts in self.parts.items() if (left := kept(parts))},
        )

    def uploads(self) -> list[str]:
        """Return the public names of its uploads."""
        found: dict[str, None] = {}
        for parts in self.parts.values():
            files = parts.get("files")
            for file in files if isinstance(files, list) else ():
                name = file.get("id") if isinstance(file, dict) else None
                if isinstance(name, str) and 0 < len(name) <= 64 and name.isascii():
                    found[name] = None
        return list(found)[:MOST_FILES]

    def text(self) -> str:
        """Return its texts as one, for colleagues."""
        return "\n\n".join(one.text for one in self.texts.values())


EMPTY = Content()


def check(text: str) -> Content:
    """Return the draft that a browser sent as JSON, without empty parts.

    :raises TooLargeError: if it has more than :data:`MOST_BYTES`.
    :raises InvalidError: if it is malformed.
    """
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise TooLargeError(
            _l("This draft is too long to be saved on the desk. It is kept in this tab only."),
            next_step=_l("Shorten it to have it on your other devices too."),
        )
    try:
        given = strictjson.decode(text, Content)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidError(_l("The draft is malformed, so it was not saved."), next_step="") from error
    return Content(
        {mode: _clean(one) for mode, one in given.texts.items() if one.text.strip()},
        {
            mode: kept
            for mode, versions in given.others.items()
            if (kept := [_clean(one) for one in versions if one.text.strip()])
        },
        {mode: clean_value(parts) for mode, parts in given.parts.items() if parts},
    )


def _clean(one: Text) -> Text:
    return Text(clean(one.text), clean(one.by))  # trailing blanks stay, as the person is still typing


def stored(content: Content) -> str:
    """Return *content* in its stored form."""
    return "" if content.is_empty else msgspec.json.encode(content).decode()


def read(text: str) -> Content:
    """Return the content of a row; empty if it was written by a later release and cannot be read."""
    try:
        return strictjson.decode(text, Content) if text else EMPTY
    except msgspec.MsgspecError:
        return EMPTY
