"""Every text people read is marked for translation, and every catalogue has all of them, as they are now."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from jinja2 import TemplateSyntaxError

from host.events import catalogue
from tools import translations

HOST = translations.ROOT / "host"
ADDONS = sorted(path.parent for path in (translations.ROOT / "addons").glob("*/addon.toml"))
FILES = [path for folder in (HOST, *ADDONS) for path in folder.rglob("*.*")]
TEMPLATES = sorted(
    path for path in FILES if path.suffix == ".html" and not {"authoring", "static"} & set(path.parts)
)
ENGLISH = {"authoring", "cli", "cli.py", "tests"}
CODE = sorted(path for path in FILES if path.suffix == ".py" and not ENGLISH & set(path.parts))
SCRIPTS = sorted((HOST / "static" / "js").glob("*.js"))
NAMES = re.compile(r"%\([a-z_]+\)[sd]|\{[a-z]+\}|%%")
UNTRANSLATED = {
    # What stands for itself in every language.
    "CSV",
    "Instagram Direct",
    "order_by_number",
    "sha256",
    "· Lobby",
    "https://",
    # Names of classes and attributes, which a block or a condition gives to a tag.
    "autofocus",
    "contact",
    "page merge-page",
    "page write-page",
    "panes panes-",
    "people-page",
    "search-page",
}


def _forms(text: object) -> list[str]:
    return [str(one) for one in text] if isinstance(text, list | tuple) else [str(text)]


CATALOGUES = [(part, path) for part in translations.parts() for path in translations.catalogues(part)]
each_catalogue = pytest.mark.parametrize(
    ("part", "path"), CATALOGUES, ids=[f"{part.name}-{path.parents[1].name}" for part, path in CATALOGUES]
)


def test_an_addon_speaks_every_language_of_the_host() -> None:
    for addon in ADDONS:
        assert _languages(addon / "translations") == _languages(HOST / "translations"), addon.name


def _languages(folder: Path) -> set[str]:
    return {path.parents[1].name for path in folder.glob("*/LC_MESSAGES/messages.po")}


@functools.cache
def texts_of(part: Path) -> Catalog:
    """Return the texts of *part*, which takes seconds to look for."""
    return translations.texts(part)


@each_catalogue
def test_a_catalogue_has_every_text_and_no_other(part: Path, path: Path) -> None:
    wanted, held = texts_of(part), translations.read(path)
    texts, kept = ({(one.context, one.id) for one in each} for each in (wanted, held))
    assert texts - kept == set(), "python -m tools.translations"
    assert kept - texts == set(), "python -m tools.translations"
    assert translations.empty(held) == []
    assert path.with_suffix(".mo").read_bytes() == translations.compiled(held), "python -m tools.translations"


@each_catalogue
def test_a_translation_names_what_its_text_names(part: Path, path: Path) -> None:
    wrong = []
    for one in translations.read(path):
        if not one.id:
            continue
        texts, said = _forms(one.id), _forms(one.string)
        # The text of many has every name; that of one may leave the number out.
        if sorted(NAMES.findall(texts[-1])) != sorted(NAMES.findall(said[-1])):
            wrong.append(one.id)
        if not set(NAMES.findall(said[0])) <= set(NAMES.findall(" ".join(texts))):
            wrong.append(one.id)
    assert wrong == []


def test_a_text_that_is_missing_is_found() -> None:
    held = Catalog()
    held.add("Save", "Speichern")
    held.add(("%(num)s day", "%(num)s days"), ("%(num)s Tag", ""))
    held.add("Cancel", "")
    held.add("To", "An", context="recipient")
    held.add("To", "", context="time")
    assert translations.empty(held) == ["('%(num)s day', '%(num)s days')", "Cancel", "time: To"]
    assert "Save" in texts_of(Path("host"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("To", {"recipient": "An", "time": "Bis"}),
        ("From", {None: "Von", "time": "Von"}),
        ("Open", {None: "Offen", "button": "Öffnen", "business hours": "Geöffnet"}),
        ("open", {None: "offen", "key": "öffnen"}),
        ("Read", {"permission": "Lesen", "state": "Gelesen"}),
        ("Reply", {None: "Antworten", "noun": "Antwort"}),
        ("Choose another one.", {None: "Wählen Sie ein anderes.", "rule": "Wählen Sie eine andere."}),
    ],
)
def test_one_english_word_with_several_meanings_has_as_many_translations(
    text: str, said: dict[str | None, str]
) -> None:
    """From templates and code alike."""
    found, german = (
        texts_of(Path("host")),
        translations.read(HOST / "translations/de/LC_MESSAGES/messages.po"),
    )
    for context, translation in said.items():
        assert found.get(text, context) is not None, context
        assert german.get(text, context).string == translation


MARKS = {"_", "_l", "_n", "gettext", "ngettext", "lazy_gettext", "noop"}


def _marked(source: str) -> Iterator[str]:
    """Yield the texts that *source* marks for translation, also those inside f-strings."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in MARKS
            and node.args
        ):
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def test_every_marked_text_is_extracted() -> None:
    """Texts are not extracted from f-strings, so people would read them in English."""
    found = {part: texts_of(part) for part in translations.parts()}
    lost = [
        (path.name, text)
        for path in CODE
        for text in _marked(path.read_text())
        if not any(one.get(text) for one in found.values())
    ]
    assert lost == []


