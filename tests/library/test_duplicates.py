"""Duplicates: which titles are one song, what a playlist keeps, and what must never be mixed up."""

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.library.duplicates import (
    ComparedSong,
    Grade,
    find_groups,
    find_pairs,
    ids_with_duplicates,
    left_out,
)
from sync.library.titles import fold_title

DAY = datetime(2024, 5, 1, tzinfo=UTC)


def song(key: str = "a", **changes: Any) -> ComparedSong:
    facts: dict[str, Any] = {
        "id": key,
        "title": "Looped",
        "artists": ("Kiasmos",),
        "album": "Kiasmos",
        "isrc": "",
        "duration_ms": 240_000,
        "explicit": False,
        "liked_at": DAY,
    }
    return ComparedSong(**{**facts, **changes})


def grade(one: dict[str, Any], other: dict[str, Any]) -> int | None:
    pairs = find_pairs([song("a", **one), song("b", **other)])
    return int(pairs[0].grade) if pairs else None


def titles(one: str, other: str, **both: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"title": one, **both}, {"title": other, **both}


SAME_TITLE = [
    ("Looped", "LOOPED"),
    ("Mañana", "Manana"),
    ("Señorita", "Senorita"),
    ("Don't Stop", "Don’t Stop"),
    ("Rock & Roll", "Rock and Roll"),
    ("Hello!", "Hello"),
    ("-Te Voy A Olvidar", "Te Voy A Olvidar"),
    ("Umbrella", "Umbrella (feat. JAY-Z)"),
    ("Umbrella feat. JAY-Z", "Umbrella (ft. Jay Z)"),
    ("Umbrella [feat. JAY-Z]", "Umbrella"),
    ("Royals (Explicit)", "Royals"),
    ("Royals (Clean)", "Royals (Clean Version)"),
    ("Royals (Explicit Version)", "Royals"),
    ("Yesterday - Remastered 2009", "Yesterday - 2009 Remaster"),
    ("Yesterday (Remastered 2009)", "Yesterday - Remastered 2009"),
    ("Yesterday - 2009 Digital Remaster", "Yesterday (2009 Digital Remaster)"),
    ("Layla (Acoustic Version)", "Layla - Acoustic"),
    ("Layla (Live)", "Layla - Live Version"),
    ("Layla - Live at Montreux 1986", "Layla (Live At Montreux 1986)"),
    ("One More Time (Radio Edit)", "One More Time - Radio Edit"),
    ("Blue Monday '88", "Blue Monday 88"),
    ("Sk8er Boi (Single Version)", "Sk8er Boi - Single Version"),
    ("Straße", "Strasse"),
    ("桜", "桜"),
    ("(I Can't Get No) Satisfaction", "I Can't Get No Satisfaction"),
]


@pytest.mark.parametrize(("one", "other"), SAME_TITLE)
def test_titles_of_one_song(one: str, other: str) -> None:
    assert grade(*titles(one, other)) == Grade.SONG


PERHAPS_TITLE = [
    ("Yesterday", "Yesterday - Remastered 2009"),
    ("Yesterday - Remastered 2009", "Yesterday - Remastered 2015"),
    ("Heroes", "Heroes - Single Version"),
    ("Heroes (2017 Remaster)", "Heroes - Single Version"),
    ("Good Vibrations (Mono)", "Good Vibrations (Stereo)"),
    ("Creep", "Creep (Album Version)"),
    ("Africa", "Africa (40th Anniversary Edition)"),
    ("Let It Go", 'Let It Go - From "Frozen"'),
    ("Help!", "Help! (Bonus Track)"),
    ("Layla (Live / Remastered 2011)", "Layla (Live)"),
]


@pytest.mark.parametrize(("one", "other"), PERHAPS_TITLE)
def test_titles_that_perhaps_are_one_song(one: str, other: str) -> None:
    assert grade(*titles(one, other)) == Grade.PERHAPS


OTHER_TITLE = [
    ("Yesterday", "Hey Jude"),
    ("Layla", "Layla (Live)"),
    ("Layla", "Layla - Acoustic"),
    ("Layla - Unplugged", "Layla - Live"),
    ("Layla (Live at Montreux)", "Layla (Live at Wembley)"),
    ("Layla", "Layla (Demo)"),
    ("Blue", "Blue (Remix)"),
    ("Blue (Flume Remix)", "Blue (Jamie xx Remix)"),
    ("Blue - Extended Mix", "Blue - Radio Edit"),
    ("Blue", "Blue - Radio Edit"),
    ("Blue", "Blue (Original Mix)"),
    ("Blue", "Blue (Karaoke Version)"),
    ("Blue", "Blue - Instrumental"),
    ("Blue", "Blue (Sped Up)"),
    ("Blue", "Blue (Slowed + Reverb)"),
    ("Blue", "Blue - Nightcore"),
    ("Blue", "Blue (Cover)"),
    ("Love Story", "Love Story (Taylor’s Version)"),
    ("Love Story", "Love Story (Re-Recorded)"),
    ("Photograph", "Photograph (BBC Session)"),
    ("Another Brick in the Wall, Pt. 1", "Another Brick in the Wall, Pt. 2"),
    ("Song 2", "Song 3"),
    ("Escape", "Escape (The Piña Colada Song)"),
    ("Trip (Interlude)", "Trip"),
    ("Crazy", "Crazy (Reprise)"),
    ("Stay - A Cappella", "Stay"),
]


