"""Draws abstract album covers as SVG: the same picture for the same id every time."""

# ruff: noqa: S311 - the same pictures every time are the point

from functools import lru_cache
from math import cos, pi, sin
from random import Random

SIZE = 300

#: The background, then the other colours.
_PALETTES = tuple(
    tuple(f"#{colour}" for colour in written.split())
    for written in (
        "1b1b3a 693668 a74482 f84aa7 ff3562",
        "f4f1de e07a5f 3d405b 81b29a f2cc8f",
        "264653 2a9d8f e9c46a f4a261 e76f51",
        "0d1b2a 1b263b 415a77 778da9 e0e1dd",
        "fefae0 606c38 283618 dda15e bc6c25",
        "2b2d42 8d99ae edf2f4 ef233c d90429",
        "10002b 3c096c 7b2cbf c77dff e0aaff",
        "003049 d62828 f77f00 fcbf49 eae2b7",
        "edede9 d6ccc2 b08968 7f5539 463f3a",
        "04151f 183a37 efd6ac c44900 432534",
        "ffe5ec ffb3c6 fb6f92 9d174d 500724",
        "011627 2ec4b6 fdfffc e71d36 ff9f1c",
        "22223b 4a4e69 9a8c98 c9ada7 f2e9e4",
        "081c15 2d6a4f 52b788 95d5b2 d8f3dc",
        "f8f9fa 212529 adb5bd e63946 457b9d",
        "1d3557 457b9d a8dadc f1faee e63946",
        "fff8e7 f25c54 f7b267 247ba0 70c1b3",
        "120d31 5b2a86 7785ac 9ac6c5 a5e6ba",
        "3a0ca3 4361ee 4cc9f0 f72585 7209b7",
        "faf3dd c8d5b9 8fc0a9 68b0ab 4a7c59",
        "0b0c10 1f2833 c5c6c7 66fcf1 45a29e",
        "fdf0d5 c1121f 780000 669bbc 003049",
    )
)


def svg(object_id: str, size: int = SIZE) -> bytes:
    """The cover of an album."""
    return _framed(_drawing(object_id), size)


def mosaic(object_ids: list[str], size: int = SIZE) -> bytes:
    """A mosaic of four covers, as for playlists; one cover if there are fewer."""
    if len(object_ids) < 4:
        return svg(object_ids[0] if object_ids else "", size)
    half = SIZE // 2
    quarters = "".join(
        f'<svg x="{half * (place % 2)}" y="{half * (place // 2)}" width="{half}" height="{half}" '
        f'viewBox="0 0 {SIZE} {SIZE}">{_drawing(one)}</svg>'
        for place, one in enumerate(object_ids[:4])
    )
    return _framed(quarters, size)


def _framed(drawing: str, size: int) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="0 0 {SIZE} {SIZE}">{drawing}</svg>'
    ).encode()


@lru_cache(maxsize=1_000)
def _drawing(object_id: str) -> str:
    random = Random(f"cover {object_id}")
    back, *colours = random.choice(_PALETTES)
    random.shuffle(colours)
    pattern = random.choice(_PATTERNS)
    return f'<rect width="{SIZE}" height="{SIZE}" fill="{back}"/>{pattern(random, colours)}'


def _rings(random: Random, colours: list[str]) -> str:
    x, y = random.randint(60, 240), random.randint(60, 240)
    step = random.randint(22, 40)
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{step * number}" fill="{colours[number % len(colours)]}"/>'
        for number in range(random.randint(4, 7), 0, -1)
    )


def _stripes(random: Random, colours: list[str]) -> str:
    angle, at, found = random.choice((0, 20, 45, 90, 135)), -150, ""
    while at < 450:
        width, colour = random.randint(10, 60), random.choice(colours)
        found += f'<rect x="{at}" y="-150" width="{width}" height="600" fill="{colour}"/>'
        at += width + random.randint(0, 40)
    return f'<g transform="rotate({angle} 150 150)">{found}</g>'


def _hills(random: Random, colours: list[str]) -> str:
    x, y, r = random.randint(60, 240), random.randint(50, 120), random.randint(24, 52)
    found = f'<circle cx="{x}" cy="{y}" r="{r}" fill="{colours[0]}"/>'
    for number, level in enumerate((130, 175, 215, 255)):
        rise = [level + random.randint(-32, 32) for _ in range(4)]
        found += (
            f'<path d="M0 {rise[0]} C80 {rise[1] - 40} 180 {rise[2] + 40} 300 {rise[3]} '
            f'V300 H0Z" fill="{colours[number % len(colours)]}"/>'
        )
    return found


def _tiles(random: Random, colours: list[str]) -> str:
    count = random.choice((3, 4, 5, 6))
    side = SIZE / count
    shapes = (
        "M0 0H{s}V{s}Z",
        "M0 0H{s}A{s} {s} 0 0 1 0 {s}Z",
        "M{s} {s}V0A{s} {s} 0 0 0 0 {s}Z",
        "M0 0H{s}V{s}H0Z",
        "M0 {h}A{h} {h} 0 0 1 {s} {h}Z",
    )
    found = ""
    for place in range(count * count):
        if random.random() < 0.12:
            continue
        shape = random.choice(shapes).format(s=f"{side:.1f}", h=f"{side / 2:.1f}")
        x, y = place % count * side, place // count * side
        found += (
            f'<path transform="translate({x:.1f} {y:.1f})" d="{shape}" '
            f'fill="{random.choice(colours)}"/>'
        )
    return found


def _rays(random: Random, colours: list[str]) -> str:
    x, y, count = random.randint(40, 260), random.randint(120, 320), random.choice((16, 20, 28))
    found = ""
    for number in range(0, count, 2):
        start, end = (2 * pi * (number + more) / count for more in (0, 1))
        found += (
            f'<path d="M{x} {y}L{x + 500 * cos(start):.0f} {y + 500 * sin(start):.0f} '
            f'{x + 500 * cos(end):.0f} {y + 500 * sin(end):.0f}Z" '
            f'fill="{colours[number // 2 % 2]}"/>'
        )
    radius = random.randint(28, 60)
    return f'{found}<circle cx="{x}" cy="{y}" r="{radius}" fill="{colours[-1]}"/>'


def _waves(random: Random, colours: list[str]) -> str:
    found, height = "", random.randint(8, 26)
    for number, y in enumerate(range(-10, 320, random.choice((24, 30, 40)))):
        colour = colours[number % len(colours)]
        found += (
            f'<path d="M-20 {y}q40 {-height} 80 0t80 0 80 0 80 0 80 0" fill="none" '
            f'stroke="{colour}" stroke-width="{random.randint(6, 18)}"/>'
        )
    return found


def _dots(random: Random, colours: list[str]) -> str:
    count = random.choice((5, 6, 8, 10))
    step = SIZE / count
    return "".join(
        f'<circle cx="{(place % count + 0.5) * step:.0f}" cy="{(place // count + 0.5) * step:.0f}" '
        f'r="{random.uniform(0.1, 0.52) * step:.1f}" fill="{random.choice(colours)}"/>'
        for place in range(count * count)
    )


def _blocks(random: Random, colours: list[str]) -> str:
    found = ""
    for _ in range(random.randint(6, 11)):
        x, y = random.randint(-40, 240), random.randint(-40, 240)
        width, height = random.randint(40, 190), random.randint(40, 190)
        round_ = random.choice((0, 0, 12, 90))
        found += (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{round_}" '
            f'fill="{random.choice(colours)}" opacity="0.85"/>'
        )
    return found


_PATTERNS = (_rings, _stripes, _hills, _tiles, _rays, _waves, _dots, _blocks)
