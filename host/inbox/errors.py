"""Errors of the inbox's use cases, with sentences a person can act on."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, NotFoundError


class ConversationNotFoundError(NotFoundError):
    """The workspace has no such conversation."""

    code = "conversation_not_found"
    title = _l("Conversation not found")
    default_sentence = _l("This conversation does not exist in this workspace.")
    default_next_step = _l("Go back to the inbox.")
    program_step = ""


class MessageNotFoundError(NotFoundError):
    """The conversation has no such message."""

    code = "message_not_found"
    title = _l("Message not found")
    default_sentence = _l("This message does not exist in this conversation.")
    default_next_step = _l("Reload the page and look again.")
    program_step = ""


class NotAuthorError(ForbiddenError):
    """The note to change was written by another person or program."""

    code = "not_the_author"
    title = _l("Not your note")
    default_sentence = _l("Only the author of a note can edit or delete it.")
    default_next_step = _l("Add a note of your own.")
    program_step = ""


class NoteChangedError(ConflictError):
    """The note was edited after the version that this edit is based on.

    :param text: its current text.
    :param version: its current number of edits.
    """

    code = "note_changed"
    title = _l("The note was edited elsewhere")
    default_sentence = _l("This note was edited elsewhere in the meantime, so your text was not saved.")
    default_next_step = _l("Compare the two texts, then save again to replace the other one.")
    program_step = _l("Get the note, then send your change again.")

    def __init__(self, text: str = "", version: int = 0) -> None:
        super().__init__()
        self.text, self.version = text, version


class NoteDeletedError(ConflictError):
    """A note was deleted, so it cannot be edited."""

    code = "note_deleted"
    title = _l("The note was deleted")
    default_sentence = _l("This note was deleted in the meantime, so your text was not saved.")
    default_next_step = _l("Copy your text and add it as a new note.")
    program_step = ""


class EmptyTextError(InvalidError):
    """The text is empty."""

    code = "empty"
    title = _l("Nothing to send")
    default_sentence = _l("The text is empty, so nothing was sent.")
    default_next_step = _l("Write something first.")
    program_step = ""


class TooLongError(InvalidError):
    """The text is longer than the inbox allows, or than the channel allows in one message."""

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
    program_step = ""


class AlreadySentError(ConflictError):
    """The reply key was already used for another text."""

    code = "already_sent"
    title = _l("This form was already sent")
    default_sentence = _l("This form was already sent with different text. The new text was not sent.")
    default_next_step = _l("Check the conversation, then send it again.")


class AnsweredMeanwhileError(ConflictError):
    """Somebody else has answered since the sender last looked.

    :param newer: the ids of their messages, and of the line that says who closed it, the oldest first.
    :param closed: whether somebody closed the conversation, too.
    """

    code = "answered_meanwhile"
    title = _l("Someone else replied in the meantime")
    default_sentence = _l("Someone else replied while you were writing, so your reply was not sent yet.")
    default_next_step = _l("Read their reply, then send yours anyway or discard it.")
    program_step = _l("Read the newer messages, then decide whether to send yours.")

    def __init__(
        self, newer: Sequence[int] = (), *, closed: bool = False, next_step: str | None = None
    ) -> None:
        super().__init__(next_step=next_step)
        self.newer = tuple(newer)
        self.closed = closed


class ClosedMeanwhileError(AnsweredMeanwhileError):
    """Somebody else has closed the conversation since the sender last looked."""

    code = "closed_meanwhile"
    title = _l("Someone else closed this in the meantime")
    default_sentence = _l(
        "Someone else closed this conversation while you were writing, so your reply was not sent yet."
    )
    default_next_step = _l("Send it anyway to reopen the conversation, or discard it.")

    def __init__(self, newer: Sequence[int] = (), *, next_step: str | None = None) -> None:
        super().__init__(newer, closed=True, next_step=next_step)


class ChangedMeanwhileError(ConflictError):
    """A colleague or a program has changed the conversation since the page showed it.

    :param line: id of the activity line that says so.
    """

    code = "changed_meanwhile"
    title = _l("Someone else changed this in the meantime")
    default_sentence = _l("Someone else changed this conversation in the meantime.")
    default_next_step = _l("Your change was not made. Look at it again, then repeat it if it is still right.")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class SendTimeError(InvalidError):
    """A reply cannot be scheduled for that time."""

    code = "send_time"
    title = _l("Invalid send time")
    default_sentence = _l("That time is in the past. Nothing was scheduled.")
    default_next_step = _l("Choose another time.")


class WindowClosedError(ConflictError):
    """The reply window is closed."""

    code = "window_closed"
    title = _l("You cannot reply here right now")
    default_sentence = _l("The channel does not allow a reply right now, so nothing was sent.")
    default_next_step = _l("It opens again when the customer writes.")


class PeopleOnlyError(ConflictError):
    """The reply window is open only for people, and a program tried to write."""

    code = "people_only"
    title = _l("Only a person can reply now")
    default_sentence = _l("Only a person can still reply here, so this automatic message was not sent.")
    default_next_step = _l("Reply from the inbox.")
    program_step = ""


class HandledByPersonError(ConflictError):
    """Automation tried to write in a conversation that a person handles."""

    code = "handled_by_person"
    title = _l("Handled by a person")
    default_sentence = _l("A person is handling this conversation, so this automatic message was not sent.")
    default_next_step = _l("Wait until it is closed or automation is resumed.")


class AnsweredElsewhereError(ConflictError):
    """Automation tried to write in a conversation that another program of the provider has."""

    code = "answered_elsewhere"
    title = _l("Another program answers here")
    default_sentence = _l("Another program answers this customer, so this automatic message was not sent.")
    default_next_step = _l("Take the conversation over, or wait until the other program lets go of it.")


class OptedOutError(ConflictError):
    """The customer opted out of automated messages, or is blocked."""

    code = "opted_out"
    title = _l("Opted out of automated messages")
    default_sentence = _l("This customer opted out of automated messages, so this one was not sent.")
    default_next_step = _l("You can still reply from the inbox.")
    program_step = ""


class FromMachineError(ConflictError):
    """An automated answer to a message that a machine wrote."""

    code = "from_machine"
    title = _l("Automated message received")
    default_sentence = _l("The message was sent by a program, so it gets no automatic reply.")
    default_next_step = _l("You can still reply from the inbox.")
    program_step = ""


class AutomaticLimitError(ConflictError):
    """The address received too many automated messages recently."""

    code = "automatic_limit"
    title = _l("Too many automatic messages")
    default_sentence = _l(
        "This address received several automatic messages within minutes, so a program may be "
        "replying to them. This one was not sent."
    )
    default_next_step = _l("You can still reply from the inbox.")
    program_step = ""


class ContactUnreachableError(ConflictError):
    """The provider refuses messages to this customer."""

    code = "contact_unreachable"
    title = _l("This person cannot be messaged")
    default_sentence = _l("This person cannot receive your messages, so nothing was sent.")
    default_next_step = _l("Contact them another way, or wait until they write.")
    program_step = ""


class UnknownChannelError(ConflictError):
    """The addon that provides the conversation's channel is not active."""

    code = "unknown_channel"
    title = _l("This channel is not active")
    default_sentence = _l("The addon for this channel is not active, so nothing can be sent through it.")
    default_next_step = _l("An admin can install or activate it again. The conversation stays readable.")
    program_step = ""


