"""Actions of customers: each kind changes the world and sends its webhook (sections 2.1-2.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox import commenting, events, ids, posts, seed
from sandbox.box import Emission, Sandbox
from sandbox.graph.send import echo
from sandbox.world import Account, Comment, Customer, Json, Message, Post

EMOJI = {
    "love": "\u2764\ufe0f",
    "like": "\U0001f44d",
    "laugh": "\U0001f606",
    "wow": "\U0001f62e",
    "sad": "\U0001f622",
    "angry": "\U0001f621",
    "other": "\U0001f389",
}


class ActError(ValueError):
    """An action a customer cannot do; the message says why."""


@dataclass(slots=True)
class Act:
    """One action of a customer, with the caller's arguments."""

    box: Sandbox
    account: Account
    customer: Customer
    kind: str
    args: Json

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text argument; without default it is required."""
        value = self.args.get(name, default)
        if not isinstance(value, str) or not value:
            raise ActError(f"{self.kind} needs {name}, a text that is not empty")
        return value

    def target(self, outbound_only: bool = False) -> Message:
        """Return the message named in ``mid``, or the newest one that fits."""
        thread = self.box.conversation(self.account.igid, self.customer.igsid).messages
        mid = self.args.get("mid")
        for message in reversed(thread):
            if message.mid == mid or (mid is None and not message.deleted):
                if outbound_only and message.inbound:
                    continue
                return message
        raise ActError("no such message in this thread")

    def own(self) -> Message:
        """Return the customer's own message named in ``mid``, or the newest."""
        thread = self.box.conversation(self.account.igid, self.customer.igsid).messages
        mid = self.args.get("mid")
        for message in reversed(thread):
            if message.inbound and not message.deleted and mid in (None, message.mid):
                return message
        raise ActError("the customer has no such message")

    def deliver(
        self,
        body: Json,
        mid: str | None = None,
        field: str = "messages",
        container: str = "messaging",
    ) -> Emission:
        """Send the webhook."""
        data = events.inbound(self.customer.igsid, self.account.igid, self.box.clock.now_ms(), **body)
        self.note(mid)
        return self.box.emit(
            self.account, self.customer.igsid, self.kind, data, mid=mid, field=field, container=container
        )

    def note(self, mid: str | None) -> None:
        """Record the action in the ledger."""
        self.box.ledger.add(
            "dm",
            account=self.account.igid,
            customer=self.customer.igsid,
            what=self.kind,
            mid=mid,
            text=self.args.get("text"),
        )


def perform(
    box: Sandbox, account: Account, customer: Customer, kind: str, args: Json
) -> tuple[str | None, Emission]:
    """Perform an action of a customer; return the mid concerned and where the webhook went."""
    if kind not in KINDS:
        raise ActError(f"kind must be one of {', '.join(KINDS)}")
    with box.lock:
        return KINDS[kind](Act(box, account, customer, kind, args))


def _said(
    act: Act,
    text: str | None = None,
    attachments: list[Json] | None = None,
    reply_to: Json | None = None,
    story: Json | None = None,
    where: tuple[str, str] = ("messages", "messaging"),
    **extra: object,
) -> tuple[str, Emission]:
    """Add a message to the thread, open the 24 hours, give consent, notify the apps."""
    mid = ids.message_id(act.account.igid)
    now = act.box.clock.now()
    body = events.message(mid, text, attachments=attachments, reply_to=reply_to, **extra)
    act.box.store(
        Message(
            mid=mid,
            igid=act.account.igid,
            igsid=act.customer.igsid,
            inbound=True,
            at=now,
            kind=act.kind,
            text=text,
            attachments=attachments or [],
            body=body,
            reply_to=reply_to,
            story=story,
        )
    )
    act.customer.last_message_at = now
    field, container = where
    thread = act.box.conversation(act.account.igid, act.customer.igsid)
    thread.requested = False
    if container == "messaging":
        thread.owner = None
    return mid, act.deliver({"message": body}, mid, field, container)


def _text(act: Act) -> tuple[str, Emission]:
    return _said(act, act.text("text"))


def _media(act: Act) -> tuple[str, Emission]:
    count = act.args.get("count", 1)
    if type(count) is not int or not 1 <= count <= 10:
        raise ActError("count must be a whole number from 1 to 10")
    media = act.box.media
    files = [
        events.attachment(act.kind, url=act.args.get("url") or media.url(media.make(act.kind)))
        for _ in range(count)
    ]
    return _said(act, attachments=files)


def _several(act: Act) -> tuple[str, Emission]:
    """Send files of different kinds in one message (M1)."""
    media = act.box.media
    kinds = ("image", "video", "audio", "file")
    return _said(
        act, attachments=[events.attachment(kind, url=media.url(media.make(kind))) for kind in kinds]
    )


