"""Settings pages of a workspace: its people, the accounts they see, and invitations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.db import db
from host.core.errors import InvalidError, LobbyError, NotFoundError
from host.models.users import Role
from host.users import invitations, leaving, members, roles
from host.users.actor import UnitOfWork
from host.users.invitations import Pending
from host.users.leaving import Sees
from host.users.members import Member
from host.users.pages import asking_first, sudo
from host.users.pages.asking_first import Question
from host.users.pages.blueprint import bp
from host.users.pages.desk_people_views import mails_links
from host.users.pages.forms import InviteForm, text
from host.users.reach import Accounts
from host.users.signin import factors, settings
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.portions import Portion, portion
from host.web.request_helpers import (
    Permission,
    config,
    current_user,
    external_url,
    flash_bad,
    flash_good,
    workspace_view,
    write,
)

PEOPLE = "/w/<int:workspace_id>/settings/people"
TEAMS = "teams"
"""Form value for the accounts of the person's teams."""
STATES = {
    "active": _l("Can sign in"),
    "no_second": _l("No second factor"),
    "invited": _l("Invited"),
    "disabled": _l("Locked out"),
}
"""Filters of the list of people."""


class PeopleFilter(msgspec.Struct, frozen=True):
    """A filter of the list of people, from the page's address. Empty fields are ignored.

    :param role: a value of :class:`Role`. *state*: a name of :data:`STATES`.
    """

    q: str
    role: str
    state: str

    @classmethod
    def asked(cls) -> PeopleFilter:
        """Return the filter of this request; an unknown role or state counts as empty."""
        given = request.args
        role, state = given.get("role", ""), given.get("state", "")
        return cls(
            given.get("q", "").strip(),
            role if role in roles.ROLE_NAMES else "",
            state if state in STATES else "",
        )

    @property
    def any(self) -> bool:
        """Whether any filter is set."""
        return bool(self.q or self.role or self.state)

    def takes(self, member: Member) -> bool:
        """Return whether a member matches."""
        if not self._fits(f"{member.name} {member.email}", member.role):
            return False
        match self.state:
            case "active":
                return not member.disabled
            case "no_second":
                return not member.disabled and not member.second_factor
            case "disabled":
                return member.disabled
        return not self.state

    def takes_invited(self, invitation: Pending) -> bool:
        """Return whether an invitation matches."""
        return self.state in {"", "invited"} and self._fits(invitation.email, invitation.role)

    def _fits(self, words: str, role: Role) -> bool:
        return self.q.casefold() in words.casefold() and self.role in {"", role}


navigation.add_settings(
    "accounts.people",
    _l("People"),
    order=30,
    section=navigation.PEOPLE,
    icon="users",
    words="members, users, roles, access, permissions, Mitglieder, Benutzer, Rollen, Zugriff, Rechte",
    finds=(
        navigation.Find(
            _l("Invite people"),
            "invite-title",
            "add person, new member, invitation, einladen, Einladung, Person hinzufügen",
        ),
    ),
)


@bp.get("/w/<int:workspace_id>/settings/team")
@workspace_view(Permission.PEOPLE)
def team(workspace_id: int) -> ResponseReturnValue:
    """Redirect to the page that used to have this address."""
    return redirect(url_for("accounts.people", workspace_id=workspace_id), code=301)


@bp.get(PEOPLE)
@workspace_view(Permission.PEOPLE)
def people(workspace_id: int) -> ResponseReturnValue:
    """List the people of the workspace and its open invitations."""
    return _page(workspace_id, InviteForm(formdata=None))


def _page(
    workspace_id: int, form: InviteForm, *, links: Sequence[tuple[str, str]] = (), status: int = 200
) -> ResponseReturnValue:
    """Return the page.

    :param links: address and link of each person who was just invited without mail.
    """
    session = db.session()
    # Keep the chosen accounts in the form until the invitations are made.
    chosen = [] if links else account_picker.chosen_ids()
    found = members.listing(session, workspace_id)
    pending = invitations.pending(session, workspace_id)
    wanted = PeopleFilter.asked()
    part: Portion[Member | Pending] = portion(
        [
            *(one for one in found if wanted.takes(one)),
            *(one for one in pending if wanted.takes_invited(one)),
        ]
    )
    shown = [one for one in part.rows if isinstance(one, Member)]
    page = render_template(
        "accounts/people.html",
        form=form,
        people=found,
        part=part,
        shown=shown,
        kinds=factors.kinds(session, [one.user_id for one in shown if one.second_factor]),
        owners=[one.user_id for one in found if one.role is Role.OWNER and not one.disabled],
        asked=settings.read(session, config()).second_factor,
        pending=pending,
        invited=[one for one in part.rows if isinstance(one, Pending)],
        wanted=wanted,
        states=STATES,
        accounts=account_picker.picker(session, workspace_id, chosen),
        see=request.form.get("see", "all") if not links else "all",
        roles=roles,
        links=links,
        days=invitations.LIFETIME.days,
        mails=mails_links(),
    )
    return page, status