class AccountDisconnectedError(ConflictError):
    """The account the conversation came through was disconnected."""

    code = "account_disconnected"
    title = _l("The account is disconnected")
    default_sentence = _l("The account this conversation came through is disconnected, so nothing was sent.")
    default_next_step = _l("An owner can reconnect it under Settings, Channels.")
    program_step = ""


class KindNotSupportedError(ConflictError):
    """The channel cannot send this kind of message."""

    code = "kind_not_supported"
    title = _l("This channel cannot send that")
    default_sentence = _l("This channel cannot send that kind of message, so nothing was sent.")
    default_next_step = _l("Send it a different way.")


class SignalNotSupportedError(ConflictError):
    """The channel cannot show this signal to its customers."""

    code = "signal_not_supported"
    title = _l("This channel cannot show that")
    default_sentence = _l("This channel cannot show that to customers. Nothing was done.")
    default_next_step = ""


class ThreadControlError(ConflictError):
    """The channel does not pass conversations between apps."""

    code = "thread_control_not_supported"
    title = _l("Not supported on this channel")
    default_sentence = _l("Other apps cannot take over conversations on this channel. Nothing was done.")
    default_next_step = ""


class ProviderRefusedError(LobbyError):
    """The provider refused with a reason."""

    code = "provider_refused"
    status = 502
    title = _l("The provider refused")
    default_sentence = _l("The provider refused.")
    default_next_step = _l("Try again in a moment.")


