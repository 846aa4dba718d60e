"""Draws covers: a heart above a lake, in five palettes, with a title."""

import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

#: Pixels of a cover's edge, and of a preview's.
COVER, PREVIEW = 640, (1200, 630)
#: What Spotify takes: 256 kB of Base64, which is a third longer than the picture.
MOST_COVER_BYTES = 190_000

_FONTS = Path(__file__).parent / "fonts"
# The letters that the fonts have; see fonts/OFL.txt.
_NOT_DRAWN = re.compile(
    r"[^\u0020-\u007e\u00a0-\u024f\u0259\u02b0-\u02ff\u0370-\u03ff\u0400-\u052f\u1e00-\u1eff"
    r"\u2010-\u2027\u2030-\u205e\u20ac\u2122\u2190-\u2193\u2212\u2665]"
)
_WHITE = (255, 255, 255)

type _Colour = tuple[int, int, int]
type _Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours from top to bottom: the sky's, the water's, and of what is between them."""

    name: str
    sky: tuple[_Colour, _Colour]
    lake: tuple[_Colour, _Colour]
    heart: _Colour
    sun: _Colour
    #: Of words in the sky.
    ink: _Colour = (52, 24, 40)


PALETTES = {
    "dusk": Palette(
        "Dusk", ((246, 201, 168), (242, 132, 140)), ((140, 96, 122), (29, 84, 102)), (217, 52, 92),
        (255, 236, 210),
    ),
    "lagoon": Palette(
        "Lagoon", ((190, 234, 232), (108, 190, 205)), ((38, 120, 140), (8, 50, 78)),
        (255, 104, 96), (255, 250, 226),
    ),
    "meadow": Palette(
        "Meadow", ((236, 240, 190), (150, 196, 130)), ((70, 122, 92), (20, 60, 58)),
        (226, 74, 60), (255, 255, 228),
    ),
    "midnight": Palette(
        "Midnight", ((28, 24, 66), (104, 66, 130)), ((48, 36, 88), (10, 10, 34)), (255, 110, 150),
        (214, 190, 255), (255, 255, 255),
    ),
    "paper": Palette(
        "Paper", ((252, 248, 240), (240, 224, 206)), ((116, 128, 138), (52, 64, 76)),
        (196, 44, 62), (255, 255, 255),
    ),
}  # fmt: skip
DEFAULT_PALETTE = "dusk"

# Cubic curves of the left half of the heart, in a square of 320; the right half mirrors it.
_HEART = (
    ((160, 160), (106, 127), (84, 108), (84, 80)),
    ((84, 80), (84, 59), (100, 44), (120, 44)),
    ((120, 44), (137, 44), (151, 54), (160, 70)),
)
_SHORE = 168 / 320


@lru_cache(maxsize=32)
def cover(title: str, palette: str) -> bytes:
    """A square JPEG below MOST_COVER_BYTES with the title in it."""
    picture = _scene(palette, COVER, COVER, heart_at=COVER // 2).copy()
    draw = ImageDraw.Draw(picture)
    lines, font = _fitted(title, (72, 60, 50, 42), COVER - 88, 2)
    y = COVER - 44 - len(lines) * font.size * 1.12
    _write(draw, lines, font, (44, y), _WHITE)
    for quality in (90, 80, 65, 50):
        data = _saved(picture, "JPEG", quality=quality, optimize=True, progressive=True)
        if len(data) < MOST_COVER_BYTES:
            break
    return data


def preview(title: str, subtitle: str, palette: str = DEFAULT_PALETTE) -> bytes:
    """A PNG that messengers show for a link."""
    width, height = PREVIEW
    picture = _scene(palette, width, height, heart_at=width - 270).copy()
    draw = ImageDraw.Draw(picture)
    lines, font = _fitted(title, (84, 74, 64, 54), width - 600, 3)
    bottom = int(height * _SHORE) - 24
    at = (72, bottom - len(lines) * font.size * 1.1)
    _write(draw, lines, font, at, PALETTES[palette].ink)
    small = _font("Medium", 40)
    draw.text((72, int(height * _SHORE) + 40), _drawable(subtitle), _WHITE, small)
    draw.text((72, height - 88), "Syncify", _WHITE, _font("ExtraBold", 34))
    return _saved(picture, "PNG", compress_level=6)


@lru_cache(maxsize=2)
def _scene(palette: str, width: int, height: int, *, heart_at: int) -> Image.Image:
    """The picture without text."""
    colours = PALETTES[palette]
    shore = int(height * _SHORE)
    unit = height / 320
    picture = Image.new("RGB", (width, height))
    picture.paste(_gradient(*colours.sky, (width, shore)), (0, 0))
    picture.paste(_gradient(*colours.lake, (width, height - shore)), (0, shore))

    sun, draw = _mask(picture)
    for radius, light in ((118, 70), (86, 150)):
        draw.ellipse(_box(2 * heart_at, 2 * shore, 2 * radius * unit), fill=light)
    draw.rectangle((0, 2 * shore, 2 * width, 2 * height), fill=0)
    _tint(picture, colours.sun, sun)

    outline = [(2 * (heart_at + (x - 160) * unit), 2 * y * unit) for x, y in _heart()]
    heart, draw = _mask(picture)
    draw.polygon(outline, fill=255)
    _tint(picture, colours.heart, heart)

    water, draw = _mask(picture)
    draw.polygon([(x, 4 * shore - y) for x, y in outline], fill=140)
    for depth, thickness in ((14, 2), (28, 3), (45, 4), (66, 6), (92, 7), (120, 8)):
        top = 2 * (shore + depth * unit)
        draw.rectangle((0, top, 2 * width, top + 2 * thickness * unit), fill=0)
    _tint(picture, colours.heart, water)
    return picture


def _mask(picture: Image.Image) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Twice as large as the picture, so that edges get smooth."""
    mask = Image.new("L", (picture.width * 2, picture.height * 2))
    return mask, ImageDraw.Draw(mask)


