"""The fields of a campaign in the form of a rule, converted to and from a body."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo

import msgspec
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from host.automation.condition_forms import split
from host.automation.conditions import AnyOf, Condition, FilterCondition, OnPost, Words
from host.core.backports.values import replace
from host.core.ids import read_id
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.rules.body import (
    MOST_ANSWERS,
    Action,
    Body,
    Campaign,
    ReplyPrivately,
    ReplyPublicly,
    RuleError,
)
from host.rules.models import RuleState
from host.rules.pages.forms import LONGEST, Places, given_state
from host.web.languages import gettext as _

SHOWN_ANSWERS = 3
"""Rows for public answers that an empty form has."""
LONGEST_NAME = 40
WHERE = ("posts", "caption", "any")


class CampaignFilling(msgspec.Struct, frozen=True):
    """The contents of the form.

    :param zone: time zone of the end date.
    :param where: the posts it applies to: chosen ones, those with words of *caption*, or any.
    :param link: id or address of a post that is not among those to choose from; *account*: its account.
    :param until_was: when the saved campaign ends, which a program may have set to a time of the last day.
    :param ends: ``people`` or ``until``; empty: only manually.
    """

    zone: tzinfo = UTC
    name: str = ""
    where: str = "posts"
    posts: Sequence[int] = ()
    link: str = ""
    account: str = ""
    caption: str = ""
    words: str = ""
    answers: Sequence[str] = ("",) * SHOWN_ANSWERS
    text: str = ""
    offered: str = ""
    team: str = ""
    label: str = ""
    sequence: str = ""
    ends: str = ""
    people: str = "300"
    until: str = ""
    until_was: str = ""
    state: str = RuleState.DRAFT

    @property
    def title(self) -> str:
        """Return the name, or the first keyword if it has none."""
        return self.name.strip() or next(iter(split(self.words)), _("Campaign"))[:LONGEST_NAME]

    @property
    def quick_replies(self) -> tuple[str, ...]:
        return tuple(one for line in self.offered.splitlines() if (one := line.strip()))

    def on_posts(self) -> Condition | None:
        """Return the condition on the post, or None if no post is chosen."""
        if self.where == "any":
            return OnPost()
        if self.where == "caption":
            words = split(self.caption)
            return OnPost(words) if words else None
        chosen = tuple(FilterCondition({"post": one}) for one in self.posts)
        return None if not chosen else chosen[0] if len(chosen) == 1 else AnyOf(chosen)

    def body(self) -> tuple[Body, Places]:
        """Return the body, and the fields of its parts.

        :raises RuleError: naming the invalid field.
        """
        where = self.on_posts()
        if where is None:
            raise RuleError(
                _l("Choose a post."),
                next_step=_l("Choose one, or enter words from its caption."),
                field="post",
            )
        private = ReplyPrivately(self.text, self.quick_replies)
        public = [one for one in self.answers if one.strip()]
        actions: list[Action] = [private]
        if public:
            actions.append(ReplyPublicly(tuple(public)))
        return Body(
            when=MESSAGE_RECEIVED,
            conditions=(where, Words(split(self.words))),
            actions=tuple(actions),
            once="contact",
            campaign=Campaign(
                team=read_id(self.team) or 0,
                label=read_id(self.label) or 0,
                sequence=read_id(self.sequence) or 0,
                people=self._people(),
                until=self._until(),
            ),
        ), CampaignPlaces()

    def moved(self, move: str) -> tuple[CampaignFilling, str]:
        """Return it with one more row for a public answer after that button, and the row to focus."""
        if move != "answer" or len(self.answers) >= MOST_ANSWERS:
            return self, ""
        return replace(self, answers=[*self.answers, ""]), f"answer-{len(self.answers)}"

    def _people(self) -> int:
        if self.ends != "people":
            return 0
        number = self.people.strip()
        if not (number.isascii() and number.isdigit() and 0 < len(number) < 7 and int(number)):
            raise RuleError(_l("A campaign must end after 1 to 100,000 people."), field="ends")
        return int(number)

    def _until(self) -> datetime | None:
        if self.ends != "until":
            return None
        try:
            if self.until_was:
                was = datetime.fromisoformat(self.until_was)
                if was.tzinfo is not None and last_day(was, self.zone) == self.until:
                    return was
            day = datetime.strptime(self.until.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
            return datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            raise RuleError(_l("Choose an end date."), field="ends") from None


FIELDS = {
    "conditions.0": "post",
    "conditions.1": "words",
    "actions.0": "text",
    "actions.1": "answers",
    "campaign.people": "ends",
    "campaign.until": "ends",
    "campaign.team": "after",
    "campaign.label": "after",
    "campaign.sequence": "after",
}
"""Fields of the page by the place that an error names."""


class CampaignPlaces(Places):
    """The fields of the parts of a campaign, which are the same for each."""

    def row_of(self, place: str | None) -> str:
        named = place or ""
        return next((field for known, field in FIELDS.items() if f"{named}.".startswith(f"{known}.")), named)


def given(form: MultiDict[str, str], zone: tzinfo) -> CampaignFilling:
    """Return the submitted form."""
    where, ends = form.get("where", ""), form.get("ends", "")
    answers = [one[:LONGEST] for one in form.getlist("answer")][: MOST_ANSWERS + 1]
    return CampaignFilling(
        zone=zone,
        name=form.get("name", "")[:LONGEST],
        where=where if where in WHERE else WHERE[0],
        posts=tuple(dict.fromkeys(id_ for one in form.getlist("post") if (id_ := read_id(one)))),
        link=form.get("link", "").strip()[:LONGEST],
        account=form.get("account", "")[:20],
        caption=form.get("caption", "")[:LONGEST],
        words=form.get("words", "")[:LONGEST],
        answers=answers or [""],
        text=form.get("text", "")[:LONGEST],
        offered=form.get("offered", "")[:LONGEST],
        team=form.get("team", "")[:20],
        label=form.get("label", "")[:20],
        sequence=form.get("sequence", "")[:20],
        ends=ends if ends in {"people", "until"} else "",
        people=form.get("people", "")[:20],
        until=form.get("until", "")[:20],
        until_was=form.get("until_was", "")[:40],
        state=given_state(form, RuleState.DRAFT),
    )


def picked(form: MultiDict[str, str], filling: CampaignFilling) -> tuple[int | None, str] | None:
    """Return the account and the id or address of the post to add, or None if there is none.

    A pressed picture names both; a typed id or address belongs to the chosen account.
    """
    account, colon, named = form.get("pick", "").partition(":")
    if colon:
        return read_id(account), named
    if filling.link and filling.where == "posts" and form.get("move") != "answer":
        return read_id(filling.account), filling.link
    return None


def with_post(filling: CampaignFilling, post_id: int) -> CampaignFilling:
    """Return *filling* with a post chosen."""
    chosen = tuple(dict.fromkeys((*filling.posts, post_id)))
    return replace(filling, where="posts", posts=chosen, link="")


def of_body(name: str, body: Body, state: str, zone: tzinfo) -> CampaignFilling | None:
    """Return the form for a campaign, or None if the rule is none, or has more than the fields hold."""
    campaign, conditions, actions = body.campaign, body.conditions, body.actions
    if campaign is None or len(conditions) != 2 or body.stops or not 0 < len(actions) < 3:
        return None
    words, private = conditions[1], actions[0]
    public = actions[1] if len(actions) > 1 else ReplyPublicly(())
    where = _where(conditions[0])
    if where is None or not isinstance(words, Words) or words.has != "any":
        return None
    if not isinstance(private, ReplyPrivately) or not isinstance(public, ReplyPublicly):
        return None
    if any("," in one for one in words.words):
        return None
    return replace(
        where,
        zone=zone,
        name=name,
        words=", ".join(words.words),
        answers=public.texts or [""],
        text=private.text,
        offered="\n".join(private.quick_replies),
        team=str(campaign.team or ""),
        label=str(campaign.label or ""),
        sequence=str(campaign.sequence or ""),
        ends="people" if campaign.people else "until" if campaign.until else "",
        people=str(campaign.people or 300),
        until="" if campaign.until is None else last_day(campaign.until, zone),
        until_was="" if campaign.until is None else campaign.until.isoformat(),
        state=state,
    )


def last_day(until: datetime, zone: tzinfo) -> str:
    """Return the last day of a campaign that ends at *until*, as the form has it."""
    # Subtracted before: where clocks skip midnight, a day ends at what they show as 01:00 of the next.
    return (until.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone).date().isoformat()


def _where(condition: Condition) -> CampaignFilling | None:
    if isinstance(condition, OnPost):
        where = "caption" if condition.words else "any"
        return (
            None
            if any("," in one for one in condition.words)
            else CampaignFilling(where=where, caption=", ".join(condition.words))
        )
    each = condition.of if isinstance(condition, AnyOf) else (condition,)
    ids = [
        one.filter.get("post")
        for one in each
        if isinstance(one, FilterCondition) and set(one.filter) == {"post"}
    ]
    posts = [one for one in ids if isinstance(one, int)]
    return CampaignFilling(posts=posts) if len(posts) == len(each) else None