class NotAMemberError(InvalidError):
    """The assignee is not a member of the workspace."""

    code = "not_a_member"
    title = _l("Not a member")
    default_sentence = _l("This person is not a member of the workspace, so nothing was changed.")
    default_next_step = _l("Choose someone from the list.")
    program_step = _l("List the members, and choose one who can answer there.")


class SnoozeTimeError(InvalidError):
    """A conversation cannot be snoozed until then."""

    code = "snooze_time"
    title = _l("Invalid snooze time")
    default_sentence = _l("That time is in the past. Nothing was snoozed.")
    default_next_step = _l("Choose a time in the future.")


class NotSnoozableError(ConflictError):
    """The conversation is closed or spam, and so cannot be snoozed."""

    code = "not_snoozable"
    title = _l("This cannot be snoozed")
    default_sentence = _l("Only open conversations that are not spam can be snoozed.")
    default_next_step = _l("Reopen it or mark it as not spam first.")


class ViewNotFoundError(NotFoundError):
    """There is no such view, or it belongs to somebody else."""

    code = "view_not_found"
    title = _l("View not found")
    default_sentence = _l("This view does not exist. It may have been deleted.")
    default_next_step = _l("Choose another view.")
    program_step = ""


class ViewNameError(InvalidError):
    """The name of a view is empty or too long."""

    code = "view_name"
    title = _l("The view needs a name")
    default_sentence = _l("A view needs a name of up to 40 characters. Nothing was saved.")
    default_next_step = _l("Give it a name.")


class ViewSearchError(InvalidError):
    """A view of a search has no search text."""

    code = "view_search"
    title = _l("The search cannot be saved")
    default_sentence = _l("A saved search needs between 1 and 1,000 characters. Nothing was saved.")
    default_next_step = _l("Search for something, then save it.")
    program_step = ""


class TooManyViewsError(ConflictError):
    """The inbox has the maximum number of views."""

    code = "too_many_views"
    title = _l("Too many views")
    default_sentence = _l("You have reached the maximum number of views. Nothing was saved.")
    default_next_step = _l("Delete one you no longer need.")


class BulkNotFoundError(NotFoundError):
    """There is no such bulk action, or it belongs to somebody else."""

    code = "bulk_action_not_found"
    title = _l("Bulk action not found")
    default_sentence = _l("This bulk action no longer exists.")
    default_next_step = _l("Go back to the inbox.")
    program_step = ""
    place = "bulk_id"


class BulkError(InvalidError):
    """A bulk action has no action, or no conversations."""

    code = "bulk_action"
    title = _l("Nothing was changed")
    default_sentence = _l("The action is incomplete. Nothing was changed.")
    default_next_step = _l("Choose an action and the conversations to apply it to.")
    program_step = _l("Send an action with its value, and either a filter or conversation ids.")


