"""Private hooks through which features work together. Addons have others: host.sdk.hookspecs.

A hook with a session argument runs in that write: if one fails, the whole write is rolled back. Features are
called in the order of :mod:`host.process.features`: all of them for hooks about stored data, otherwise only
enabled ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from sqlalchemy.orm import Session

    from host.features.account_link import AccountLink
    from host.features.automation_overview import AutomationOverview, OverviewAccount
    from host.features.live_signal import LiveSignal
    from host.features.message_trial import TrialStep
    from host.features.messages_after import MessagesAfter
    from host.features.problem import Problem
    from host.features.startable_sequence import StartableSequence
    from host.features.today import AutomaticKind, TodayAsked, TodayRow
    from host.features.use import Use
    from host.features.while_off import WhileOff

PROJECT = "lobby.features"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def clean_up(places: dict[str, int], most: int) -> None:
    """Remove expired data, in small writes, so that no other write waits long.

    :param places: positions that features keep for the next round of this process, by a name of the feature.
    :param most: maximum number of rows removed in one write.
    """


@hookspec
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove the content of these messages: they were erased, or their writer unsent them."""


@hookspec
def forget_contacts(session: Session, ids: Collection[int], conversations: Collection[int]) -> None:
    """Remove everything about erased contacts, except what :func:`forget_messages` removes.

    :param ids: the contact, and those merged into it.
    :param conversations: their conversations.
    """


@hookspec
def access_changed(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Notify the open pages of members who may see more or less of a workspace than before."""


@hookspec
def live_signals(session: Session, since: datetime) -> Sequence[LiveSignal] | None:
    """Return changes after *since* that concern open pages but are not in the event log."""


@hookspec(firstresult=True)
def remove_workspace(
    session: Session, workspace_id: int, accounts: Collection[int], most: int
) -> bool | None:
    """Remove up to *most* rows of a workspace that is being deleted; return whether there were any.

    :param accounts: its accounts, all disconnected.
    """


@hookspec
def restored(session: Session, now: datetime) -> None:
    """Prevent a restored desk from repeating actions and notifications that happened since the backup.

    Not called if the operator wants everything to be sent as if nothing had happened.
    """


@hookspec(firstresult=True)
def leave_to_people(session: Session, now: datetime, most: int) -> bool | None:
    """Hand up to *most* pending automatic actions of a restored desk to people.

    :return: True if there may be more.
    """


@hookspec
def let_go(directory: Any, most: int) -> bool | None:
    """Leave what a disabled feature had under way to people, soon after it was disabled.

    Called again and again while any feature is disabled, outside a transaction.

    :param directory: the channels of the running generation.
    :param most: maximum number of items in one call.
    :return: True if there may be more.
    """


@hookspec(firstresult=True)
def while_off(session: Session, name: str, workspace_id: int, since: datetime | None) -> WhileOff | None:
    """Return what the disabled feature *name* keeps in a workspace, and the conversations it left to people.

    :param since: when it was disabled; None: not known.
    """


@hookspec
def runs_of(
    session: Session, events: Sequence[Any], directory: Any, now: datetime, since: datetime
) -> Sequence[Mapping[str, Any]] | None:
    """Return rows of :class:`host.models.automation.AutomationRun` for *events*.

    :param events: events of the event log, see :class:`host.events.reading.Recorded`.
    :param directory: the channels of the running generation.
    :param since: earlier events are left to people.
    """


@hookspec
def taken_first(
    session: Session, events: Sequence[Any], now: datetime, since: datetime
) -> tuple[Sequence[Mapping[str, Any]], Collection[int]] | None:
    """Return rows of runs as :func:`runs_of`, and the ids of the events that it then does not get."""


@hookspec
def after_runs(session: Session, events: Sequence[Any], now: datetime) -> None:
    """Handle *events* in ways that may lock conversations, after their runs are written.

    Executing a run locks its conversation first, to which the rows of runs refer.
    """


@hookspec(firstresult=True)
def doer_of(session: Session, kind: str, workspace_id: int) -> Any:
    """Return the executor of runs of a kind in a workspace: a :class:`host.automation.runs.Doer`."""


@hookspec(firstresult=True)
def give_up_run(session: Session, run: Any, conversation: Any, reason: str, now: datetime) -> bool | None:
    """Give up a run in a locked conversation, and record the reason.

    :return: True if the run is one of the feature's.
    """


@hookspec
def stopped_without(
    session: Session, workspace_id: int, directory: Any, channels: Collection[str]
) -> Sequence[tuple[str, str, str]] | None:
    """Return the automation that stops without an addon: its kind, its name, and the account where it stops.

    :param directory: the channels of the running generation, without what the addon brings.
    :param channels: the channels of the addon.
    """


@hookspec
def uses(
    session: Session, workspace_id: int, kind: str, user_id: int | None
) -> Mapping[int, Sequence[Use]] | None:
    """Return what of a feature uses things of a kind, by the id of the thing, in a few statements: pages with
    a list of things ask this once for all of them.

    :param kind: a key of :data:`host.features.use.KEYS`, or ``assistant``.
    :param user_id: who is told: personal things of others are not named. None: a program.
    """


@hookspec
def own_things(session: Session, user_id: int, workspace_id: int) -> int | None:
    """Return the number of personal items of this person, which are deleted with their membership."""


@hookspec(firstresult=True)
def reason(key: str) -> Any:
    """Return the text, lazily translated, of the reason for a handoff to people, as the thread shows it."""


@hookspec(firstresult=True)
def suggestion(inbox: Any, row: Any, composing: Any) -> Any:
    """Return the suggested reply in a conversation, with the name of its ``template``.

    :param inbox: the page, see :class:`host.inbox.pages.context.InboxContext`.
    :param row: the conversation, see :class:`host.inbox.queries.Row`.
    :param composing: whether a reply may be written, see :class:`host.inbox.pages.reply_window.Composing`.
    """


@hookspec(firstresult=True)
def instead_of_inbox(workspace_id: int) -> Any:
    """Return what the inbox shows instead of its list, with the name of its ``template``; None: the list.

    Asked only while the workspace has next to no conversations. Called outside a transaction.
    """


@hookspec(firstresult=True)
def above_inbox(workspace_id: int) -> tuple[str, str] | None:
    """Return a line above the list of a workspace with a few conversations: its text and address; None: none.

    Called outside a transaction.
    """


@hookspec
def suggestion_sent(
    session: Session, suggestion_id: int, message: Any, user_id: int, accounts: Any, now: datetime
) -> None:
    """Record that *message*, a person's reply queued in this write, began as a suggestion.

    :param accounts: the accounts the person sees, see :mod:`host.users.reach`.
    """


@hookspec
def on_accounts(session: Session, workspace_id: int) -> Mapping[int, AccountLink] | None:
    """Return a feature's automatic activity on accounts of a workspace, for their cards."""


@hookspec
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: Any
) -> AutomationOverview | None:
    """Return a feature's automation on accounts of a workspace. A constant number of statements.

    :param accounts: the accounts the viewer sees; others are not mentioned.
    :param directory: the channels of the running generation.
    """


