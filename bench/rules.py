"""Rules, duplicates and listening histories over 10,000 likes: ``python -m bench.rules``.

It works in an embedded PostgreSQL of its own, under ``.data/bench``.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from bench.setup import head, line, percentiles, set_up

DATA_DIR = set_up("rules", SYNCIFY_LOG_LEVEL="WARNING")

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from sync.library import titles  # noqa: E402
from sync.library.duplicates import find_groups, find_pairs, left_out  # noqa: E402
from sync.library.plays import finder, read_history  # noqa: E402
from sync.library.songs import load_songs  # noqa: E402
from sync.mirrors.conditions import Scope  # noqa: E402
from sync.mirrors.parser import parse  # noqa: E402
from sync.mirrors.selection import select  # noqa: E402
from sync.models import Artist, ArtistGenre, Play, SavedTrack, Track, TrackArtist  # noqa: E402
from syncify.simulator.songs import invent  # noqa: E402
from syncify.text import folded  # noqa: E402

LIKES = 10_000
PLAYS = 500_000
NOW = datetime(2026, 11, 1, tzinfo=UTC)
GENRES = ("jazz", "bebop", "techno", "indie rock", "hip hop", "folk", "ambient")
SENTENCES = (
    "jazz from the 90s, no explicit, 50 songs, shuffled",
    "songs I liked before 2024 that I haven't played for a year",
    "with love in the title, longest first",
    "rock or by “The Copper Ferries”",
    "one song per artist",
    "all my songs sorted by artist",
    "liked more than a year ago, rediscover 30 songs a day",
    "never played, not jazz, longer than 4 minutes",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, help="only read this file")
    if upload := parser.parse_args().history:
        read(upload)
    else:
        compare()
    connection.close()


def compare() -> None:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE users, tracks, artists CASCADE")
    user = fill(random.Random("rules"))
    scope = Scope(user_id=user.pk, now=NOW, mirror_id=1)

    head(f"rules over {LIKES:,} likes", "p50", "p99", "longest", "songs")
    for text in SENTENCES:
        rule = parse(text, today=NOW.date()).rule
        songs = len(select(rule, scope).track_ids)
        seconds = [timed(lambda rule=rule: select(rule, scope)) for _ in range(20)]
        line(text[:50], *percentiles(seconds), str(songs))
    rules = [parse(text, today=NOW.date()).rule for text in SENTENCES]
    mirrors = [rules[number % len(rules)] for number in range(50)]
    took = timed(lambda: [select(rule, scope) for rule in mirrors])
    line("50 mirrors selected", f"{took * 1000:.0f} ms", "", "", "")

    head(f"duplicates of {LIKES:,} songs", "time", "pairs")
    songs = load_songs(user.pk)
    for name, is_cold in (("titles not seen before", True), ("titles seen before", False)):
        if is_cold:
            titles.fold_title.cache_clear()
        began = time.perf_counter()
        pairs = find_pairs(songs)
        find_groups(songs, pairs)
        left_out(songs, pairs, same="newest", twin="clean")
        line(name, f"{(time.perf_counter() - began) * 1000:.0f} ms", str(len(pairs)))

    head(f"a history of {PLAYS:,} plays", "time", "more memory", "songs")
    upload = DATA_DIR / "history.zip"
    upload.write_bytes(history(random.Random("history"), [song.id for song in songs]))
    # In a separate process, so that earlier steps do not count.
    command = [sys.executable, "-m", "bench.rules", "--history", str(upload)]
    subprocess.run(command, check=True)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read(upload: Path) -> None:
    find = finder(load_songs(User.objects.get().pk))
    before = peak()
    began = time.perf_counter()
    with upload.open("rb") as opened:
        found = read_history(opened, find)
    line(
        f"zip of {upload.stat().st_size / 2**20:.0f} MB read",
        f"{time.perf_counter() - began:.1f} s",
        f"{peak() - before:.1f} MB",
        f"{len(found.tracks):,}",
    )


def peak() -> float:
    """The peak memory of this process in MB, on Linux."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def fill(chance: random.Random) -> User:
    """A listener with likes, of which every second song has plays and every artist a genre."""
    user = User.objects.create(spotify_id="bench", display_name="Bench")
    songs = [invent(chance) for _ in range(LIKES)]
    artists = dict(artist for song in songs for artist in song.artists)
    Artist.objects.bulk_create(
        Artist(id=key, name=name, search=folded(name)) for key, name in artists.items()
    )
    ArtistGenre.objects.bulk_create(
        ArtistGenre(artist_id=key, genre=chance.choice(GENRES)) for key in artists
    )
    Track.objects.bulk_create(
        Track(
            id=song.id,
            name=song.name,
            artists=[name for _, name in song.artists],
            album_name=song.album,
            duration_ms=song.duration_ms,
            explicit=song.explicit,
            isrc=song.isrc,
            release_date=song.release_date,
            released=f"{song.release_date[:4]}-01-01",
            search="\n".join((folded(song.name), folded(song.artists[0][1]), folded(song.album))),
        )
        for song in songs
    )
    TrackArtist.objects.bulk_create(
        TrackArtist(track_id=song.id, artist_id=key, position=place)
        for song in songs
        for place, key in enumerate(dict(song.artists))
    )
    SavedTrack.objects.bulk_create(
        SavedTrack(user=user, track_id=song.id, added_at=NOW - timedelta(hours=5 * number))
        for number, song in enumerate(songs)
    )
    Play.objects.bulk_create(
        Play(
            user=user,
            track_id=song.id,
            plays=chance.randint(1, 50),
            last_played=NOW - timedelta(days=chance.randint(0, 2000)),
        )
        for song in islice(songs, 0, None, 2)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return user


def history(chance: random.Random, liked: list[str]) -> bytes:
    """A zip as Spotify sends it: plays of 30,000 songs, some of them liked."""
    tracks = liked[:8_000] + [f"{chance.getrandbits(100):022x}"[:22] for _ in range(22_000)]
    upload = io.BytesIO()
    with zipfile.ZipFile(upload, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(PLAYS // 12_500):
            rows = [play(chance, chance.choice(tracks)) for _ in range(12_500)]
            archive.writestr(
                f"Spotify Extended Streaming History/Streaming_History_Audio_2020_{number}.json",
                json.dumps(rows),
            )
    return upload.getvalue()


def play(chance: random.Random, track: str) -> dict[str, Any]:
    at = NOW - timedelta(seconds=chance.randint(0, 300_000_000))
    return {
        "ts": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": "Android OS 9 API 28 (HUAWEI, CLT-L29)",
        "ms_played": chance.randint(0, 300_000),
        "conn_country": "IS",
        "ip_addr": "192.0.2.17",
        "master_metadata_track_name": f"Song {track[:6]}",
        "master_metadata_album_artist_name": f"Artist {track[:2]}",
        "master_metadata_album_album_name": f"Album {track[:4]}",
        "spotify_track_uri": f"spotify:track:{track}",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": False,
        "offline": False,
        "offline_timestamp": 1586521654,
        "incognito_mode": False,
    }


if __name__ == "__main__":
    main()
