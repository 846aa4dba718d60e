"""Runs for ListenBrainz, from the queue to the stand-in service and back."""

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.models import User
from sync.models import Connection, SavedTrack, TrackRecording
from sync.queue.job import Job
from syncify.simulator.listenbrainz import ListenBrainz, Recording
from tests.builders import make_user
from tests.targets.scenes import connect, like, mbids, run, unlike, wait_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(ada: User) -> Connection:
    for number in range(10):
        like(ada, number)
    return connect(ada, "listenbrainz", secret="token")


def without_loves(link: Connection) -> None:
    """Each love is one call, which makes long libraries slow."""
    link.settings = {"loves": False}
    link.save(update_fields=["settings"])


def lookups(service: ListenBrainz) -> int:
    return sum("lookup" in call for call in service.calls)


def playlist(service: ListenBrainz) -> list[str]:
    [only] = service.playlists.values()
    return only.tracks


def test_likes_are_loved_and_a_playlist_is_made(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    request = run(ada, "listenbrainz")

    assert request.state == "succeeded"
    assert request.note == "10 of 10 songs found. 10 songs loved."
    assert playlist(service) == mbids(service, *range(10))
    assert list(service.loves) == mbids(service, *range(9, -1, -1)), "the newest last"
    assert next(iter(service.playlists.values())).public is False


def test_a_second_run_writes_nothing_and_looks_nothing_up(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    run(ada, "listenbrainz")
    before, looked_up = list(service.writes), lookups(service)

    request = run(ada, "listenbrainz")

    assert request.state == "succeeded"
    assert service.writes == before
    assert lookups(service) == looked_up == 1


def test_loves_stay_when_the_like_ends(ada: User, service: ListenBrainz, link: Connection) -> None:
    run(ada, "listenbrainz")
    unlike(ada, 3)

    run(ada, "listenbrainz")

    assert len(service.loves) == 10
    assert playlist(service) == mbids(service, 0, 1, 2, 4, 5, 6, 7, 8, 9)


def test_loving_can_be_left_out(ada: User, service: ListenBrainz, link: Connection) -> None:
    link.settings = {"loves": False}
    link.save()

    run(ada, "listenbrainz")

    assert service.loves == {}


def test_a_likely_recording_of_another_name_is_not_taken(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    like(ada, 500, name="Song 500", artists=["Kiasmos"])
    like(ada, 501, name="Song 501", artists=["Kiasmos"])
    other = Recording("11111111-1111-1111-1111-111111111111", "Song 500 (live)", "Kiasmos")
    service.guesses["Song 500", "Kiasmos"] = other
    same = Recording("22222222-2222-2222-2222-222222222222", "SONG 501", "Kiasmos feat. Bea")
    service.guesses["Song 501", "Kiasmos"] = same

    request = run(ada, "listenbrainz")

    assert request.note.startswith("11 of 12 songs found.")
    assert other.mbid not in service.loves
    assert same.mbid in service.loves


def test_look_ups_are_fifty_at_a_time_and_shared_by_all_listeners(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    without_loves(link)
    for number in range(10, 120):
        like(ada, number)
    run(ada, "listenbrainz")
    assert lookups(service) == 3

    bea = make_user("bea")
    for number in range(120):
        like(bea, number)
    without_loves(connect(bea, "listenbrainz", secret="token"))
    run(bea, "listenbrainz")

    assert lookups(service) == 3


def test_a_song_that_was_not_found_is_looked_up_again_after_months(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    like(ada, 500)
    run(ada, "listenbrainz")
    service.add("Song 500", "Kiasmos")
    run(ada, "listenbrainz")
    assert lookups(service) == 1

    TrackRecording.objects.update(checked_at=F("checked_at") - timedelta(days=91))
    request = run(ada, "listenbrainz")

    assert lookups(service) == 2
    assert request.note.startswith("11 of 11")


def test_long_names_are_not_asked_for(ada: User, service: ListenBrainz, link: Connection) -> None:
    like(ada, 500, name="x" * 250)
    like(ada, 501, artists=[])

    assert run(ada, "listenbrainz").note.startswith("10 of 12")


def test_what_was_looked_up_survives_an_attempt_that_died(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    without_loves(link)
    for number in range(10, 120):
        like(ada, number)
    service.troubles = [("create", 503)]

    died = run(ada, "listenbrainz")
    assert (died.state, died.error_code) == ("queued", "target_trouble")
    wait_over(died)
    run(ada, "listenbrainz")

    assert lookups(service) == 3
    assert playlist(service) == mbids(service, *range(120))


@pytest.mark.parametrize("path", ["create", "item/delete", "item/add/0", "recording-feedback"])
@pytest.mark.parametrize("status", [0, -1, 503], ids=["answer lost", "never arrived", "refused"])
def test_a_run_that_dies_anywhere_leaves_the_right_playlist_after_the_next(
    ada: User, service: ListenBrainz, link: Connection, path: str, status: int
) -> None:
    if path != "create":
        run(ada, "listenbrainz")
        unlike(ada, 0)
        like(ada, 20)
        newest = SavedTrack.objects.get(track="t20")
        SavedTrack.objects.filter(pk=newest.pk).update(added_at=F("added_at") + timedelta(days=99))
    service.troubles = [(path, status)]

    died = run(ada, "listenbrainz")
    assert died.state == "queued"
    wait_over(died)
    assert run(ada, "listenbrainz").state == "succeeded"

    wanted = range(10) if path == "create" else (20, *range(1, 10))
    assert playlist(service) == mbids(service, *wanted)


def test_limits_are_honoured(
    ada: User, service: ListenBrainz, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(Job, "sleep", lambda _job, seconds: slept.append(seconds))
    service.calls_max, service.window = 5, 0.0

    # The window begins anew with each call, so the pauses that are asked for need not be slept.
    assert run(ada, "listenbrainz").state == "succeeded"

    service.calls_max, service.window = 2, 3600.0
    request = run(ada, "listenbrainz")
    assert (request.state, request.error_code) == ("queued", "target_pause")
    assert request.failures == 0
    assert slept
    assert max(slept) <= 30


def test_a_wrong_token_is_believed_the_second_time(
    ada: User, service: ListenBrainz, link: Connection
) -> None:
    service.token = "new"

    first = run(ada, "listenbrainz")
    wait_over(first)
    second = run(ada, "listenbrainz")

    assert (first.state, second.state) == ("queued", "dead")
    link.refresh_from_db()
    assert link.state == "refused"
