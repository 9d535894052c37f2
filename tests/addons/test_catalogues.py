"""An addon's own translations: they speak for its texts, and for nobody else's."""

from __future__ import annotations

import io

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from host.addons import lifecycle
from host.core import mail
from host.process.serving import HostApplication
from host.sdk import i18n
from host.sdk.i18n import gettext
from tests.addons.conftest import MakeZip

GERMAN = "translations/de/LC_MESSAGES/messages.mo"


def compiled(**words: str) -> bytes:
    catalogue = Catalog(locale="de")
    for text, said in words.items():
        catalogue.add(text.replace("_", " "), said)
    made = io.BytesIO()
    write_mo(made, catalogue)
    return made.getvalue()


def said(desk: HostApplication, *texts: str) -> list[str]:
    with desk.generation().app.test_request_context("/", headers={"Accept-Language": "de"}):
        return [gettext(text) for text in texts]


@pytest.mark.slow
def test_an_addon_speaks_for_itself_alone(desk: HostApplication, toy_zip: MakeZip) -> None:
    words = compiled(they_wrote="sie schrieben", Save="Verwerfen")
    lifecycle.install_file(desk.config, toy_zip({GERMAN: words}))
    assert said(desk, "they wrote", "Save") == ["they wrote", "Speichern"]
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert said(desk, "they wrote", "Save") == ["sie schrieben", "Speichern"]
    assert [mail.words("de").ugettext(text) for text in ("they wrote", "Save")] == [
        "sie schrieben",
        "Speichern",
    ]
    assert mail.words("en", "de").ugettext("they wrote") == "they wrote"
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert mail.words("de").ugettext("they wrote") == "they wrote", "nor in a mail, once it is gone"


def test_a_word_of_an_addon_with_a_context_is_said_by_it(desk: HostApplication, toy_zip: MakeZip) -> None:
    catalog = Catalog("de")
    catalog.add("None yet", "Noch keine", context="toy delivery")
    catalog.add("None yet", "Noch keiner", context="toy visitor")
    file = io.BytesIO()
    write_mo(file, catalog)
    lifecycle.install_file(desk.config, toy_zip({GERMAN: file.getvalue()}))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    with desk.generation().app.test_request_context("/", headers={"Accept-Language": "de"}):
        found = [i18n.pgettext(context, "None yet") for context in ("toy delivery", "toy visitor")]
        assert found == ["Noch keine", "Noch keiner"]
        assert str(i18n.lazy_pgettext("toy visitor", "None yet")) == "Noch keiner"


def test_a_broken_catalogue_costs_its_addon_its_words_alone(desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(desk.config, toy_zip({GERMAN: b"no catalogue"}))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert said(desk, "they wrote", "Save") == ["they wrote", "Speichern"]
    assert desk.generation().attention["toy"] == ("Its catalogue of de cannot be read. It speaks English.",)
    english = GERMAN.replace("/de/", "/en/")
    lifecycle.install_file(desk.config, toy_zip({english: compiled(Save="Drop")}, version="1.0.1"))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert "English" in desk.generation().attention["toy"][0]
    with desk.generation().app.test_request_context("/", headers={"Accept-Language": "en"}):
        assert gettext("Save") == "Save"