def _gif(act: Act) -> tuple[str, Emission]:
    """Send a GIF: to the desk it is an image (M1)."""
    url = act.args.get("url") or act.box.media.url(act.box.media.make("gif"))
    return _said(act, attachments=[events.attachment("image", url=url)])


def _heart(act: Act) -> tuple[str, Emission]:
    return _said(act, attachments=[{"type": "like_heart"}])


def _story_mention(act: Act) -> tuple[str, Emission]:
    asset = act.box.media.make("story")
    url = act.box.media.url(asset)
    story = {"mention": {"link": url, "id": ids.digits("180", 17)}}
    return _said(act, attachments=[events.attachment("story_mention", url=url)], story=story)


def _story_reply(act: Act) -> tuple[str, Emission]:
    url = act.box.media.url(act.box.media.make("story"))
    story_id = ids.digits("180", 17)
    return _said(
        act,
        act.text("text", "love this"),
        reply_to=events.story_reply(story_id, url),
        story={"reply_to": {"link": url, "id": story_id}},
    )


def _reply(act: Act) -> tuple[str, Emission]:
    earlier = act.target()
    return _said(act, act.text("text"), reply_to=events.message_reply(earlier.mid))


def _quick_reply(act: Act) -> tuple[str, Emission]:
    title = act.text("text")
    return _said(act, title, quick_reply={"payload": act.text("payload", title.upper())})


def _share(act: Act) -> tuple[str, Emission]:
    media = act.box.media
    payload: Json = {"url": act.args.get("url") or media.url(media.make("image"))}
    if act.kind == "ig_post":
        payload |= {"ig_post_media_id": ids.digits("1789", 17), "title": act.args.get("text", "")}
    elif act.kind in ("ig_reel", "reel"):
        payload |= {"reel_video_id": ids.digits("1790", 17), "title": act.args.get("text", "")}
    return _said(act, attachments=[{"type": act.kind, "payload": payload}])


def _story_share(act: Act) -> tuple[str, Emission]:
    url = act.args.get("url") or act.box.media.url(act.box.media.make("story"))
    if act.kind == "story":
        return _said(act, attachments=[events.attachment("story", url=url)])
    payload = {"story_media_id": ids.digits("1800", 17), "story_media_url": url}
    return _said(act, attachments=[events.attachment("ig_story", **payload)])


def _ephemeral(act: Act) -> tuple[str, Emission]:
    return _said(act, attachments=[events.attachment("ephemeral")])


def _unsupported(act: Act) -> tuple[str, Emission]:
    return _said(act, is_unsupported=True)


def _fallback(act: Act) -> tuple[str, Emission]:
    return _said(act, attachments=[{"type": "fallback", "payload": None}])


def _ad(act: Act) -> tuple[str, Emission]:
    photo = act.box.media.url(act.box.media.make("image"))
    referral = events.ad_referral(
        act.text("ref", "summer"),
        act.text("ad_id", "6045246247001"),
        act.text("title", "Summer sale"),
        photo,
    )
    return _said(act, act.text("text", "More info?"), referral=referral)


def _ad_postback(act: Act) -> tuple[str, Emission]:
    """Tap a quick reply of an ad that opens a thread, which sends a postback instead of a message."""
    photo = act.box.media.url(act.box.media.make("image"))
    referral = events.ad_referral(
        act.text("ref", "summer"), act.text("ad_id", "6045246247001"), "Summer sale", photo
    )
    return _tapped(act, act.text("title", "Can I get the price?"), "AD_PRICE", referral=referral)


def _product(act: Act) -> tuple[str, Emission]:
    product = events.product_referral(act.text("product_id", "4381572605000001"))
    return _said(act, act.text("text", "Is this one in stock?"), referral=product)


def _postback(act: Act) -> tuple[str, Emission]:
    return _tapped(act, act.text("title", "Talk to a person"), "CARE_HELP")


def _tapped(act: Act, title: str, payload: str, **more: Json) -> tuple[str, Emission]:
    mid = ids.message_id(act.account.igid)
    body = {"mid": mid, "title": title, "payload": act.text("payload", payload), **more}
    now = act.box.clock.now()
    act.box.store(Message(mid, act.account.igid, act.customer.igsid, True, now, "postback", title, body=body))
    act.customer.last_message_at = now
    return mid, act.deliver({"postback": body}, mid, "messaging_postbacks")


def _referral(act: Act) -> tuple[None, Emission]:
    body = {"referral": events.link_referral(act.text("ref", "flyer-7"))}
    return None, act.deliver(body, field="messaging_referral")


