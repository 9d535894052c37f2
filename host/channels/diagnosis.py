"""Run the checks of an account's addon and of the desk, for Diagnose and `lobby doctor`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import sqlalchemy as sa

from host.channels import refusals, warnings
from host.core import db
from host.models.channels import AccountState, ChannelAccount, SignInAttempt, SignInState, ref
from host.sdk.cards import Finding, SettingsCard, Verdict
from host.sdk.i18n import format_datetime
from host.web.languages import gettext as _

RECONNECT = "reconnect"
"""The button to sign in again, which every account has."""

log = logging.getLogger(__name__)


def diagnose(card: SettingsCard, row: ChannelAccount, *, desk: bool = True) -> list[Finding]:
    """Return the findings of all checks; if the addon's checks raise, one finding says so.

    :param desk: whether to add the desk's own checks; False if they are shown elsewhere.
    """
    found = _of_addon(card, row)
    found += _of_warnings(row)
    return [*found, *_of_desk(card, row)] if desk else found


def _of_addon(card: SettingsCard, row: ChannelAccount) -> list[Finding]:
    if card.diagnose is None:
        return []
    try:
        return list(card.diagnose(ref(row)))
    except Exception as error:
        log.exception("diagnosing account %s of channel %s failed", row.id, row.channel)
        blame = _("They failed with an error. See the log.")
        evidence = refusals.sentence(error, blame)
        advice = _("Tell an admin.") if evidence == blame else ""
        return [Finding("addon", _("The addon's own checks"), Verdict.FAIL, evidence, advice)]


def _of_desk(card: SettingsCard, row: ChannelAccount) -> Iterator[Finding]:
    if card.sign_ins:
        yield _sign_in(row)
    allowed = enumerated("conversations", "channel")
    fine = allowed is None or row.channel in allowed
    yield Finding(
        "channel-column",
        _("Conversations of this channel can be stored"),
        Verdict.PASS if fine else Verdict.FAIL,
        "" if fine else _("The column accepts only %(names)s.", names=", ".join(sorted(allowed or ()))),
        "" if fine else _("Ask an admin to activate the addon again, or to run `lobby migrate`."),
    )


def _of_warnings(row: ChannelAccount) -> Iterator[Finding]:
    """Yield what the provider told of the account and has not taken back."""
    with db.read() as session:
        for one in warnings.standing_warnings(session, [row.id]).get(row.id, []):
            said = _(one.sentence, **one.details) if one.details else _(one.sentence)
            step = _(one.next_step) if one.next_step else ""
            verdict = Verdict.FAIL if one.tone == "bad" else Verdict.WARN
            yield Finding(f"warning-{one.kind}", _("What the provider said"), verdict, said, step)


def _sign_in(row: ChannelAccount) -> Finding:
    """Return the result of the last sign-in for this account or for a new one; it is kept for an hour.

    A dialog that a person canceled is not a failure of a working account.
    """
    name, title = "sign-in", _("Sign-in completes")
    query = (
        sa.select(SignInAttempt)
        .where(
            SignInAttempt.workspace_id == row.workspace_id,
            SignInAttempt.channel == row.channel,
            sa.or_(SignInAttempt.account_id.is_(None), SignInAttempt.account_id == row.id),
        )
        .order_by(SignInAttempt.id.desc())
        .limit(1)
    )
    with db.read() as session:
        last = session.scalar(query)
    if last is None:
        return Finding(name, title, Verdict.UNKNOWN, _("No sign-ins in the last hour."))
    when = format_datetime(last.created_at)
    problems = last.outcome.get("problems") or []
    if last.state == SignInState.FAILED and problems:
        told = problems[0]
        evidence, fix = f"{when}: {told.get('sentence', '')}", told.get("next_step", "")
        if row.state == AccountState.NEEDS_RECONNECT:
            return Finding(name, title, Verdict.FAIL, evidence, fix, RECONNECT)
        if last.account_id == row.id:
            return Finding(name, title, Verdict.WARN, evidence, fix, RECONNECT)
        return Finding(name, title, Verdict.UNKNOWN, evidence, fix)
    if last.state == SignInState.AWAY:
        return Finding(
            name,
            title,
            Verdict.UNKNOWN,
            _("Someone opened the sign-in dialog on %(when)s and has not come back.", when=when),
            _(
                "If no window opened, allow pop-ups for this address and try again. If it said that "
                "the app is not available, ask your admin."
            ),
        )
    return Finding(name, title, Verdict.PASS, when)


def enumerated(table: str, name: str) -> set[str] | None:
    """Return the values a column is limited to, or None if it is not limited."""
    inspector = sa.inspect(db.current().read_engine)
    kind = next(column["type"] for column in inspector.get_columns(table) if column["name"] == name)
    if isinstance(kind, sa.Enum):
        return set(kind.enums)
    for constraint in inspector.get_check_constraints(table):
        if re.match(rf'[("`\s]*{name}\W', constraint["sqltext"]):
            return set(re.findall(r"'([^']*)'", constraint["sqltext"]))
    return None
