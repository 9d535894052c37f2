"""The account's own posts: a link people copy, turned into the id a message names.

Meta's page: docs/instagram-platform/instagram-graph-api/reference/ig-user/media.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from .accounts import Credentials
from .answers import Paging

PAGES = 5
"""How many lists of 100 posts are looked through, the newest first."""
_CODE = re.compile(r"/(?:p|reel|tv)/([\w-]{5,40})(?:/|$)")


class _Post(msgspec.Struct, frozen=True):
    id: str
    permalink: str = ""


class _Posts(msgspec.Struct, frozen=True):
    data: tuple[_Post, ...] = ()
    paging: Paging = Paging()


def is_link(post: str) -> bool:
    """Tell whether *post* is an address rather than an id."""
    return "/" in post


def find(found: Credentials, link: str) -> str | None:
    """Return the id of the account's post at *link*; None if it has no such one.

    :raises GraphError: if Meta cannot be asked.
    """
    code = _code(link)
    if code is None:
        return None
    params = {"fields": "id,permalink", "limit": "100"}
    for _ in range(PAGES):
        answer = found.graph().call("GET", f"{found.ig_user_id}/media", _Posts, params=params)
        for post in answer.data:
            if _code(post.permalink) == code:
                return post.id
        if not answer.paging.after:
            return None
        params = {**params, "after": answer.paging.after}
    return None


def _code(link: str) -> str | None:
    """Return the short code of a post, which is what its different addresses have in common."""
    try:
        found = _CODE.search(urlsplit(link).path)
    except ValueError:
        return None
    return None if found is None else found[1]
