"""The errors of the inbox's use cases, with sentences an agent can act on."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, InvalidError, LobbyError, NotFoundError


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
    default_next_step = _l("An admin can activate it again. The conversation stays readable.")


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
    default_sentence = _l("A view needs a name of at most 64 letters, so nothing was saved.")
    default_next_step = _l("Give it a name.")


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
