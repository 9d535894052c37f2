"""Settings -> Language models: their settings and prices, and trying one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_currency
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.assistants import assistants, words
from host.assistants.language import asking, language_models
from host.assistants.language.language_models import ModelInput, ModelNotFoundError, ModelTrial
from host.assistants.models import LanguageModel
from host.assistants.pages.blueprint import url_of
from host.assistants.values import Speaks
from host.core import db
from host.core.errors import LobbyError
from host.users.actor import UnitOfWork
from host.users.pages import sudo
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_bad,
    flash_good,
    id_argument,
    workspace_view,
    write,
)

bp = Blueprint("models", __name__, template_folder="../templates")
navigation.add_settings(
    "models.index",
    _l("Language models"),
    order=26,
    section=navigation.AUTOMATION,
    icon="bot",
    words="AI, LLM, OpenAI, Anthropic, GPT, KI, Sprachmodell",
)

MODELS = "/w/<int:workspace_id>/settings/models"
ONE = f"{MODELS}/<int:model_id>"
MILLION = 1_000_000
_LONGEST_ANSWER = 200

SPEAKS = {
    Speaks.OPENAI: _l("OpenAI-compatible: most providers and local servers"),
    Speaks.ANTHROPIC: _l("Anthropic"),
}


class Preset(msgspec.Struct, frozen=True):
    """Default values for a provider."""

    label: str | LazyString
    speaks: Speaks
    address: str
    model: str = ""


PRESETS = {
    "openai": Preset("OpenAI", Speaks.OPENAI, "https://api.openai.com/v1"),
    "anthropic": Preset("Anthropic", Speaks.ANTHROPIC, "https://api.anthropic.com"),
    "local": Preset(_l("A local server"), Speaks.OPENAI, "http://127.0.0.1:11434/v1"),
}


class ModelForm(msgspec.Struct, frozen=True):
    """The submitted form."""

    name: str = ""
    speaks: str = Speaks.OPENAI
    address: str = ""
    model: str = ""
    price_in: str = ""
    price_out: str = ""
    currency: str = "USD"


def money(millionths: int, currency: str) -> str:
    """Return an amount in the reader's language, with as many digits as a small one needs."""
    amount = Decimal(millionths) / MILLION
    if 0 < amount < Decimal("0.1"):
        return str(format_currency(amount, currency, format="¤#,##0.00####", currency_digits=False))
    return str(format_currency(amount, currency))


@bp.get(MODELS)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the models with their prices and assistants."""
    with db.read() as session:
        listed = language_models.listing(session, workspace_id)
    return render_template(
        "assistants/models.html",
        listed=listed,
        available=asking.available(),
        most=language_models.MOST,
        money=money,
        said=words.said,
        presets=PRESETS,
    )


@bp.get(f"{MODELS}/new")
@workspace_view(Permission.ACCOUNTS)
@sudo.fresh_password
def new(workspace_id: int) -> ResponseReturnValue:
    """Show the form for a model, with the defaults of a chosen provider."""
    preset = PRESETS.get(request.args.get("preset", ""))
    if preset is None:
        return _form(ModelForm())
    name = str(preset.label)
    return _form(ModelForm(name=name, speaks=preset.speaks, address=preset.address))


@bp.post(f"{MODELS}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a model. The password is required because customers' messages can be sent there from then on.

    With ``assistant``, that assistant uses it.
    """
    filled, assistant_id = _given(), id_argument("assistant")
    try:
        sudo.require()
        row = write(_add, _wanted(filled), assistant_id)
    except LobbyError as error:
        # Also for a missing password: the page that asks for one would contain the key.
        return _form(filled, problem=error)
    if assistant_id:
        flash_good(_("Language model %(name)s was saved and chosen.", name=row.name))
        return redirect(url_of(workspace_id, assistant_id, "model"), 303)
    flash_good(_("Language model %(name)s was saved. Test it before an assistant uses it.", name=row.name))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


def _add(work: UnitOfWork, wanted: ModelInput, assistant_id: int | None) -> LanguageModel:
    row = language_models.create(work, wanted)
    if assistant_id:
        assistants.change(work, assistant_id, model_id=row.id)
    return row


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
@sudo.fresh_password
def model(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Show a model without its key."""
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
    try:
        sudo.require()
        row = write(language_models.change, model_id, _wanted(filled))
    except ModelNotFoundError:
        raise
    except LobbyError as error:
        return _form(filled, before, problem=error)
    flash_good(_("Language model %(name)s was saved.", name=row.name))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


@bp.post(f"{ONE}/try")
@workspace_view(Permission.ACCOUNTS)
def try_it(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Send a model a test question of a few tokens, and show the result."""
    with db.read() as session:
        row = language_models.get(session, workspace_id, model_id)
        setting = language_models.setting_of(session, model_id)
    if setting is None:
        raise ModelNotFoundError()
    tried = language_models.try_it(setting)
    write(language_models.note_trial, model_id, tried)
    if tried.reason:
        flash_bad(f"{row.name}: {words.said(tried.reason)}. {_in_short(tried.detail)}".strip())
    else:
        flash_good(_said(row, tried))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


def _said(row: LanguageModel, tried: ModelTrial) -> str:
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
    """Return an untrusted text on one line, truncated."""
    return " ".join(text.split())[:_LONGEST_ANSWER]


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, model_id: int) -> ResponseReturnValue:
    """Delete a model. Its assistants have no model from then on."""
    name = write(language_models.delete, model_id)
    flash_good(_("Language model %(name)s was deleted.", name=name))
    return redirect(url_for("models.index", workspace_id=workspace_id), 303)


# ---- the form ------------------------------------------------------------------------------------------


def _given() -> ModelForm:
    names = ("name", "speaks", "address", "model", "price_in", "price_out", "currency")
    return ModelForm(**{name: request.form.get(name, "") for name in names})


def _filled(row: LanguageModel) -> ModelForm:
    return ModelForm(
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


def _wanted(filled: ModelForm) -> ModelInput:
    """Return the model from the form. An empty key keeps the stored one, unless its box is ticked."""
    key = sudo.secret("key")
    return ModelInput(
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
    """Return a price in millionths; 0 if empty, -1 if invalid, which validation rejects with its field."""
    given = "".join(text.split()).replace(",", ".")
    if not given:
        return 0
    try:
        found = Decimal(given) * MILLION
    except ArithmeticError:
        found = Decimal(-1)
    if not found.is_finite() or found < 0 or found > language_models.MOST_PRICE:
        raise language_models.ModelSettingError(_l("The price must be from 0 to a million."), field=field)
    return round(found)


def _form(
    filled: ModelForm,
    row: LanguageModel | None = None,
    *,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    page = render_template(
        "assistants/model.html",
        of=None if row else id_argument("assistant"),
        row=row,
        filled=filled,
        problem=problem,
        speaks=SPEAKS,
        presets=PRESETS,
        host="" if not filled.address else language_models.host_of(filled.address),
    )
    return page, 200 if problem is None else problem.status