def _reaction(act: Act) -> tuple[str, Emission]:
    message = act.target()
    name = act.text("reaction", "love")
    if name not in EMOJI:
        raise ActError(f"reaction must be one of {', '.join(EMOJI)}")
    emoji = act.text("emoji", EMOJI[name])
    message.reactions["customer"] = emoji
    body = {"reaction": events.reaction(message.mid, name, emoji)}
    return message.mid, act.deliver(body, message.mid, "message_reactions")


def _unreact(act: Act) -> tuple[str, Emission]:
    message = act.target()
    message.reactions.pop("customer", None)
    body = {"reaction": events.reaction(message.mid, None, None)}
    return message.mid, act.deliver(body, message.mid, "message_reactions")


def _read(act: Act) -> tuple[str, Emission]:
    last = act.target(outbound_only=True)
    for message in act.box.conversation(act.account.igid, act.customer.igsid).messages:
        if not message.inbound and message.at <= last.at:
            message.read = True
    return last.mid, act.deliver({"read": {"mid": last.mid}}, last.mid, "messaging_seen")


def _opt_in(act: Act) -> tuple[None, Emission]:
    """Agree to marketing messages, or with ``status`` stop or resume them (M29)."""
    body: Json = {
        "type": "notification_messages",
        "title": act.text("title", "Weekly news"),
        "payload": "NEWS",
    }
    if "status" in act.args:
        body["notification_messages_status"] = act.text("status")
    else:
        body["notification_messages_token"] = ids.digits("52", 17)
    return None, act.deliver({"optin": body}, field="messaging_optins")


def _feedback(act: Act) -> tuple[str, Emission]:
    rated = act.target(outbound_only=True)
    body = {"feedback": act.text("feedback", "Good response"), "mid": rated.mid}
    return rated.mid, act.deliver({"response_feedback": body}, rated.mid, "response_feedback")


def _edit(act: Act) -> tuple[str, Emission]:
    message = act.own()
    if message.edits >= 5:
        raise ActError("a message can be edited five times")
    message.text = act.text("text")
    message.edits += 1
    body: Json = {"mid": message.mid, "text": message.text, "num_edit": message.edits}
    return message.mid, act.deliver({"message_edit": body}, message.mid, "message_edit")


def _unsend(act: Act) -> tuple[str, Emission]:
    message = act.own()
    message.deleted, message.text, message.attachments = True, None, []
    body = {"message": {"mid": message.mid, "is_deleted": True}}
    return message.mid, act.deliver(body, message.mid)


def _echo(act: Act) -> tuple[str, Emission]:
    """Let the shop answer from its own phone: no API call, but an echo is sent (M4)."""
    box, mid = act.box, ids.message_id(act.account.igid)
    text = act.text("text", "Two to four working days.")
    message = Message(
        mid=mid,
        igid=act.account.igid,
        igsid=act.customer.igsid,
        inbound=False,
        at=box.clock.now(),
        kind="text",
        text=text,
        body={"text": text},
        via="app",
    )
    act.note(mid)
    return mid, echo(box, act.account, box.store(message))


def _standby(act: Act) -> tuple[str, Emission]:
    """Write while another app has the thread (M4, M29)."""
    said = _said(act, act.text("text", "Is anybody there?"), where=("standby", "standby"))
    act.box.conversation(act.account.igid, act.customer.igsid).owner = act.text("app", seed.OTHER_APP_ID)
    return said


def _unknown(act: Act) -> tuple[None, Emission]:
    """Do something that Meta does not document."""
    return None, act.deliver({"hologram": {"shape": "teapot", "sparkles": True}})


WORDS = {"reel": "REELS", "ad": "AD", "boosted": "AD", "live": "LIVE"}
"""Values of ``post`` besides ids; an ad or a broadcast is created if there is none."""


def _named_post(act: Act) -> Post:
    """Return the post named in ``post``, by default the account's newest."""
    box, account, name = act.box, act.account, act.text("post", "newest")
    if name == "newest":
        return posts.made_up(box, account, posts.MADE_UP)
    if name not in WORDS:
        found = posts.find(box, name)
        if found is None or found.igid != account.igid:
            raise ActError(f"no post {name}; an id of one, or one of newest, {', '.join(WORDS)}")
        return found
    mine = [one for one in box.world.posts.values() if one.igid == account.igid and one.ended_at is None]
    boosted = name == "boosted"
    for post in reversed(mine):
        if post.kind == WORDS[name] and (post.original_id is not None) == boosted:
            return post
    if name == "live":
        return posts.make(box, account, "LIVE", "Throwing pots, live")
    if name == "reel":
        return posts.make(box, account, "REELS", "Throwing a bowl in 30 seconds")
    original = posts.made_up(box, account, posts.MADE_UP).id if boosted else None
    return posts.make(
        box, account, "AD", "Summer sale", ad_id=ids.digits("60", 13), ad_title="Sale", original_id=original
    )


