"""Usage of assistants, and whether their limits leave room for another turn."""

from __future__ import annotations

from datetime import datetime, time

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.models import AssistantTurn, LanguageModel
from host.assistants.values import Cap, Limits, ModelSetting
from host.core import clock
from host.models.inbox import Conversation
from host.models.users import Workspace

MOST_SENT_TOKENS = 12_000
"""Input tokens reserved for a model call until the real number is known."""


class TurnUsage(msgspec.Struct, frozen=True):
    """Usage of one or more turns.

    :param turns: number of times a model was asked, or topics were offered.
    :param money: in millionths.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0

    def within(self, cap: Cap, more: TurnUsage) -> bool:
        """Return whether *more* fits into the limit too."""
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


def used(session: Session, *conditions: sa.ColumnElement[bool]) -> TurnUsage:
    """Return the usage of turns that match *conditions*; running turns count with their maximum."""
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(AssistantTurn.tokens_in + AssistantTurn.tokens_out), 0),
        sa.func.coalesce(sa.func.sum(AssistantTurn.cost), 0),
    ).where(*conditions, AssistantTurn.fence > 0, _thought)
    count, tokens, money = session.execute(query).one()
    return TurnUsage(int(count), int(tokens), int(money))


def room(session: Session, turn: AssistantTurn, limits: Limits, most: TurnUsage, now: datetime) -> str:
    """Return the limit that leaves no room for a turn, a key of the reasons; empty if there is room.

    The workspace's models are locked until the write ends, so that concurrent turns count each other. No turn
    refers to a model, so writing turns never waits for this lock.

    :param most: maximum usage of the turn itself.
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


def most_of(setting: ModelSetting | None, most_tokens: int, calls: int) -> TurnUsage:
    """Return the maximum usage of a turn.

    :param most_tokens: of one answer of the model.
    :param calls: most tool calls, each of which asks the model again.
    """
    if setting is None:
        return TurnUsage(1)
    asked = 1 + calls
    sent, answered = MOST_SENT_TOKENS * asked, most_tokens * asked
    return TurnUsage(1, 0, setting.cost(sent, answered))
