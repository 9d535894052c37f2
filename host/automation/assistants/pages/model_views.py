"""Settings -> Language models: those assistants may ask, what they cost, and trying one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_currency
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.automation.assistants import words
from host.automation.assistants.language import asking, language_models
from host.automation.assistants.language.language_models import ModelNotFoundError, Tried, Wanted
from host.automation.assistants.values import Speaks
from host.core import db
from host.core.errors import LobbyError
from host.models.assistants import LanguageModel
from host.users.pages import sudo
from host.web import navigation
from host.web.request_helpers import Permission, audit, flash_bad, flash_good, workspace_view

bp = Blueprint("models", __name__)
navigation.add_settings("models.index", _l("Language models"), order=25, icon="bot")

MODELS = "/w/<int:workspace_id>/settings/models"
ONE = f"{MODELS}/<int:model_id>"
MILLION = 1_000_000
_LONGEST_ANSWER = 200

SPEAKS = {
    Speaks.OPENAI: _l("As OpenAI: most providers and local servers"),
    Speaks.ANTHROPIC: _l("As Anthropic"),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """What to begin with."""

    label: str | LazyString
    speaks: Speaks
    address: str
    model: str = ""


PRESETS = {
    "openai": Preset("OpenAI", Speaks.OPENAI, "https://api.openai.com/v1"),
    "anthropic": Preset("Anthropic", Speaks.ANTHROPIC, "https://api.anthropic.com"),
    "local": Preset(_l("A local server"), Speaks.OPENAI, "http://127.0.0.1:11434/v1"),
}


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as somebody filled it in."""

    name: str = ""
    speaks: str = Speaks.OPENAI
    address: str = ""
    model: str = ""
    price_in: str = ""
    price_out: str = ""
    currency: str = "USD"


def money(millionths: int, currency: str) -> str:
    """Return an amount as the reader's language writes it; small ones with the digits they need."""
    amount = Decimal(millionths) / MILLION
    if 0 < amount < Decimal("0.1"):
        return str(format_currency(amount, currency, format="¤#,##0.00####", currency_digits=False))
    return str(format_currency(amount, currency))


