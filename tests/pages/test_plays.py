"""The page of plays and genres: uploads, what they told, genres by hand."""

import io
import json
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.library.plays import ZIPPED_MAX
from sync.library.uploads import run_import
from sync.models import Artist, ArtistGenre, Play, SyncRequest, TrackArtist, UploadPart
from sync.queue.worker import Worker
from tests.builders import make_request, make_user
from tests.library.rows import add_song, like
from tests.pages.test_playlists import words

pytestmark = pytest.mark.django_db

SONG = "4uLU6hMCjMI75M1A2tKUQC"


@pytest.fixture
def ada(ada: User) -> User:
    song = add_song(SONG, name="Looped", artists=["Kiasmos"])
    artist = Artist.objects.create(id="kiasmos", name="Kiasmos")
    TrackArtist.objects.create(track=song, artist=artist, position=0)
    like(ada, song, timezone.now())
    return ada


def play(at: str = "2020-04-10T12:33:16Z") -> dict[str, object]:
    names = {
        "master_metadata_track_name": "Looped",
        "master_metadata_album_artist_name": "Kiasmos",
    }
    return {"ts": at, "ms_played": 215_000, "spotify_track_uri": f"spotify:track:{SONG}", **names}


def zipped(**members: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, rows in members.items():
            archive.writestr(f"{name}.json", json.dumps(rows))
    return file.getvalue()


def upload(client: Client, data: bytes, name: str = "history.zip") -> Any:
    return client.post("/plays/", {"file": SimpleUploadedFile(name, data)})


def work() -> None:
    assert Worker(runners={SyncRequest.Kind.IMPORT: run_import}).run_one()


def test_an_upload_is_read_by_a_worker_and_its_result_is_told(client: Client, ada: User) -> None:
    answer = upload(
        client, zipped(Streaming_History_Audio_2020=[play(), play("2021-05-01T00:00Z")])
    )
    waiting = words(client.get("/plays/"))
    work()
    page = words(client.get("/plays/"))

    assert answer.headers["Location"] == "/plays/"
    assert "Your history is in the queue." in waiting
    assert "2 plays read, from 2020-04-10 to 2021-05-01; 100% of your likes" in page
    assert "Plays are known from 10 April 2020 to 1 May 2021, for 1 song." in page
    assert Play.objects.get().plays == 2
    assert not UploadPart.objects.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped(StreamingHistory0=[{"endTime": "x"}]), "the short listening history"),
        (zipped(Other=[]), "holds no listening history"),
        (b"PK\x03\x04 broken", "damaged"),
        (b"hello", "neither a zip file nor a listening history"),
    ],
)
def test_a_file_that_is_no_history_is_refused_with_a_sentence(
    client: Client, ada: User, data: bytes, says: str
) -> None:
    upload(client, data)
    work()

    assert says in words(client.get("/plays/"))
    assert not UploadPart.objects.exists()


def test_a_second_upload_waits_for_the_first(client: Client, ada: User) -> None:
    upload(client, zipped(Streaming_History_Audio_2020=[play()]))
    second = upload(client, zipped(Streaming_History_Audio_2021=[play()]))
    none = client.post("/plays/")

    assert second.status_code == none.status_code == 422
    assert ada.sync_requests.count() == 1


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(
    client: Client, ada: User
) -> None:
    answer = client.post(
        "/plays/", b"x", "multipart/form-data; boundary=x", CONTENT_LENGTH=ZIPPED_MAX + 2**21
    )

    assert answer.status_code == 413
    assert "larger than 200 MB" in words(answer)


def test_progress_is_shown_until_the_import_ends(client: Client, ada: User) -> None:
    request = make_request(ada, kind="import", state="running", progress=0.42)
    running = client.get("/plays/progress/")
    SyncRequest.objects.filter(pk=request.pk).delete()
    make_request(ada, kind="import", state="succeeded", note="12 plays read.")
    done = client.get("/plays/progress/")

    assert "Reading your history: 42%" in words(running)
    assert "HX-Refresh" not in running.headers
    assert "12 plays read." in words(done)
    assert done.headers["HX-Refresh"] == "true"


def test_genres_by_hand_count_for_the_listener_alone(client: Client, ada: User) -> None:
    ArtistGenre.objects.create(artist_id="kiasmos", genre="rock")
    found = words(client.get("/plays/"))

    client.post("/plays/artists/kiasmos/", {"genres": "Ambient, techno,,ambient"})
    page = client.get("/plays/", {"artist": "kias"})
    own = ArtistGenre.objects.filter(user=ada).order_by("id").values_list("genre", flat=True)
    set_by_hand = list(own)
    client.post("/plays/artists/kiasmos/", {"clear": "yes"})

    assert "The genre of 1 of your 1 songs is known." in found
    assert set_by_hand == ["ambient", "techno"]
    assert 'value="ambient, techno"' in page.content.decode()
    assert ArtistGenre.objects.get().genre == "rock"


def test_bea_sets_no_genres_of_artists_that_she_does_not_like(client: Client, ada: User) -> None:
    client.force_login(make_user("bea"))

    answer = client.post("/plays/artists/kiasmos/", {"genres": "rock"})

    assert answer.status_code == 404
    assert not ArtistGenre.objects.exists()
    assert "Kiasmos" not in words(client.get("/plays/"))
