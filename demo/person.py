"""A person at a browser without JavaScript: opens pages, finds forms by their buttons, submits them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests


class PageError(RuntimeError):
    """A page is not what a person would expect."""


@dataclass
class Form:
    action: str
    method: str = "get"
    values: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    more: list[tuple[str, str]] = field(default_factory=list)
    """The values of repeated field names except the last."""
    choices: set[str] = field(default_factory=set)
    """Names of boxes to tick."""
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Visible text, name and value of each submit button."""

    def hold(self, name: str, value: str) -> None:
        """Record the value of a field, keeping every value of a repeated name."""
        if name in self.values:
            self.more.append((name, self.values[name]))
        self.values[name] = value


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._form: Form | None = None
        self._button: list[str] | None = None
        self._button_attrs: dict[str, str] = {}
        self._textarea: str | None = None
        self._select: str | None = None
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"script", "style", "template"}:
            self._skip += 1
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        form = self._form
        assert form is not None
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and kind == "file":
            form.files.add(name)
        elif tag == "input" and kind in {"checkbox", "radio"}:
            form.choices.add(name)
            if "checked" in given:
                form.hold(name, given.get("value", "on"))
        elif tag == "input" and kind == "submit":
            form.buttons.append((given.get("value", ""), name, given.get("value", "")))
        elif tag == "input" and name:
            form.hold(name, given.get("value", ""))
        elif tag == "textarea":
            self._textarea = name
            form.values[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None:
            if "selected" in given or self._select not in form.values:
                form.values[self._select] = given.get("value", "")
        elif tag == "button" and given.get("type", "submit") == "submit":
            self._button, self._button_attrs = [], given

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "template"}:
            self._skip = max(0, self._skip - 1)
        elif tag == "form":
            self._form = None
        elif tag == "textarea":
            self._textarea = None
        elif tag == "select":
            self._select = None
        elif tag == "button" and self._button is not None and self._form is not None:
            text = " ".join("".join(self._button).split()) or self._button_attrs.get("aria-label", "")
            self._form.buttons.append(
                (text, self._button_attrs.get("name", ""), self._button_attrs.get("value", ""))
            )
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        self.text.append(data)
        if self._button is not None:
            self._button.append(data)
        if self._textarea is not None and self._form is not None:
            self._form.values[self._textarea] += data


class Person:
    """A browser session of one person on one desk."""

    def __init__(self, desk: str) -> None:
        self.desk = desk
        self.session = requests.Session()
        self.session.trust_env = False
        self.url = desk
        self.html = ""
        self.text = ""
        self.forms: list[Form] = []

    def open(self, address: str) -> str:
        """Open a page; return its visible text."""
        return self._arrive(self.session.get(urljoin(self.url, address), timeout=30))

    def press(
        self,
        button: str,
        values: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
        *,
        to: str = "",
    ) -> str:
        """Fill the form that has *button* with *values* and press it; return the visible text that follows.

        :param to: part of the form's address, if several forms have such a button.
        :raises PageError: if no form on the page has such a button or field.
        """
        form, name, value = self._find(button, to)
        unknown = set(values or {}) - set(form.values) - form.choices
        if unknown:
            raise PageError(
                f"the form with {button!r} has no field {', '.join(sorted(unknown))}: {sorted(form.values)}"
            )
        return self.submit(form, values, files, name=name, value=value)

    def submit(
        self,
        form: Form,
        values: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
        *,
        name: str = "",
        value: str = "",
    ) -> str:
        """Fill *form* with *values* and send it by the button *name*; return the visible text."""
        data = {**form.values, **(values or {})}
        if name:
            data[name] = value
        fields = [(name, value) for name, value in form.more if name not in (values or {})]
        fields += data.items()
        response = self.session.request(
            form.method,
            urljoin(self.url, form.action) if form.action else self.url,
            data=fields if form.method == "post" else None,
            params=fields if form.method == "get" else None,
            files=files,
            headers={"Referer": self.url, "Origin": self.desk},
            timeout=60,
        )
        return self._arrive(response)

    def csrf_token(self) -> str:
        """Return the token that requests of the page's scripts carry."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.html)
        if found is None:
            raise PageError(f"{self.url} has no CSRF token")
        return found[1]

    def _find(self, button: str, to: str = "") -> tuple[Form, str, str]:
        for fits in (str.__eq__, str.startswith):
            for form in (one for one in self.forms if to in one.action):
                for text, name, value in form.buttons:
                    if fits(text, button):
                        return form, name, value
        seen = sorted({text for form in self.forms for text, _, _ in form.buttons})
        raise PageError(f"no button {button!r} on {self.url}; there are {seen}")

    def _arrive(self, response: requests.Response) -> str:
        parser = _Parser()
        parser.feed(response.text)
        self.url, self.html, self.forms = response.url, response.text, parser.forms
        self.text = " ".join(" ".join(parser.text).split())
        if response.status_code >= 400:
            raise PageError(
                f"{response.request.method} {response.url} answered {response.status_code}: {self.text[:400]}"
            )
        return self.text

    def expect(self, *phrases: str) -> None:
        """Check that the page contains each phrase.

        :raises PageError: naming the missing one.
        """
        for phrase in phrases:
            if phrase not in self.text:
                raise PageError(f"{self.url} does not say {phrase!r}: {self.text[:600]}")
