"""The forms of the pages of users."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, EqualTo, Length, ValidationError

from host.core.errors import InvalidError
from host.models.users import Role
from host.users import passwords, users
from host.web import languages


class AccountForm(FlaskForm):  # type: ignore[misc]
    """A form of texts. A value sent as a file or as JSON, which could be of any type, counts as empty."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> MultiDict[str, str] | None:
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            return request.form if form.is_submitted() and request.form else None


def text(field: Field) -> str:
    """Return the value of *field* as text; empty if none was sent."""
    return str(field.data or "")


def _required() -> DataRequired:
    return DataRequired(_l("Fill this in."))


def _address(form: FlaskForm, field: Field) -> None:
    try:
        field.data = users.clean_email(field.data or "")
    except InvalidError as error:
        raise ValidationError(str(error)) from error


def _name(form: FlaskForm, field: Field) -> None:
    try:
        field.data = users.clean_name(field.data or "")
    except InvalidError as error:
        raise ValidationError(str(error)) from error


def _new_password(form: FlaskForm, field: Field) -> None:
    address = form["email"].data if "email" in form else getattr(form, "own_email", "")
    reason = passwords.problem(field.data or "", email=address or "")
    if reason is not None:
        raise ValidationError(reason)


def _email_field(label: Any, autocomplete: str = "username") -> StringField:
    keys = {
        "type": "email",
        "autocomplete": autocomplete,
        "maxlength": users.MAX_EMAIL,
        "spellcheck": "false",
    }
    return StringField(label, [_required(), _address], render_kw=keys)


def _name_field(label: Any, autocomplete: str = "off") -> StringField:
    keys = {"autocomplete": autocomplete, "maxlength": users.MAX_NAME}
    return StringField(label, [_required(), _name], render_kw=keys)


def _new_password_field(label: Any) -> PasswordField:
    keys = {"autocomplete": "new-password", "minlength": passwords.MIN_LENGTH}
    return PasswordField(label, [_required(), _new_password], render_kw=keys)


def _again_field(other: str) -> PasswordField:
    same = EqualTo(other, _l("The two passwords differ."))
    return PasswordField(_l("Password again"), [same], render_kw={"autocomplete": "new-password"})


def _role_field() -> SelectField:
    choices = [SelectChoice(Role.AGENT.value, _l("Agent")), SelectChoice(Role.OWNER.value, _l("Owner"))]
    return SelectField(_l("Role"), choices=choices, default=Role.AGENT.value)


class LoginForm(AccountForm):
    email = StringField(
        _l("E-mail address"),
        [_required(), Length(max=users.MAX_EMAIL)],
        render_kw={"type": "email", "autocomplete": "username", "spellcheck": "false"},
    )
    password = PasswordField(_l("Password"), [_required()], render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class ConfirmForm(AccountForm):
    password = PasswordField(_l("Password"), [_required()], render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class SetupForm(AccountForm):
    token = HiddenField()
    name = _name_field(_l("Your name"), "name")
    email = _email_field(_l("E-mail address"))
    password = _new_password_field(_l("Password"))
    again = _again_field("password")
    workspace = _name_field(_l("Name of the first workspace"), "organization")


class JoinForm(AccountForm):
    name = _name_field(_l("Your name"), "name")
    password = _new_password_field(_l("Password"))
    again = _again_field("password")
    own_email = ""


class ProfileForm(AccountForm):
    name = _name_field(_l("Name"), "name")
    theme = SelectField(
        _l("Theme"),
        choices=[
            SelectChoice("auto", _l("As the system has it")),
            SelectChoice("light", _l("Light")),
            SelectChoice("dark", _l("Dark")),
        ],
    )
    locale = SelectField(_l("Language"))

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.locale.choices = [
            SelectChoice("", _l("As the browser has it")),
            *(SelectChoice(code, name) for code, name in languages.choices()),
        ]


class PasswordForm(AccountForm):
    current = PasswordField(
        _l("Present password"), [_required()], render_kw={"autocomplete": "current-password"}
    )
    password = _new_password_field(_l("New password"))
    again = _again_field("password")
    own_email = ""


class WorkspaceForm(AccountForm):
    name = _name_field(_l("Name"))


class InviteForm(AccountForm):
    email = _email_field(_l("E-mail address"), "off")
    role = _role_field()


class NewWorkspaceForm(AccountForm):
    name = _name_field(_l("Name"))
    mine = BooleanField(_l("I will be its owner myself"))
    email = StringField(
        _l("E-mail address of its owner"),
        render_kw={
            "type": "email",
            "autocomplete": "off",
            "maxlength": users.MAX_EMAIL,
            "spellcheck": "false",
        },
    )

    def validate_email(self, field: Field) -> None:
        if not self.mine.data:
            _address(self, field)
