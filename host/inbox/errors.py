"""The errors of the inbox's use cases, with sentences an agent can act on."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, NotFoundError


class ConversationNotFoundError(NotFoundError):
    """The workspace has no such conversation."""

    code = "conversation_not_found"
    title = _l("No such conversation")
    default_sentence = _l("This conversation does not exist in this workspace.")
    default_next_step = _l("Go back to the inbox.")


class MessageNotFoundError(NotFoundError):
    """The conversation has no such message."""

    code = "message_not_found"
    title = _l("No such message")
    default_sentence = _l("This message does not exist in this conversation.")
    default_next_step = _l("Reload the page and look again.")


class EmptyTextError(InvalidError):
    """The text is empty."""

    code = "empty"
    title = _l("Nothing to send")
    default_sentence = _l("The text is empty, so nothing was sent.")
    default_next_step = _l("Write something first.")


class TooLongError(InvalidError):
    """The text is longer than the inbox takes, or than the channel takes where it may not be split."""

    code = "too_long"
    title = _l("The text is too long")
    default_sentence = _l("The text is too long, so nothing was sent.")
    default_next_step = _l("Make it shorter, or send it in several replies.")


class ReplyKeyError(InvalidError):
    """The form has no usable reply key."""

    code = "reply_key"
    title = _l("The form was incomplete")
    default_sentence = _l("The form was incomplete, so nothing was sent.")
    default_next_step = _l("Reload the page and send it again.")


class AlreadySentError(ConflictError):
    """The reply key was used before, for another text."""

    code = "already_sent"
    title = _l("This form was sent before")
    default_sentence = _l("This form was already sent once, with another text. The new text was not sent.")
    default_next_step = _l("Look at the conversation, then send it again.")


class AnsweredMeanwhileError(ConflictError):
    """Somebody else answered since the sender looked last.

    :param newer: the ids of their messages, the oldest first.
    """

    code = "answered_meanwhile"
    title = _l("Somebody answered meanwhile")
    default_sentence = _l("Somebody else answered while you wrote, so yours was not sent yet.")
    default_next_step = _l("Read their answer, then send yours anyway or leave it.")

    def __init__(self, newer: Sequence[int] = (), *, next_step: str | None = None) -> None:
        super().__init__(next_step=next_step)
        self.newer = tuple(newer)


class SendTimeError(InvalidError):
    """A reply cannot be planned for that time."""

    code = "send_time"
    title = _l("It cannot go out then")
    default_sentence = _l("That time has passed, so nothing was planned.")
    default_next_step = _l("Choose another time.")


class WindowClosedError(ConflictError):
    """The reply window is closed."""

    code = "window_closed"
    title = _l("You cannot reply here now")
    default_sentence = _l("The channel does not allow a reply at the moment, so nothing was sent.")
    default_next_step = _l("It opens again when the customer writes.")


class PeopleOnlyError(ConflictError):
    """The reply window is open for people only, and a program is writing."""

    code = "people_only"
    title = _l("Only a person may answer now")
    default_sentence = _l("Only a person may still answer here, so this automatic message was not sent.")
    default_next_step = _l("Answer from the inbox.")


class HandledByPersonError(ConflictError):
    """Something automatic is to speak where a person does."""

    code = "handled_by_person"
    title = _l("A person has it")
    default_sentence = _l("A person handles this conversation, so this automatic message was not sent.")
    default_next_step = _l("Wait until it is closed, or left to automation.")


class OptedOutError(ConflictError):
    """The customer wants nothing that is sent by itself, or is blocked."""

    code = "opted_out"
    title = _l("They want nothing automatic")
    default_sentence = _l(
        "This customer wants nothing that is sent by itself, so this automatic message was not sent."
    )
    default_next_step = _l("A person may still answer, in the inbox.")


class FromMachineError(ConflictError):
    """What would be answered automatically was written by a machine."""

    code = "from_machine"
    title = _l("A program wrote that")
    default_sentence = _l("A program wrote that by itself, so nothing automatic answers it.")
    default_next_step = _l("A person may still answer, in the inbox.")


class AutomaticLimitError(ConflictError):
    """The address got as much by itself as it may in a while."""

    code = "automatic_limit"
    title = _l("Enough was sent automatically")
    default_sentence = _l(
        "This address got several automatic messages within minutes; a program may be answering them. "
        "So this one was not sent."
    )
    default_next_step = _l("A person may still answer, in the inbox.")


class ContactUnreachableError(ConflictError):
    """The provider refuses messages to this customer."""

    code = "contact_unreachable"
    title = _l("This person cannot be written to")
    default_sentence = _l("This person cannot receive messages from you, so nothing was sent.")
    default_next_step = _l("Reach them another way, or wait until they write.")


class UnknownChannelError(ConflictError):
    """The addon that brings the conversation's channel is not active."""

    code = "unknown_channel"
    title = _l("This channel is not active")
    default_sentence = _l("The addon for this channel is not active, so nothing can be sent through it.")
    default_next_step = _l("An admin can install or activate it again. The conversation stays readable.")


