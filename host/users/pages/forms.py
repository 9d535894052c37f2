"""The forms of the pages of users."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from flask import request
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, EqualTo, Length, ValidationError

from host.core import clock
from host.core.errors import InvalidError
from host.models.signing_in import RequirementScope
from host.models.users import Role
from host.users import passwords, roles, users
from host.web import languages


class AccountForm(FlaskForm):  # type: ignore[misc]
    """A form of text fields.

    A value sent as a file or as JSON, which could have any type, counts as empty.
    """

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> MultiDict[str, str] | None:
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            return request.form if form.is_submitted() and request.form else None


def text(field: Field) -> str:
    """Return the value of *field* as text; empty if none was sent."""
    return str(field.data or "")


def _required() -> DataRequired:
    return DataRequired(_l("This field is required."))


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


def _zone(form: FlaskForm, field: Field) -> None:
    if field.data and field.data not in clock.zones():
        raise ValidationError(_l("Time zone not found. Choose one from the list."))


def _language(form: FlaskForm, field: Field) -> None:
    if field.data and field.data not in languages.available():
        raise ValidationError(_l("This language is not available. Choose one from the list."))


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
    same = EqualTo(other, _l("The passwords do not match."))
    return PasswordField(_l("Confirm password"), [same], render_kw={"autocomplete": "new-password"})


def _role_field() -> SelectField:
    choices = [SelectChoice(role.value, name) for role, name in roles.ROLE_NAMES.items()]
    return SelectField(_l("Role"), choices=choices, default=Role.AGENT.value)


class LoginForm(AccountForm):
    email = StringField(
        _l("Email address"),
        [_required(), Length(max=users.MAX_EMAIL)],
        render_kw={"type": "email", "autocomplete": "username", "spellcheck": "false"},
    )
    password = PasswordField(_l("Password"), [_required()], render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class CodeForm(AccountForm):
    """A code of an app, a recovery code, or the answer of a passkey to a challenge."""

    code = StringField(
        _l("Code"),
        render_kw={
            "autocomplete": "one-time-code",
            "autocapitalize": "off",
            "spellcheck": "false",
            "maxlength": 40,
        },
    )
    challenge = HiddenField()
    answer = HiddenField()


class ConfirmForm(AccountForm):
    password = PasswordField(_l("Password"), [_required()], render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class SetupForm(AccountForm):
    token = HiddenField()
    name = _name_field(_l("Your name"), "name")
    email = _email_field(_l("Email address"))
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
            SelectChoice("auto", _l("System setting")),
            SelectChoice("light", _l("Light")),
            SelectChoice("dark", _l("Dark")),
        ],
    )
    locale = SelectField(_l("Language"))
    timezone = SelectField(_l("Time zone"), render_kw={"translate": "no"})

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.locale.choices = [
            SelectChoice("", _l("Browser setting")),
            *(SelectChoice(code, name) for code, name in languages.choices()),
        ]
        self.timezone.choices = [
            SelectChoice("", _l("Browser setting")),
            *(SelectChoice(name, name.replace("_", " ")) for name in clock.zones()),
        ]


class PasswordForm(AccountForm):
    current = PasswordField(
        _l("Current password"), [_required()], render_kw={"autocomplete": "current-password"}
    )
    password = _new_password_field(_l("New password"))
    again = _again_field("password")
    own_email = ""


class ChooseForm(AccountForm):
    """A new password, without the current one."""

    password = _new_password_field(_l("New password"))
    again = _again_field("password")
    own_email = ""


class ForgotForm(AccountForm):
    email = _email_field(_l("Email address"))


class DeleteForm(AccountForm):
    """A confirmation of identity: the password, or the person's own address if they have no password."""

    password = PasswordField(
        _l("Your password"),
        id="delete-password",  # another form of the page has a field "password"
        render_kw={"autocomplete": "current-password"},
    )
    address = StringField(
        _l("Your email address"),
        id="delete-address",
        render_kw={"autocomplete": "off", "spellcheck": "false", "maxlength": "254"},
    )


class NewPersonForm(AccountForm):
    name = _name_field(_l("Name"))
    email = _email_field(_l("Email address"), "off")
    admin = BooleanField(_l("Desk admin: installs addons and sees the whole installation"))


class SecondFactorForm(AccountForm):
    """The people who must have a second factor."""

    wanted = SelectField(
        _l("Require a second factor for"),
        choices=[
            SelectChoice(RequirementScope.NOBODY.value, _l("Nobody: it is optional")),
            SelectChoice(RequirementScope.ADMINS.value, _l("Desk admins")),
            SelectChoice(RequirementScope.EVERYBODY.value, _l("Everyone")),
        ],
    )


