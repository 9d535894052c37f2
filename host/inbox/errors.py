"""The errors of the inbox's use cases, with sentences an agent can act on."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, InvalidError, NotFoundError


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


class NotAMemberError(InvalidError):
    """A conversation can be assigned to members of the workspace only."""

    code = "not_a_member"
    title = _l("Not a member")
    default_sentence = _l("This person is not a member of the workspace, so nothing was changed.")
    default_next_step = _l("Choose somebody from the list.")
