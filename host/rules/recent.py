"""An account's own posts, as its provider lists them: chosen for a campaign before anybody comments."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock
from host.core.errors import LobbyError, NotFoundError
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import AccountRef, ChannelAdapter, PostPage, ProviderProblem
from host.sdk.i18n import noop
from host.sdk.messages import Post
from host.web.languages import gettext

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT = timedelta(minutes=2)
"""How long a page of posts is cached: its pictures, and pressing a post, ask for it again."""
REFUSED = timedelta(seconds=15)
"""How long a problem is cached, so that opening the list again and again doesn't use up a limit."""
MOST = 200
"""Maximum number of cached pages."""
LONGEST_CURSOR = 1000
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


_Key = tuple[int, str]
_Cached = tuple[datetime, PostPage | ProviderProblem]
_lock = threading.Lock()
_pages: OrderedDict[_Key, _Cached] = OrderedDict()
_asking = tuple(threading.Lock() for _ in range(8))
"""A page is requested once at a time, however many of its pictures wait for it."""


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
    if len(after) > LONGEST_CURSOR or not after.isprintable():
        raise NotFoundError()
    key = of.ref.id, after
    with _asking[hash(key) % len(_asking)]:
        found = _recall(key)
        if found is None:
            found = _asked(of, lambda: of.adapter.recent_posts(of.ref, after), PostPage)
            _remember(key, found)
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def find(of: PostAccount, named: str) -> Post:
    """Return the account's post with the id or address *named*, from a cached page or from the provider.

    :raises PostsNotListedError: if the account has none, or with the provider's reason.
    """
    if not 0 < len(named) <= LONGEST_NAME or not named.isprintable():
        raise PostsNotListedError(_l("This isn't the ID or link of a post."), next_step=_l("Copy it again."))
    for post in _cached(of.ref.id):
        if named in {post.external_id, post.url}:
            return post
    found = _asked(of, lambda: of.adapter.find_post(of.ref, named), Post)
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def forget_pages() -> None:
    """Clear the cache."""
    with _lock:
        _pages.clear()


def _asked(of: PostAccount, ask: Callable[[], object], wanted: type[T]) -> T | ProviderProblem:
    try:
        found = ask()
    except Exception:
        log.exception("the adapter of %s raised while listing posts", of.ref.channel)
        return FAILED
    return found if isinstance(found, wanted | ProviderProblem) else FAILED


def _error(problem: ProviderProblem) -> PostsNotListedError:
    return PostsNotListedError(
        gettext(problem.sentence), next_step=gettext(problem.next_step) if problem.next_step else ""
    )


def _recall(key: _Key) -> PostPage | ProviderProblem | None:
    with _lock:
        found = _pages.get(key)
    return None if found is None or found[0] <= clock.now() else found[1]


def _remember(key: _Key, found: PostPage | ProviderProblem) -> None:
    kept = REFUSED if isinstance(found, ProviderProblem) else KEPT
    with _lock:
        _pages[key] = clock.now() + kept, found
        _pages.move_to_end(key)
        while len(_pages) > MOST:
            _pages.popitem(last=False)


def _cached(account_id: int) -> Sequence[Post]:
    now = clock.now()
    with _lock:
        pages = [
            found for (id_, _after), (until, found) in _pages.items() if id_ == account_id and until > now
        ]
    return [post for one in pages if isinstance(one, PostPage) for post in one.posts]
