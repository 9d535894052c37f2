"""The fixtures of the workers' tests serve the queue's as well."""

from tests.delivery.conftest import *  # noqa: F403
from tests.delivery.conftest import _nothing_counted  # noqa: F401 - an autouse fixture, private by name