@bp.get(f"{PEOPLE}/roles")
@workspace_view(Permission.READ)
def role_table(workspace_id: int) -> ResponseReturnValue:
    """Show the permissions of each role, from the table that every page checks."""
    with db.read() as reading:
        found = members.listing(reading, workspace_id)
    counts = {role: sum(one.role is role and not one.disabled for one in found) for role in roles.ROLE_NAMES}
    return render_template("accounts/roles.html", roles=roles, counts=counts)


@bp.post(f"{PEOPLE}/invite")
@workspace_view(Permission.PEOPLE)
def invite_person(workspace_id: int) -> ResponseReturnValue:
    """Invite one or more people: by mail if the desk can send it, else each link is shown once."""
    form = InviteForm()
    if account_picker.is_looking():
        return _page(workspace_id, form)
    mailed = mails_links() and request.form.get("how") != "link"
    if not form.validate():
        return _page(workspace_id, form, status=400)
    role = Role(text(form.role))
    accounts = _accounts_given() if role in roles.LIMITABLE else None
    if role is Role.OWNER:
        sudo.require()

    addresses = form.addresses
    at = ""

    def use_case(work: UnitOfWork) -> list[str]:
        nonlocal at
        tokens = []
        for at in addresses:
            tokens.append(invitations.invite(work, at, role, accounts=accounts, mailed=mailed))
        return tokens

    try:
        tokens = write(use_case)
    except LobbyError as error:
        form.email.errors = [f"{at}: {error}" if len(addresses) > 1 else str(error)]
        return _page(workspace_id, form, status=error.status)
    if mailed:
        if len(addresses) == 1:
            flash_good(_("Invitation sent to %(email)s.", email=addresses[0]))
        else:
            flash_good(_("%(number)s invitations sent.", number=len(addresses)))
        return redirect(url_for("accounts.people", workspace_id=workspace_id))
    links = [external_url("accounts.invite", token=token) for token in tokens]
    return _page(workspace_id, InviteForm(formdata=None), links=list(zip(addresses, links, strict=True)))


@bp.post(f"{PEOPLE}/invitations/<int:invitation_id>/again")
@workspace_view(Permission.PEOPLE)
def invite_again(workspace_id: int, invitation_id: int) -> ResponseReturnValue:
    """Send an invitation again, valid for another week: by mail, or with a new link that is shown once."""
    by_mail = mails_links() and request.form.get("how") != "link"
    _check_right_to_invite(workspace_id, invitation_id)
    if by_mail:
        email = write(invitations.again, invitation_id)
        flash_good(_("Invitation sent to %(email)s.", email=email))
        return redirect(url_for("accounts.people", workspace_id=workspace_id))
    email, token = write(invitations.new_link, invitation_id)
    link = external_url("accounts.invite", token=token)
    return _page(workspace_id, InviteForm(formdata=None), links=[(email, link)])


def _check_right_to_invite(workspace_id: int, invitation_id: int) -> None:
    """Ask for the password before an owner is invited again, as for the first invitation."""
    found = invitations.pending(db.session(), workspace_id)
    if any(one.id == invitation_id and one.role is Role.OWNER for one in found):
        sudo.require()


@bp.post(f"{PEOPLE}/invitations/<int:invitation_id>/withdraw")
@workspace_view(Permission.PEOPLE)
def withdraw_invitation(workspace_id: int, invitation_id: int) -> ResponseReturnValue:
    """Revoke an unused invitation."""
    write(invitations.withdraw, invitation_id)
    flash_good(_("Invitation withdrawn."))
    return redirect(url_for("accounts.people", workspace_id=workspace_id))


