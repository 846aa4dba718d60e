"""``make demo``: Syncify with a simulated Spotify, on this machine, from one command.

With ``--check`` it runs unattended: it signs in over HTTP, syncs, compares, and exits 0 or 1. With
``--watch`` it only ends blocks, for the demo in containers.
"""

import argparse
import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import requests

from syncify.demo_check import PATIENCE, DemoFailed, check, say
from syncify.interruptions import ENDINGS, uninterrupted

#: The simulated Spotify's port lies this far above that of the pages.
ABOVE = 1090
#: Seconds in which a child must end. A database that is starting is ready first.
ENDING = 60
#: A second Spotify app, which an invented neighbour lends: as SPOTIFY_APPS has it, and as the
#: simulated Spotify has it, with its seats.
LENT_HERE = (
    '[{"label": "Flat 3", "client_id": "lent-app", "client_secret": "lent-secret",'
    ' "developer": "Frida"}]'
)
LENT_THERE = "lent-app,lent-secret,frida,bea+cleo+dora"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m syncify.demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="try it without a person")
    parser.add_argument(
        "--port",
        type=_port,
        default=8000,
        help="of the pages, if it is free (8000); the simulated Spotify is 1090 higher",
    )
    parser.add_argument(
        "--watch", metavar="ADDRESS", help="only end blocks, for the simulated Spotify at ADDRESS"
    )
    options = parser.parse_args(argv)
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    if options.watch:
        _watch_alone(options.watch)
        return
    wishes = (options.port, *(options.port + ABOVE + more for more in range(3)))
    pages, spotify, music, genres = (f"http://127.0.0.1:{free_port(wish)}" for wish in wishes)
    try:
        with _running(pages, spotify, music, genres) as children:
            if options.check:
                check(pages, spotify)
            else:
                say(f"\nSyncify is at {pages} and its simulated Spotify at {spotify}/simulator/")
                say(f"A pretend music server is at {music}; connect it in the settings.")
                say("Genres come from a pretend MusicBrainz, one artist a second: try “jazz”.")
                say("Sign in, watch your playlist being made, like a song there, and sync again.")
                say("Ctrl-C ends all.\n")
                _watch(children, spotify)
    except KeyboardInterrupt:
        say("\nThe demo has ended, and nothing of it is left.")
    except DemoFailed as failure:
        sys.exit(f"The demo failed: {failure}")


# --- Processes --------------------------------------------------------------------------------