@hookspec
def tried_message(
    session: Session, workspace_id: int, account_id: int, text: str, directory: Any, now: datetime
) -> Sequence[TrialStep] | None:
    """Return what a feature would do about *text* as a new customer's first message, without doing it.

    :param directory: the channels of the running generation.
    """


@hookspec
def messages_after(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Collection[int],
    directory: Any,
    now: datetime,
) -> Sequence[MessagesAfter] | None:
    """Return which customers could get a message of the feature if somebody caused events of *kinds*.

    Asked before conversations are changed. It names rather too many than too few.

    :param kinds: kinds of events of conversations, see :mod:`host.events.kinds.conversations`.
    :param directory: the channels of the running generation.
    """


@hookspec
def problems(session: Session) -> Sequence[Problem] | None:
    """Return problems for an operator, for the Health page and ``lobby doctor``."""


@hookspec
def health_lines(session: Session) -> Sequence[tuple[str, str]] | None:
    """Return lines for the Health page that ask for nothing: a title and a sentence each."""


@hookspec
def metrics(session: Session) -> Sequence[Metric] | None:
    """Return additional ``/metrics`` of the whole desk, which are not in :mod:`host.health.metrics`."""


@hookspec
def holdings(session: Session, workspace_id: int) -> Mapping[str, int] | None:
    """Return counts of the data deleted with a workspace, as in :class:`host.users.workspaces.Holdings`."""


@hookspec
def resting(session: Session, workspaces: Collection[int]) -> Collection[int] | None:
    """Return the ids used in place of accounts in lanes that rest while these workspaces do."""


@hookspec
def clock_moved_back(session: Session, latest: datetime) -> None:
    """Bring work due after *latest* forward to that time, because the system clock moved back."""


@hookspec(firstresult=True)
def posts_events() -> bool | None:
    """Return True if events are posted to programs: in that case the API document describes their bodies."""


@hookspec(firstresult=True)
def addresses(session: Session, workspace_id: int) -> Mapping[int, str] | None:
    """Return the addresses of other programs that rules of a workspace may have notified, by id."""


@hookspec(firstresult=True)
def rule_sequences(session: Session, workspace_id: int) -> Mapping[int, StartableSequence] | None:
    """Return the sequences of a workspace by id, in order."""


@hookspec(firstresult=True)
def answer_sequences(session: Session, events: Sequence[Any]) -> Mapping[int, tuple[int, int]] | None:
    """Return which of *events* answer the private reply of a campaign that starts a sequence.

    :return: the ids of the sequence and of the campaign, by the id of the event.
    """


@hookspec(firstresult=True)
def start_sequence(
    session: Session,
    sequence_id: int,
    conversation: Any,
    by: str,
    directory: Any,
    now: datetime,
    held: Any,
) -> str | None:
    """Start a sequence in a locked conversation; return why it does not start, or an empty string.

    The cause of the write, see :func:`host.events.writing.because`, is the cause of the run.

    :param by: as :attr:`host.sequences.models.SequenceRun.started_by`.
    :param held: the locks of this write for sending; None: only the conversation.
    """


@hookspec(firstresult=True)
def answer_times(session: Session, conversations: Any, most: int | None) -> Sequence[tuple[int, int]] | None:
    """Return the customers' waiting times for first answers, newest first: conversation and seconds.

    :param conversations: ids, or a query for them.
    :param most: maximum number of answers; None: all.
    """


@hookspec
def today_rows(session: Session, asked: TodayAsked) -> Sequence[TodayRow] | None:
    """Return a feature's rows of the Today page. One statement for each number, or for several."""


@hookspec(firstresult=True)
def today_conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the ids of the conversations behind the row *key* of the Today page, newest first.

    :param most: maximum number of ids.
    :return: None: the row is not one of the feature's.
    """


@hookspec
def automatic_messages() -> Sequence[AutomaticKind] | None:
    """Return the kinds of automatic messages a feature sends, for the Today page."""
