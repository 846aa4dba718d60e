"""Album covers that the simulator draws: the same picture for the same id each time."""

# ruff: noqa: S311 - the same picture every time is the point

from random import Random

from syncify.simulator.call import Call
from syncify.simulator.wire import Response

#: Paper, two inks and an accent.
_PALETTES = (
    ("#f2e8d8", "#27374d", "#d1495b", "#edae49"),
    ("#14213d", "#e5e5e5", "#fca311", "#7f95d1"),
    ("#efe9f4", "#3d2c5e", "#b07bac", "#5ec2b7"),
    ("#0b3c49", "#fff1d0", "#dd6e42", "#8bbeb2"),
    ("#fbe8d3", "#1f1a38", "#e85d75", "#61c0bf"),
    ("#1b1b1e", "#f4f1de", "#81b29a", "#f2cc8f"),
    ("#dcedc8", "#21421e", "#e76f51", "#4f9d69"),
    ("#30011e", "#ffe5d9", "#ff8a5b", "#c98bb9"),
    ("#e3eef6", "#153b50", "#ee964b", "#429ea6"),
    ("#fff6e9", "#40407a", "#ff793f", "#33d9b2"),
)


def cover(call: Call) -> Response:
    """The picture of the album with this id, for as long as browsers like to keep it."""
    headers = {"Content-Type": "image/svg+xml", "Cache-Control": "public, max-age=31536000"}
    return Response(200, draw(call.args["id"]).encode(), headers)


def draw(album_id: str) -> str:
    random = Random(f"cover {album_id}")
    paper, *inks = random.choice(_PALETTES)
    drawn = random.choice(_COMPOSITIONS)(random, inks)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 300" width="300" height="300">'
        f'<rect width="300" height="300" fill="{paper}"/>{drawn}</svg>'
    )


def _sun_and_hills(random: Random, inks: list[str]) -> str:
    x, y, radius = random.randint(80, 220), random.randint(80, 130), random.randint(36, 70)
    hills = []
    for number, ink in enumerate(inks[:2]):
        top = 170 + number * 45
        bends = [top + random.randint(-26, 26) for _ in range(4)]
        hills.append(
            f'<path fill="{ink}" d="M0 {bends[0]}C60 {bends[1] - 40} 110 {bends[1]} 160 {bends[2]}'
            f'S260 {bends[3] - 30} 300 {bends[3]}V300H0z"/>'
        )
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{inks[2]}"/>{"".join(hills)}'


def _rings(random: Random, inks: list[str]) -> str:
    x, y, step = random.randint(90, 210), random.randint(90, 210), random.randint(16, 26)
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{step * number}" fill="none" stroke="{ink}"'
        f' stroke-width="{step // 2}"/>'
        for number in range(1, 8)
        for ink in [inks[number % 3]]
    )


def _blocks(random: Random, inks: list[str]) -> str:
    drawn = []
    for row in range(3):
        for column in range(3):
            x, y, ink = column * 100, row * 100, random.choice(inks)
            drawn.append(
                random.choice(
                    (
                        f'<path fill="{ink}" d="M{x} {y}h100A100 100 0 0 1 {x} {y + 100}z"/>',
                        f'<circle cx="{x + 50}" cy="{y + 50}" r="50" fill="{ink}"/>',
                        f'<path fill="{ink}" d="M{x} {y}h100v100z"/>',
                        f'<rect x="{x}" y="{y}" width="100" height="50" fill="{ink}"/>',
                        "",
                    )
                )
            )
    return "".join(drawn)


def _stripes(random: Random, inks: list[str]) -> str:
    angle, x, drawn = random.choice((0, 30, 45, 90, 135)), -150, []
    while x < 450:
        width = random.randint(10, 50)
        fill = random.choice(inks)
        drawn.append(f'<rect x="{x}" y="-150" width="{width}" height="600" fill="{fill}"/>')
        x += width + random.randint(12, 40)
    return f'<g transform="rotate({angle} 150 150)">{"".join(drawn)}</g>'


def _waves(random: Random, inks: list[str]) -> str:
    drawn, height = [], random.randint(14, 26)
    for number in range(9):
        y, ink = 36 + number * 30, inks[number % 3]
        bends = "".join(f"q25 -{height + number * 2} 50 0t50 0" for _ in range(4))
        drawn.append(
            f'<path fill="none" stroke="{ink}" stroke-width="9" stroke-linecap="round"'
            f' d="M-60 {y}{bends}"/>'
        )
    return "".join(drawn)


def _window(random: Random, inks: list[str]) -> str:
    x = random.randint(40, 110)
    return (
        f'<path fill="{inks[0]}" d="M{x} 300V130a75 75 0 0 1 150 0v170z"/>'
        f'<circle cx="{x + 75}" cy="140" r="{random.randint(26, 44)}" fill="{inks[2]}"/>'
        f'<path fill="{inks[1]}" d="M0 {random.randint(230, 262)}h300v70H0z"/>'
    )


def _dots(random: Random, inks: list[str]) -> str:
    return "".join(
        f'<circle cx="{30 + 40 * column}" cy="{30 + 40 * row}" r="{random.choice((5, 9, 14, 18))}"'
        f' fill="{random.choice(inks)}"/>'
        for row in range(7)
        for column in range(7)
    )


_COMPOSITIONS = (_sun_and_hills, _rings, _blocks, _stripes, _waves, _window, _dots)
