"""Libraries that Hypothesis draws: songs with odd names, likes that ended and came again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from hypothesis import strategies as st

from accounts.models import User
from sync.models import Album, SavedTrack
from tests.builders import make_user
from tests.library.rows import add_song, like

BEGIN = datetime(2019, 12, 30, tzinfo=UTC)
#: Substrings of each other, wildcards of SQL, quotes, accents, emoji, right-to-left, any case.
WORDS = [
    *("Looped", "loop", "ÉTÉ", "ete", "Été", "100%", "a_b", "ab", "'", '"', "\\", "–Burnt", "ß"),
    *("🎈", "שיר", "ﬁre", "fire", "I", "i", "ı", "=1+1", "-x", "@y", "a,b", "a;b"),
]
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)


@dataclass(frozen=True)
class Drawn:
    """A song, and from when to when (in hours after BEGIN; None: still) it was liked."""

    name: str
    artists: list[str]
    album: str
    has_album_row: bool
    released: str
    explicit: bool
    isrc: str
    spans: list[tuple[int, int | None]]


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int | None]]:
    """Each like begins before the one before it was seen to end, or later."""
    found: list[tuple[int, int | None]] = []
    at = draw(st.integers(0, 24 * 800))
    for _ in range(draw(st.integers(1, 3))):
        end = at + draw(st.integers(1, 24 * 200))
        found.append((at, end))
        at = max(at + 1, end + draw(st.integers(-30, 24 * 100)))
    if draw(st.booleans()):
        found[-1] = (found[-1][0], None)
    return found


songs = st.builds(
    Drawn,
    name=names,
    artists=st.lists(names, min_size=1, max_size=2, unique=True),
    album=st.one_of(st.just(""), names),
    has_album_row=st.booleans(),
    released=st.sampled_from(["", "1969", "1970-01", "1999-12-31", "2000-01-01", "2018-05-04"]),
    explicit=st.booleans(),
    isrc=st.sampled_from(["", "", "ONE", "TWO"]),
    spans=spans(),
)
libraries = st.lists(songs, max_size=7)


@contextmanager
def stored(drawn: list[Drawn]) -> Iterator[User]:
    """The library as Ada's, beside one like of Bea's; gone at the end."""
    with transaction.atomic():
        ada, bea = make_user("ada"), make_user("bea")
        for number, song in enumerate(drawn):
            album_id = None
            if song.album and song.has_album_row:
                album_id = f"album of {song.album}"
                Album.objects.get_or_create(id=album_id, defaults={"name": song.album})
            add_song(
                f"song{number}",
                name=song.name,
                artists=song.artists,
                album=song.album,
                album_id=album_id,
                release_date=song.released,
                explicit=song.explicit,
                isrc=song.isrc,
                duration_ms=1000 * number,
            )
            for begin, end in song.spans:
                like(
                    ada,
                    f"song{number}",
                    BEGIN + timedelta(hours=begin),
                    removed_at=None if end is None else BEGIN + timedelta(hours=end),
                )
        add_song("only bea's", name=" ".join(WORDS))
        like(bea, "only bea's", BEGIN)
        yield ada
        transaction.set_rollback(True)


def liked(user: User) -> list[SavedTrack]:
    rows = SavedTrack.objects.filter(user=user, removed_at=None)
    return list(rows.select_related("track").order_by("-added_at", "rank", "id"))
