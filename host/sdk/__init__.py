"""The only part of the host that addons may import.

``hookspecs`` names the hooks; ``channel``, ``messages``, ``webhooks``, ``cards``, ``pages`` and ``events``
hold what they return; ``db``, ``accounts``, ``desk``, ``secrets``, ``http``, ``settings``, ``text`` and
``i18n`` are the services an addon may use; ``migrations`` is for its revisions and ``testing`` for its tests.

Versions follow SemVer (docs/sdk/README.md); ``deprecation`` marks names that will be removed.
"""

SDK_VERSION = "1.1.0"
