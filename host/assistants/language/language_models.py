"""The language models of a workspace: address, prices, and a key that is never shown again."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.assistants.language import asking
from host.assistants.models import Assistant, LanguageModel
from host.assistants.values import (
    Ask,
    ModelError,
    ModelSetting,
    ModelUsage,
    Speaks,
    Thinker,
    TranscriptLine,
)
from host.core import clock, guard, secrets
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.secrets import Place, Secret
from host.inbox import names
from host.users.actor import UnitOfWork

MOST = 20
"""Most models of a workspace."""
LONGEST_NAME = 64
LONGEST_ADDRESS = 500
LONGEST_MODEL = 200
LONGEST_KEY = 2000
MOST_PRICE = 10**12
"""Highest price: a million of the currency, in millionths."""
TRY_SECONDS = 20.0
_TRY_TOKENS = 200


class ModelNotFoundError(NotFoundError):
    """The workspace has no such model."""

    code = "language_model_not_found"
    title = _l("Language model not found")
    default_sentence = _l("This language model does not exist. Someone may have deleted it.")
    default_next_step = _l("Choose another one.")


class ModelSettingError(InvalidError):
    """A setting of a model is invalid."""

    code = "language_model_not_usable"
    default_sentence = _l("The language model is invalid, so nothing was changed.")
    default_next_step = ""


class TooManyModelsError(ConflictError):
    """The workspace has the maximum number of models."""

    code = "too_many_language_models"
    default_sentence = _l("A workspace can have at most 20 language models.")
    default_next_step = lazy_pgettext("language model", "Delete one you no longer use.")


class ModelInput(msgspec.Struct, frozen=True):
    """A model as entered.

    :param key: None to keep the stored key, empty for no key.
    :param price_in: price of a million input tokens, in millionths of *currency*; *price_out*: of a million
        output tokens.
    """

    name: str
    speaks: str
    address: str
    model: str
    key: str | None = None
    price_in: int = 0
    price_out: int = 0
    currency: str = "USD"


class ModelSummary(msgspec.Struct, frozen=True):
    """A model in the list.

    :param assistants: names of the assistants that use it.
    """

    row: LanguageModel
    host: str
    assistants: Sequence[str]


def listing(session: Session, workspace_id: int) -> list[ModelSummary]:
    """Return the models of a workspace in the order they were added."""
    query = sa.select(LanguageModel).where(LanguageModel.workspace_id == workspace_id)
    using = sa.select(Assistant.model_id, Assistant.name).where(
        Assistant.workspace_id == workspace_id, Assistant.model_id.is_not(None)
    )
    asked: dict[int, list[str]] = {}
    for model_id, name in session.execute(using.order_by(Assistant.name, Assistant.id)):
        asked.setdefault(model_id or 0, []).append(name)
    rows = session.scalars(query.order_by(LanguageModel.id))
    return [ModelSummary(row, host_of(row.address), asked.get(row.id, ())) for row in rows]


def get(session: Session, workspace_id: int, model_id: int, *, lock: bool = False) -> LanguageModel:
    """Return a model of the workspace.

    :param lock: lock it until the write ends.
    :raises ModelNotFoundError: if there is none.
    """
    query = sa.select(LanguageModel).where(
        LanguageModel.id == model_id, LanguageModel.workspace_id == workspace_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise ModelNotFoundError()
    return row


def create(work: UnitOfWork, wanted: ModelInput) -> LanguageModel:
    """Create a model and return it.

    :raises ModelSettingError: if a setting is invalid.
    :raises TooManyModelsError: if there are :data:`MOST`.
    """
    wanted = checked(wanted)
    count = sa.select(sa.func.count()).where(LanguageModel.workspace_id == work.workspace_id)
    if (work.session.scalar(count) or 0) >= MOST:
        raise TooManyModelsError(limit=MOST)
    row = LanguageModel(uuid=str(uuid.uuid4()), workspace_id=work.workspace_id, created_at=work.now)
    _take(row, wanted)
    work.session.add(row)
    work.session.flush()
    work.audit("language_model.added", row.name, details=_named(row))
    return row


def change(work: UnitOfWork, model_id: int, wanted: ModelInput) -> LanguageModel:
    """Change a model and return it. Without a new key it keeps its own, unless the host changes.

    :raises ModelNotFoundError: if there is none.
    :raises ModelSettingError: if a setting is invalid.
    """
    row = get(work.session, work.workspace_id, model_id, lock=True)
    wanted = checked(wanted)
    is_elsewhere = _origin(wanted.address) != _origin(row.address)
    if wanted.key is None and row.key is not None and is_elsewhere:
        raise ModelSettingError(
            _l("The key was given for another host, so nothing was changed."),
            next_step=_l("Enter the key for this address."),
            field="key",
        )
    if is_elsewhere or wanted.model != row.model or wanted.key is not None or wanted.speaks != row.speaks:
        row.tried_at = row.problem = None
    _take(row, wanted)
    work.session.flush()
    work.audit("language_model.changed", row.name, details=_named(row))
    return row


def _named(row: LanguageModel) -> dict[str, str]:
    """Return how the audit log names where a model is."""
    return {"host": host_of(row.address), "model": row.model}


def _take(row: LanguageModel, wanted: ModelInput) -> None:
    row.name, row.speaks, row.address = wanted.name, wanted.speaks, wanted.address
    row.model, row.currency = wanted.model, wanted.currency
    row.price_in, row.price_out = wanted.price_in, wanted.price_out
    if wanted.key is not None:
        row.key = secrets.keyring().seal(Secret(wanted.key), _place(row)) if wanted.key else None


def delete(work: UnitOfWork, model_id: int) -> str:
    """Delete a model and return its name. Its assistants then have no model, and offer topics.

    :raises ModelNotFoundError: if there is none.
    """
    row = get(work.session, work.workspace_id, model_id, lock=True)
    name = row.name
    work.session.execute(
        sa.update(Assistant).where(Assistant.model_id == row.id).values(model_id=None, lost_model=name)
    )
    work.session.delete(row)
    work.session.flush()
    work.audit("language_model.deleted", name)
    return name


def setting_of(session: Session, model_id: int | None) -> ModelSetting | None:
    """Return the settings to call a model, with its key; None if it is deleted, or of an unknown kind.

    :raises SecretUnreadableError: if its key cannot be read.
    """
    row = None if model_id is None else session.get(LanguageModel, model_id)
    if row is None or row.speaks not in set(Speaks):
        return None
    return ModelSetting(
        speaks=Speaks(row.speaks),
        address=row.address,
        model=row.model,
        key=None if row.key is None else secrets.keyring().open(row.key, _place(row)),
        price_in=row.price_in,
        price_out=row.price_out,
        currency=row.currency,
    )


def _place(row: LanguageModel) -> Place:
    return Place("language_models", "key", row.workspace_id, row.uuid)


# ---- trials -------------------------------------------------------------------------------------------


class ModelTrial(msgspec.Struct, frozen=True):
    """The result of trying a model.

    :param reason: why there was no answer, a key of the reasons; empty on success.
    :param detail: the provider's error message. It is untrusted.
    :param cost: in millionths of the model's currency.
    """

    answer: str
    used: ModelUsage
    cost: int
    ms: int
    reason: str = ""
    detail: str = ""


def try_it(setting: ModelSetting, thinker: Thinker = asking.ask) -> ModelTrial:
    """Send a model a test question of a few tokens and return the result. No customer data is sent."""
    ask = Ask(
        instructions="Somebody tries whether you can be reached. Answer with one short sentence.",
        lines=[TranscriptLine("customer", "Hello, do you hear me?", datetime(2000, 1, 1, tzinfo=UTC))],
        seconds=TRY_SECONDS,
        most_tokens=_TRY_TOKENS,
    )
    began = clock.monotonic()
    said, reason, detail = "", "", ""
    try:
        thought = thinker(setting, ask, lambda _name, _arguments: "")
        used = thought.used
        said = thought.said.answer or thought.said.because
    except ModelError as error:
        used, reason, detail = error.used, error.reason, error.detail
    ms = round(1000 * (clock.monotonic() - began))
    cost = setting.cost(used.tokens_in, used.tokens_out)
    return ModelTrial(said, used, cost, ms, reason, detail)


def note_trial(work: UnitOfWork, model_id: int, tried: ModelTrial) -> LanguageModel:
    """Record when a model was tried and any error.

    :raises ModelNotFoundError: if there is none.
    """
    row = get(work.session, work.workspace_id, model_id, lock=True)
    row.tried_at, row.problem = work.now, tried.reason or None
    work.session.flush()
    return row


# ---- validation ---------------------------------------------------------------------------------------


def checked(wanted: ModelInput) -> ModelInput:
    """Return *wanted* normalized.

    :raises ModelSettingError: if a setting is invalid.
    """
    name = names.checked(
        wanted.name,
        ModelSettingError(_l("The name must have 1 to 64 characters."), field="name"),
        longest=LONGEST_NAME,
    )
    if wanted.speaks not in set(Speaks):
        raise ModelSettingError(_l("Choose an API type."), field="speaks")
    address = checked_address(wanted.address)
    model = " ".join(wanted.model.split())
    if not model or len(model) > LONGEST_MODEL or not model.isprintable():
        raise ModelSettingError(_l("Enter the provider's name for the model."), field="model")
    key = None if wanted.key is None else wanted.key.strip()
    if key and (len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key):
        raise ModelSettingError(_l("The key must be ASCII without spaces."), field="key")
    for price, field in ((wanted.price_in, "price_in"), (wanted.price_out, "price_out")):
        if not 0 <= price <= MOST_PRICE:
            raise ModelSettingError(_l("The price must be from 0 to a million."), field=field)
    currency = wanted.currency.strip().upper()
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise ModelSettingError(
            _l("The currency must be three letters, such as USD or EUR."), field="currency"
        )
    return ModelInput(name, wanted.speaks, address, model, key, wanted.price_in, wanted.price_out, currency)


def checked_address(text: str) -> str:
    """Return an address without trailing slashes.

    :raises ModelSettingError: if a model cannot be called there.
    """
    address = text.strip().rstrip("/")
    found = _split(address)
    if found is None or len(address) > LONGEST_ADDRESS:
        raise ModelSettingError(
            _l("Lobby can't connect to a model at this URL."),
            next_step=_l("Use a URL like https://api.example.com/v1."),
            field="address",
        )
    parts, host, port = found
    if guard.is_exempt(host, port, model=True):
        return address
    if parts.scheme != "https" or port != 443 or not guard.is_host_name(host) or _is_private(host):
        raise ModelSettingError(
            _l("Use an https URL on port 443 with a public hostname."),
            next_step=_l(
                "For a model on your own network, an admin adds it to LOBBY_MODEL_HOSTS as host:port."
            ),
            field="address",
        )
    return address


def _split(address: str) -> tuple[SplitResult, str, int] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    typed = address.isprintable() and address.isascii() and not set(' \\"<>') & set(address)
    plain = not parts.query and not parts.fragment and "@" not in parts.netloc
    if not typed or not plain or parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return parts, parts.hostname, port


def _is_private(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return not guard.is_public(host)
    return False


def _origin(address: str) -> tuple[str, str, int] | None:
    found = _split(address)
    return None if found is None else (found[0].scheme, found[1], found[2])


def host_of(address: str) -> str:
    """Return the host of an address, with its port unless it is the default: the recipient of the data."""
    found = _split(address)
    if found is None:
        return address
    return found[1] if found[2] in {80, 443} else f"{found[1]}:{found[2]}"
