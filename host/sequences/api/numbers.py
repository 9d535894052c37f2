"""API route of the numbers of a sequence: how many customers reach each step, and where they leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Moment, Router, Wire
from host.api.http.errors import QueryError
from host.core import db
from host.core.clock import MOST_DAYS, Days
from host.sequences import body as bodies
from host.sequences import listing, numbers, sequences
from host.sequences.body import Body
from host.sequences.listing import SequenceVersionNotFoundError
from host.sequences.sequences import SequenceNotFoundError
from host.users.api_keys import Scope
from host.web.languages import gettext as _

routes = Router("Sequences", read=Scope.AUTOMATION_READ)

USUAL_DAYS = 28


class SequenceEndCount(Wire, frozen=True):
    """Customers who left in one way."""

    ended: Annotated[
        str,
        Meta(
            description="A `reason` of runs, or an `outcome` without one; `ended` of the list of runs.",
            examples=["asked"],
        ),
    ]
    count: int


class SequenceStartCount(Wire, frozen=True):
    """Runs that were started in one way."""

    started_by: Annotated[str, Meta(description="As in runs.", examples=["words"])]
    count: int


class SequenceStepNumbers(Wire, frozen=True):
    """The numbers of a step."""

    step: Annotated[str, Meta(description="The `id` of the step.")]
    reached: Annotated[int, Meta(description="Runs that entered it.")]
    here: Annotated[int, Meta(description="Runs that are at it now.")]
    left: Annotated[
        list[SequenceEndCount], Meta(description="Runs that ended at it otherwise than the sequence planned.")
    ]
    seconds: Annotated[int | None, Meta(description="The median time at it; null: nobody went on from it.")]


class SequenceNumbers(Wire, frozen=True):
    """The numbers of a version in a period, by when runs started."""

    version: int
    started_from: Moment
    started_before: Moment
    started: int
    starts: list[SequenceStartCount]
    active: Annotated[int, Meta(description="Runs that go on.")]
    done: Annotated[int, Meta(description="Runs that reached an end, without people.")]
    people: Annotated[int, Meta(description="Runs that a step handed to people.")]
    asked: Annotated[int, Meta(description="Runs whose customer asked for a person.")]
    stopped: Annotated[list[SequenceEndCount], Meta(description="Runs that ended otherwise.")]
    seconds: Annotated[
        int | None, Meta(description="The median time from start to end of those in `done`; null: none.")
    ]
    steps: Annotated[list[SequenceStepNumbers], Meta(description="In the order of the body.")]


class SequenceNumbersQuery(Wire, frozen=True):
    """The version and the days."""

    version: Annotated[
        Annotated[int, Meta(ge=1, le=2**31)] | None,
        Meta(description="Omitted: the live version, or the newest if none was published."),
    ] = None
    from_: Annotated[date | None, Meta(description="The first day.")] = msgspec.field(
        name="from", default=None
    )
    to: Annotated[date | None, Meta(description="The last day, included. Omitted: today.")] = None
    zone: Annotated[
        str,
        Meta(max_length=64, description="The IANA time zone of the days.", examples=["Europe/Berlin"]),
    ] = "UTC"


@routes.get(
    "/sequences/{sequence_id}/numbers",
    "Get the numbers of a sequence",
    errors=(SequenceNotFoundError, SequenceVersionNotFoundError),
    fields={SequenceVersionNotFoundError: "version"},
)
def get_sequence_numbers(call: Call, sequence_id: int, query: SequenceNumbersQuery) -> SequenceNumbers:
    """How many customers who started in these days reached each step of a version, and where they left.

    The default is the last 28 days, including today. A version of a newer Lobby has no steps.
    """
    bounds = _days(query, call.now).bounds()
    with db.read() as session:
        row = sequences.get(session, call.workspace_id, sequence_id)
        number = query.version or row.live_version or row.version
        body = bodies.read(listing.version(session, sequence_id, number).body) or Body(steps=())
        found = numbers.of_version(session, sequence_id, number, body, bounds[0], bounds[-1])
    return SequenceNumbers.of(
        found,
        version=number,
        started_from=bounds[0],
        started_before=bounds[-1],
        started=found.all,
        starts=[
            SequenceStartCount(started_by=by, count=count) for by, count in sorted(found.started.items())
        ],
        people=found.planned,
        stopped=_ends(found.stopped),
        seconds=_seconds(found.time),
        steps=[
            SequenceStepNumbers.of(one, left=_ends(one.left), seconds=_seconds(one.time))
            for one in found.steps
        ],
    )


def _ends(counts: Mapping[str, int]) -> list[SequenceEndCount]:
    return [SequenceEndCount(ended=ended, count=count) for ended, count in sorted(counts.items())]


def _seconds(time: timedelta | None) -> int | None:
    return None if time is None else round(time.total_seconds())


def _days(query: SequenceNumbersQuery, now: datetime) -> Days:
    try:
        zone = ZoneInfo(query.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise QueryError(_("Time zone not found."), field="zone") from None
    try:
        last = query.to or now.astimezone(zone).date()
        return Days(query.from_ or last - timedelta(days=USUAL_DAYS - 1), last, zone)
    except (ValueError, OverflowError):
        sentence = _("Choose a period of 1 to %(n)s days.", n=MOST_DAYS)
        raise QueryError(sentence, field="from", limit=MOST_DAYS) from None
