"""Update the catalogues of the host and of the addons here: ``python -m tools.translations``.

Texts for people are extracted from code and templates, as configured in ``babel.cfg``. New texts are added to
each catalogue untranslated, and texts that no longer exist are removed. Each catalogue is then compiled. A
test fails while a text is untranslated.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
KEYWORDS = {
    **DEFAULT_KEYWORDS,  # pgettext and npgettext, whose first argument is a context, among them
    "_l": None,
    "_n": None,
    "noop": None,
    "lazy_gettext": None,
    "lazy_pgettext": ((1, "c"), 2),
}
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
"""Fixed creation date of each catalogue, so that the same texts give the same file."""


def texts(part: Path = Path("host")) -> Catalog:
    """Return the English texts for people of the host, or of the addon in the folder *part*."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = Catalog(project="Lobby")
    for name, line, text, _comments, context in extract_from_dir(
        ROOT, methods, options, KEYWORDS, directory_filter=lambda folder: _leads_to(Path(folder), part)
    ):
        found.add(text, locations=[(name, line)], context=context)
    return found


def _leads_to(folder: Path, part: Path) -> bool:
    here = folder.relative_to(ROOT).parts
    return all(one == wanted for one, wanted in zip(here, part.parts, strict=False))


def parts() -> list[Path]:
    """Return the folders that have catalogues: the host's, and those of addons."""
    return [Path("host"), *sorted(one.parent.relative_to(ROOT) for one in ROOT.glob("addons/*/translations"))]


def catalogues(part: Path = Path("host")) -> list[Path]:
    """Return the catalogue of each language that *part* has."""
    return sorted((ROOT / part / "translations").glob("*/LC_MESSAGES/messages.po"))


def read(path: Path) -> Catalog:
    """Return the catalogue at *path*."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name)


def written(catalogue: Catalog) -> bytes:
    """Return *catalogue* as a file, ordered by its texts, so that concurrent changes rarely conflict."""
    catalogue.creation_date = catalogue.revision_date = NEVER
    catalogue.fuzzy, catalogue.header_comment = (
        False,
        f"# {catalogue.locale_identifier}: kept by tools/translations.py",
    )
    catalogue.last_translator = catalogue.language_team = catalogue.msgid_bugs_address = ""
    made = io.BytesIO()
    write_po(made, catalogue, width=110, no_location=True, sort_output=True, ignore_obsolete=True)
    return made.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return *catalogue* in compiled form."""
    made = io.BytesIO()
    write_mo(made, catalogue)
    return made.getvalue()


def empty(catalogue: Catalog) -> list[str]:
    """Return the texts of *catalogue* that are untranslated or fuzzy, after their context."""
    return [
        f"{one.context}: {one.id}" if one.context else str(one.id)
        for one in catalogue
        if one.id and (one.fuzzy or not all(one.string if isinstance(one.string, tuple) else [one.string]))
    ]


def main() -> int:
    """Update and compile every catalogue; print the untranslated texts."""
    for part in parts():
        wanted = texts(part)
        for path in catalogues(part):
            catalogue = read(path)
            catalogue.update(wanted, no_fuzzy_matching=True)
            path.write_bytes(written(catalogue))
            path.with_suffix(".mo").write_bytes(compiled(read(path)))
            left = len(empty(catalogue))
            print(f"{part} {path.parents[1].name}: {len(catalogue)} texts, {left} to translate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