def _tint(picture: Image.Image, colour: _Colour, mask: Image.Image) -> None:
    picture.paste(colour, (0, 0), mask.reduce(2))


def _gradient(top: _Colour, bottom: _Colour, size: tuple[int, int]) -> Image.Image:
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        share = y / size[1]
        column.putpixel(
            (0, y), tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        )
    return column.resize(size)


def _heart() -> list[_Point]:
    left = [point for curve in _HEART for point in _points(*curve)]
    return left + [(320 - x, y) for x, y in reversed(left)]


def _points(a: _Point, b: _Point, c: _Point, d: _Point) -> Iterator[_Point]:
    for step in range(25):
        t = step / 24
        u = 1 - t
        weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
        x, y = (
            sum(weight * point[axis] for weight, point in zip(weights, (a, b, c, d), strict=True))
            for axis in (0, 1)
        )
        yield x, y


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _write(
    draw: ImageDraw.ImageDraw,
    lines: list[str],
    font: ImageFont.FreeTypeFont,
    at: _Point,
    colour: _Colour,
) -> None:
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * font.size * 1.1), line, colour, font)


def _fitted(
    text: str, sizes: tuple[int, ...], width: int, most_lines: int
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """``text`` in the largest size in which it fits, else cut off in the smallest."""
    words = _drawable(text) or "Liked Songs"
    for size in sizes:
        font = _font("ExtraBold", size)
        lines = _wrapped(words, font, width)
        if len(lines) <= most_lines and all(font.getlength(line) <= width for line in lines):
            return lines, font
    if len(lines) > most_lines:
        lines[most_lines - 1] += "…"
    return [_cut(line, font, width) for line in lines[:most_lines]], font


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while font.getlength(line) > width:
        line = f"{line.rstrip('…')[:-1]}…"
    return line


def _drawable(text: str) -> str:
    """The part of ``text`` that the fonts have letters for, on one line."""
    return " ".join(_NOT_DRAWN.sub("", unicodedata.normalize("NFC", text[:300])).split())


@lru_cache(maxsize=16)
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / f"InterDisplay-{weight}.otf", size)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
