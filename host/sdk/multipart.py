"""Stream a form with one file, so that the whole file is never in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Multipart:
    """``multipart/form-data`` for :meth:`host.sdk.http.Client.request`.

    :param fields: the text fields, before the file.
    :param file_field: name of the field with the file.
    :param name: the file's name; quotes and line breaks become underscores.
    :param size: exact size of the file in bytes.
    """

    fields: Mapping[str, str]
    file_field: str
    name: str
    content_type: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)


class MultipartBody:
    """The bytes of a :class:`Multipart`, which can be read once.

    :ivar content_type: the matching header.
    """

    def __init__(self, form: Multipart) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
            for name, value in form.fields.items()
        )
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(form.file_field)}"; '
            f'filename="{_quoted(form.name)}"\r\nContent-Type: {_quoted(form.content_type)}\r\n\r\n'
        )
        self._head = head.encode("utf-8", "replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._form = form

    def __len__(self) -> int:
        return len(self._head) + self._form.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the whole body.

        :raises OSError: if the file cannot be read, or its length differs from :attr:`Multipart.size`.
        """
        yield self._head
        left = self._form.size
        with self._form.open() as file:
            while left > 0:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise OSError("the file is shorter than it was")
                left -= len(chunk)
                yield chunk
        yield self._tail


def _quoted(value: str) -> str:
    return "".join("_" if char in '"\\' or ord(char) < 32 else char for char in value)
