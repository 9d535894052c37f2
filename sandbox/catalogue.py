"""All kinds of messages by their common names, in the order in which the phone page plays them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from sandbox.world import Json


@dataclass(frozen=True, slots=True)
class Item:
    """The action of a button.

    :param kind: of :data:`sandbox.play.KINDS`.
    :param about: the message it needs in the thread: ``mine``, one of the customer's; ``theirs``, one of the
        shop's; empty: none.
    :param before: text the customer writes first when everything is played, so that this action has its own
        message.
    """

    group: str
    name: str
    kind: str
    args: Json = field(default_factory=dict)
    about: str = ""
    before: str = ""


WORDS, FILES, SHARED = "Words", "Files", "Stories and posts"
TAPPED, ORIGIN, ABOUT, ODD = "Taps", "Where they come from", "About a message", "From elsewhere"
BELOW = "Below posts"

ITEMS = (
    Item(WORDS, "Text", "text", {"text": "Hi, is the blue mug still in stock?"}),
    Item(
        WORDS,
        "Text with a link",
        "text",
        {"text": "I mean this one: https://shop.example/mugs/blue?ref=ig_story"},
    ),
    Item(WORDS, "Emoji", "text", {"text": "\U0001f60d"}),
    Item(WORDS, "Heart", "like_heart"),
    Item(FILES, "Picture", "image"),
    Item(FILES, "Four pictures", "image", {"count": 4}),
    Item(FILES, "GIF", "gif"),
    Item(FILES, "Sticker", "sticker"),
    Item(FILES, "Video", "video"),
    Item(FILES, "Voice message", "audio"),
    Item(FILES, "PDF", "file"),
    Item(FILES, "Several kinds in one", "several"),
    Item(SHARED, "Story mention", "story_mention"),
    Item(SHARED, "Story reply", "story_reply", {"text": "This plate! Is it the large one?"}),
    Item(SHARED, "Post", "ig_post", {"text": "Autumn glazes, out of the kiln this morning"}),
    Item(SHARED, "Reel", "ig_reel", {"text": "Throwing a bowl in 30 seconds"}),
    Item(SHARED, "Reel, other shape", "reel", {"text": "Trimming a foot ring"}),
    Item(SHARED, "Share, old shape", "share"),
    Item(SHARED, "Story, passed on", "ig_story"),
    Item(SHARED, "Story, other shape", "story"),
    Item(TAPPED, "Quick reply", "quick_reply", {"text": "Delivery times", "payload": "DELIVERY"}),
    Item(TAPPED, "Ice breaker", "postback", {"title": "When are you open?", "payload": "ICE_HOURS"}),
    Item(TAPPED, "Menu", "postback", {"title": "Talk to a person", "payload": "CARE_HELP"}),
    Item(ORIGIN, "From an ad", "ad"),
    Item(ORIGIN, "Ad's quick reply", "ad_postback"),
    Item(ORIGIN, "From the shop", "product"),
    Item(ORIGIN, "Through a link", "referral", {"ref": "flyer-7"}),
    Item(ODD, "Shop's own phone", "echo", {"text": "Two to four working days, and free above 60."}),
    Item(ABOUT, "Quote", "reply", {"text": "That is quick, thank you!"}, about="theirs"),
    Item(ABOUT, "Love", "reaction", {"reaction": "love"}, about="theirs"),
    Item(ABOUT, "Seen", "read", about="theirs"),
    Item(ABOUT, "Laughter", "reaction", {"reaction": "laugh"}, about="mine", before="Never mind my typing."),
    Item(ABOUT, "Take a reaction away", "unreact", about="mine"),
    Item(
        ABOUT,
        "Party",
        "reaction",
        {"reaction": "other"},
        about="mine",
        before="We found it, see you on Monday!",
    ),
    Item(
        ABOUT,
        "Correction",
        "edit",
        {"text": "Is it dishwasher safe?"},
        about="mine",
        before="Is it dishwaser save?",
    ),
    Item(ABOUT, "Unsend", "unsend", about="mine", before="Sorry, this was for somebody else."),
    Item(ABOUT, "Good response", "feedback", about="theirs"),
    Item(ODD, "Opt-in", "optin"),
    Item(ODD, "View once", "ephemeral"),
    Item(ODD, "Not shown by the API", "unsupported"),
    Item(ODD, "Share without content", "fallback"),
    Item(ODD, "While another app answers", "standby"),
    Item(BELOW, "Comment on a post", "comment", {"text": "What does this one cost?"}),
    Item(BELOW, "Shop answers below", "own_comment", {"text": "24 euro, and 30 with the lid."}),
    Item(BELOW, "Answer below", "comment_reply", {"text": "With the lid then!"}),
    Item(BELOW, "Correct a comment", "comment_edit", {"text": "Two with the lid, please!"}),
    Item(BELOW, "Comment on a reel", "comment", {"text": "So quick!", "post": "reel"}),
    Item(BELOW, "Comment on an ad", "comment", {"text": "PRICE", "post": "ad"}),
    Item(BELOW, "Comment on a boosted post", "comment", {"text": "Price?", "post": "boosted"}),
    Item(BELOW, "Comment on a broadcast", "comment", {"text": "Which clay is that?", "post": "live"}),
    Item(BELOW, "Mention in a comment", "mention"),
    Item(BELOW, "Mention in a caption", "caption_mention"),
    Item(BELOW, "Take a comment away", "comment_delete"),
    Item(ODD, "Never seen before", "unknown"),
)


def show() -> list[Json]:
    """Return the catalogue for the page."""
    return [asdict(item) for item in ITEMS]
