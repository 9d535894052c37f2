"""API routes of posts, and of the moderation of comments on them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.errors import CursorError
from host.api.http.refusals import MODERATION
from host.api.serialise import shown_post
from host.core import db
from host.inbox.api.conversations import Limit
from host.inbox.api.messages import get
from host.inbox.comments import posts
from host.inbox.comments.moderating import moderate
from host.inbox.comments.posts import PostNotFoundError
from host.inbox.errors import AccountDisconnectedError, MessageNotFoundError, UnknownChannelError
from host.sdk.channel import Moderated
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Conversations", read=Scope.CONVERSATIONS_READ, write=Scope.MESSAGES_WRITE)

LIST = "posts"


class PostQuery(Wire, frozen=True):
    """Filters for a list of posts."""

    account: Annotated[Id | None, Meta(description="The id of an account.")] = None
    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


class UpdateModeration(Wire, frozen=True):
    """The desired state of a customer's message at the provider."""

    state: Annotated[
        shapes.Standing,
        Meta(description="`hidden`: only its author sees it. `deleted` cannot be undone."),
    ]


@routes.get("/posts", "List posts", limited=True, errors=(CursorError,))
def list_posts(call: Call, query: PostQuery) -> shapes.Posts:
    """Posts with comments of customers, the most recently active first."""
    before = None if query.cursor is None else cursors.read(call.list_name(LIST), query.cursor, "cursor")[1]
    with db.read() as session:
        found = posts.listing(
            session,
            call.workspace_id,
            account_id=query.account,
            before=before,
            limit=query.limit + 1,
            accounts=call.accounts,
        )
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return shapes.Posts(
        data=[shown_post(one) for one in shown],
        next=None if last is None else cursors.write(call.list_name(LIST), (last.created_at, last.id)),
    )


@routes.get("/posts/{post_id}", "Get a post", limited=True, errors=(PostNotFoundError,))
def get_post(call: Call, post_id: int) -> shapes.Post:
    """The known details of the post. Use the filter `post` to list its conversations."""
    with db.read() as session:
        return shown_post(posts.get(session, call.workspace_id, post_id))


@routes.put(
    "/messages/{message_id}/moderation",
    "Hide, show or delete a customer's message at the provider",
    tag="Messages",
    limited=True,
    errors=(AccountDisconnectedError, MessageNotFoundError, UnknownChannelError, *MODERATION),
    examples={"Hide it": {"state": "hidden"}, "Show it again": {"state": "shown"}},
)
def moderate_message(call: Call, message_id: int, body: UpdateModeration) -> shapes.Message:
    """Only on comment channels; the account's `capabilities` list the possible actions. Repeating is safe.

    Returns the message; `moderation` shows when the provider did it.
    """

    def moderated(work: UnitOfWork) -> shapes.Message:
        get(work.session, call, message_id)
        moderate(work, message_id, Moderated(body.state), directory=call.directory)
        return get(work.session, call, message_id)

    return call.write(moderated)
