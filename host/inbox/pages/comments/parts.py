"""Views of posts and comments for pages: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec
from flask import url_for
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.channels.directory import current_directory
from host.inbox.comments.posts import PostRow
from host.inbox.pages import text_view
from host.sdk.messages import PostKind
from host.web.languages import gettext as _
from host.web.languages import local, reader

KINDS: Mapping[PostKind, LazyString] = {
    PostKind.POST: _l("Post"),
    PostKind.REEL: _l("Reel"),
    PostKind.STORY: _l("Story"),
    PostKind.AD: _l("Ad"),
    PostKind.LIVE: _l("Live video"),
    PostKind.OTHER: _l("Post"),
}
_OF: Mapping[PostKind, LazyString] = {
    PostKind.POST: _l("%(channel)s on a post of %(account)s"),
    PostKind.REEL: _l("%(channel)s on a reel of %(account)s"),
    PostKind.STORY: _l("%(channel)s on a story of %(account)s"),
    PostKind.AD: _l("%(channel)s on an ad of %(account)s"),
    PostKind.LIVE: _l("%(channel)s on a live video of %(account)s"),
    PostKind.OTHER: _l("%(channel)s on a post of %(account)s"),
}
TITLE = 40
"""Maximum characters of a caption used as a post's title."""


class PostShown(msgspec.Struct, frozen=True):
    """A post as pages show it.

    :param src: URL of its picture; empty if there is none.
    :param href: its page at the provider; *place*: the host of that page. Both may be empty.
    :param note: that it was deleted, or that the broadcast is over; otherwise empty.
    """

    id: int
    title: str
    caption: str
    kind: str
    src: str
    href: str
    place: str
    when: str
    note: str
    owner: str


def titled(post: PostRow) -> str:
    """Return a title for a post: the beginning of its caption, or else its kind and date."""
    words = " ".join(text_view.plain(post.text).split())
    if words:
        return text_view.start(words, TITLE)
    return f"{KINDS[post.kind]}, {_day(post.published_at or post.created_at)}"


class Pictured(Protocol):
    """A post with the version of its picture; empty if it has no picture."""

    @property
    def id(self) -> int: ...

    @property
    def picture(self) -> str: ...

    @property
    def channel(self) -> str: ...


def picture_of(post: Pictured, workspace_id: int) -> str:
    """Return the local URL of a post's picture; empty if there is none."""
    if not post.picture or current_directory().adapter(post.channel) is None:
        return ""
    return url_for("media.post", workspace_id=workspace_id, post_id=post.id, v=post.picture)


def shown_post(post: PostRow, workspace_id: int) -> PostShown:
    """Return a post as pages show it."""
    note = ""
    if post.gone_at is not None:
        note = _("It no longer exists.")
    elif post.ended_at is not None:
        note = _("The broadcast is over.")
    href = text_view.safe(post.url) or ""
    return PostShown(
        id=post.id,
        title=titled(post),
        caption=" ".join(text_view.plain(post.text).split()),
        kind=str(KINDS[post.kind]),
        src=picture_of(post, workspace_id),
        href="" if post.gone_at is not None else href,
        place=text_view.host_of(href) if href else "",
        when="" if post.published_at is None else _day(post.published_at),
        note=note,
        owner=post.owner,
    )


def said_of(post: PostRow, channel: str, account: str) -> str:
    """Return the subject of a conversation in words: ``Comments on a reel of sample.pottery``."""
    return str(_OF[post.kind]) % {"channel": channel, "account": post.owner or account}


def _day(at: datetime) -> str:
    return reader().date_text(local(at), "d MMM y")


class Mark(msgspec.Struct, frozen=True):
    """A word with its icon; tones: empty, good, warn, bad.

    :param until: the end of the state it shows; its text is then the remaining time.
    """

    text: str
    tone: str = ""
    icon: str = ""
    until: datetime | None = None


class CommentContact(msgspec.Struct, frozen=True):
    """The contact and conversation of a message shown in another conversation's thread.

    :param picture: a value that changes with their picture; empty if there is none.
    """

    contact_id: int
    identity_id: int
    picture: str
    conversation_id: int


class Comment(msgspec.Struct, frozen=True):
    """Comment data of a thread's entry, besides its text.

    :param order: sort key: a reply follows the comment it answers.
    :param below: whether it is shown below another message.
    :param private: whether it is our private reply to one.
    :param state: of a private reply, in a word.
    :param note: an explanation of *state*, a sentence.
    :param direct: the conversation that the private reply led to.
    :param standing: its moderation at the provider: ``hidden``, ``deleted``, or empty if shown.
    :param line: *standing* in a sentence, with the person who changed it.
    :param problem: why the provider refused a change.
    :param other: the author of another customer's comment, which is read-only.
    :param earlier: the position before which earlier comments of others below it continue; empty if none.
    :param reply: whether it can be answered publicly; *privately*, *hide*, *show*, *delete* likewise.
    """

    order: str
    below: bool = False
    private: bool = False
    state: Mark | None = None
    note: str = ""
    direct: int | None = None
    standing: str = ""
    line: str = ""
    problem: str = ""
    other: CommentContact | None = None
    earlier: str = ""
    reply: bool = False
    privately: bool = False
    hide: bool = False
    show: bool = False
    delete: bool = False

    @property
    def acts(self) -> bool:
        """Whether any action is possible."""
        return self.reply or self.privately or self.hide or self.show or self.delete
