"""Rules offer what the workspace's channels can do; what is stored stays visible and can be saved."""

from __future__ import annotations

import re

import pytest

from host.automation.condition_words import condition, search_words
from host.automation.conditions import Sent
from host.channels.abilities import EVERYTHING
from host.core import db
from host.core.backports.values import replace
from host.events.kinds.conversations import CONVERSATION_FORWARDED
from host.events.kinds.messages import MESSAGE_REACTED, MESSAGE_RECEIVED
from host.rules import rules
from host.rules.body import EVENTS, RuleTargets
from host.rules.models import RuleState
from host.rules.pages import words as rule_words
from host.sdk.channel import Capabilities
from host.sdk.messages import MessageKind
from tests import helpers
from tests.inbox.toys import Toy
from tests.rules import test_rules_page
from tests.rules.ruled import Ruled
from tests.rules.test_rules_page import CLOSE, form, path, text

owner = test_rules_page.owner
MENTION = {"if": "sent", "kinds": ["story_mention"]}
ON_POST = {"if": "post", "words": ["mug, cup"]}


@pytest.fixture
def stories(monkeypatch: pytest.MonkeyPatch) -> None:
    able = Capabilities(text_limit_bytes=100, receives=frozenset(MessageKind), ads=True)
    monkeypatch.setattr(Toy, "capabilities", able)


def there(desk: Ruled) -> RuleTargets:
    with db.read() as session:
        return rules.there(session, desk.desk.workspace, desk.desk.generation.directory)


def test_nothing_of_other_channels_is_offered(automated: Ruled, owner: helpers.Browser) -> None:
    pages = [text(owner.get(path(automated, rest))) for rest in ("", "new")]
    pages.append(text(owner.get(f"{path(automated)}?show=campaigns")))
    for page in pages:
        # A note is found by the word "comment", too.
        words = page.replace("comment, internal", "").replace("comments.css", "")
        assert re.findall(r"\b(story|comments?|an ad|reel|ice breaker)\b", words) == []
    assert "sent:image" in pages[1]
    assert MESSAGE_REACTED in pages[1]
    assert CONVERSATION_FORWARDED not in pages[1]
    assert "No active channel supports campaigns." in pages[2]


@pytest.mark.usefixtures("stories")
def test_a_channel_with_stories_offers_them(automated: Ruled, owner: helpers.Browser) -> None:
    assert "Mentioned in a story" in text(owner.get(path(automated)))
    page = text(owner.get(path(automated, "new")))
    assert "sent:story_mention" in page
    assert "sent:referral" in page
    assert "Came through a link or an ad" in page


def test_what_is_stored_stays(automated: Ruled, owner: helpers.Browser) -> None:
    id_ = automated.rule(CLOSE, conditions=[MENTION], when=CONVERSATION_FORWARDED, state=RuleState.OFF)
    page = text(owner.get(path(automated, id_)))
    assert '<option value="sent:story_mention" selected>' in page
    assert "the customer sent: Mentioned you in a story" in page
    assert f'<option value="{CONVERSATION_FORWARDED}" selected>' in page
    rows = form(("sent:story_mention", ""), ("words:any", "hello"), state="off")
    assert owner.post_form(path(automated, id_), **rows, version="1").status_code == 303
    assert "Mentioned you in a story" in text(owner.get(path(automated, id_)))


def test_triggers_depend_on_what_can_happen(automated: Ruled) -> None:
    what = there(automated)
    texts = replace(what.abilities, kinds=frozenset({MessageKind.TEXT}), forwards=False)
    some = rule_words.events(replace(what, abilities=texts), MESSAGE_RECEIVED)
    assert set(EVENTS) - set(some) == {
        "message.reacted",
        "message.edited",
        "message.unsent",
        CONVERSATION_FORWARDED,
    }
    assert set(rule_words.events(replace(what, abilities=EVERYTHING), "")) == set(EVENTS)
    assert MESSAGE_REACTED in rule_words.events(replace(what, abilities=texts), MESSAGE_REACTED)


def test_a_link_is_an_ad_only_where_there_are_ads(automated: Ruled) -> None:
    what = there(automated)
    with automated.desk.app.test_request_context():
        assert condition(Sent(("referral",)), what) == "the customer sent: Came through a link"
        both = replace(what, abilities=EVERYTHING)
        assert condition(Sent(("referral",)), both) == "the customer sent: Came through a link or an ad"
        assert "sent:story_mention" not in search_words(what)
        assert "caption" in search_words(both)
