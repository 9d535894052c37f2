"""An account's own posts, as its provider lists them: chosen for a campaign before anybody comments."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.channels.listed_pages import ListedPages
from host.core.errors import LobbyError, NotFoundError
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import AccountRef, ChannelAdapter, PostPage, ProviderProblem
from host.sdk.i18n import noop
from host.sdk.messages import Post
from host.web.languages import gettext

LONGEST_NAME = 500
FAILED = ProviderProblem(
    "addon_failed", noop("The addon of this channel failed while listing posts."), noop("Tell an admin.")
)


class PostsNotListedError(LobbyError):
    """The provider did not list the posts, or has no such post."""

    code = "posts_not_listed"
    status = 502
    title = _l("The posts couldn't be loaded")


class PostAccount(msgspec.Struct, frozen=True):
    """An account whose posts can be listed."""

    name: str
    adapter: ChannelAdapter
    ref: AccountRef


_pages = ListedPages(PostPage, FAILED)


def accounts(
    session: Session, workspace_id: int, directory: Directory, seen: Collection[int] | None
) -> list[PostAccount]:
    """Return the accounts whose posts can be listed and answered by campaigns.

    :param seen: those the viewer may see; None: all.
    """
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    if seen is not None:
        query = query.where(ChannelAccount.id.in_(seen))
    found = []
    for row in session.scalars(query.order_by(ChannelAccount.id)):
        adapter = directory.adapter(row.channel)
        if adapter is not None and _lists(adapter):
            found.append(PostAccount(row.name or row.handle or "", adapter, ref(row)))
    return found


def account(
    session: Session, workspace_id: int, directory: Directory, seen: Collection[int] | None, id_: int | None
) -> PostAccount:
    """Return one of :func:`accounts`; the first one if *id_* is None.

    :raises NotFoundError: if it is not one of them.
    """
    for one in accounts(session, workspace_id, directory, seen):
        if id_ is None or one.ref.id == id_:
            return one
    raise NotFoundError()


def _lists(adapter: ChannelAdapter) -> bool:
    can = adapter.capabilities
    return can.recent_posts and can.private_replies is not None


def page(of: PostAccount, after: str = "") -> PostPage:
    """Return a page of the account's posts, from the cache or from the provider.

    Call it outside any transaction.

    :raises PostsNotListedError: with the provider's reason.
    """
    found = _pages.page(of.ref, after, lambda: of.adapter.recent_posts(of.ref, after))
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def find(of: PostAccount, named: str) -> Post:
    """Return the account's post with the id or address *named*, from a cached page or from the provider.

    :raises PostsNotListedError: if the account has none, or with the provider's reason.
    """
    if not 0 < len(named) <= LONGEST_NAME or not named.isprintable():
        raise PostsNotListedError(_l("This isn't the ID or link of a post."), next_step=_l("Copy it again."))
    for listed in _pages.cached(of.ref.id):
        for post in listed.posts:
            if named in {post.external_id, post.url}:
                return post
    found = _pages.ask(of.ref, lambda: of.adapter.find_post(of.ref, named), Post)
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def forget_pages() -> None:
    """Clear the cache."""
    _pages.clear()


def _error(problem: ProviderProblem) -> PostsNotListedError:
    return PostsNotListedError(
        gettext(problem.sentence), next_step=gettext(problem.next_step) if problem.next_step else ""
    )
