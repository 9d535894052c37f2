"""The name and the description of an addon in the reader's language.

While an addon runs, its texts are in the catalogues of the app. Otherwise, those in its zip are read.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping

import msgspec
from babel.support import Translations
from flask_babel import get_locale

from host.addons.package.manifest import Manifest
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

CATALOGUE = re.compile(r"translations/([A-Za-z_]+)/LC_MESSAGES/messages\.mo")
"""The path of a compiled catalogue in a zip; its group is the language."""


class AddonTexts(msgspec.Struct, frozen=True):
    """The name and the description of an addon in one language."""

    name: str
    description: str


def read_texts(manifest: Manifest, catalogues: Mapping[str, bytes]) -> dict[str, AddonTexts]:
    """Return the texts of *manifest* by language.

    :param catalogues: path in the zip -> content. One that cannot be read is left out.
    """
    found = {}
    for path, content in catalogues.items():
        match = CATALOGUE.fullmatch(path)
        if match is None:
            continue
        try:
            catalogue = Translations(io.BytesIO(content))
            name, about = (_said(catalogue, text) for text in (manifest.name, manifest.description))
        except Exception:
            log.exception("the catalogue %s of the addon %s cannot be read", path, manifest.slug)
        else:
            found[match[1]] = AddonTexts(name, about)
    return found


def in_words(manifest: Manifest, texts: Mapping[str, AddonTexts] | None = None) -> Manifest:
    """Return *manifest* with its name and description in the reader's language.

    :param texts: those of its zip, which count where the app has none: the addon may not run.
    """
    own = (texts or {}).get(str(get_locale()))
    name = _in_app(manifest.name)
    description = _in_app(manifest.description)
    if own is not None:
        name = name if name != manifest.name else own.name
        description = description if description != manifest.description else own.description
    return msgspec.structs.replace(manifest, name=name, description=description)


def _said(catalogue: Translations, text: str) -> str:
    # The translation of an empty text is the head of the catalogue.
    return str(catalogue.gettext(text)) if text else ""


def _in_app(text: str) -> str:
    return _(text) if text else ""
