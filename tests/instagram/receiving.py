"""Everything Instagram is known to send, one by one: what is played, and what docs/messages.md says of it.

The golden files, their test and the receive half of the page are all made from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.instagram.world import ANA, LINK, POTTERY

AT = 1_760_000_001_000
"""When the first event happens, in milliseconds; each later one a second after the one before."""

Event = dict[str, Any]


TARGET_LINE = "a line says so until the message comes, then it stands on that"
TARGET_EDIT = "a line shows the new text until the message comes, then that shows it"
TARGET_UNSEND = "a line says so; the message, should it still come, says nothing"
TARGET_SEEN = "remembered (the newest 20) until our message is known"
TARGET_QUOTE = "the quote says that the message is not here, until it comes"


@dataclass(frozen=True)
class Kind:
    """One kind of event.

    :param before: events that came earlier, for those that are about something.
    :param container: ``messaging``, ``standby`` or ``changes``.
    :param unknown: what happens when what it is about is not here.
    :param late: what is special about it when it comes late, out of order or at all.
    :param apart: seconds between the times of the entries.
    :param ordered: which comes first matters; *late* says how.
    """

    name: str
    about: str
    events: tuple[Event, ...]
    before: tuple[Event, ...] = ()
    container: str = "messaging"
    entry: str = POTTERY
    unknown: str = ""
    late: str = ""
    apart: int = 0
    ordered: bool = False


def _at(seconds: int = 0, **parts: Any) -> Event:
    return {"sender": {"id": ANA}, "recipient": {"id": POTTERY}, "timestamp": AT + seconds * 1000, **parts}


def _said(mid: str = "mid-1", seconds: int = 0, **body: Any) -> Event:
    return _at(seconds, message={"mid": mid, **body})


def _echo(mid: str = "mid-out", seconds: int = 0, **body: Any) -> Event:
    event = _said(mid, seconds, is_echo=True, **body)
    return event | {"sender": event["recipient"], "recipient": event["sender"]}


def _file(kind: str, number: int = 1, **payload: Any) -> Event:
    return {"type": kind, "payload": {"url": f"{LINK}{number}", **payload}}


def _files(*kinds: str, **payload: Any) -> Event:
    return _said(attachments=[_file(kind, number, **payload) for number, kind in enumerate(kinds, 1)])


_HELLO = _said(text="Is it in stok?")
_OURS = _echo(text="Yes, three are left.")
_REACT = {"mid": "mid-1", "action": "react", "reaction": "love", "emoji": "\u2764\ufe0f"}
_CARDS = {
    "elements": [{"title": "Blue mug", "buttons": [{"type": "postback", "title": "Take it", "payload": "B"}]}]
}
_AD = {
    "ref": "summer",
    "ad_id": 6045246247001,
    "source": "ADS",
    "type": "OPEN_THREAD",
    "ads_context_data": {"ad_title": "Summer sale", "photo_url": f"{LINK}ad"},
}
_ENFORCED = {"action": "block", "reason": "Too many people reported messages of this account."}
_TEST = {
    "sender": {"id": "12334"},
    "recipient": {"id": "23245"},
    "timestamp": "1527459824",
    "message": {"mid": "random_mid", "text": "random_text"},
}
_COMMENT = {
    "from": {"id": ANA, "username": "ana.q"},
    "comment_id": "17900",
    "text": "price?",
    "media": {"id": "1", "media_product_type": "FEED"},
}
_BOOSTED = {
    "id": "2",
    "ad_id": "61",
    "ad_title": "Sale",
    "original_media_id": "1",
    "media_product_type": "FEED",
}


def _below(field: str = "comments", **changed: Any) -> Event:
    return {"field": field, "value": {**_COMMENT, **changed}}


_STORY = {"story_media_id": "18000000000000001", "story_media_url": LINK}
_PRODUCT = {"product": {"elements": [{"id": "4381572605000001", "title": "Blue mug"}]}}
_BUTTONS = {
    "template_type": "button",
    "text": "Shall we put it aside?",
    "buttons": _CARDS["elements"][0]["buttons"],
}
_OPT_IN = {"type": "notification_messages", "title": "Weekly news", "payload": "NEWS"}
_OFFERED = [{"content_type": "text", "title": "Red", "payload": "R"}]
_PASSED = {"previous_owner_app_id": "111", "new_owner_app_id": "222", "metadata": "please"}

KINDS: tuple[Kind, ...] = (
    Kind("text", "A text", (_said(text="Hi, is this in stock?"),)),
    Kind("image", "A picture", (_files("image"),)),
    Kind("video", "A film", (_files("video"),)),
    Kind("audio", "A voice message", (_files("audio"),)),
    Kind("file", "A document", (_files("file", title="measurements.pdf"),)),
    Kind("several", "Several files in one message", (_files("image", "image", "video"),)),
    Kind("sticker", "A sticker", (_files("sticker", sticker_id="369"),)),
    Kind("gif", "A GIF", (_files("gif"),)),
    Kind("heart", "A heart", (_said(attachments=[{"type": "like_heart"}]),)),
    Kind("share", "Something shared, told the old way", (_files("share"),)),
    Kind(
        "post-twice",
        "A post, told in the old and the new way at once",
        (
            _said(
                attachments=[_file("share", 1), _file("ig_post", 2, ig_post_media_id="1", title="Blue mugs")]
            ),
        ),
    ),
    Kind(
        "sticker-twice",
        "A sticker, told as a picture too",
        (_said(attachments=[_file("image", sticker_id="369"), _file("sticker", sticker_id="369")]),),
    ),
    Kind("post", "A post", (_files("ig_post", ig_post_media_id="17897654949590001", title="Blue mugs"),)),
    Kind("reel", "A reel", (_files("ig_reel", reel_video_id="17906265141500001", title="At the wheel"),)),
    Kind("reel-of-old", "A reel, by its older name", (_files("reel", reel_video_id="17906", title="Kiln"),)),
    Kind("story-share", "A story passed on", (_files("story"),)),
    Kind(
        "story-mention",
        "The account mentioned in a story",
        (_files("story_mention"),),
    ),
    Kind(
        "story-reply",
        "An answer to a story",
        (_said(text="love this", reply_to={"story": {"id": "18000000000000001", "url": LINK}}),),
    ),
    Kind(
        "story-share-with-id",
        "A story passed on, told with its ID",
        (_said(text="Seen this?", attachments=[{"type": "ig_story", "payload": _STORY}]),),
    ),
    Kind(
        "quote",
        "An answer to one message",
        (_said("mid-2", 1, text="this one", reply_to={"mid": "mid-1", "is_self_reply": False}),),
        before=(_HELLO,),
        unknown=TARGET_QUOTE,
    ),
    Kind(
        "quick-reply",
        "A tapped quick reply",
        (_said(text="Red", quick_reply={"payload": "COLOR_RED"}),),
    ),
    Kind(
        "stop",
        "A word that stops what is sent by itself",
        (_said(text="Stop! \U0001f64f"),),
        late="by its own time: an older word undoes no newer one",
    ),
    Kind("stop-tapped", "Such a word, tapped", (_said(text="Stop", quick_reply={"payload": "NO_MORE"}),)),
    Kind(
        "postback-template",
        "A tapped button of a card",
        (_at(1, postback={"mid": "mid-2", "title": "Take it", "payload": "B"}),),
        before=(_echo(attachments=[{"type": "template", "payload": {"generic": _CARDS}}]),),
    ),
    Kind(
        "postback-ice-breaker",
        "A tapped ice breaker, of apps that get no mid",
        (_at(postback={"title": "Where are you?", "payload": "LOC"}),),
    ),
    Kind(
        "postback-menu",
        "A tapped line of the menu",
        (_at(postback={"mid": "mid-1", "title": "Talk to a person", "payload": "CARE_HELP"}),),
    ),
    Kind(
        "reaction",
        "A reaction",
        (_at(1, reaction=_REACT),),
        before=(_HELLO,),
        unknown=TARGET_LINE,
        late="the latest by Meta's time holds",
    ),
    Kind(
        "reaction-removed",
        "A reaction taken away",
        (_at(2, reaction={"mid": "mid-1", "action": "unreact"}),),
        before=(_HELLO, _at(1, reaction=_REACT)),
        unknown=TARGET_LINE,
        late="the latest by Meta's time holds",
    ),
    Kind(
        "reaction-unknown",
        "A reaction to a message that is not here",
        (_at(1, reaction={**_REACT, "mid": "mid-0"}),),
        before=(_HELLO,),
        unknown=TARGET_LINE,
        late="the latest by Meta's time holds",
    ),
    Kind(
        "seen",
        "Our messages seen",
        (_at(2, read={"mid": "mid-out"}),),
        before=(_HELLO, _echo(seconds=1, text="Yes, three are left.")),
        unknown=TARGET_SEEN,
        late="it only ever moves forward",
    ),
    Kind(
        "edit",
        "An edited message",
        (_at(1, message_edit={"mid": "mid-1", "text": "Is it in stock?", "num_edit": 1}),),
        before=(_HELLO,),
        unknown=TARGET_EDIT,
        late="the edit with the highest number holds",
    ),
    Kind(
        "edit-zero",
        "A message told as an edit numbered 0",
        (_at(message_edit={"mid": "mid-1", "text": "Hello", "num_edit": 0}),),
    ),
    Kind(
        "edit-unknown",
        "An edit of a message that is not here",
        (_at(1, message_edit={"mid": "mid-0", "text": "Is it in stock?", "num_edit": 1}),),
        before=(_HELLO,),
        unknown=TARGET_EDIT,
        late="the edit with the highest number holds",
    ),
    Kind(
        "unsend",
        "A message taken back",
        (_said("mid-1", 1, is_deleted=True),),
        before=(_HELLO,),
        unknown=TARGET_UNSEND,
        late="nothing brings back what was said",
    ),
    Kind(
        "unsend-unknown",
        "A message taken back that is not here",
        (_said("mid-0", 1, is_deleted=True),),
        before=(_HELLO,),
        unknown=TARGET_UNSEND,
        late="nothing brings back what was said",
    ),
    Kind("echo", "A text this desk did not send", (_OURS,)),
    Kind(
        "echo-app",
        "A text sent from the Instagram app, where Meta says so",
        (_echo(text="Yes, three are left.", app_id=1217981644879628),),
    ),
    Kind(
        "echo-program",
        "A text sent by another program, where Meta says so",
        (_echo(text="Yes, three are left.", app_id="222"),),
    ),
    Kind(
        "echo-buttons",
        "A text with buttons this desk did not send",
        (_echo(attachments=[{"type": "template", "payload": _BUTTONS}]),),
    ),
    Kind(
        "echo-offers",
        "Quick replies this desk did not offer",
        (_echo(text="Which one?", quick_replies=_OFFERED),),
    ),
    Kind(
        "echo-image",
        "A picture this desk did not send",
        (_echo(attachments=[_file("image")]),),
    ),
    Kind(
        "echo-template",
        "Cards this desk did not send",
        (_echo(attachments=[{"type": "template", "payload": {"generic": _CARDS}}]),),
    ),
    Kind(
        "echo-product",
        "Products this desk did not send",
        (_echo(attachments=[{"type": "template", "payload": _PRODUCT}]),),
    ),
    Kind("ad", "The first message after an ad", (_said(text="More info?", referral=_AD),)),
    Kind(
        "postback-ad",
        "A conversation that begins with the quick reply of an ad",
        (_at(postback={"mid": "mid-1", "title": "Can I get the price?", "payload": "AD", "referral": _AD}),),
    ),
    Kind(
        "product",
        "A message written from a product of the shop",
        (_said(text="Size M?", referral={"product": {"id": "4381572605000001"}}),),
    ),
    Kind(
        "referral",
        "An ig.me link opened",
        (_at(referral={"ref": "flyer-7", "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"}),),
    ),
    Kind(
        "referral-beside",
        "A message with what brought the customer beside it",
        (_at(message={"mid": "mid-1", "text": "Hi"}, referral={"ref": "flyer-7", "type": "OPEN_THREAD"}),),
    ),
    Kind("ephemeral", "A disappearing picture", (_said(attachments=[{"type": "ephemeral"}]),)),
    Kind("unsupported", "What Meta does not hand out", (_said(is_unsupported=True),)),
    Kind(
        "fallback",
        "An attachment with nothing in it",
        (_said(attachments=[{"type": "fallback", "payload": None}]),),
    ),
    Kind("standby", "A message while another app answers", (_said(text="Hi"),), container="standby"),
    Kind(
        "standby-postback",
        "A tapped button while another app answers, which comes without payload",
        (_at(postback={"mid": "mid-1", "title": "Talk to a person"}),),
        container="standby",
    ),
    Kind(
        "handover",
        "Apps passing the conversation on",
        (_at(1, pass_thread_control=_PASSED),),
        before=(_HELLO,),
    ),
    Kind(
        "policy",
        "Meta warning or blocking the account",
        ({"recipient": {"id": POTTERY}, "timestamp": AT, "policy_enforcement": _ENFORCED},),
        late="owners and admins are warned",
    ),
    Kind(
        "test-messaging",
        "The dashboard's Test, the way of a Page",
        (_TEST,),
        entry="0",
        late="the overview shows *Test received*",
    ),
    Kind(
        "test-changes",
        "The dashboard's Test, the way of Instagram Login",
        ({"field": "messages", "value": _TEST},),
        entry="0",
        container="changes",
        late="the overview shows *Test received*",
    ),
    Kind(
        "comment",
        "A comment on a post",
        (_below(),),
        container="changes",
    ),
    Kind(
        "comment-login",
        "A comment on a reel, the way of Instagram Login, in answer to one",
        (
            {
                "field": "comments",
                "value": {
                    **{name: value for name, value in _COMMENT.items() if name != "comment_id"},
                    "id": "17901",
                    "parent_id": "17900",
                    "media": {"id": "1", "media_product_type": "REELS"},
                },
            },
        ),
        container="changes",
    ),
    Kind(
        "comment-boosted",
        "A comment on a boosted post, which comes twice",
        (_below(media=_BOOSTED), _below()),
        container="changes",
        late="the first of the two is kept; the ad is told with one of them",
        ordered=True,
    ),
    Kind(
        "comment-edited",
        "A comment that was changed",
        (_below(), _below(text="prices?")),
        container="changes",
        late="the older of two texts changes nothing; the time is that of the first to come",
        apart=5,
        ordered=True,
    ),
    Kind(
        "comment-own",
        "Our own comment, below a customer's",
        (
            _below(),
            _below(
                comment_id="17902",
                parent_id="17900",
                text="18 euro",
                **{"from": {"id": POTTERY, "username": "sample.pottery", "self_ig_scoped_id": "27"}},
            ),
        ),
        container="changes",
        late="it waits for the comment it answers, and is ignored if that does not come",
        ordered=True,
    ),
    Kind(
        "comment-scoped",
        "A customer's comment that carries the account's scoped ID",
        (_below(**{"from": {"id": ANA, "username": "ana.q", "self_ig_scoped_id": "27"}}),),
        container="changes",
    ),
    Kind(
        "comment-names",
        "A customer's comment and our own below it, both without the author's ID",
        (
            _below(**{"from": {"username": "ana.q"}}),
            _below(
                comment_id="17902",
                parent_id="17900",
                text="18 euro",
                **{"from": {"username": "sample.pottery"}},
            ),
        ),
        container="changes",
        late="ours waits for the comment it answers, and is ignored if that does not come",
        ordered=True,
    ),
    Kind(
        "comment-live",
        "A comment on a broadcast",
        (_below("live_comments", media={"id": "3", "media_product_type": "LIVE"}),),
        container="changes",
    ),
    Kind(
        "mention",
        "A mention in somebody else's comment, which is looked up",
        ({"field": "mentions", "value": {"comment_id": "17903", "media_id": "17904"}},),
        container="changes",
        late="it stands as a comment once Meta has told what it says",
    ),
    Kind(
        "opt-in",
        "An opt-in",
        (_at(optin={**_OPT_IN, "notification_messages_token": "a-token"}),),
    ),
    Kind(
        "opt-in-stopped",
        "An opt-in stopped by the customer",
        (_at(optin={**_OPT_IN, "notification_messages_status": "STOP_NOTIFICATIONS"}),),
    ),
    Kind(
        "feedback",
        "A rating of one of our messages",
        (_at(2, response_feedback={"feedback": "Bad response", "mid": "mid-out"}),),
        before=(_HELLO, _echo(seconds=1, text="Yes, three are left.")),
        unknown=TARGET_QUOTE,
    ),
    Kind(
        "username",
        "A message that names its sender",
        (_said(text="Hi") | {"sender": {"id": ANA, "username": "ana.sample"}},),
        late="the name is there before the profile was asked for",
    ),
    Kind(
        "never-seen",
        "An event nobody has seen before",
        (_at(hologram={"mid": "mid-1", "depth": 3}),),
    ),
    Kind(
        "attachment-never-seen",
        "An attachment nobody has seen before",
        (_said(attachments=[{"type": "hologram", "payload": {"depth": 3}}]),),
    ),
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