@contextmanager
def _running(
    pages: str, spotify: str, music: str, genres: str
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All processes of an installation, on data of its own; both are gone afterwards."""
    # A new simulator knows nothing of the tokens and playlists of the last one.
    with uninterrupted():  # here and below: so that the end removes all that was begun
        folder = Path(tempfile.mkdtemp(prefix="syncify-demo-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="syncify.settings",
        SYNCIFY_DATA_DIR=str(folder),
        SYNCIFY_BASE_URL=pages,
        SPOTIFY_CLIENT_ID="syncify-demo",
        SPOTIFY_CLIENT_SECRET="demo-secret",  # noqa: S106 - opens nothing but the simulator
        SPOTIFY_APPS=LENT_HERE,
        SPOTIFY_DAILY_QUOTA="0",
        SPOTIFY_API_URL=f"{spotify}/v1/",
        SPOTIFY_ACCOUNTS_URL=spotify,
        SPOTIFY_OPEN_URL=spotify,
        SPOTIFY_IMAGES_URL=spotify,
        SYNCIFY_OFFERED_SERVER=music,
        SYNCIFY_OFFERED_USER="demo",
        SYNCIFY_OFFERED_PASSWORD="demo",  # noqa: S106 - opens nothing but the pretend server
        SYNCIFY_MUSICBRAINZ_CONTACT="demo@example.org",
        SYNCIFY_MUSICBRAINZ_URL=f"{genres}/ws/2/",
        SYNCIFY_LOG_LEVEL="WARNING",
    )
    os.environ.pop("DATABASE_URL", None)
    python, manage = [sys.executable], [sys.executable, "manage.py"]
    bind = pages.removeprefix("http://")
    commands = {
        "simulator": [
            *python,
            "-m",
            "syncify.simulator",
            "--port",
            spotify.rpartition(":")[2],
            "--app",
            LENT_THERE,
        ],
        "music": [*python, "-m", "syncify.simulator.music", "--port", music.rpartition(":")[2]],
        "genres": [
            *python,
            "-m",
            "syncify.simulator.musicbrainz",
            "--port",
            genres.rpartition(":")[2],
        ],
        "web": [*python, "-m", "gunicorn", "--bind", bind, "--log-level", "warning"],
        "worker": [*manage, "runworker", "--with-scheduler"],
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        # All in sessions of their own, so that Ctrl-C reaches us alone and we end them in order.
        say("Making a database of its own for the demo …")
        _prepare(folder, children, [*manage, "migrate", "-v0"])
        say("Collecting styles and pictures …")
        _prepare(folder, children, [*manage, "collectstatic", "--noinput", "-v0"])
        say("Starting the simulated Spotify and its neighbours, the web server and the worker …")
        for name, command in commands.items():
            with uninterrupted():
                children[name] = subprocess.Popen(  # noqa: S603 - our own commands
                    command, start_new_session=True
                )
        _await(f"{pages}/healthz", children)
        _await(f"{spotify}/simulator/health", children)
        _await(f"{music}/", children)
        yield children
    finally:
        say("Ending …")
        _end(children)


def _prepare(
    folder: Path, children: dict[str, subprocess.Popen[bytes]], command: list[str]
) -> None:
    """Run a command to its end; raises DemoFailed, having shown what it said."""
    # Shown only then: one that is interrupted says so with a traceback.
    said = folder / "preparation.log"
    with said.open("wb") as log:
        with uninterrupted():
            child = children["preparation"] = subprocess.Popen(  # noqa: S603 - our own commands
                command, stdout=log, stderr=log, start_new_session=True
            )
        if child.wait():
            say(said.read_text(errors="replace"))
            raise DemoFailed(f"{' '.join(command[-2:])} did not succeed.")
    del children["preparation"]


def _end(children: dict[str, subprocess.Popen[bytes]]) -> None:
    if preparation := children.get("preparation"):
        preparation.send_signal(signal.SIGINT)  # so that it ends the database that it began
    for name in ("worker", "web", "simulator", "music", "genres"):
        if child := children.get(name):
            child.terminate()
    for child in children.values():
        try:
            child.wait(ENDING)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await(address: str, children: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        _all_alive(children)
        with suppress(requests.RequestException):  # it is still starting
            if requests.get(address, timeout=5).ok:
                return
        time.sleep(0.1)
    raise DemoFailed(f"{address} did not answer.")


def _watch(children: dict[str, subprocess.Popen[bytes]], spotify: str) -> None:
    mended = 0
    while True:
        _all_alive(children)
        mended = end_block_once_mended(spotify, mended)
        time.sleep(0.5)


def _watch_alone(spotify: str) -> None:
    mended = 0
    with suppress(KeyboardInterrupt):
        while True:
            mended = end_block_once_mended(spotify, mended)
            time.sleep(1)


def end_block_once_mended(spotify: str, mended: int) -> int:
    """Let Syncify ask Spotify again when "All is well again" was pressed since ``mended`` times.

    The real Spotify sends no notice after a recovery, so Syncify would wait for an hour. Returns
    what to call it with next.
    """
    try:
        found = requests.get(f"{spotify}/simulator/health", timeout=5).json()["mended"]
    except requests.RequestException:  # it is starting, or ending
        return mended
    if found > mended:
        from django import setup  # noqa: PLC0415 - not before the environment of the demo is set
        from django.db import Error, connection  # noqa: PLC0415

        setup()
        from sync.operations.unblock import ask_spotify_now  # noqa: PLC0415 - not before setup()

        try:
            ask_spotify_now()
        except Error:  # the database is starting, or ending: the next look tries again
            connection.close()
            return mended
    return int(found)


def _all_alive(children: dict[str, subprocess.Popen[bytes]]) -> None:
    # An exception inside poll() can leave its lock taken, and then wait() never returns.
    with uninterrupted():
        ended = [name for name, child in children.items() if child.poll() is not None]
    if ended:
        raise DemoFailed(f"the {ended[0]} ended; what it said stands above.")


def free_port(wish: int) -> int:
    """``wish`` if it is free, else any that is."""
    for number in (wish, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no port is free on 127.0.0.1.")


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536 - ABOVE - 3:
        raise ValueError
    return number


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A second one would keep us from ending what we have started.
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