@pytest.mark.parametrize(("one", "other"), OTHER_TITLE)
def test_titles_of_different_recordings(one: str, other: str) -> None:
    assert grade(*titles(one, other)) is None


PAIRS: list[tuple[str, dict[str, Any], dict[str, Any], int | None]] = [
    ("one ISRC", {"isrc": "GBAYE0601477"}, {"isrc": "gb-aye-06-01477", "duration_ms": 247_900}, 1),
    ("one ISRC, other titles", {"isrc": "X1"}, {"isrc": "X1", "title": "Geloopt"}, 1),
    ("one ISRC, other album", {"isrc": "X1"}, {"isrc": "X1", "album": "Best Of"}, 1),
    ("one ISRC, other ones", {"isrc": "X1"}, {"isrc": "X2"}, 2),
    ("one ISRC, much longer", {"isrc": "X1"}, {"isrc": "X1", "duration_ms": 248_100}, 4),
    ("one ISRC, other song, longer",
     {"isrc": "X1"}, {"isrc": "X1", "title": "Held", "duration_ms": 250_000}, None),
    ("one ISRC, one live", {"isrc": "X1"}, {"isrc": "X1", "title": "Looped (Live)"}, 4),
    ("one ISRC, one explicit", {"isrc": "X1"}, {"isrc": "X1", "explicit": True}, 3),
    ("one ISRC, other artist", {"isrc": "X1"}, {"isrc": "X1", "artists": ("Bonobo",)}, None),
    ("2 s apart", {}, {"duration_ms": 242_000}, 2),
    ("3 s apart", {}, {"duration_ms": 243_000}, 4),
    ("16 s apart", {}, {"duration_ms": 256_000}, None),
    ("twins", {"explicit": True}, {}, 3),
    ("twins 10 s apart", {"explicit": True}, {"duration_ms": 250_000}, 3),
    ("twins 11 s apart", {"explicit": True}, {"duration_ms": 251_000}, 4),
    ("a cover", {}, {"artists": ("Nils Frahm",)}, None),
    ("same first artist, guest", {}, {"artists": ("Kiasmos", "Bonobo")}, 2),
    ("other first artist", {"artists": ("A", "B")}, {"artists": ("B", "A")}, None),
    ("a movement, two albums",
     {"title": "I. Allegro", "album": "Bach"}, {"title": "I. Allegro", "album": "Mozart"}, None),
    ("a movement, one album", {"title": "I. Allegro"}, {"title": "I. Allegro"}, 2),
    ("an opus, two albums",
     {"title": "Nocturne, Op. 9: No. 2", "album": "A"},
     {"title": "Nocturne, Op. 9: No. 2", "album": "B"}, None),
    ("a short title, two albums",
     {"title": "Ice", "album": "A"}, {"title": "Ice", "album": "B"}, None),
    ("an intro, two albums",
     {"title": "Intro", "album": "A"}, {"title": "Intro", "album": "B"}, None),
    ("a longer title, two albums", {"album": "A"}, {"album": "B"}, 2),
    ("signs alone", {"title": "???"}, {"title": "???"}, 2),
    ("other signs", {"title": "???"}, {"title": "!!!"}, None),
    ("no artist", {"artists": ()}, {"artists": ()}, 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "expected"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS]
)
def test_pairs(one: dict[str, Any], other: dict[str, Any], expected: int | None) -> None:
    assert grade(one, other) == expected
    assert grade(other, one) == expected


def test_there_are_many_examples() -> None:
    assert len(SAME_TITLE) + len(PERHAPS_TITLE) + len(OTHER_TITLE) + len(PAIRS) >= 60


def test_an_empty_title_has_a_base() -> None:
    assert fold_title("( )").base
    assert fold_title("Untitled").is_vague


libraries = st.lists(
    st.builds(
        lambda title, artist, isrc, length, explicit, album, day: {
            "title": title,
            "artists": (artist,),
            "isrc": isrc,
            "duration_ms": length * 1000,
            "explicit": explicit,
            "album": album,
            "liked_at": DAY + timedelta(days=day),
        },
        st.sampled_from(("Looped", "Looped (Live)", "Looped - Remastered", "Held", "Ice")),
        st.sampled_from(("Kiasmos", "Bonobo")),
        st.sampled_from(("", "X1", "X2")),
        st.integers(240, 262),
        st.booleans(),
        st.sampled_from(("A", "B")),
        st.integers(0, 3),
    ),
    max_size=12,
).map(lambda rows: [song(f"s{number:02}", **row) for number, row in enumerate(rows)])
sames = st.sampled_from(("all", "newest", "oldest"))
twins = st.sampled_from(("both", "explicit", "clean"))