@bp.get(f"{PEOPLE}/<int:user_id>")
@workspace_view(Permission.PEOPLE)
def member(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Show a form to change a member's role and the accounts they see."""
    session = db.session()
    person = _member(session, workspace_id, user_id)
    see = "all" if person.accounts is None else TEAMS if person.by_teams else "some"
    chosen = person.accounts if see == "some" else None
    return _member_page(session, workspace_id, person, person.role.value, see, chosen or ())


def _member_page(
    session: Session, workspace_id: int, person: Member, role: str, see: str, chosen: Collection[int]
) -> ResponseReturnValue:
    return render_template(
        "accounts/member.html",
        person=person,
        role=role,
        see=see,
        accounts=account_picker.picker(session, workspace_id, chosen),
        roles=roles,
    )


@bp.post(f"{PEOPLE}/<int:user_id>/role")
@workspace_view(Permission.PEOPLE)
def set_member_role(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Change a member's role and, where it may be limited, the accounts they see.

    A page first shows what will end.
    """
    with db.read() as reading:
        person = _member(reading, workspace_id, user_id)
        if account_picker.is_looking():
            role_given, see = request.form.get("role", ""), request.form.get("see", "all")
            chosen = account_picker.chosen_ids()
            return _member_page(reading, workspace_id, person, role_given, see, chosen)
    try:
        role = Role(request.form.get("role", ""))
    except ValueError as error:
        raise InvalidError() from error
    if Role.OWNER in {role, person.role} and role is not person.role:
        sudo.require()
    # A form without a choice of accounts keeps the current one.
    had = (frozenset() if person.by_teams else person.accounts), person.by_teams
    wanted = had if "see" not in request.form else (_accounts_given(), request.form["see"] == TEAMS)
    wanted = wanted if role in roles.LIMITABLE else (None, False)
    sees = None if wanted == had else Sees(*wanted)
    if person.role is Role.OWNER and role is not Role.OWNER:
        question = Question(
            name=person.name,
            title=_("Remove the owner role from %(name)s?", name=person.name),
            sentence="",
            button=_("Make %(role)s", role=roles.ROLE_NAMES[role]),
            template="settings.html",
            back=url_for("accounts.member", workspace_id=workspace_id, user_id=user_id),
            fields=_carried(),
        )
        page = asking_first.ask(question, user_id, workspace_id)
        if page is not None:
            return page
    return _try(workspace_id, user_id, leaving.change_member, role=role, sees=sees)


def _carried() -> dict[str, str]:
    """Return the fields of the form that the confirmation page carries over."""
    fields = {"role": request.form.get("role", "")}
    if "see" in request.form:
        fields["see"] = request.form["see"]
        fields["accounts"] = ",".join(request.form.getlist("account"))
    return fields


@bp.post(f"{PEOPLE}/<int:user_id>/remove")
@workspace_view(Permission.PEOPLE)
@sudo.fresh_password
def remove_member(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Remove a person from the workspace, after a page has shown what will end."""
    with db.read() as reading:
        person = _member(reading, workspace_id, user_id)
    question = Question(
        name=person.name,
        title=_("Remove %(name)s?", name=person.name),
        sentence=_("You can invite them again. Their messages are kept with their name."),
        button=_("Remove"),
        template="settings.html",
        back=url_for("accounts.people", workspace_id=workspace_id),
        always=True,
        for_good=True,
    )
    page = asking_first.ask(question, user_id, workspace_id)
    return _try(workspace_id, user_id, leaving.remove_member) if page is None else page


def _member(session: Session, workspace_id: int, user_id: int) -> Member:
    found = next((one for one in members.listing(session, workspace_id) if one.user_id == user_id), None)
    if found is None:
        raise NotFoundError(_("This person is not in this workspace."), next_step="")
    return found


def _accounts_given() -> Accounts:
    """Return the accounts chosen in the form, without those of the person's teams; None: all.

    :raises InvalidError: for a value that is not an id.
    """
    see = request.form.get("see", "all")
    if see == TEAMS:
        return frozenset()
    if see != "some":
        return None
    return frozenset([*account_picker.chosen_ids(), *account_picker.chosen_ids("accounts")])


def _try(
    workspace_id: int, user_id: int, use_case: Callable[..., None], **changes: object
) -> ResponseReturnValue:
    try:
        write(use_case, user_id, heirs=asking_first.heirs(user_id, workspace_id), **changes)
    except LobbyError as error:
        if error.status == 404:
            raise
        flash_bad(str(error))
    else:
        flash_good(_("Saved."))
        if user_id == current_user().id:
            # They may have removed their own permission to see this page.
            return redirect("/")
    return redirect(url_for("accounts.people", workspace_id=workspace_id))
