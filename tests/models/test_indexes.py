"""What the planner makes of the indexes, among the rows of many listeners."""

import pytest
from django.db import connection
from django.db.models import QuerySet

from sync.models import SavedTrack, SyncRequest, Track
from tests.builders import make_request, make_user

pytestmark = pytest.mark.django_db

LISTENERS, SONGS = 10, 100


def plan_of(rows: QuerySet[SavedTrack]) -> str:
    """The plan that needs no sort, if an index allows one.

    What the planner prefers in a small table depends on the space that other tests left in it.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE saved_tracks")
        for way in ("sort", "bitmapscan", "seqscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    return rows.explain()


@pytest.fixture
def copies(db: None) -> list[SyncRequest]:
    """The first syncs of listeners who have liked nine times as many songs since."""
    tracks = Track.objects.bulk_create(
        Track(id=f"track-{n}", name="Song", artists=["Somebody"]) for n in range(10 * SONGS)
    )
    users = [make_user(f"l-{n}") for n in range(LISTENERS)]
    copies = [make_request(user, state="succeeded") for user in users]
    later = [make_request(user, state="succeeded") for user in users]
    for syncs, part in ((copies, tracks[:SONGS]), (later, tracks[SONGS:])):
        SavedTrack.objects.bulk_create(
            SavedTrack(user=sync.user, track=track, added_at=sync.created, rank=n, added_in=sync)
            for sync in syncs
            for n, track in enumerate(part)
        )
    return copies


@pytest.mark.parametrize("reason", ["added", "removed"])
def test_the_first_songs_of_a_sync_are_found_without_reading_all_of_it(
    copies: list[SyncRequest], reason: str
) -> None:
    if reason == "removed":
        for copy in copies:
            SavedTrack.objects.filter(added_in=copy).update(removed_in=copy)
    songs = SavedTrack.objects.filter(user=copies[7].user, **{f"{reason}_in": copies[7]})

    plan = plan_of(songs.order_by("-added_at", "rank")[:5])

    assert f"Index Scan using saved_tracks_{reason}" in plan
    assert "Sort" not in plan
