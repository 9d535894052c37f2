"""How much assistants have used, and whether there is room for one more turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.assistants.values import Cap, Limits, ModelSetting
from host.core import clock
from host.models.assistants import AssistantTurn, LanguageModel
from host.models.inbox import Conversation
from host.models.users import Workspace

MOST_SENT_TOKENS = 12_000
"""What is set aside for what is sent to a model while nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Use:
    """What was used.

    :param turns: how often a model was asked, or topics were offered.
    :param money: in millionths.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0

    def within(self, cap: Cap, more: Use) -> bool:
        """Tell whether *more* can be used as well."""
        return (
            (not cap.turns or self.turns + more.turns <= cap.turns)
            and (not cap.tokens or self.tokens + more.tokens <= cap.tokens)
            and (not cap.money or self.money + more.money <= cap.money)
        )


def begins(workspace: Workspace, now: datetime) -> tuple[datetime, datetime]:
    """Return when the day and the month began, in the workspace's time zone."""
    zone = clock.zone(workspace.timezone if workspace.timezone in clock.zones() else "UTC")
    today = now.astimezone(zone).date()
    day, month = (datetime.combine(one, time(), zone) for one in (today, today.replace(day=1)))
    return day.astimezone(now.tzinfo), month.astimezone(now.tzinfo)


_thought = sa.or_(AssistantTurn.reason.is_(None), AssistantTurn.reason.not_like("limit_%"))


def used(session: Session, *conditions: sa.ColumnElement[bool]) -> Use:
    """Return what turns with *conditions* used, those that think at this moment with the most they may."""
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(AssistantTurn.tokens_in + AssistantTurn.tokens_out), 0),
        sa.func.coalesce(sa.func.sum(AssistantTurn.cost), 0),
    ).where(*conditions, AssistantTurn.fence > 0, _thought)
    count, tokens, money = session.execute(query).one()
    return Use(int(count), int(tokens), int(money))


def room(session: Session, turn: AssistantTurn, limits: Limits, most: Use, now: datetime) -> str:
    """Return which limit leaves no room for a turn, a key of the reasons; empty: there is room.

    The workspace's models are locked until the write ends: of two turns one is counted by the other. No turn
    refers to them, so who writes turns never waits for that.

    :param most: what the turn itself may use.
    """
    models = sa.select(LanguageModel.id).where(LanguageModel.workspace_id == turn.workspace_id)
    session.execute(models.order_by(LanguageModel.id).with_for_update())
    others = AssistantTurn.id != turn.id
    conversation = session.get_one(Conversation, turn.conversation_id)
    here = [AssistantTurn.conversation_id == turn.conversation_id, others]
    if conversation.closed_at is not None:
        here.append(AssistantTurn.created_at > conversation.closed_at)
    if not used(session, *here).within(limits.conversation, most):
        return "limit_conversation"
    day, month = begins(session.get_one(Workspace, turn.workspace_id), now)
    theirs = AssistantTurn.workspace_id == turn.workspace_id
    if not used(session, theirs, others, AssistantTurn.created_at >= day).within(limits.day, most):
        return "limit_day"
    if not used(session, theirs, others, AssistantTurn.created_at >= month).within(limits.month, most):
        return "limit_month"
    return ""


def most_of(setting: ModelSetting | None, most_tokens: int, calls: int) -> Use:
    """Return the most that a turn may use.

    :param most_tokens: of one answer of the model.
    :param calls: most uses of tools, after each of which the model is asked once more.
    """
    if setting is None:
        return Use(1)
    asked = 1 + calls
    sent, answered = MOST_SENT_TOKENS * asked, most_tokens * asked
    return Use(1, 0, setting.cost(sent, answered))