class AccountDisconnectedError(ConflictError):
    """The account the conversation came through was disconnected."""

    code = "account_disconnected"
    title = _l("The account is disconnected")
    default_sentence = _l("The account this conversation came through is disconnected, so nothing was sent.")
    default_next_step = _l("An owner can connect it again under Settings, Channels.")


class KindNotSupportedError(ConflictError):
    """The channel cannot send this kind of message."""

    code = "kind_not_supported"
    title = _l("This channel cannot send that")
    default_sentence = _l("This channel cannot send that kind of message, so nothing was sent.")
    default_next_step = _l("Send it another way.")


class SignalNotSupportedError(ConflictError):
    """The channel cannot show its customers that."""

    code = "signal_not_supported"
    title = _l("This channel cannot show that")
    default_sentence = _l("This channel does not show customers that, so nothing was done.")
    default_next_step = ""


class ThreadControlError(ConflictError):
    """On this channel conversations are not passed between apps."""

    code = "thread_control_not_supported"
    title = _l("Not on this channel")
    default_sentence = _l("On this channel no other app can have a conversation, so nothing was done.")
    default_next_step = ""


class ProviderRefusedError(LobbyError):
    """The provider did not do it, and said why."""

    code = "provider_refused"
    status = 502
    title = _l("The provider did not do it")
    default_sentence = _l("The provider did not do it.")
    default_next_step = _l("Try again in a moment.")


class NotAMemberError(InvalidError):
    """A conversation can be assigned to members of the workspace only."""

    code = "not_a_member"
    title = _l("Not a member")
    default_sentence = _l("This person is not a member of the workspace, so nothing was changed.")
    default_next_step = _l("Choose somebody from the list.")


class LabelNotFoundError(NotFoundError):
    """The workspace has no such label."""

    code = "label_not_found"
    title = _l("No such label")
    default_sentence = _l("This label does not exist in this workspace. Somebody may have deleted it.")
    default_next_step = _l("Reload the page and choose another.")


class LabelNameError(InvalidError):
    """A label has to have a name of some letters that no other label of the workspace has."""

    code = "label_name"
    title = _l("The label needs another name")
    default_sentence = _l("A label needs a name, so nothing was saved.")
    default_next_step = _l("Choose another name.")


class TeamNotFoundError(NotFoundError):
    """The workspace has no such team."""

    code = "team_not_found"
    title = _l("No such team")
    default_sentence = _l("This team does not exist in this workspace. Somebody may have deleted it.")
    default_next_step = _l("Reload the page and choose another.")


class TeamNameError(InvalidError):
    """A team needs a name that no other team has."""

    code = "team_name"
    title = _l("The team needs another name")
    default_sentence = _l("A team needs a name of at most 40 letters, so nothing was saved.")
    default_next_step = _l("Choose another name.")


class TeamAccountError(InvalidError):
    """A team looks after accounts of its workspace."""

    code = "team_account"
    title = _l("No such account")
    default_sentence = _l("One of these accounts is not in this workspace, so nothing was saved.")
    default_next_step = _l("Reload the page and choose again.")


class TeamKeepersError(ForbiddenError):
    """Somebody who leads no such team would change its members."""

    code = "team_keepers"
    default_sentence = _l("Leads of the workspace and whoever leads this team change its members.")
    default_next_step = _l("Ask one of them.")


class SnoozeTimeError(InvalidError):
    """A conversation cannot be snoozed until then."""

    code = "snooze_time"
    title = _l("Not until then")
    default_sentence = _l("That time has passed already, so nothing was snoozed.")
    default_next_step = _l("Choose a time to come.")


class NotSnoozableError(ConflictError):
    """Closed conversations and spam are out of the way already."""

    code = "not_snoozable"
    title = _l("This cannot be snoozed")
    default_sentence = _l("Only open conversations that are not spam can be snoozed.")
    default_next_step = _l("Open it again first, or take it out of spam.")


class ViewNotFoundError(NotFoundError):
    """There is no such view, or it is somebody else's."""

    code = "view_not_found"
    title = _l("No such view")
    default_sentence = _l("This view does not exist. Somebody may have deleted it.")
    default_next_step = _l("Choose another view.")


