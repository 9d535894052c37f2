"""Forms of the ice breakers and the menu of an account: lines per locale, validated before they are sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from host.automation.buttons import AnswerError, TapCount
from host.automation.deciding import Answer
from host.channels.button_payloads import digest
from host.core.ids import read_id
from host.sdk.channel import IceBreakerLimits, IceBreakers, Menu, MenuLimits
from host.sdk.messages import IceBreaker, MenuItem
from host.web.languages import gettext as _

DEFAULT = "default"
MOST_LOCALES = 30
MOST_LINES = 40
LONGEST = 20_000
"""Most characters read from a field."""
GONE = "gone"
"""In place of the id of a team that was deleted."""
_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")
_ADDRESS = re.compile(r"https://[^\s/]+\S*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(slots=True)
class GreetingItem:
    """A question or menu item as entered.

    :ivar does: type of a menu item: ``payload`` or ``url``.
    :ivar answer: the text of the answer to a tap.
    :ivar quick: titles of its quick replies, separated by commas.
    :ivar link_title: title of its link button, *link* its address.
    :ivar team: id of the team that gets the conversation, or :data:`GONE`; empty: none.
    :ivar count: how often it was tapped lately; None: never.
    :ivar errors: sentences by field: ``text``, ``value``, ``answer``, ``quick``, ``link_title``, ``link``,
        ``team``.
    """

    text: str = ""
    value: str = ""
    does: str = "payload"
    answer: str = ""
    quick: str = ""
    link_title: str = ""
    link: str = ""
    team: str = ""
    count: TapCount | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blank(self) -> bool:
        return not self.text and not self.value and not self.extras and not self.answer

    @property
    def extras(self) -> bool:
        """Return whether the answer is more than a text."""
        return bool(self.quick or self.link_title or self.link or self.team)

    @property
    def payload(self) -> str:
        """Return what a tap sends; empty: it opens a page."""
        return (self.value or self.text) if self.does == "payload" else ""


@dataclass(slots=True)
class Block:
    """The lines of one locale."""

    locale: str
    lines: list[GreetingItem]
    error: str = ""

    @property
    def used(self) -> list[GreetingItem]:
        return [line for line in self.lines if not line.blank]


@dataclass(slots=True)
class Sheet:
    """The whole form."""

    blocks: list[Block]
    error: str = ""

    @property
    def wrong(self) -> int:
        """The number of invalid fields."""
        return sum(bool(block.error) + sum(len(line.errors) for line in block.lines) for block in self.blocks)

    @property
    def fine(self) -> bool:
        return not self.error and not self.wrong

    def offer(self, text: str, length: int) -> None:
        """Put *text* into the first empty line of the default locale, cut to *length*, without saving it."""
        said = " ".join(_CONTROL.sub(" ", text).split())[:length]
        empty = next((line for line in self.blocks[0].lines if line.blank), None)
        if said and empty is not None and all(line.text != said for line in self.blocks[0].lines):
            empty.text = said

    def add_locale(self, most: int) -> None:
        """Add an empty locale at the end."""
        if len(self.blocks) < MOST_LOCALES:
            self.blocks.append(Block("", [GreetingItem() for _number in range(most)]))

    def remove_locale(self, number: int) -> None:
        """Remove a locale; the default one stays."""
        if 0 < number < len(self.blocks):
            del self.blocks[number]


def read_sheet(form: Mapping[str, str], most: int) -> Sheet:
    """Return the submitted form, with *most* lines per locale, or more if more were sent."""
    blocks = []
    for number in range(MOST_LOCALES):
        if number and f"locale-{number}" not in form:
            continue
        lines = [_line(form, f"{number}-{index}") for index in range(MOST_LINES)]
        while len(lines) > most and lines[-1].blank:
            lines.pop()
        locale = form.get(f"locale-{number}", "").strip() if number else DEFAULT
        blocks.append(Block(locale, lines))
    return Sheet(blocks)


def _line(form: Mapping[str, str], place: str) -> GreetingItem:
    return GreetingItem(
        text=form.get(f"text-{place}", "").strip(),
        value=form.get(f"value-{place}", "").strip(),
        does="url" if form.get(f"does-{place}") == "url" else "payload",
        answer=form.get(f"answer-{place}", "").strip()[:LONGEST],
        quick=form.get(f"quick-{place}", "").strip()[:LONGEST],
        link_title=form.get(f"link_title-{place}", "").strip()[:LONGEST],
        link=form.get(f"link-{place}", "").strip()[:LONGEST],
        team=form.get(f"team-{place}", "")[:20],
    )


# ---- answers -------------------------------------------------------------------------------------------


_FIELDS = {"text": "answer", "quick_replies": "quick", "team_id": "team"}
"""Fields of the form by those of an answer, where the names differ."""


def suggested() -> list[str]:
    """Return questions that customers of most shops have."""
    return [
        _("Where is my order?"),
        _("How long does delivery take?"),
        _("When are you open?"),
        _("Can I return something?"),
    ]


def show_answers(sheet: Sheet, answers: Mapping[str, Answer], counts: Mapping[str, TapCount]) -> None:
    """Put the stored answers and counts, both by digest, beside the lines of a sheet."""
    for line in (line for block in sheet.blocks for line in block.used if line.payload):
        key = digest(line.payload)
        line.count = counts.get(key)
        answer = answers.get(key)
        if answer is not None:
            line.answer, line.quick = answer.text, ", ".join(answer.quick_replies)
            line.link_title, line.link = answer.link_title, answer.link
            if answer.hands_over:
                line.team = GONE if answer.team_id is None else str(answer.team_id)


def read_answers(sheet: Sheet, check: Callable[[Answer], Answer]) -> dict[str, Answer]:
    """Return the checked answers of a sheet by payload; errors are recorded in *sheet*.

    :param check: returns an answer validated, or raises AnswerError.
    """
    found: dict[str, Answer] = {}
    for line in (line for block in sheet.blocks for line in block.used if line.payload):
        team_id = read_id(line.team)
        entered = Answer(
            text=line.answer,
            quick_replies=tuple(one.strip() for one in line.quick.split(",") if one.strip()),
            link_title=line.link_title,
            link=line.link,
            hands_over=line.team == GONE or team_id is not None,
            team_id=team_id,
        )
        try:
            answer = check(entered)
        except AnswerError as error:
            name = error.field or ""
            line.errors[_FIELDS.get(name, name)] = f"{error.sentence} {error.next_step}".strip()
            continue
        other = found.get(line.payload, answer)
        if answer.is_empty:
            answer = other
        elif other not in {answer, Answer()}:
            line.errors["answer"] = str(_("Another line sends the same value and has another answer."))
        found[line.payload] = answer
    return found


def from_ice_breakers(found: IceBreakers, most: int) -> Sheet:
    """Return the form for the ice breakers at the provider."""
    return _sheet(
        {
            locale: [
                GreetingItem(one.question, "" if one.payload == one.question else one.payload)
                for one in questions
            ]
            for locale, questions in found.items()
        },
        most,
    )


def from_menu(found: Menu, most: int) -> Sheet:
    """Return the form for the menu at the provider."""
    return _sheet(
        {
            locale: [
                GreetingItem(one.title, one.url, "url")
                if one.url
                else GreetingItem(one.title, "" if one.payload == one.title else one.payload)
                for one in items
            ]
            for locale, items in found.items()
        },
        most,
    )


def _sheet(found: Mapping[str, Sequence[GreetingItem]], most: int) -> Sheet:
    locales = [DEFAULT, *sorted(set(found) - {DEFAULT})]
    blocks = []
    for locale in locales:
        lines = list(found.get(locale, ()))
        lines += [GreetingItem() for _number in range(most - len(lines))]
        blocks.append(Block(locale, lines))
    return Sheet(blocks)


def to_ice_breakers(sheet: Sheet, limits: IceBreakerLimits) -> IceBreakers:
    """Check a form and return its lists; errors are recorded in *sheet*."""
    _check_locales(sheet, limits.most)
    for line in (line for block in sheet.blocks for line in block.used):
        _check_text(line, limits.question_length, _("Enter the question, or clear this line."))
        _check_payload(line, limits.payload_length)
    return {
        block.locale: tuple(IceBreaker(line.text, line.value or line.text) for line in block.used)
        for block in sheet.blocks
        if block.used
    }


def to_menu(sheet: Sheet, limits: MenuLimits) -> Menu:
    """Check a form and return its lists; errors are recorded in *sheet*."""
    _check_locales(sheet, limits.most)
    for line in (line for block in sheet.blocks for line in block.used):
        _check_text(line, limits.title_length, _("Enter the label, or clear this line."))
        if line.does == "payload":
            _check_payload(line, limits.payload_length)
        elif not _ADDRESS.fullmatch(line.value) or len(line.value) > limits.payload_length:
            line.errors["value"] = str(_("Enter a web address that starts with https://."))
    return {
        block.locale: tuple(
            MenuItem(line.text, url=line.value)
            if line.does == "url"
            else MenuItem(line.text, payload=line.value or line.text)
            for line in block.used
        )
        for block in sheet.blocks
        if block.used
    }


def _check_locales(sheet: Sheet, most: int) -> None:
    seen: set[str] = set()
    for block in sheet.blocks:
        if block.locale != DEFAULT and not _LOCALE.fullmatch(block.locale):
            block.error = str(_("Enter a language and country, such as de_DE."))
        elif block.locale in seen:
            block.error = str(_("This language already has a list."))
        elif len(block.used) > most:
            block.error = str(_("You can add at most %(most)s.", most=most))
        seen.add(block.locale)
    if not sheet.blocks[0].used and any(block.used for block in sheet.blocks[1:]):
        sheet.error = str(
            _("Fill in the first list too. It is shown for every language without its own list.")
        )


def _check_text(line: GreetingItem, most: int, missing: str) -> None:
    if not line.text:
        line.errors["text"] = str(missing)
    elif _CONTROL.search(line.text):
        line.errors["text"] = str(_("This contains invalid characters."))
    elif len(line.text) > most:
        line.errors["text"] = str(
            _("%(used)s characters. The limit is %(most)s.", used=len(line.text), most=most)
        )


def _check_payload(line: GreetingItem, most: int) -> None:
    if _CONTROL.search(line.value):
        line.errors["value"] = str(_("This contains invalid characters."))
    elif len(line.value) > most:
        line.errors["value"] = str(
            _("%(used)s characters. The limit is %(most)s.", used=len(line.value), most=most)
        )
