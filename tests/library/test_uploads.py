"""Uploads of listening histories: kept in pieces, read by a job, deleted at once."""

import io
import json
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.deletion import delete_account
from accounts.models import User
from sync.library import plays, uploads
from sync.library.plays import HistoryRefused
from sync.library.uploads import accept_upload, drop_old_uploads, run_import
from sync.models import ListeningHistory, Play, SyncRequest, UploadPart
from sync.queue import store as queue
from sync.queue.backoff import Bury, decide
from sync.queue.errors import GiveUp
from sync.queue.job import Job
from sync.queue.store import LeaseLost
from tests.builders import make_like, make_user
from tests.waiting import PATIENCE, in_thread, wait_until_blocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(uploads, "PART", 1000)
    user = make_user("ada")
    make_like(user, "looped")
    make_like(user, "held")
    return user


def history(count: int = 50) -> bytes:
    """A zip of several pieces."""
    chance = random.Random("history")
    rows = [
        {
            "ts": f"2020-01-01T00:{number // 60:02}:{number % 60:02}Z",
            "ms_played": 200_000,
            "spotify_track_uri": "spotify:track:looped",
            "noise": f"{chance.getrandbits(400):x}",
        }
        for number in range(count)
    ]
    upload = io.BytesIO()
    with zipfile.ZipFile(upload, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Streaming_History_Audio_2020.json", json.dumps(rows))
    return upload.getvalue()


def chunks(data: bytes, size: int = 300) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def claimed() -> Job:
    request = queue.claim(worker="test")
    assert request is not None
    return Job(request)


def test_an_upload_is_counted_and_deleted(ada: User) -> None:
    accept_upload(ada.pk, chunks(history()))
    assert UploadPart.objects.count() > 3

    run_import(claimed())

    request = SyncRequest.objects.get()
    assert (request.kind, request.state) == ("import", "succeeded")
    assert request.note == (
        "50 plays read, from 2020-01-01 to 2020-01-01; 50% of your likes are among them."
    )
    assert not UploadPart.objects.exists()
    assert Play.objects.get().plays == 50


def test_an_upload_that_is_no_history_is_deleted_and_nobody_is_alerted(ada: User) -> None:
    accept_upload(ada.pk, [b"%PDF-1.7"])

    with pytest.raises(GiveUp) as given_up:
        run_import(claimed())

    assert "neither a zip file" in given_up.value.message
    assert not UploadPart.objects.exists()
    verdict = decide(given_up.value, 0, jitter=0)
    assert verdict == Bury("history_refused", given_up.value.message, alert=False)


def test_a_second_upload_waits_for_the_first(ada: User) -> None:
    accept_upload(ada.pk, [history()])

    with pytest.raises(HistoryRefused, match="still being read"):
        accept_upload(ada.pk, [b"other"])

    run_import(claimed())
    accept_upload(ada.pk, [history()])
    run_import(claimed())
    assert Play.objects.get().plays == 50


def test_an_upload_that_is_too_large_leaves_nothing(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "ZIPPED_MAX", 2500)

    with pytest.raises(HistoryRefused, match="larger than"):
        accept_upload(ada.pk, chunks(b"x" * 2501))

    assert not UploadPart.objects.exists()
    assert not SyncRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_waits_for_an_upload_that_was_first(ada: User) -> None:
    ListeningHistory.objects.create(user=ada)

    with ThreadPoolExecutor(1) as pool:
        begun: list[Future[None]] = []

        def arriving() -> Iterator[bytes]:
            begun.append(in_thread(pool, delete_account, ada))
            wait_until_blocked()
            yield history()

        accept_upload(ada.pk, arriving())
        begun[0].result(PATIENCE)

    assert not UploadPart.objects.exists()


def test_a_worker_without_its_lease_leaves_the_upload_to_its_successor(ada: User) -> None:
    accept_upload(ada.pk, [history()])
    job = claimed()
    SyncRequest.objects.update(attempt=9)

    with pytest.raises(LeaseLost):
        run_import(job)

    assert UploadPart.objects.exists()


def test_an_upload_that_is_gone_is_said(ada: User) -> None:
    accept_upload(ada.pk, [history()])
    UploadPart.objects.all().delete()

    with pytest.raises(GiveUp, match="no longer there"):
        run_import(claimed())


def test_uploads_that_nobody_read_are_dropped(ada: User) -> None:
    bea = make_user("bea")
    accept_upload(ada.pk, [b"old"])
    accept_upload(bea.pk, [b"new"])
    UploadPart.objects.filter(user=ada).update(created=timezone.now() - timedelta(hours=25))

    drop_old_uploads()

    assert [part.user_id for part in UploadPart.objects.all()] == [bea.pk]


@given(
    data=st.binary(min_size=1, max_size=40),
    steps=st.lists(st.tuples(st.integers(0, 45), st.integers(-1, 30)), max_size=8),
)
def test_pieces_read_as_one_file(data: bytes, steps: list[tuple[int, int]]) -> None:
    user = make_user(f"user{SyncRequest.objects.count()}-{User.objects.count()}")
    pieces: Any = uploads
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "PART", 7)
        accept_upload(user.pk, chunks(data, 5))
        file = io.BufferedReader(pieces._Upload(user.pk), 8)
        model = io.BytesIO(data)
        for place, count in steps:
            assert file.seek(place) == model.seek(place)
            assert file.read(count) == model.read(count)
        assert file.seek(0, io.SEEK_END) == len(data)


def test_the_bounds_are_those_of_the_reader() -> None:
    assert uploads.ZIPPED_MAX == plays.ZIPPED_MAX