class ViewNameError(InvalidError):
    """A view needs a name of some letters."""

    code = "view_name"
    title = _l("The view needs a name")
    default_sentence = _l("A view needs a name of at most 40 letters, so nothing was saved.")
    default_next_step = _l("Give it a name.")


class ViewSearchError(InvalidError):
    """A view of a search needs something to look for."""

    code = "view_search"
    title = _l("The search cannot be saved")
    default_sentence = _l("A search that is saved has between 1 and 1,000 letters, so nothing was saved.")
    default_next_step = _l("Search for something, then save it.")


class TooManyViewsError(ConflictError):
    """There are as many views as the inbox shows."""

    code = "too_many_views"
    title = _l("Too many views")
    default_sentence = _l("There are as many views as the inbox can show, so nothing was saved.")
    default_next_step = _l("Delete one that nobody uses.")


class BulkNotFoundError(NotFoundError):
    """There is no such bulk action, or it is somebody else's."""

    code = "bulk_action_not_found"
    title = _l("No such bulk action")
    default_sentence = _l("This bulk action does not exist any more.")
    default_next_step = _l("Go back to the inbox.")


class BulkError(InvalidError):
    """A bulk action needs something to do, and conversations to do it to."""

    code = "bulk_action"
    title = _l("Nothing was changed")
    default_sentence = _l("This action is not complete, so nothing was changed.")
    default_next_step = _l("Choose what to do, and for which conversations.")


class UndoOverError(ConflictError):
    """It is too late to undo it, or it was undone."""

    code = "undo_over"
    title = _l("This cannot be undone any more")
    default_sentence = _l("A bulk action can be undone once, within an hour. Nothing was changed.")
    default_next_step = _l("Choose the conversations again and change them back.")


class ContactNotFoundError(NotFoundError):
    """No such contact in this workspace."""

    code = "contact_not_found"
    title = _l("No such contact")
    default_sentence = _l("This contact does not exist in this workspace.")
    default_next_step = ""


class ContactFieldError(InvalidError):
    """A detail of a contact cannot be what was given."""

    code = "contact_field"
    title = _l("Not saved")
    default_sentence = _l("A contact has no such detail, so nothing was saved.")
    default_next_step = _l("Correct it and save again.")


class AttributeNameError(InvalidError):
    """An attribute cannot be called that, or there are enough of them."""

    code = "attribute_name"
    title = _l("No such name")
    default_sentence = _l("The attribute has no name, so nothing was saved.")
    default_next_step = _l("Choose another name.")


class AttributeNotFoundError(NotFoundError):
    """The workspace has no such attribute."""

    code = "attribute_not_found"
    title = _l("No such attribute")
    default_sentence = _l("This attribute does not exist in this workspace.")
    default_next_step = _l("Reload the page: somebody may have deleted it.")


class MergeError(ConflictError):
    """These two contacts cannot become one, or not be two again."""

    code = "not_mergeable"
    title = _l("Not merged")
    default_sentence = _l("Somebody changed one of the two at the same time, so nothing was merged.")
    default_next_step = _l("Look at both again.")


class MergeNotFoundError(NotFoundError):
    """There is no such merge to take back."""

    code = "merge_not_found"
    title = _l("No such merge")
    default_sentence = _l("This merge does not exist, or was taken back already.")
    default_next_step = _l("Reload the page.")


class NotAllTheirsError(ForbiddenError):
    """Somebody who sees some accounts only would change what is on others."""

    code = "not_all_yours"
    title = _l("Not for this contact")
    default_sentence = _l("This contact also writes to accounts that you do not see, so nothing was changed.")
    default_next_step = _l("Ask somebody who sees all of them.")


class NoWayOutError(ConflictError):
    """The contact cannot be written to first there."""

    code = "cannot_write_first"
    title = _l("They cannot be written to there")
    default_sentence = _l("This contact cannot be written to first there, so nothing was sent.")
    default_next_step = _l("Look whether they have an address, and whether the account is connected.")


class AddressOfAnotherError(ConflictError):
    """The address belongs to another contact."""

    code = "address_of_another"
    title = _l("That address is another contact's")
    default_sentence = _l("Another contact writes from that address, so nothing was sent.")
    default_next_step = _l("If they are the same person, merge the two contacts, then write.")


class GoesOnError(ConflictError):
    """The conversation goes on somewhere else already.

    :ivar after: the id of the conversation it goes on as.
    """

    code = "goes_on_already"
    title = _l("It goes on already")
    default_sentence = _l("This conversation goes on by e-mail already, so nothing was sent.")
    default_next_step = _l("Write in that conversation: the thread leads to it.")

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after
