"""Who is not synced, though a request of theirs is queued."""

from typing import Any

import pytest

from accounts.models import User
from syncify.simulator.server import Simulator
from tests.driving import outcome, run

pytestmark = pytest.mark.django_db


def test_a_listener_who_is_allowed_no_longer_is_not_synced(
    ada: User, simulator: Simulator, settings: Any
) -> None:
    settings.ALLOWED_USERS = ["somebody"]

    assert outcome(run(ada)) == ("dead", "not_allowed", 1)
    assert simulator.count() == 0
