"""URLs of received files, which Telegram issues on request for an hour.

https://core.telegram.org/bots/api#getfile
"""

from __future__ import annotations

from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, FileEndedError

from . import accounts, api
from .events import FILES
from .values import mapping, text


def locate(account: AccountRef, url: str) -> str:
    """Return the URL of the file that :mod:`.events` named by *url*. It contains the bot's token.

    :raises FileEndedError: if Telegram no longer has it.
    :raises FetchError: if Telegram cannot be reached now.
    """
    found = accounts.of(account)
    if found is None:
        raise FetchError("the bot's credentials cannot be read")
    file_id = url.removeprefix(FILES)
    if not url.startswith(FILES) or not file_id:
        raise FetchError("that is not a file of Telegram's")
    try:
        answer = mapping(api.call(found.token, "getFile", file_id=file_id))
    except api.BotError as error:
        # Telegram's 400 "wrong file_id or the file is temporarily unavailable" doesn't say which it is.
        if error.code in {400, 404} and "temporarily" not in error.words:
            raise FileEndedError("Telegram has the file no more") from None
        raise FetchError(f"Telegram does not hand the file out: {error.code}") from None
    path = text(answer.get("file_path"))
    if not path:
        raise FetchError("Telegram does not say where the file is")
    return api.file_address(found.token, path)
