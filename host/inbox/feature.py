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
        "pages.along.preview",
        "pages.comments.views",
        "pages.invitations.views",
        "pages.onward.views",
        "pages.onward.template_views",
        "pages.pushed.views",
    ),
    routes=(
        "host.api.routes.conversations",
        "host.api.routes.handling",
        "host.api.routes.messages",
        "host.api.routes.previewing",
        "host.api.routes.reactions",
        "host.api.routes.retrying",
        "host.api.routes.saved_views",
        "host.api.routes.sending",
        "host.api.routes.templates",
        "host.api.routes.comments.posts",
    ),
    jobs=(
        Job("snoozes", "snoozing:wake_due", 1.0, "snoozing:is_due"),
        Job("later replies", "unsent.later:release_due", 1.0, "unsent.later:is_due"),
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