class UndoOverError(ConflictError):
    """The action was already undone, or it is too late."""

    code = "undo_over"
    title = _l("Too late to undo")
    default_sentence = _l("A bulk action can be undone once, within one hour. Nothing was changed.")
    default_next_step = _l("Select the conversations again and change them back.")
    program_step = ""


class ContactNotFoundError(NotFoundError):
    """The workspace has no such contact."""

    code = "contact_not_found"
    title = _l("Contact not found")
    default_sentence = _l("This contact does not exist in this workspace.")
    default_next_step = ""


class ContactFieldError(InvalidError):
    """A detail of a contact is invalid."""

    code = "contact_field"
    title = _l("Not saved")
    default_sentence = _l("Contacts do not have this field. Nothing was saved.")
    default_next_step = _l("Correct it and save again.")
    program_step = _l("Correct it and send it again.")


class AttributeNameError(InvalidError):
    """The name of an attribute is invalid, or there are too many attributes."""

    code = "attribute_name"
    title = _l("Missing name")
    default_sentence = _l("The attribute has no name. Nothing was saved.")
    default_next_step = _l("Choose another name.")


class ContactNoteNotFoundError(NotFoundError):
    """The contact has no such note."""

    code = "contact_note_not_found"
    title = _l("Note not found")
    default_sentence = _l("This contact has no such note.")
    default_next_step = ""


class AttributeNotFoundError(NotFoundError):
    """The workspace has no such attribute."""

    code = "attribute_not_found"
    title = _l("Attribute not found")
    default_sentence = _l("This attribute does not exist in this workspace.")
    default_next_step = _l("Reload the page. It may have been deleted.")
    program_step = ""


class MergeError(ConflictError):
    """These two contacts cannot be merged, or no longer split."""

    code = "not_mergeable"
    title = _l("Not merged")
    default_sentence = _l("One of the two was changed at the same time, so nothing was merged.")
    default_next_step = _l("Review both, then try again.")
    program_step = ""


class MergeNotFoundError(NotFoundError):
    """There is no such merge to undo."""

    code = "merge_not_found"
    title = _l("Merge not found")
    default_sentence = _l("This merge does not exist or was already undone.")
    default_next_step = _l("Reload the page.")
    program_step = ""


class NotAllTheirsError(ForbiddenError):
    """A person who sees only some accounts would change data of other accounts."""

    code = "not_all_yours"
    title = _l("Not allowed for this contact")
    default_sentence = _l("This contact also writes to accounts you cannot see. Nothing was changed.")
    default_next_step = _l("Ask someone who can see all of them.")
    program_step = ""


class NoWayOutError(ConflictError):
    """The contact cannot be written to first on this account."""

    code = "cannot_write_first"
    title = _l("This contact can't be messaged there")
    default_sentence = _l("You cannot message this contact first there. Nothing was sent.")
    default_next_step = _l("Check that they have an address and that the account is connected.")


class AddressOfAnotherError(ConflictError):
    """The address belongs to another contact."""

    code = "address_of_another"
    title = _l("That address belongs to another contact")
    default_sentence = _l("Another contact uses that address. Nothing was sent.")
    default_next_step = _l("If they are the same person, merge the two contacts, then write.")


class ConversationExistsError(ConflictError):
    """The contact, who was to get a first message, has a conversation there."""

    code = "conversation_exists"
    title = _l("They already have a conversation there")
    default_sentence = _l("This contact already has a conversation there. Nothing was sent.")
    default_next_step = _l("Open it from their page. A colleague may have been faster.")


class GoesOnError(ConflictError):
    """The conversation already continues elsewhere.

    :ivar after: the id of the conversation it continues as.
    """

    code = "goes_on_already"
    title = _l("Already continued")
    default_sentence = _l("This conversation already continues elsewhere. Nothing was sent.")
    default_next_step = _l("Write in that conversation. This thread links to it.")
    program_step = _l("Write in that conversation.")

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after
