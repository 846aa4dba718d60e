"""The card of one mirror: what it says of itself, of its songs, and what may be pressed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import Incident, Library, Mirror, PlaylistItems, Process, SyncResult
from sync.pages.card import Card, card_for
from syncify.spotify.models import Block
from tests.builders import main_mirror, make_like, make_refused, make_request, make_user
from tests.sharing.rows import make_mirror, make_playlist, make_songs

pytestmark = pytest.mark.django_db


def card_of(user: User, mirror: Mirror | None = None) -> Card:
    return card_for(user, now=timezone.now(), mirror=mirror and mirror.pk)


def test_a_card_holds_what_its_rows_hold(ada: User) -> None:
    now = timezone.now()
    Library.objects.update(
        interval="weekly", next_due=now, preferred_hour=7, full_read_at=now, song_count=3
    )
    SpotifyConnection.objects.update(state="refused", state_reason="scope_missing")
    Mirror.objects.update(state="paused")
    request = make_request(
        ada, state="running", stage="writing", progress=0.5, song_count=9, run_at=now
    )

    card = card_of(ada)

    for shown, stored in [
        (card.mirror, main_mirror(ada)),
        (card.library, Library.objects.get()),
        (card.latest, request),
    ]:
        assert shown is not None
        kept = {name: value for name, value in vars(shown).items() if name != "_state"}
        assert len(kept) >= 6
        assert kept == {name: getattr(stored, name) for name in kept}


def test_a_card_is_of_one_mirror_of_ones_own(ada: User) -> None:
    jazz, bea = make_mirror(ada, "Jazz"), make_user("bea")
    songs = make_songs(ada, "A", "B", "C")
    make_playlist(main_mirror(ada), songs)
    make_playlist(jazz, songs[:2])
    make_request(ada, state="succeeded", song_count=3)

    assert (card_of(ada).mirror.name, card_of(ada).song_count) == ("Liked Songs of Ada", 3)
    assert (card_of(ada, jazz).mirror.name, card_of(ada, jazz).song_count) == ("Jazz", 2)
    assert card_of(ada, jazz).volumes[0].url.endswith(f"/playlist/list{jazz.pk}v1")
    with pytest.raises(Mirror.DoesNotExist):
        card_of(bea, jazz)


def test_songs_are_counted_in_the_playlist_where_it_leaves_some_out(ada: User) -> None:
    make_request(ada, state="succeeded", song_count=3)
    playlist = make_playlist(main_mirror(ada), make_songs(ada, "A", "B"))
    assert card_of(ada).song_count == 3

    Mirror.objects.update(keep_same="newest")
    assert card_of(ada).song_count == 2
    Mirror.objects.update(keep_same="all")
    jazz = make_mirror(ada, "Jazz")
    Mirror.objects.filter(pk=jazz.pk).update(takes_from_main=True)
    PlaylistItems.objects.filter(playlist=playlist).update(uris=["spotify:track:A"])
    assert card_of(ada).song_count == 1


def test_each_mirror_tells_what_changed_in_it(ada: User) -> None:
    jazz = make_mirror(ada, "Jazz")
    older = make_request(ada, state="succeeded", added=3)
    newer = make_request(ada, state="succeeded", added=5)
    SyncResult.objects.create(request=older, mirror=jazz, state="done", removed=2)
    make_like(ada, "Looped", added_in=newer)
    running = make_request(ada, state="running", added=9)
    SyncResult.objects.create(request=running, mirror=jazz, state="running", added=9)

    main, other = card_of(ada).last_change, card_of(ada, jazz).last_change

    assert main is not None
    assert other is not None
    assert main.outcome == "5 songs added"
    assert [song["name"] for song in main.added.shown] == ["Looped"]
    assert main.added.more == 4
    assert other.outcome == "2 songs removed"
    assert not other.removed.shown


def test_songs_that_spotify_refuses_are_named(ada: User) -> None:
    make_request(ada, state="succeeded", song_count=9)
    for number in range(7):
        make_refused(ada, f"Song {number}")

    card = card_of(ada)

    assert [song["name"] for song in card.refused.shown] == [f"Song {n}" for n in (6, 5, 4, 3, 2)]
    assert card.refused.more == 2


@pytest.mark.parametrize(("alive_for", "key"), [(1, "queued"), (-1, "no_worker")])
def test_a_queued_sync_says_when_no_worker_is_alive(ada: User, alive_for: int, key: str) -> None:
    until = timezone.now() + timedelta(minutes=alive_for)
    Process.objects.create(kind="worker", name="w", alive_until=until)
    make_request(ada)

    assert card_of(ada).status.key == key


def presses(card: Card) -> list[tuple[str, str]]:
    return [(press.name, press.style) for press in card.presses]


def test_sharing_comes_first_once_the_playlist_is_there(ada: User) -> None:
    assert not card_of(ada).is_ready
    make_playlist(main_mirror(ada), make_songs(ada, "A"))
    make_request(ada, state="succeeded", song_count=1)

    card = card_of(ada)

    assert card.is_ready
    assert presses(card) == [("sync-now", "button")]
    make_request(ada, state="dead", error_message="Spotify is down.")
    assert not card_of(ada).is_ready
    assert presses(card_of(ada)) == [("retry", "button primary")]


def test_buttons_lead_to_their_own_mirror(ada: User) -> None:
    jazz = make_mirror(ada, "Jazz")
    request = make_request(ada, state="running")
    Library.objects.update(next_due=timezone.now())

    card = card_of(ada, jazz)

    assert card.pause is not None
    assert [press.url for press in [*card.presses, card.pause]] == [
        f"/playlists/{jazz.pk}/syncs/{request.pk}/cancel/",
        f"/playlists/{jazz.pk}/pause/",
    ]


def test_an_alert_counts_as_told_once_it_was_delivered(ada: User) -> None:
    later = timezone.now() + timedelta(hours=1)
    make_request(ada, run_at=later, error_code="credentials")
    Block.objects.create(until=later, because="credentials")
    alert = Incident.objects.create(key="block:credentials", message="No access.", alert_tries=3)
    assert "Please tell the operator." in card_of(ada).status.detail

    alert.alerted_at = timezone.now()
    alert.save(update_fields=["alerted_at"])
    assert "The operator was alerted." in card_of(ada).status.detail

    alert.closed = timezone.now()
    alert.save(update_fields=["closed"])
    assert "Please tell the operator." in card_of(ada).status.detail


def test_the_second_look_can_be_had_once_it_is_due(ada: User) -> None:
    make_request(ada, state="cancelled")
    due = timezone.now() + timedelta(minutes=9)
    Library.objects.update(confirm_after=due)
    assert (card_of(ada).status.key, list(card_of(ada).presses)) == ("guard", [])

    Library.objects.update(confirm_after=timezone.now())
    assert [press.label for press in card_of(ada).presses] == ["Check now"]


def test_odd_rows_are_counted_again_when_the_playlist_was_written(ada: User) -> None:
    playlist = make_playlist(main_mirror(ada), make_songs(ada, "A", "B"))
    items = PlaylistItems.objects.filter(playlist=playlist)
    assert card_of(ada).odd_rows == 0

    items.update(uris=["spotify:track:A", None, "spotify:local:a:b:c:1"])
    assert card_of(ada).odd_rows == 2

    items.update(uris=["spotify:track:A", None])
    assert card_of(ada).odd_rows == 1
