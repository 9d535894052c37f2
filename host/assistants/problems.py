"""Problems of assistants for the operator."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import installing
from host.assistants.language import asking
from host.assistants.models import LanguageModel
from host.features.problem import Problem
from host.web.languages import gettext as _


def find(session: Session) -> Iterator[Problem]:
    """Yield the problems."""
    yield from _models(session)


def _models(session: Session) -> Iterator[Problem]:
    """Yield models that cannot be used because the extra is missing, for instance after an update."""
    if asking.available() or session.scalar(sa.select(LanguageModel.id).limit(1)) is None:
        return
    fact = _("Assistants can't reach their models: the required packages aren't installed.")
    advice = _("An admin can install them: %(command)s", command=installing("assistants"))
    yield Problem("bad", fact, advice)
