"""Files of messages, for a program with a key."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.api.http.call import Call
from host.api.http.declare import Binary, Refused, Router
from host.core.errors import NotFoundError, UnavailableError
from host.media.pages.viewing import view
from host.media.passthrough import FileGoneError
from host.users.api_keys import Scope

routes = Router("Files", read=Scope.MESSAGES_READ)


class AttachmentNotFoundError(NotFoundError):
    """There is no such file in this workspace, or its channel is not available."""

    code = "attachment_not_found"
    default_sentence = _l("This file does not exist in this workspace, or its channel is not active.")
    default_next_step = ""


@routes.get(
    "/attachments/{attachment_id}",
    "Get a file of a message",
    limited=True,
    errors=(
        AttachmentNotFoundError,
        FileGoneError,
        UnavailableError,
        Refused(416, "invalid", "The part the header Range asks for is not there."),
        Refused(502, "provider_silent", "The file lies at the provider, and did not come just now."),
    ),
)
def get_attachment(call: Call, attachment_id: int) -> Binary:
    """Returns the bytes of the file, or a part of them with the header `Range`.

    A file stored at the provider is proxied. If the provider no longer has it, the answer is 410.
    """
    try:
        return view(call.workspace_id, attachment_id, directory=call.directory, download=True)
    except FileGoneError:
        raise
    except NotFoundError:
        raise AttachmentNotFoundError() from None
