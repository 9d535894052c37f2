"""The posts of an account: generated and manually published ones."""

from __future__ import annotations

from sandbox import ids
from sandbox.box import Sandbox
from sandbox.world import Account, Json, Post

MADE_UP = 130
"""Number of generated posts in each account, one a day."""
DAY = 24 * 3600.0
KINDS = ("FEED", "REELS", "AD", "LIVE")
SOMEBODY = "glaze.fan.sample"
"""Default owner of a post below which a mention is made."""


def made_up(box: Sandbox, account: Account, number: int) -> Post:
    """Return one of the generated posts; every tenth has no caption."""
    short = account.igid[-3:]
    return Post(
        id=f"178950000{short}{number:05}",
        igid=account.igid,
        kind="FEED",
        at=(box.clock.now() // DAY - (MADE_UP - number)) * DAY,  # the same at each look
        caption=f"Post {number} of @{account.username} #pottery" if number % 10 else None,
        owner=account.username,
        permalink=f"https://www.instagram.com/p/Post{short}{number}/",
    )


def find(box: Sandbox, post_id: str) -> Post | None:
    """Return a post by its id, of any publisher."""
    if post_id in box.world.posts:
        return box.world.posts[post_id]
    for account in box.world.accounts.values():
        begin = f"178950000{account.igid[-3:]}"
        rest = post_id.removeprefix(begin)
        if rest != post_id and len(rest) == 5 and rest.isdigit() and 1 <= int(rest) <= MADE_UP:
            return made_up(box, account, int(rest))
    return None


def published(box: Sandbox, account: Account) -> list[Post]:
    """Return the posts in the account's profile, newest first: neither ads nor broadcasts."""
    by_hand = [one for one in box.world.posts.values() if one.igid == account.igid]
    shown = [one for one in by_hand if one.kind in ("FEED", "REELS")]
    return shown[::-1] + [made_up(box, account, number) for number in range(MADE_UP, 0, -1)]


def broadcasts(box: Sandbox, account: Account) -> list[Post]:
    """Return the running broadcasts, newest first."""
    mine = [one for one in box.world.posts.values() if one.igid == account.igid and one.kind == "LIVE"]
    return [one for one in reversed(mine) if one.ended_at is None]


def make(box: Sandbox, account: Account, kind: str, caption: str | None, **rest: str | None) -> Post:
    """Publish a post manually."""
    number = ids.digits("180", 17)
    code = f"Made{number[-8:]}"
    word = {"REELS": "reel", "LIVE": "live"}.get(kind, "p")
    post = Post(
        id=number,
        igid=account.igid,
        kind=kind,
        at=box.clock.now(),
        caption=caption,
        owner=account.username,
        permalink=f"https://www.instagram.com/{word}/{code}/",
        picture=box.media.url(box.media.make("image")),
        ad_id=rest.get("ad_id"),
        ad_title=rest.get("ad_title"),
        original_id=rest.get("original_id"),
    )
    box.world.posts[post.id] = post
    return post


def of_somebody(box: Sandbox, owner: str, caption: str) -> Post:
    """Publish someone else's post, below which the account can be mentioned."""
    number = ids.digits("181", 17)
    post = Post(
        id=number,
        igid="",
        kind="FEED",
        at=box.clock.now(),
        caption=caption,
        owner=owner,
        permalink=f"https://www.instagram.com/p/Else{number[-8:]}/",
        picture=box.media.url(box.media.make("image")),
    )
    box.world.posts[post.id] = post
    return post


def picture(box: Sandbox, post: Post) -> str:
    """Return the address of a post's picture; the picture of a generated post is drawn from its id."""
    return post.picture or f"{box.media.base_url}/media/profile/{post.id}.png"


def node(box: Sandbox, post: Post) -> Json:
    """Return all readable fields of a post, as IG Media (M34)."""
    live, reel = post.kind == "LIVE", post.kind == "REELS"
    account = box.world.accounts.get(post.igid)
    return {
        "id": post.id,
        "ig_id": post.id,
        "permalink": post.permalink,
        "caption": post.caption,
        "media_type": "BROADCAST" if live else "VIDEO" if reel else "IMAGE",
        "media_product_type": post.kind,
        "media_url": None if live else picture(box, post),
        "thumbnail_url": picture(box, post) if reel else None,
        "timestamp": box.clock.iso(post.at),
        "username": post.owner,
        "owner": {"id": account.igid} if account is not None else None,
        "comments_count": sum(1 for one in box.world.comments.values() if one.post_id == post.id),
        "like_count": 0,
        "is_comment_enabled": True,
    }