def test_a_text_marked_inside_an_f_string_is_seen() -> None:
    assert list(_marked("""f"{why} {_('Try again.')}" + gettext(name)""")) == ["Try again."]


def test_what_each_event_means_is_said_in_every_language() -> None:
    found = translations.texts()
    assert [kind.name for kind in catalogue.KINDS.values() if found.get(kind.about) is None] == []


def test_a_template_that_cannot_be_read_loses_no_translations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "babel.cfg").write_bytes((translations.ROOT / "babel.cfg").read_bytes())
    page = tmp_path / "host" / "templates" / "page.html"
    page.parent.mkdir(parents=True)
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    page.write_text('{{ _("Whole") }}')
    assert "Whole" in translations.texts()
    page.write_text('{{ _("Whole") "broken" + }}')
    with pytest.raises(TemplateSyntaxError):
        translations.texts()


# What was not marked


def unmarked_in_template(source: str) -> list[str]:
    """Return what of a template people would read that stands there as it is."""
    source = re.sub(r"(?s)\{#.*?#\}|<!--.*?-->", "", source)
    source = re.sub(r"(?s)\{% block styles %\}.*?\{% endblock %\}", "", source)  # names of style sheets
    source = re.sub(r"(?s)\{%.*?%\}|\{\{.*?\}\}", "", source)
    source = re.sub(r"(?is)<(script|style|code|kbd|pre|svg)\b.*?</\1>", "", source)
    spoken = re.findall(r'(?:aria-label|title|placeholder|alt|data-label|data-confirm)="([^"]*)"', source)
    texts = [*spoken, *re.sub(r"(?s)<[^>]*>", "\n", source).splitlines()]
    found = [" ".join(text.split()) for text in texts]
    found = [text for text in found if '="' not in text and text not in UNTRANSLATED]
    return [text for text in found if re.search(r"[^\W\d_]{2}|[“”]", text)]


def plain_decimals(source: str) -> list[str]:
    """Return the numbers in texts of a template that have a point in every language."""
    texts = re.findall(r"(?s)\b_\(.*?\}\}", source)
    plain = r"\w+=[^,]*?(?:%\.\d?f\W*\|format\([^)]*\)|\|round(?:\(\d\))?(?!\S*\|(?:numberformat|int)))"
    return [found for text in texts for found in re.findall(plain, text)]