class ProviderForm(AccountForm):
    """The sign-in provider."""

    issuer = StringField(
        _l("Address of the provider"),
        render_kw={"type": "url", "autocomplete": "off", "maxlength": 255, "spellcheck": "false"},
    )
    client_id = StringField(
        _l("Client ID"), render_kw={"autocomplete": "off", "maxlength": 255, "spellcheck": "false"}
    )
    secret = PasswordField(_l("Client secret"), render_kw={"autocomplete": "off", "maxlength": 1000})
    label = StringField(_l("Name on the sign-in page"), render_kw={"autocomplete": "off", "maxlength": 60})
    passwords = SelectField(
        _l("Who can sign in without it, by password or passkey"),
        choices=[
            SelectChoice(RequirementScope.EVERYBODY.value, _l("Everyone")),
            SelectChoice(RequirementScope.ADMINS.value, _l("Desk admins only")),
        ],
    )
    joins = BooleanField(_l("Create an account for people the provider knows and Lobby does not"))
    trusted = BooleanField(_l("The provider requires a second factor, so Lobby doesn't ask for one"))
    groups_claim = StringField(
        _l("Groups claim of the provider"),
        render_kw={"autocomplete": "off", "maxlength": 60, "spellcheck": "false"},
    )


def _offered(sentence: LazyString) -> Callable[[AccountForm, SelectField], None]:
    """Refuse a value that is not offered with *sentence*; a form without the field changes nothing."""

    def validator(form: AccountForm, field: SelectField) -> None:
        offered = {choice.value for choice in cast("Sequence[SelectChoice]", field.choices)}
        if field.raw_data and field.data not in offered:
            raise ValidationError(sentence)

    return validator


class MakeWorkspaceForm(AccountForm):
    name = _name_field(_l("Name"), "organization")


class WorkspaceForm(AccountForm):
    name = _name_field(_l("Name"))
    timezone = SelectField(
        _l("Time zone"), render_kw={"translate": "no"}, validate_choice=False, validators=[_zone]
    )
    language = SelectField(_l("Language"), validate_choice=False, validators=[_language])
    on_reply = SelectField(
        _l("Replying to an unassigned conversation"),
        choices=[
            SelectChoice("", _l("Leaves it unassigned")),
            SelectChoice("assign", _l("Assigns it to the person who replies")),
        ],
        validate_choice=False,
    )
    undo = SelectField(
        _l("Undo a sent reply within"),
        choices=[
            SelectChoice("0", _l("Not at all")),
            SelectChoice("5", _l("5 seconds")),
            SelectChoice("10", _l("10 seconds")),
            SelectChoice("20", _l("20 seconds")),
            SelectChoice("30", _l("30 seconds")),
        ],
        validators=[_offered(_l("Choose one of these times."))],
        validate_choice=False,
    )
    pushes = SelectField(
        _l("Push notifications to phones"),
        choices=[
            SelectChoice("", _l("Without names and text")),
            SelectChoice("content", _l("With names and text, for members who choose it")),
        ],
        validate_choice=False,
    )
    offline = SelectField(
        _l("Conversations kept on phones for reading offline"),
        choices=[
            SelectChoice("0", _l("None")),
            SelectChoice("10", _l("The first 10 of the list")),
            SelectChoice("25", _l("The first 25 of the list")),
            SelectChoice("50", _l("The first 50 of the list")),
        ],
        validators=[_offered(_l("Choose one of these numbers."))],
        validate_choice=False,
    )
    drafts = SelectField(
        _l("Drafts of colleagues"),
        choices=[
            SelectChoice("", _l("Show that there is one")),
            SelectChoice("show", _l("Show what it says")),
        ],
        validate_choice=False,
    )
    same_person = SelectField(
        _l("New customers with a known phone number or email address"),
        choices=[
            SelectChoice("join", _l("Join the existing contact")),
            SelectChoice("", _l("Stay separate until someone merges them")),
        ],
        validate_choice=False,
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.timezone.choices = [
            SelectChoice("", _l("UTC")),
            *(SelectChoice(name, name.replace("_", " ")) for name in clock.zones() if name != "UTC"),
        ]
        self.language.choices = [
            SelectChoice("", _l("Desk default")),
            *(SelectChoice(code, name) for code, name in languages.choices()),
        ]


MOST_INVITED = 50
"""Maximum number of people invited by one form."""


class InviteForm(AccountForm):
    """The people to invite: one address or several, as pasted."""

    email = TextAreaField(
        _l("Email addresses"),
        [_required()],
        render_kw={"autocomplete": "off", "rows": "2", "spellcheck": "false", "inputmode": "email"},
    )
    role = _role_field()

    @property
    def addresses(self) -> list[str]:
        """Return each address once, in order, before or after validation."""
        return list(dict.fromkeys(re.split(r"[\s,;]+", text(self.email).strip(" \t\r\n,;"))))

    def validate_email(self, field: Field) -> None:
        if len(self.addresses) > MOST_INVITED:
            raise ValidationError(_l("You can invite at most 50 people at once."))
        cleaned = []
        for address in self.addresses:
            try:
                cleaned.append(users.clean_email(address))
            except InvalidError as error:
                several = len(self.addresses) > 1
                raise ValidationError(f"{address[:80]}: {error}" if several else str(error)) from error
        field.data = "\n".join(cleaned)


class NewWorkspaceForm(AccountForm):
    name = _name_field(_l("Name"))
    mine = BooleanField(_l("I'll be the owner"))
    email = StringField(
        _l("Owner's email address"),
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