def _named_comment(act: Act, *, own: bool) -> Comment:
    """Return the comment named in ``mid``, or the newest, of the customer or of any on the account's
    posts.
    """
    mid = act.args.get("mid")
    for one in reversed(act.box.world.comments.values()):
        mine = one.igsid == act.customer.igsid
        fits = mine if own else one.igid == act.account.igid and not one.mention
        if fits and mid in (None, one.id):
            return one
    raise ActError("no such comment")


def _comment(act: Act) -> tuple[str, Emission]:
    """Comment on a post, a reel, an ad or a broadcast; with ``mid`` as an answer to a comment."""
    above = _named_comment(act, own=False) if "mid" in act.args else None
    post = _named_post(act) if above is None else posts.find(act.box, above.post_id)
    if post is None or post.ended_at is not None:
        raise ActError("the broadcast has ended")
    made = commenting.add(act.box, act.account, act.customer.igsid, act.text("text"), post, parent=above)
    act.note(made.id)
    return made.id, commenting.tell(act.box, act.account, made, post)


def _comment_reply(act: Act) -> tuple[str, Emission]:
    """Answer the newest comment below one of the account's posts, in public."""
    act.args = {"mid": _named_comment(act, own=False).id, **act.args}
    return _comment(act)


def _comment_edit(act: Act) -> tuple[str, Emission]:
    """Edit the customer's own comment; the apps are notified like for a new one, with the same id."""
    comment = _named_comment(act, own=True)
    post = posts.find(act.box, comment.post_id)
    comment.text = act.text("text")
    act.note(comment.id)
    if post is None or comment.mention:
        return comment.id, Emission([], "Meta tells nothing of a mention that changed")
    return comment.id, commenting.tell(act.box, act.account, comment, post)


def _comment_delete(act: Act) -> tuple[str, Emission]:
    comment = _named_comment(act, own=True)
    commenting.remove(act.box, comment)
    act.note(comment.id)
    return comment.id, Emission([], commenting.UNTOLD)


def _own_comment(act: Act) -> tuple[str, Emission]:
    """Let the account answer the customer's newest comment from its own phone."""
    above = _named_comment(act, own=True)
    post = posts.find(act.box, above.post_id)
    assert post is not None
    text = act.text("text", "It is 24 euro.")
    made = commenting.add(act.box, act.account, act.account.igid, text, post, parent=above)
    act.note(made.id)
    return made.id, commenting.tell(act.box, act.account, made, post)


def _mention(act: Act) -> tuple[str, Emission]:
    """Mention the account in a comment below someone else's post."""
    box = act.box
    text = act.text("text", f"Look, @{act.account.username} makes these")
    post = posts.of_somebody(box, posts.SOMEBODY, "My kitchen shelf")
    made = commenting.add(box, act.account, act.customer.igsid, text, post, mention=True)
    act.note(made.id)
    return made.id, commenting.tell_mention(box, act.account, post, made)


def _caption_mention(act: Act) -> tuple[str, Emission]:
    """Mention the account in the caption of the customer's own post."""
    text = act.text("text", "Tea from a mug by")
    post = posts.of_somebody(act.box, act.customer.username, f"{text} @{act.account.username}")
    act.note(post.id)
    return post.id, commenting.tell_mention(act.box, act.account, post, None)


KINDS: dict[str, Callable[[Act], tuple[str | None, Emission]]] = {
    "text": _text,
    **dict.fromkeys(("image", "video", "audio", "file", "sticker"), _media),
    "several": _several,
    "gif": _gif,
    "like_heart": _heart,
    "story_mention": _story_mention,
    "story_reply": _story_reply,
    "reply": _reply,
    "quick_reply": _quick_reply,
    **dict.fromkeys(("share", "ig_post", "ig_reel", "reel"), _share),
    **dict.fromkeys(("story", "ig_story"), _story_share),
    "ephemeral": _ephemeral,
    "unsupported": _unsupported,
    "fallback": _fallback,
    "ad": _ad,
    "product": _product,
    "postback": _postback,
    "ad_postback": _ad_postback,
    "referral": _referral,
    "reaction": _reaction,
    "unreact": _unreact,
    "read": _read,
    "optin": _opt_in,
    "feedback": _feedback,
    "edit": _edit,
    "unsend": _unsend,
    "comment": _comment,
    "comment_reply": _comment_reply,
    "comment_edit": _comment_edit,
    "own_comment": _own_comment,
    "comment_delete": _comment_delete,
    "mention": _mention,
    "caption_mention": _caption_mention,
    "echo": _echo,
    "standby": _standby,
    "unknown": _unknown,
}