def unmarked_in_code(source: str) -> list[str]:
    """Return the plain strings that are handed to what shows them to people."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        shown = list(node.args[:1]) if name.startswith("flash_") else []
        shown += [one.value for one in node.keywords if one.arg in {"next_step", "title", "sentence", "help"}]
        texts = (one.value for one in shown if isinstance(one, ast.Constant) and isinstance(one.value, str))
        found += [text for text in texts if " " in text and text not in UNTRANSLATED]
    return found


def unmarked_in_script(source: str) -> list[str]:
    """Return the words a script would show that do not come from its page."""
    shown = r"""(?:textContent|innerText|title|placeholder)\s*=\s*(["'`])([^"'`]*[A-Za-z]{2}[^"'`]*)\1"""
    asked = r"""(?:alert|confirm|prompt)\(\s*(["'`])([^"'`]*[A-Za-z]{2}[^"'`]*)\1"""
    return [
        text for pattern in (shown, asked) for _quote, text in re.findall(pattern, source) if "${" not in text
    ]


def _all(paths: list[Path], look: object) -> Iterator[str]:
    for path in paths:
        for text in look(path.read_text()):  # type: ignore[operator]
            yield f"{path.relative_to(translations.ROOT)}: {text}"


def test_every_text_is_marked() -> None:
    assert [
        *_all(TEMPLATES, unmarked_in_template),
        *_all(TEMPLATES, plain_decimals),
        *_all(CODE, unmarked_in_code),
        *_all(SCRIPTS, unmarked_in_script),
    ] == []


def test_what_was_not_marked_is_found() -> None:
    page = '<p title="Help">{{ _("Marked") }} and <b>not this</b> <code>code</code></p>{# no #}'
    assert unmarked_in_template(page) == ["Help", "and", "not this"]
    assert unmarked_in_template('<q>“{{ words }}”</q><q>{{ _("“%(words)s”", words=words) }}</q>') == ["“”"]
    page = (
        '{{ _("%(n)s s", n="%.1f"|format(x)) }}{{ _("%(n)s, %(m)s", n=x|round(1), m=y|round|numberformat) }}'
    )
    assert plain_decimals(page) == ['n="%.1f"|format(x)', "n=x|round(1)"]
    code = 'flash_good("All is saved.")\nflash_bad(_("x y"))\nError(_l("a b"), next_step="Do it again.")'
    assert unmarked_in_code(code) == ["All is saved.", "Do it again."]
    assert unmarked_in_script('line.textContent = "Saved now"; confirm("Sure?"); x.title = words.ok;') == [
        "Saved now",
        "Sure?",
    ]


# One German word for each thing. The first was said in a few texts, the second in all others.
INSTEAD = {
    "Unterhaltung": "Gespräch",
    r"(?<![(/@])Desks?\b": "Lobby-Server",
    "Schaltfläche": "Button",
    "Icebreaker": "Gesprächseinstieg",
    "private Notiz": "interne Notiz",
    "bis geschrieben wird": "bis zur nächsten Nachricht",
    "in die Glocke": "unter der Glocke",
    "übrig zum Antworten": "Zeit zum Antworten",
    "Jeder kann warten": "Jeder Schritt lässt sich verschieben",
    "mit eigener Antwort bekommt": "Wer … tippt, bekommt",
    "Nachricht zur Antwort": "zu Ihrer ersten Antwort",
}


def said_otherwise(catalogue: Catalog) -> list[str]:
    """Return what a German catalogue says with a word that stands in :data:`INSTEAD`."""
    texts = [text for one in catalogue if one.id for text in _forms(one.string)]
    return [
        f"{text} ({word}: {better})"
        for text in texts
        for word, better in INSTEAD.items()
        if re.search(rf"\b{word}", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("part", translations.parts(), ids=lambda part: part.name)
def test_german_has_one_word_for_each_thing(part: Path) -> None:
    path = translations.ROOT / part / "translations/de/LC_MESSAGES/messages.po"
    assert said_otherwise(translations.read(path)) == []


def test_a_second_german_word_is_found() -> None:
    held = Catalog()
    held.add("Keep conversations", "Unterhaltungen behalten")
    held.add(("a button", "buttons"), ("ein Button", "Schaltflächen"))
    assert said_otherwise(held) == [
        "Unterhaltungen behalten (Unterhaltung: Gespräch)",
        "Schaltflächen (Schaltfläche: Button)",
    ]


def test_a_button_says_what_it_does() -> None:
    assert [str(one.id) for one in texts_of(Path("host")) if one.id == "Do…"] == []
