"""Templates that fill the form of a new rule or campaign."""

from __future__ import annotations

import msgspec

from host.automation.actions import AddLabel, AssignTo, GiveToTeam
from host.automation.condition_forms import Row, row_of
from host.automation.conditions import Contact, OfAddon
from host.events.kinds.conversations import CONVERSATION_CREATED
from host.rules.body import UNANSWERED, Action, NotifyPeople, RuleTargets
from host.rules.pages.campaign_forms import CampaignFilling
from host.rules.pages.forms import Filling, row_of_action
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _


class Template(msgspec.Struct, frozen=True):
    """A template for a rule or a campaign.

    :param icon: of the host's sprite.
    """

    key: str
    icon: str
    title: str
    words: str
    filling: Filling | CampaignFilling

    @property
    def is_campaign(self) -> bool:
        return isinstance(self.filling, CampaignFilling)


def templates(there: RuleTargets, person: int) -> list[Template]:
    """Return the templates. Each for a rule can be saved as it is, whatever the workspace has.

    The one for a campaign is offered where a channel has comments, and lacks the post, the words and the
    link. The one about stories is offered where customers can mention the account in theirs. Those for rules
    use the label whose name fits, or the first, and the first team with members.

    :param person: the id of the reader, who takes the place of a team if there is none.
    """
    targets = there.targets
    team = next((id_ for id_ in targets.teams if id_ not in there.empty_teams), None)
    someone = person if person in targets.people else next(iter(targets.people), 0)
    notify: list[Action] = [NotifyPeople(person=someone)] if someone else []
    assign: list[Action] = [AssignTo(someone)] if someone else []
    if team is not None:
        notify, assign = [NotifyPeople(team=team)], [GiveToTeam(team)]

    def rows(*some: Action) -> list[Row]:
        return [row_of_action(one) for one in some] or [Row()]

    def labelled(*words: str) -> list[Action]:
        labels = targets.labels
        fitting = [id_ for id_, name in labels.items() if any(one in name.casefold() for one in words)]
        return [AddLabel(id_) for id_ in [*fitting, *labels][:1]]

    campaign = Template(
        "campaign",
        "send",
        _("Comment word to direct message"),
        _("Answer a keyword in comments publicly and with a message"),
        CampaignFilling(
            answers=(
                _("You have a message from us 💌"),
                _('Check your messages, {{contact.first_name || "please"}}!'),
                _("It is on its way to you."),
            ),
            text=_('Here is the link you asked for, {{contact.first_name || "hello"}}: '),
        ),
    )
    story = Template(
        "story",
        "at",
        _("Mentioned in a story"),
        _("Say thanks once per conversation"),
        Filling(
            name=_("Story mention thanks"),
            conditions=[Row(f"sent:{MessageKind.STORY_MENTION}"), Row("window:programs")],
            actions=[Row("say", _('Thank you for the mention, {{contact.first_name || "friend"}}!'))],
            once="conversation",
        ),
    )
    return [
        *([campaign] if there.private is not None and there.abilities.private else []),
        Template(
            "unanswered",
            "clock",
            _("30 minutes unanswered in business hours"),
            _("Notify the team; nights and days off do not count"),
            Filling(
                name=_("30 minutes unanswered in business hours"),
                when=UNANSWERED,
                wait="30",
                unit="minutes",
                working=True,
                actions=rows(*notify),
            ),
        ),
        Template(
            "vip",
            "heart",
            _("VIP customer"),
            _("Label and assign customers who matter most"),
            Filling(
                name=_("VIP customer"),
                when=CONVERSATION_CREATED,
                conditions=[_vip(there)],
                actions=rows(*labelled("vip"), *assign),
            ),
        ),
        Template(
            "refund",
            "tag",
            _("Refund words"),
            _("Label and assign customers who ask for their money back"),
            Filling(
                name=_("Refund"),
                conditions=[Row("words:any", _("refund, money back, return, complaint"))],
                actions=rows(*labelled("refund", "return", "complain", "erstatt", "reklam"), *assign),
            ),
        ),
        Template(
            "closed",
            "moon",
            _("Out of hours"),
            _("Say once per conversation when you answer"),
            Filling(
                name=_("Out of hours"),
                conditions=[Row("hours:closed"), Row("window:programs")],
                actions=[Row("say", _("Thank you! We are closed now and answer when we open."))],
                once="conversation",
            ),
        ),
        Template(
            "returning",
            "users",
            _("Returning customer"),
            _("Label customers who wrote before"),
            Filling(
                name=_("Returning"),
                when=CONVERSATION_CREATED,
                conditions=[Row("before:yes")],
                actions=rows(*(labelled("return", "regular", "stamm") or assign)),
            ),
        ),
        *([story] if MessageKind.STORY_MENTION in there.abilities.kinds else []),
    ]


def _vip(there: RuleTargets) -> Row:
    """Return the condition that tells a VIP: an attribute of that name, many followers, or any attribute."""
    named = next((id_ for id_, name in there.attributes.items() if "vip" in name.casefold()), None)
    if named is not None:
        return row_of(Contact(named))
    # Channels whose addons know the number of followers call the condition so.
    for name, brought in there.conditions.items():
        if name.endswith(".followers") and brought.choices:
            return row_of(OfAddon(name, brought.choices[len(brought.choices) // 2][0]))
    return next((row_of(Contact(id_)) for id_ in there.attributes), Row("before:yes"))
