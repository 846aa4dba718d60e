"""``python -m syncify.simulator.music``: a simulated music server for the demo.

It has most songs of the simulated listeners, some in another version or length, and shows its
playlists at ``/``.
"""

import argparse
import html
from collections.abc import Iterator
from random import Random

from syncify.simulator import songs
from syncify.simulator.behaviour import CAST
from syncify.simulator.serving import serve_until_told
from syncify.simulator.small_server import Ask, Reply
from syncify.simulator.subsonic import MusicServer, Song

#: Shares of songs: only live, with another length, and missing.
LIVE, LONGER, LACKING = 0.04, 0.03, 0.12
#: Larger libraries would slow down the start.
_LARGEST = 2_000
_SHOWN = 200


def collection() -> Iterator[Song]:
    """The same songs at each start."""
    draw = Random("music server")  # noqa: S311 - the same each time
    seen: set[str] = set()
    for listener, size in CAST:
        if size > _LARGEST:
            continue
        for saved in songs.seeded(listener, size):
            song = songs.SEEDED[saved.id]
            if song.id in seen:
                continue
            seen.add(song.id)
            fate = draw.random()
            if fate < LACKING:
                continue
            is_live = fate < LACKING + LIVE
            is_longer = LACKING + LIVE <= fate < LACKING + LIVE + LONGER
            yield Song(
                id=f"m{len(seen)}",
                title=f"{song.name} (Live)" if is_live else song.name,
                artist=" & ".join(name for _, name in song.artists),
                album=song.album,
                seconds=song.duration_ms // 1_000 + 40 * is_longer,
                isrc="" if is_live or is_longer else song.isrc,
            )


class DemoServer(MusicServer):
    """The music server with a page for people."""

    def answer(self, ask: Ask) -> Reply:
        if ask.path == "/" and ask.method == "GET":
            with self.lock:
                return Reply(200, self._page().encode(), "text/html; charset=utf-8")
        return super().answer(ask)

    def _page(self) -> str:
        who = f"{html.escape(self.username)}, {html.escape(self.password)}"
        parts = [
            f"<p>{len(self.songs):,} songs, {len(self.stars):,} starred. Sign in as {who}.</p>"
        ]
        for playlist in self.playlists.values():
            parts.append(f"<h2>{html.escape(playlist.name)}: {len(playlist.songs):,} songs</h2>")
            shown = (self.songs[each] for each in playlist.songs[:_SHOWN] if each in self.songs)
            rows = "".join(f"<li>{html.escape(f'{s.title} – {s.artist}')}</li>" for s in shown)
            parts.append(f"<ol>{rows}</ol>")
        body = "".join(parts)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Pretend music server</title>'
            f"<h1>Pretend music server</h1>{body}</html>"
        )


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m syncify.simulator.music", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9091)
    options = parser.parse_args(argv)
    with DemoServer(collection(), host=options.host, port=options.port) as server:
        serve_until_told(f"Pretend music server on {server.url}/")


if __name__ == "__main__":
    main()
