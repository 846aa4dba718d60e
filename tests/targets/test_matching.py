"""Which song is which: tables of cases that must and must not match, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.targets.folding import artist_keys, fold, fold_artist, fold_title, is_movement
from sync.targets.matching import (
    Catalogue,
    Found,
    How,
    Missing,
    NotFound,
    Wanted,
    agrees,
    match,
)
from sync.targets.protocol import RemoteSong


def wanted(title: str, artist: str = "Kiasmos", **fields: object) -> Wanted:
    return Wanted("w", title, artist, **{"duration_ms": 200_000, **fields})  # type: ignore[arg-type]


def remote(title: str, artist: str = "Kiasmos", **fields: object) -> RemoteSong:
    values = {"id": "r", "seconds": 200, **fields}
    return RemoteSong(title=title, artist=artist, **values)  # type: ignore[arg-type]


def find(song: Wanted, *songs: RemoteSong, present: str = "") -> object:
    return Catalogue(songs).find(song, present=present)


SAME = [
    ("Blurred", "Blurred"),
    ("BLURRED", "blurred"),
    ("Für Elise", "Fur Elise"),
    ("Sæglópur", "Saeglopur"),
    ("Don’t Stop", "Don't Stop"),
    ("Rock & Roll", "Rock and Roll"),
    ("Run, Boy, Run!", "Run Boy Run"),
    ("Let Me Go (feat. Alesso)", "Let Me Go"),
    ("Let Me Go feat. Alesso", "Let Me Go [ft. Alesso]"),
    ("Song (Explicit)", "Song"),
    ("Song - Album Version", "Song"),
    ("Song - Original Mix", "Song"),
    ("Song - Live at Wembley", "Song (Live at Wembley)"),
    ("Song - Acoustic Version", "Song (Acoustic)"),
    ("Shine On, Pt. 1", "Shine On, Part 1"),
    ("(I Can't Get No) Satisfaction", "I Can’t Get No Satisfaction"),
    ("÷", "÷"),
    ("Ｓｏｎｇ", "Song"),
]
OTHER = [
    ("Song", "Song (Live)"),
    ("Song - Live", "Song"),
    ("Song - Live at Wembley", "Song (Live in Paris)"),
    ("Song - Acoustic", "Song"),
    ("Song", "Song (Kiasmos Remix)"),
    ("Song - Radio Edit", "Song"),
    ("Love Story (Taylor's Version)", "Love Story"),
    ("Song (Live; 2011 Remaster)", "Song (2011 Remaster)"),
    ("Song - Instrumental", "Song"),
    ("Song - Mono", "Song"),
    ("Yesterday", "Hey Jude"),
    ("Song, Pt. 1", "Song, Pt. 2"),
    ("か", "が"),
    ("!!!", "???"),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_same_titles_match(ours: str, theirs: str) -> None:
    assert find(wanted(ours), remote(theirs)) == Found("r", How.TITLE)


@pytest.mark.parametrize(("ours", "theirs"), OTHER)
def test_other_titles_do_not_match(ours: str, theirs: str) -> None:
    assert isinstance(find(wanted(ours), remote(theirs)), NotFound)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Song - 2011 Remaster", "Song"),
        ("Song", "Song (Remastered 2009)"),
        ("Song - Remastered", "Song (50th Anniversary Edition)"),
        ("Song - Live - 2011 Remaster", "Song (Live)"),
        ("Song - Single Version", "Song"),
    ],
)
def test_another_release_of_the_recording_matches_and_is_named(ours: str, theirs: str) -> None:
    assert find(wanted(ours), remote(theirs)) == Found("r", How.REMASTER)


def test_the_same_release_goes_before_another_one() -> None:
    songs = [remote("Song (2011 Remaster)", id="a"), remote("Song", id="b")]

    assert find(wanted("Song"), *songs) == Found("b", How.TITLE)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("The Beatles", "Beatles", True),
        ("The Beatles", "Beatles, The", True),
        ("Simon & Garfunkel", "Simon and Garfunkel", True),
        ("Beyoncé", "Beyonce feat. JAY Z", True),
        ("Beyoncé", "Beyoncé & JAY Z", True),
        ("Beyoncé", "Beyoncé; JAY Z", True),
        ("AC/DC", "AC-DC", True),
        ("The The", "The The", True),
        ("JAY Z", "Beyoncé; JAY Z", False),
        ("Various Artists", "Kiasmos", False),
        ("Björk", "Bjorn", False),
    ],
)
def test_the_first_artist_must_agree(ours: str, theirs: str, same: bool) -> None:
    found = find(wanted("Song", ours), remote("Song", theirs))

    assert isinstance(found, Found) is same


@pytest.mark.parametrize(
    ("seconds", "same"), [(195, True), (205, True), (194, False), (206, False)]
)
def test_lengths_differ_by_five_seconds_at_most(seconds: int, same: bool) -> None:
    found = find(wanted("Song"), remote("Song", seconds=seconds))

    assert isinstance(found, Found) is same


def test_a_song_of_unknown_length_is_not_guessed() -> None:
    assert find(wanted("Song"), remote("Song", seconds=0)) == NotFound(
        Missing.OTHER_LENGTH, "unknown"
    )


def test_an_isrc_goes_before_the_title() -> None:
    songs = [remote("Song", id="a"), remote("Lied", "Andere", id="b", isrcs=("de-a01-23-45678",))]

    assert find(wanted("Song", isrc="DEA012345678"), *songs) == Found("b", How.ISRC)


@pytest.mark.parametrize(("seconds", "how"), [(208, How.ISRC), (0, How.ISRC), (209, How.TITLE)])
def test_an_isrc_counts_only_with_a_likely_length(seconds: int, how: How) -> None:
    songs = [remote("Lied", id="a", seconds=seconds, isrcs=("X",)), remote("Song", id="b")]

    found = find(wanted("Song", isrc="X"), *songs)

    assert isinstance(found, Found)
    assert found.how == how


def test_other_isrcs_do_not_keep_songs_apart() -> None:
    assert find(wanted("Song", isrc="X"), remote("Song", isrcs=("Y",))) == Found("r", How.TITLE)


def test_of_several_that_fit_the_one_found_before_is_kept() -> None:
    songs = [
        remote("Song", id="a", album="Other"),
        remote("Song", id="b", album="Abbey Road"),
        remote("Song", id="c", album="Other", seconds=201),
    ]
    song = wanted("Song", album="Abbey Road")

    assert find(song, *songs) == Found("b", How.TITLE)
    assert find(song, *songs, present="c") == Found("c", How.TITLE)
    assert find(song, *songs, present="gone") == Found("b", How.TITLE)


@pytest.mark.parametrize(
    ("song", "why", "instead"),
    [
        (wanted("Nowhere"), Missing.NOT_THERE, ""),
        (wanted("Song", "Somebody"), Missing.NOT_THERE, ""),
        (wanted("Song"), Missing.OTHER_VERSIONS, "Song (Live); Song (Demo)"),
        (wanted("Long"), Missing.OTHER_LENGTH, "5:02, 6:00"),
        (wanted("I. Allegro", album="Winter"), Missing.OTHER_ALBUM, "I. Allegro"),
    ],
)
def test_what_is_missing_has_its_reason(song: Wanted, why: Missing, instead: str) -> None:
    songs = [
        remote("Song (Live)", id="a"),
        remote("Song (Demo)", id="b"),
        remote("Long", id="c", seconds=302),
        remote("Long", id="d", seconds=360),
        remote("I. Allegro", id="e", album="Spring"),
    ]

    assert find(song, *songs) == NotFound(why, instead)


@pytest.mark.parametrize(
    ("title", "is_one"),
    [
        ("I. Allegro", True),
        ("iv. Presto", True),
        ("No. 2 in C", True),
        ("Op. 9", True),
        ("No Woman No Cry", False),
        ("I Want to Hold Your Hand", False),
        ("99 Problems", False),
    ],
)
def test_movements_are_told_from_songs(title: str, is_one: bool) -> None:
    assert is_movement(title) is is_one


def test_a_movement_is_found_on_its_album() -> None:
    song = wanted("I. Allegro", album="The Four Seasons: Spring")
    there = remote("I. Allegro", album="The four seasons – Spring")

    assert find(song, there) == Found("r", How.TITLE)


# --- By hand ------------------------------------------------------------------------------------


def test_a_match_by_hand_goes_before_all() -> None:
    catalogue = Catalogue([remote("Song", isrcs=("X",)), remote("Other", id="mine")])
    song = wanted("Song", isrc="X")

    assert match([song], catalogue, by_hand={"w": "mine"}, present={"w": "r"}) == {
        "w": Found("mine", How.BY_HAND)
    }
    assert match([song], catalogue, by_hand={"w": ""}, present={}) == {
        "w": NotFound(Missing.BY_HAND)
    }


def test_a_match_by_hand_is_not_replaced_when_its_song_is_gone() -> None:
    catalogue = Catalogue([remote("Song")])

    verdicts = match([wanted("Song")], catalogue, by_hand={"w": "old"}, present={}, gone=["old"])

    assert verdicts == {"w": NotFound(Missing.GONE)}


TITLES = st.sampled_from(["Song", "Song (Live)", "Song - 2011 Remaster", "Lied", "I. Allegro"])
REMOTES = st.lists(
    st.builds(
        RemoteSong,
        id=st.sampled_from("abcdef"),
        title=TITLES,
        artist=st.sampled_from(["Kiasmos", "Kiasmos & Ada", "Bea"]),
        album=st.sampled_from(["", "One"]),
        seconds=st.integers(0, 400),
        isrcs=st.sampled_from([(), ("X",), ("Y", "X")]),
    ),
    max_size=8,
    unique_by=lambda song: song.id,
)
WANTED = st.lists(
    st.builds(
        Wanted,
        id=st.sampled_from("123456"),
        title=TITLES,
        artist=st.sampled_from(["Kiasmos", "Bea"]),
        album=st.sampled_from(["", "One"]),
        duration_ms=st.integers(0, 400_000),
        isrc=st.sampled_from(["", "X", "Z"]),
    ),
    max_size=6,
    unique_by=lambda song: song.id,
)
BY_HAND = st.dictionaries(st.sampled_from("123456"), st.sampled_from(["", "a", "b", "elsewhere"]))


@given(WANTED, REMOTES, BY_HAND, st.dictionaries(st.sampled_from("123456"), st.sampled_from("abz")))
def test_whatever_there_is_the_listeners_own_choices_stand(
    songs: list[Wanted], there: list[RemoteSong], by_hand: dict[str, str], present: dict[str, str]
) -> None:
    verdicts = match(songs, Catalogue(there), by_hand=by_hand, present=present)

    for song in songs:
        verdict = verdicts[song.id]
        if chosen := by_hand.get(song.id):
            assert verdict == Found(chosen, How.BY_HAND)
        elif chosen == "":
            assert verdict == NotFound(Missing.BY_HAND)
        elif isinstance(verdict, Found):
            assert verdict.remote_id in {each.id for each in there}


@given(WANTED, REMOTES)
def test_a_second_run_finds_the_same_whatever_the_order(
    songs: list[Wanted], there: list[RemoteSong]
) -> None:
    first = match(songs, Catalogue(there), by_hand={}, present={})
    found = {key: each.remote_id for key, each in first.items() if isinstance(each, Found)}

    again = match(songs, Catalogue(there[::-1]), by_hand={}, present=found)
    turned = match(songs, Catalogue(there[::-1]), by_hand={}, present={})

    assert {key: type(each) for key, each in turned.items()} == {
        key: type(each) for key, each in first.items()
    }
    assert {k: v.remote_id for k, v in again.items() if isinstance(v, Found)} == found


@given(st.text(max_size=60))
def test_folding_is_stable_and_loses_no_title(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert bool(fold(text)) == bool(text.strip())
    title = fold_title(text)
    assert bool(title.base) == bool(text.strip())
    assert fold_artist(text) in artist_keys(text) or not text.strip()


@pytest.mark.parametrize(
    ("title", "artist", "same"),
    [
        ("Blurred", "Kiasmos", True),
        ("Blurred", "Kiasmos feat. Ada", True),
        ("Blurred (Remastered)", "Kiasmos", True),
        ("Blurred (Live)", "Kiasmos", False),
        ("Blurry", "Kiasmos", False),
        ("Blurred", "Bonobo", False),
    ],
)
def test_a_recording_is_taken_only_if_its_names_agree(title: str, artist: str, same: bool) -> None:
    assert agrees(wanted("Blurred"), title=title, artist=artist) is same
