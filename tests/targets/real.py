"""Real music servers as child processes, with a collection of hand-made MP3 files."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.processes import free_port

#: A frame of MPEG-1 layer III, 128 kbit/s, 44.1 kHz, and what one lasts: silence.
FRAME = bytes.fromhex("fffb9064") + bytes(413)
SECONDS_A_FRAME = 1152 / 44_100
#: Songs of an album.
ALBUM = 12
USER, PASSWORD = "ada", "s3cret-ü"


def command(name: str) -> str | None:
    """Where a program is: in the environment of the tests, or on the PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))


def make_collection(folder: Path, songs: int) -> None:
    for number in range(songs):
        album = folder / f"Album {number // ALBUM}"
        album.mkdir(parents=True, exist_ok=True)
        tags = {
            "TIT2": f"Söng {number}",
            "TPE1": "Kiasmos",
            "TALB": album.name,
            "TRCK": str(number % ALBUM + 1),
            "TSRC": f"XSKIA26{number:05}",
        }
        frames = round((5 + number % 20) / SECONDS_A_FRAME)
        (album / f"{number}.mp3").write_bytes(id3(tags) + FRAME * frames)


def id3(tags: dict[str, str]) -> bytes:
    """An ID3v2.3 tag with these text frames, in UTF-16."""
    frames = b""
    for name, text in tags.items():
        content = b"\x01" + text.encode("utf-16")
        frames += name.encode() + len(content).to_bytes(4, "big") + b"\0\0" + content
    size = len(frames)
    parts = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + parts + frames


@contextmanager
def supysonic(folder: Path, music: Path) -> Iterator[str]:
    """The address of a supysonic that has scanned ``music``."""
    config = folder / "supysonic.conf"
    config.write_text(
        f"[base]\ndatabase_uri = sqlite:///{folder}/supysonic.db\n"
        f"[webapp]\ncache_dir = {folder}/cache\n"
        f"[daemon]\nsocket = {folder}/daemon.sock\n"
    )
    tool, server = command("supysonic-cli"), command("supysonic-server")
    assert tool
    assert server
    env = {**os.environ, "HOME": str(folder)}

    def run(*arguments: str) -> None:
        subprocess.run([tool, *arguments], cwd=folder, env=env, check=True, capture_output=True)  # noqa: S603 - ours

    run("user", "add", USER, "-p", PASSWORD)
    run("folder", "add", "music", str(music))
    run("folder", "scan", "-f", "music")
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - as above
            [server, "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=env,
            stdout=log,
            stderr=log,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _await(url, folder / "server.log")
            yield url
        finally:
            child.terminate()
            child.wait(timeout=20)


def _await(url: str, log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            requests.get(f"{url}/rest/ping.view", timeout=2)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


@contextmanager
def maneki(folder: Path, music: Path) -> Iterator[str]:
    """The address of a maneki that has scanned ``music``."""
    config = folder / ".config" / "maneki"
    config.mkdir(parents=True)
    (config / "maneki.toml").write_text(
        f'[[users]]\nname = "{USER}"\npassword = "{PASSWORD}"\nadmin = true\n', encoding="utf-8"
    )
    server = command("maneki")
    assert server
    port = free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - ours
            [server, "serve", str(music), "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")},
            stdout=output,
            stderr=output,
        )
        url = f"http://127.0.0.1:{port}/audio"
        try:
            _await(url, log)
            yield url
        finally:
            child.terminate()
            child.wait(timeout=20)
