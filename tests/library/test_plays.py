"""Listening histories: what is read, what is refused, and that no upload counts twice."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.library import plays
from sync.library.duplicates import ComparedSong
from sync.library.plays import Heard, History, HistoryRefused, finder, merge, read_history

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
NAME = "Spotify Extended Streaming History/Streaming_History_Audio_2020_1.json"


def song(key: str, title: str, artist: str = "Kiasmos", days: int = 0) -> ComparedSong:
    liked = BEGIN + timedelta(days=days)
    return ComparedSong(key, title, (artist,), "", "", 240_000, explicit=False, liked_at=liked)


LIKES = [song("looped", "Looped"), song("held", "Held (Live)"), song("saman", "Saman", "Ólafur")]
FIND = finder(LIKES)


def play(key: str, second: int, **changes: Any) -> dict[str, Any]:
    return {
        "ts": (BEGIN + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ms_played": 200_000,
        "ip_addr": "192.0.2.1",
        "conn_country": "IS",
        "master_metadata_track_name": key.title(),
        "master_metadata_album_artist_name": "Somebody",
        "spotify_track_uri": f"spotify:track:{key}",
        **changes,
    }


def packed(members: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    upload = io.BytesIO()
    with zipfile.ZipFile(upload, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, str) else json.dumps(content))
    return upload


def as_json(rows: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(rows).encode())


def counts(history: History) -> dict[str, int]:
    return {key: len(times) for key, times in history.tracks.items()}


def test_plays_of_liked_songs_are_counted() -> None:
    rows = [play("looped", 5), play("looped", 9), play("unknown", 7)]
    upload = packed({NAME: rows, "ReadMeFirst.pdf": "%PDF", "Video_2020.json": "[]"})

    history = read_history(upload, FIND)

    assert counts(history) == {"looped": 2}
    assert history.plays_read == 3
    assert (history.first, history.last) == tuple(int(BEGIN.timestamp()) + s for s in (5, 9))


def test_another_release_is_found_by_title_and_artist() -> None:
    def named(title: str, artist: str) -> dict[str, Any]:
        return play(
            "other",
            1,
            master_metadata_track_name=title,
            master_metadata_album_artist_name=artist,
        )

    rows = [named("SAMAN - Remastered", "Olafur"), named("Held", "Kiasmos"), named("Saman", "X")]

    assert counts(read_history(as_json(rows), FIND)) == {"saman": 1}


def test_of_two_likes_with_one_name_the_newest_gets_the_plays() -> None:
    find = finder([song("new", "Looped", days=2), song("old", "Looped", days=1)])

    assert find("other", "Looped", "Kiasmos") == "new"
    assert find("old", "Looped", "Kiasmos") == "old"


@pytest.mark.parametrize(
    "row",
    [
        play("looped", 1, ms_played=29_999),
        play("looped", 1, ms_played=None),
        play("looped", 1, ms_played="long"),
        play("looped", 1, ts="yesterday"),
        play("looped", 1, ts=None),
        play("looped", 1, ts="1960-01-01T00:00:00Z"),
        play("looped", 1, spotify_track_uri=None),
        play("looped", 1, spotify_track_uri="spotify:episode:looped"),
        play("looped", 1, spotify_track_uri=["spotify:track:looped"]),
        {},
        None,
        7,
        "text",
        [[[]]],
    ],
)
def test_odd_rows_spoil_only_themselves(row: Any) -> None:
    history = read_history(as_json([row, play("looped", 3), row]), FIND)

    assert counts(history) == {"looped": 1}
    assert history.plays_read == 1


def test_older_names_of_files_are_known() -> None:
    upload = packed({"MyData/endsong_0.json": [play("looped", 1)]})

    assert counts(read_history(upload, FIND)) == {"looped": 1}


def test_progress_reaches_the_end() -> None:
    seen: list[float] = []
    read_history(packed({NAME: [play("looped", 1)], f"x/{NAME}": []}), FIND, seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_rows_are_found_however_the_file_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plays, "CHUNK", size)
    rows = [play("looped", second, note='ｅ 🎵 \\ " ] } ,') for second in range(20)]

    assert counts(read_history(as_json(rows), FIND)) == {"looped": 20}


def refusal(upload: io.BytesIO) -> str:
    with pytest.raises(HistoryRefused) as refused:
        read_history(upload, FIND)
    return str(refused.value)


SHORT = [{"endTime": "2020-01-01 10:00", "artistName": "A", "trackName": "B", "msPlayed": 99_000}]


def test_the_short_format_is_refused_with_the_way_to_the_long_one() -> None:
    assert "Extended streaming history" in refusal(as_json(SHORT))
    assert "Extended streaming history" in refusal(packed({"d/StreamingHistory0.json": SHORT}))
    assert "Extended" in refusal(packed({"d/StreamingHistory_music_0.json": SHORT}))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"%PDF-1.7 something", "neither a zip file nor"),
        (b'{"tracks": []}', "neither a zip file nor"),
        (b"[]", "no plays"),
        (b"[1, 2", "is incomplete"),
        (b'[{"ts": "2020', "is incomplete"),
        (b"[nonsense]", "is incomplete"),
        (b"[" * 200_000, "is incomplete"),
        (b'["' + b"x" * 600_000 + b'"]', "no plays|is incomplete"),
        (b'[{"a": "\xff\xfe"}]', "UTF-8"),
        (b"PK\x03\x04 but no zip", "damaged"),
        (b"PK", "damaged"),
    ],
)
def test_what_is_no_history_is_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    message = refusal(io.BytesIO(content))

    assert any(part in message for part in sentence.split("|"))


def test_a_zip_without_a_history_is_refused() -> None:
    assert "no listening history" in refusal(packed({"YourLibrary.json": {}}))


@pytest.mark.parametrize("name", ["../Streaming_History_Audio_1.json", "/etc/endsong_0.json"])
def test_names_outside_of_the_zip_are_refused(name: str) -> None:
    assert "outside" in refusal(packed({name: [play("looped", 1)], NAME: []}))


def test_a_bomb_is_refused() -> None:
    bomb = "[" + " " * 30_000_000 + "]"

    assert "unpacks to far more" in refusal(packed({NAME: bomb}))


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    upload = packed({NAME: "[" + " " * 3_000_000 + "]"})
    raw = bytearray(upload.getvalue())
    # The header in the table of contents says that 1 kB comes of it.
    place = raw.index(b"PK\x01\x02")
    raw[place + 24 : place + 28] = struct.pack("<I", 1024)

    assert refusal(io.BytesIO(raw))


def test_more_than_the_bound_unzipped_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [play("looped", second) for second in range(500)]
    monkeypatch.setattr(plays, "UNZIPPED_MAX", len(json.dumps(rows)) * 2 - 1)

    assert "unpacks to far more" in refusal(packed({NAME: rows, f"2/{NAME}": rows}))
    assert read_history(packed({NAME: rows}), FIND).plays_read == 500


def test_a_large_upload_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plays, "ZIPPED_MAX", 1000)

    assert "larger than 200 MB" in refusal(io.BytesIO(b" " * 1001))


def test_a_zip_of_very_many_files_is_refused() -> None:
    assert "too many" in refusal(packed({f"{number}.json": "" for number in range(1_001)}))


def test_a_long_table_of_contents_is_refused() -> None:
    upload = packed({NAME: []})
    raw = bytearray(upload.getvalue())
    raw[-10:-6] = struct.pack("<I", 2**30)

    assert "too many" in refusal(io.BytesIO(raw))


def test_an_encrypted_zip_is_refused() -> None:
    raw = bytearray(packed({NAME: [play("looped", 1)]}).getvalue())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1

    assert "password" in refusal(io.BytesIO(raw))


def test_an_unusual_packing_is_refused() -> None:
    assert "packed in a way" in refusal(packed({NAME: [play("a", 1)]}, zipfile.ZIP_LZMA))


def test_a_damaged_zip_is_refused() -> None:
    raw = packed({NAME: [play("looped", second) for second in range(200)]}).getvalue()
    chance = random.Random("damage")

    messages = set()
    for _ in range(200):
        broken = bytearray(raw)
        for _ in range(3):
            broken[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        try:
            read_history(io.BytesIO(broken), FIND)
        except HistoryRefused as refused:
            messages.add(str(refused))
    assert len(messages) > 1
    assert "damaged" in refusal(io.BytesIO(raw[: len(raw) // 2]))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_history_or_refused(content: bytes) -> None:
    for start in (b"", b"[", b"PK\x03\x04", b"PK\x05\x06"):
        try:
            read_history(io.BytesIO(start + content), FIND)
        except HistoryRefused:
            continue


def imported(uploads: Iterable[list[dict[str, Any]]]) -> dict[str, Heard]:
    heard: dict[str, Heard] = {}
    known: list[tuple[int, int]] = []
    for rows in uploads:
        if rows:
            heard, known = merge(read_history(as_json(rows), FIND), known, heard)
    return heard


rows_of_plays = st.lists(
    st.builds(play, st.sampled_from(("looped", "held", "saman")), st.integers(0, 60)), max_size=30
)


@given(rows_of_plays, st.lists(st.integers(0, 60), max_size=4), st.data())
def test_years_in_any_order_split_or_doubled_give_the_same(
    rows: list[dict[str, Any]], cuts: list[int], data: st.DataObject
) -> None:
    ends = [(BEGIN + timedelta(seconds=cut)).strftime("%Y-%m-%dT%H:%M:%SZ") for cut in cuts]
    years: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        years.setdefault(sum(row["ts"] >= end for end in ends), []).append(row)
    uploads = [*years.values(), *data.draw(st.lists(st.sampled_from([*years.values(), rows])))]

    order = data.draw(st.permutations(uploads))

    assert imported(order) == imported([rows])


@given(rows_of_plays, st.randoms(use_true_random=False))
def test_rows_of_one_upload_may_come_in_any_order_and_twice(
    rows: list[dict[str, Any]], chance: random.Random
) -> None:
    doubled = chance.sample([*rows, *rows], 2 * len(rows))

    assert imported([doubled]) == imported([rows])


def test_a_song_liked_after_an_upload_gets_its_plays_from_the_next() -> None:
    rows = [play("looped", 1), play("held", 2)]
    heard, known = merge(read_history(as_json(rows), finder(LIKES[:1])), [], {})
    assert set(heard) == {"looped"}

    heard, known = merge(read_history(as_json(rows), FIND), known, heard)

    assert {key: each.plays for key, each in heard.items()} == {"looped": 1, "held": 1}
    assert len(known) == 1


def test_nothing_else_of_the_history_is_kept() -> None:
    history = read_history(as_json([play("looped", 1)]), FIND)

    kept = repr([getattr(history, name) for name in History.__slots__])

    assert "192.0.2.1" not in kept
    assert "IS" not in kept
    assert "Somebody" not in kept
