"""The account's own posts: found by link, and described to assistants.

Meta's page: docs/instagram-platform/instagram-graph-api/reference/ig-user/media.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from .accounts import Credentials
from .answers import Paging

PAGES = 5
"""How many lists of 100 posts are searched, newest first."""
MOST_TOLD = 8
LONGEST_CAPTION = 800
_CODE = re.compile(r"/(?:p|reel|tv)/([\w-]{5,40})(?:/|$)")


class _Post(msgspec.Struct, frozen=True):
    id: str
    permalink: str = ""
    caption: str | None = None
    timestamp: str = ""


class _Posts(msgspec.Struct, frozen=True):
    data: tuple[_Post, ...] = ()
    paging: Paging = Paging()


def is_link(post: str) -> bool:
    """Return whether *post* is a URL rather than an id."""
    return "/" in post


def find(found: Credentials, link: str, *, within: float | None = None) -> str | None:
    """Return the id of the account's post at *link*, or None if it has no such post.

    :param within: seconds for each call; None: as long as a call may take.
    :raises GraphError: if Meta cannot be asked.
    """
    code = _code(link)
    if code is None:
        return None
    params = {"fields": "id,permalink", "limit": "100"}
    for _ in range(PAGES):
        path = f"{found.ig_user_id}/media"
        answer = found.graph().call("GET", path, _Posts, params=params, within=within)
        for post in answer.data:
            if _code(post.permalink) == code:
                return post.id
        if not answer.paging.after:
            return None
        params = {**params, "after": answer.paging.after}
    return None


def about(found: Credentials, words: str) -> str:
    """Return the newest posts as text, a paragraph each: date, caption and link.

    Of the newest hundred, these are the :data:`MOST_TOLD` that contain most of *words*, ties newest first.

    :raises GraphError: if Meta cannot be asked.
    """
    params = {"fields": "id,permalink,caption,timestamp", "limit": "100"}
    posts = found.graph().call("GET", f"{found.ig_user_id}/media", _Posts, params=params).data
    wanted = set(words.casefold().split())
    told = [(post.caption, post) for post in posts if post.caption]
    told.sort(key=lambda one: sum(word in one[0].casefold() for word in wanted), reverse=True)
    lines = [f"{post.timestamp[:10]}: {text[:LONGEST_CAPTION]}\n{post.permalink}" for text, post in told]
    return "\n\n".join(lines[:MOST_TOLD]) or "The account has no posts with words."


def _code(link: str) -> str | None:
    """Return a post's short code, which all its URLs share."""
    try:
        found = _CODE.search(urlsplit(link).path)
    except ValueError:
        return None
    return None if found is None else found[1]