@bp.get(MODELS)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the models, with what each costs and who asks it."""
    with db.read() as session:
        listed = language_models.listing(session, workspace_id)
    return render_template(
        "automation/models.html",
        listed=listed,
        available=asking.available(),
        most=language_models.MOST,
        money=money,
        said=words.said,
        presets=PRESETS,
    )


@bp.get(f"{MODELS}/new")
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int) -> ResponseReturnValue:
    """Ask for a model, filled in for a provider where one was chosen."""
    preset = PRESETS.get(request.args.get("preset", ""))
    if preset is None:
        return _form(Filled())
    name = str(preset.label)
    return _form(Filled(name=name, speaks=preset.speaks, address=preset.address))


@bp.post(f"{MODELS}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a model. What customers write may go there from then on, so the password is asked for."""
    filled = _given()

    def use_case(session: Session) -> LanguageModel:
        row = language_models.create(session, workspace_id, _wanted(filled))
        _audit(session, "added", row)
        return row

    try:
        sudo.require()
        row = db.write(use_case)
    except LobbyError as error:  # a missing password, too: the page that asks for one would carry the key
        return _form(filled, problem=error)
    flash_good(
        _("The language model %(name)s is saved. Try it once before an assistant asks it.", name=row.name)
    )
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def model(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Show a model, without its key."""
    with db.read() as session:
        row = language_models.get(session, workspace_id, model_id)
    return _form(_filled(row), row)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Change a model."""
    filled = _given()
    with db.read() as session:
        before = language_models.get(session, workspace_id, model_id)

    def use_case(session: Session) -> LanguageModel:
        row = language_models.change(session, workspace_id, model_id, _wanted(filled))
        _audit(session, "changed", row)
        return row

    try:
        sudo.require()
        row = db.write(use_case)
    except ModelNotFoundError:
        raise
    except LobbyError as error:
        return _form(filled, before, problem=error)
    flash_good(_("The language model %(name)s is saved.", name=row.name))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


@bp.post(f"{ONE}/try")
@workspace_view(Permission.ACCOUNTS)
def try_it(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Ask a model a question of a few tokens, and say what came of it."""
    with db.read() as session:
        row = language_models.get(session, workspace_id, model_id)
        setting = language_models.setting_of(session, model_id)
    if setting is None:
        raise ModelNotFoundError()
    tried = language_models.try_it(setting)
    db.write(language_models.note_trial, workspace_id, model_id, tried)
    if tried.reason:
        flash_bad(f"{row.name}: {words.said(tried.reason)}. {_in_short(tried.detail)}".strip())
    else:
        flash_good(_said(row, tried))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


def _said(row: LanguageModel, tried: Tried) -> str:
    took = _(
        "%(name)s answered in %(seconds)s s, with %(tokens)s tokens.",
        name=row.name,
        seconds=f"{tried.ms / 1000:.1f}",
        tokens=tried.used.tokens_in + tried.used.tokens_out,
    )
    cost = _("It cost %(money)s.", money=money(tried.cost, row.currency)) if tried.cost else ""
    answer = f"“{_in_short(tried.answer)}”" if tried.answer else ""
    return " ".join(filter(None, (took, cost, answer)))


def _in_short(text: str) -> str:
    """Return what another side said, on one line and cut: it could be anything."""
    return " ".join(text.split())[:_LONGEST_ANSWER]


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Delete a model. Assistants that ask it ask none from then on."""

    def use_case(session: Session) -> str:
        name = language_models.delete(session, workspace_id, model_id)
        audit(session, "language_model.deleted", name, workspace_id=workspace_id)
        return name

    flash_good(_("The language model %(name)s is gone.", name=db.write(use_case)))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


def _audit(session: Session, what: str, row: LanguageModel) -> None:
    details = {"host": language_models.host_of(row.address), "model": row.model}
    audit(session, f"language_model.{what}", row.name, workspace_id=row.workspace_id, details=details)


# ---- the form ------------------------------------------------------------------------------------------


def _given() -> Filled:
    names = ("name", "speaks", "address", "model", "price_in", "price_out", "currency")
    return Filled(**{name: request.form.get(name, "") for name in names})


def _filled(row: LanguageModel) -> Filled:
    return Filled(
        row.name,
        row.speaks,
        row.address,
        row.model,
        _price(row.price_in),
        _price(row.price_out),
        row.currency,
    )


def _price(millionths: int) -> str:
    return format((Decimal(millionths) / MILLION).normalize(), "f") if millionths else ""


def _wanted(filled: Filled) -> Wanted:
    """Return what the form asks for. An empty key keeps the one there is, unless its box is ticked."""
    key = request.form.get("key", "").strip()
    return Wanted(
        name=filled.name,
        speaks=filled.speaks,
        address=filled.address,
        model=filled.model,
        key=key or ("" if "no_key" in request.form else None),
        price_in=_millionths(filled.price_in, "price_in"),
        price_out=_millionths(filled.price_out, "price_out"),
        currency=filled.currency,
    )


def _millionths(text: str, field: str) -> int:
    """Return a price in millionths; 0 for nothing, -1 for what is none, which is refused with its field."""
    given = "".join(text.split()).replace(",", ".")
    if not given:
        return 0
    try:
        found = Decimal(given) * MILLION
    except ArithmeticError:
        found = Decimal(-1)
    if not found.is_finite() or found < 0 or found > language_models.MOST_PRICE:
        raise language_models.ModelSettingError(_l("A price is a number from 0 to a million."), field=field)
    return round(found)


def _form(
    filled: Filled,
    row: LanguageModel | None = None,
    *,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    page = render_template(
        "automation/model.html",
        row=row,
        filled=filled,
        problem=problem,
        speaks=SPEAKS,
        presets=PRESETS,
        host="" if not filled.address else language_models.host_of(filled.address),
    )
    return page, 200 if problem is None else problem.status
