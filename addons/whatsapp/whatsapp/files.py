"""Addresses of received files, which Meta gives out for five minutes, and only with the token.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

from __future__ import annotations

from host.sdk.channel import AccountRef, Located
from host.sdk.errors import FetchError, FileEndedError

from . import accounts
from .graph import FILES, Graph, GraphError
from .values import text

_GONE = frozenset({33, 100, 131052})
"""Codes of a media id that does not exist, which is also how Meta answers once it is 30 days old."""


def locate(account: AccountRef, url: str) -> Located:
    """Return the address of the file that :mod:`.events` named by *url*.

    :raises FileEndedError: if Meta no longer has it.
    :raises FetchError: if Meta cannot tell now.
    """
    found = accounts.of(account)
    media = url.removeprefix(FILES)
    if found is None:
        raise FetchError("the credentials of the number cannot be read")
    if media == url or not media.isdigit():
        raise FetchError("that is not a file of WhatsApp's")
    try:
        answer = Graph.of(found).get(media, phone_number_id=account.external_id)
    except GraphError as error:
        if error.code in _GONE:
            raise FileEndedError("WhatsApp has the file no more") from None
        raise FetchError(f"WhatsApp does not hand the file out: {error.code or error.status}") from None
    address = text(answer.get("url"))
    if not address:
        raise FetchError("WhatsApp does not say where the file is")
    return Located(address, headers={"Authorization": f"Bearer {found.token.reveal()}"})
