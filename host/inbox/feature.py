"""Conversations and messages, with saved views."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=(
        "host.models.inbox",
        "host.models.mentions",
        "host.models.posts",
        "host.models.saved_views",
    ),
    blueprints=("pages.views:bp",),
    views=(
        "pages.action_views",
        "pages.duty_views",
        "pages.forward_views",
        "pages.later_views",
        "pages.note_views",
        "pages.since_views",
        "pages.template_views",
        "pages.composition.preview",
        "pages.comments.views",
        "pages.invitations.views",
        "pages.outreach.views",
        "pages.outreach.template_views",
        "pages.pushed.views",
    ),
    routes=(
        "api.conversations",
        "api.handling",
        "api.messages",
        "api.previews",
        "api.reactions",
        "api.retries",
        "api.saved_views",
        "api.sending",
        "api.templates",
        "api.posts",
    ),
    jobs=(
        Job("snoozes", "snoozing:wake_due", 1.0, "snoozing:is_due"),
        Job("later replies", "unsent.scheduled:release_due", 1.0, "unsent.scheduled:is_due"),
        Job("old messages", "retention:erase_old", 15.0),
    ),
    ids={
        "conversation_id": "data:CONVERSATION",
        "message_id": "data:MESSAGE",
        "attachment_id": "data:ATTACHMENT",
        "post_id": "data:POST",
        "view_id": "",
    },
    sentences="pages.audit",
    data="data",
)
