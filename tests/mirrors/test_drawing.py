"""Covers and previews: as large as they must be, with any words."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from sync.mirrors.drawing import COVER, MOST_COVER_BYTES, PALETTES, PREVIEW, cover, preview

TITLES = [
    "Liked Songs of Ada",
    "",
    "日本語",
    "x" * 100,
    "Wort " * 60,
    "\u202e\0\x1b[31m",
    "Ärger & Œuvre",
]


def image(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("title", TITLES)
def test_a_cover_is_a_square_that_spotify_takes(palette: str, title: str) -> None:
    data = cover(title, palette)

    assert image(data).format == "JPEG"
    assert image(data).size == (COVER, COVER)
    assert len(data) < MOST_COVER_BYTES


def test_palettes_and_titles_differ() -> None:
    drawn = {cover(title, palette) for palette in PALETTES for title in ("Jazz", "Folk")}

    assert len(drawn) == 2 * len(PALETTES) == 10


def test_words_that_cannot_be_drawn_give_way_to_what_it_is() -> None:
    assert cover("日本語", "dusk") == cover("Liked Songs", "dusk")


@given(st.text(max_size=120), st.text(max_size=40))
@settings(max_examples=25)
def test_a_preview_is_drawn_for_any_words(title: str, subtitle: str) -> None:
    picture = image(preview(title, subtitle))

    assert (picture.format, picture.size) == ("PNG", PREVIEW)


def test_words_stay_off_the_heart_and_inside_the_picture() -> None:
    bare, full = (image(preview(title, "3 songs")) for title in ("i", "Wort " * 60))

    changed = ImageChops.difference(bare, full).getbbox()

    assert changed is not None
    left, top, right, bottom = changed
    assert left >= 60
    assert top >= 20
    assert right <= PREVIEW[0] - 500
    assert bottom <= PREVIEW[1] * 168 / 320
