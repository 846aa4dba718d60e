"""What the history says of a playlist's name, description and visibility."""

import pytest

from accounts.models import User
from sync.models import Mirror
from syncify.simulator.server import Simulator
from tests.driving import a_day_later, run, set_details

pytestmark = pytest.mark.django_db


def test_a_new_name_is_told_once(simulator: Simulator, ada: User) -> None:
    assert run(ada).note == ""
    set_details(ada, name="Hearts")

    notes = [run(ada).note for _ in range(2)]

    assert notes == ["Renamed to “Hearts”.", ""]


def test_a_name_given_in_spotify_is_told_once(simulator: Simulator, ada: User) -> None:
    run(ada)
    simulator.rename(simulator.playlists("ada")[0], "Mine")
    a_day_later()

    notes = [run(ada).note for _ in range(2)]

    assert notes == ["Renamed to “Mine” in Spotify.", ""]
    assert Mirror.objects.get(user=ada).name == "Mine"


def test_a_new_description_is_told(simulator: Simulator, ada: User) -> None:
    run(ada)
    set_details(ada, description="All of them.")

    assert run(ada).note == "Description and visibility were written as you set them."