@given(libraries, sames, twins)
def test_each_song_that_is_left_out_has_its_like_in_the_playlist(
    songs: list[ComparedSong], same: Any, twin: Any
) -> None:
    pairs = find_pairs(songs)

    out = left_out(songs, pairs, same=same, twin=twin)

    for each in out:
        mates = {pair.first for pair in pairs if pair.second == each and pair.grade < 4}
        mates |= {pair.second for pair in pairs if pair.first == each and pair.grade < 4}
        assert mates - out
    for group in find_groups(songs, pairs):
        assert group.grade == Grade.PERHAPS or set(group.ids) - out


@given(libraries, sames, twins, st.randoms(use_true_random=False))
def test_the_order_of_the_library_changes_nothing(
    songs: list[ComparedSong], same: Any, twin: Any, chance: random.Random
) -> None:
    shuffled = chance.sample(songs, len(songs))

    assert find_pairs(shuffled) == find_pairs(songs)
    pairs = find_pairs(songs)
    assert find_groups(shuffled, pairs) == find_groups(songs, pairs)
    assert left_out(shuffled, pairs, same=same, twin=twin) == left_out(
        songs, pairs, same=same, twin=twin
    )


@given(libraries, sames, twins)
def test_what_stays_has_nothing_more_to_leave_out(
    songs: list[ComparedSong], same: Any, twin: Any
) -> None:
    out = left_out(songs, find_pairs(songs), same=same, twin=twin)
    rest = [each for each in songs if each.id not in out]

    assert left_out(rest, find_pairs(rest), same=same, twin=twin) == set()


@given(libraries.filter(bool), sames, twins)
def test_a_new_song_touches_no_group_but_its_own(
    songs: list[ComparedSong], same: Any, twin: Any
) -> None:
    *before, new = songs
    pairs = find_pairs(songs)
    out_before = left_out(before, find_pairs(before), same=same, twin=twin)
    out = left_out(songs, pairs, same=same, twin=twin)
    own = {each for group in find_groups(songs, pairs) if new.id in group.ids for each in group.ids}

    assert out - own - {new.id} == out_before - own


@given(libraries)
def test_all_members_of_a_group_are_of_one_artist(songs: list[ComparedSong]) -> None:
    artist = {each.id: each.artists[0] for each in songs}

    for group in find_groups(songs, find_pairs(songs)):
        assert len({artist[each] for each in group.ids}) == 1


@given(libraries)
def test_pairs_that_are_different_stay_apart(songs: list[ComparedSong]) -> None:
    pairs = find_pairs(songs)
    different = {frozenset(pair[:2]) for pair in pairs[::2]}

    assert find_pairs(songs, different) == [
        pair for pair in pairs if frozenset(pair[:2]) not in different
    ]


def test_newest_and_oldest_like() -> None:
    songs = [song("old"), song("new", liked_at=DAY + timedelta(days=1))]
    pairs = find_pairs(songs)

    assert left_out(songs, pairs, same="newest", twin="both") == {"old"}
    assert left_out(songs, pairs, same="oldest", twin="both") == {"new"}
    assert left_out(songs, pairs, same="all", twin="both") == set()


def test_clean_and_explicit_twins() -> None:
    songs = [
        song("dirty", explicit=True),
        song("clean"),
        song("alone", title="Held", explicit=True),
    ]
    pairs = find_pairs(songs)

    assert left_out(songs, pairs, same="all", twin="clean") == {"dirty"}
    assert left_out(songs, pairs, same="all", twin="explicit") == {"clean"}
    assert left_out(songs, pairs, same="newest", twin="both") == set()
    assert ids_with_duplicates(pairs) == {"dirty", "clean"}


def test_a_chain_of_lengths_does_not_hide_its_ends() -> None:
    songs = [song(f"{ms}", duration_ms=240_000 + ms) for ms in (0, 2_000, 4_000)]
    pairs = find_pairs(songs)

    # 0 and 4,000 are too far apart to be one song.
    assert left_out(songs, pairs, same="newest", twin="both") == {"2000"}


def test_ten_thousand_songs_with_two_thousand_duplicates() -> None:
    songs = [
        song(f"s{number}", title=f"Song {number % 8000} of the Sea", artists=(f"A{number % 400}",))
        for number in range(10_000)
    ]

    pairs = find_pairs(songs)

    assert len(pairs) == 2_000
    assert len(left_out(songs, pairs, same="newest", twin="both")) == 2_000


def test_a_library_of_one_song_many_times_is_bounded() -> None:
    songs = [song(f"s{number:05}") for number in range(3_000)]

    pairs = find_pairs(songs)

    assert len(pairs) < 3_000 * 64
    assert len(find_groups(songs, pairs)) == 1


def test_grades_of_all_examples_of_one_title_agree_both_ways() -> None:
    for one, other in combinations([title for pair in SAME_TITLE[:8] for title in pair], 2):
        assert grade(*titles(one, other)) == grade(*titles(other, one))
