"""Starts, scales, kills, stops, upgrades and removes the containers, on any Docker engine.

    python -m scripts.compose_check [--upgrade-from COMMIT …]

It works on docker-compose.demo.yml under a project name, an image name and ports of its own, says
what happened and how long it took, exits 0 or 1, and leaves nothing behind.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from syncify.demo import free_port
from syncify.demo_check import OFFERED_FIELD, DemoFailed, at_spotify, press, sign_in

ROOT = Path(__file__).resolve().parent.parent
NAME = f"syncify-check-{os.getpid()}"
PAGES_PORT, SPOTIFY_PORT = free_port(8000), free_port(9090)
HERE = "127.0.0.1"
PAGES, SPOTIFY = f"http://{HERE}:{PAGES_PORT}", f"http://{HERE}:{SPOTIFY_PORT}"
#: The first commit with a compose file, and the last of 0.1.0.
RELEASED = ("5abb82d", "0ac55c0")
#: A lease of 60 s, a rescue within 15 s, and the sync itself.
PATIENCE = 120


class CheckFailed(Exception):
    """``str`` describes the failed check."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade-from", nargs="*", default=RELEASED, metavar="COMMIT")
    commits = parser.parse_args().upgrade_from
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=NAME) as folder:
        try:
            docker("build", "--quiet", "--tag", f"{NAME}-simulator", str(ROOT))
            with running(ROOT, Path(folder)) as stack:
                check_life(stack)
            check_nothing_is_left()
            for commit in commits:
                released = checked_out(commit, Path(folder) / commit)
                with (
                    running(released, Path(folder)) as older,
                    # It has volumes that the older version does not know.
                    removed_afterwards(Stack(ROOT, Path(folder))) as newer,
                ):
                    check_upgrade(older, newer)
                check_nothing_is_left()
        except (CheckFailed, DemoFailed, subprocess.CalledProcessError) as failure:
            sys.exit(f"FAILED: {failure}\n{getattr(failure, 'stderr', '') or ''}")
        finally:
            docker("image", "rm", "--force", NAME, f"{NAME}-simulator")
    say(f"All is as promised. {time.monotonic() - began:.0f} s in all.")


# --- The engine -------------------------------------------------------------------------------


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Stack:
    """The demo's services as the files of ``folder`` describe them."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        demo = folder / "docker-compose.demo.yml"
        self._files = ["--file", str(demo)]
        services = self("config", "--services").split()
        override = scratch / f"{folder.name}.yml"
        # Images of our own; and a simulated Spotify that an upgrade leaves alone, for it would
        # forget all tokens and playlists.
        lines = [
            "services:",
            "  simulator: !override",
            f"    image: {NAME}-simulator",
            f"    command: python -m syncify.simulator --host 0.0.0.0 --port {SPOTIFY_PORT}",
            f"    ports: ['{HERE}:{PAGES_PORT}:8000', '{HERE}:{SPOTIFY_PORT}:{SPOTIFY_PORT}']",
            "    healthcheck: { disable: true }",
        ]
        ours = set(services) - {"db", "simulator"}
        lines += [f"  {service}: {{ image: {NAME} }}" for service in sorted(ours)]
        override.write_text("\n".join(lines))
        self._files += ["--file", str(override)]

    def __call__(self, *arguments: str) -> str:
        ports = {"SYNCIFY_PORT": str(PAGES_PORT), "SIMULATOR_PORT": str(SPOTIFY_PORT)}
        command = ["docker", "compose", "--project-name", NAME, *self._files, *arguments]
        return subprocess.run(
            command, env=os.environ | ports, check=True, capture_output=True, text=True
        ).stdout.strip()

    def containers(self, *services: str) -> list[dict[str, Any]]:
        ids = self("ps", "--all", "--quiet", *services).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found

    def sql(self, query: str) -> str:
        return self("exec", "-T", "db", "psql", "-U", "syncify", "-At", "syncify", "-c", query)

    def is_healthy(self, *services: str) -> bool:
        states = [container["State"] for container in self.containers(*services)]
        return bool(states) and all(
            state.get("Health", {}).get("Status") == "healthy" for state in states
        )

    def logs(self) -> str:
        return self("logs", "--no-color", "--tail", "60")


@contextmanager
def running(folder: Path, scratch: Path) -> Iterator[Stack]:
    """A new installation, removed afterwards with its data."""
    with removed_afterwards(Stack(folder, scratch)) as stack:
        with timed(f"{folder.name}: up from nothing"):
            stack("up", "--detach", "--build")
            wait_until("the services are healthy", lambda: stack.is_healthy("db", "web"))
        yield stack


@contextmanager
def removed_afterwards(stack: Stack) -> Iterator[Stack]:
    """Removes the containers and volumes of ``stack``; prints the logs first if a check failed."""
    try:
        yield stack
    except BaseException:
        with suppress(subprocess.CalledProcessError):
            print(stack.logs(), file=sys.stderr)
        raise
    finally:
        stack("down", "--volumes", "--remove-orphans", "--timeout", "10")


def checked_out(commit: str, folder: Path) -> Path:
    git = ["git", "-C", str(ROOT), "archive", commit]
    archive = subprocess.run(git, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


# --- Checks ----------------------------------------------------------------------------------


def check_life(stack: Stack) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", NAME)) / 1e6
    say(f"the image takes {size:.0f} MB")
    anybody = ["--rm", "--read-only", "--user", "12345", "--env", "SPOTIFY_CLIENT_ID=any"]
    docker("run", *anybody, "--volume", "/data", NAME, "python", "manage.py", "check")
    for container in stack.containers("db", "web", "worker"):
        host = container["HostConfig"]
        expect(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], "a container may do more")
    with timed("worker and scheduler healthy"):
        wait_until("the worker is healthy", lambda: stack.is_healthy("worker"))

    ada = sign_in(PAGES, "ada")
    await_sync(stack, "ada", 1)
    expect_mirrored(stack, "ada")
    with timed("playlist at the pretend music server"):
        check_music(stack, ada)

    stack("up", "--detach", "--scale", "worker=3")
    with timed("three workers healthy"):
        wait_until("3 workers are healthy", lambda: stack.is_healthy("worker"))
    seen = stack.sql("SELECT name FROM processes WHERE kind = 'worker'").split()
    expect(len(seen) == 3, f"seen instead of three workers: {seen}")
    check_kill(stack)
    names = [one["Name"] for one in stack.containers() if one["State"]["Running"]]
    say(docker("stats", "--no-stream", "--format", "{{.Name}}: {{.MemUsage}}", *names))
    check_stop(stack, ada)


def check_music(stack: Stack, visitor: requests.Session) -> None:
    """The music server that the demo offers can be connected as its page says."""
    page = visitor.get(f"{PAGES}/connections/subsonic/", timeout=30).text
    press(visitor, PAGES, "/connections/subsonic/", **dict(OFFERED_FIELD.findall(page)))
    query = "SELECT state FROM sync_requests WHERE kind = 'subsonic'"
    wait_until("the music server has the songs", lambda: stack.sql(query) == "succeeded")


def check_kill(stack: Stack) -> None:
    """Killing a worker in the middle of a sync only delays the sync by a minute."""
    slow_down()
    sign_in(PAGES, "cleo")
    wait_until("a sync is under way", lambda: bool(running_sync(stack)))
    number = running_sync(stack)
    [worker] = [
        container["Id"]
        for container in stack.containers("worker")
        if f"job claimed request={number} " in docker("logs", container["Id"])
    ]
    docker("kill", "--signal", "KILL", worker)
    speed_up()
    with timed("sync of a killed worker done by another"):
        await_sync(stack, "cleo", 1)
    expect_mirrored(stack, "cleo")
    expect(stack.sql(f"SELECT rescues FROM sync_requests WHERE id = {number}") == "1", "no rescue")


def check_stop(stack: Stack, visitor: requests.Session) -> None:
    """Each container stops cleanly in time, a worker even in the middle of a sync."""
    slow_down()
    change_library("ada")
    press_sync(visitor)
    wait_until("a sync is under way", lambda: bool(running_sync(stack)))
    for service, longest in (("worker", 10), ("web", 10), ("db", 10)):
        ended = [one["Id"] for one in stack.containers(service) if one["State"]["Running"]]
        with timed(f"{service} stopped, within {longest} s"):
            began = time.monotonic()
            stack("stop", service)
        expect(time.monotonic() - began < longest, f"{service} took longer")
        codes = [json.loads(docker("inspect", one))[0]["State"]["ExitCode"] for one in ended]
        expect(set(codes) == {0}, f"{service} ended with {codes}")
    speed_up()
    stack("up", "--detach", "--scale", "worker=1")
    with timed("sync that was given back done after the start"):
        await_sync(stack, "ada", 2)
    expect_mirrored(stack, "ada")


def check_upgrade(older: Stack, newer: Stack) -> None:
    """The older worker ends on the newer schema what it has begun; data, links and sessions stay.

    The older web process cannot queue a sync any more: it names a constraint that is gone.
    """
    ada = sign_in(PAGES, "ada")
    await_sync(older, "ada", 1)
    before = playlists(older, "ada")

    newer("build")
    slow_down()
    change_library("ada")
    press_sync(ada)
    wait_until("a sync is under way", lambda: bool(running_sync(older)))
    with timed("newer migrations, beside the older containers"):
        newer("run", "--rm", "--no-deps", "-T", "migrate")
    speed_up()
    expect(requests.get(f"{PAGES}/healthz", timeout=10).ok, "the older web process is not well")
    await_sync(older, "ada", 2)
    expect_mirrored(older, "ada")

    with timed("upgrade"):
        newer("up", "--detach", "--remove-orphans")
        wait_until("all is healthy", lambda: newer.is_healthy("db", "web", "worker"))
    expect("Sign out" in ada.get(f"{PAGES}/", timeout=10).text, "the visitor was signed out")
    change_library("ada")
    press_sync(ada)
    await_sync(newer, "ada", 3)
    expect_mirrored(newer, "ada")
    added = newer.sql("SELECT added FROM sync_requests ORDER BY id DESC LIMIT 1")
    expect(added == "1", f"{added} songs were added after the upgrade instead of 1")
    expect(playlists(newer, "ada") == before, "the link of the playlist has changed")


def check_nothing_is_left() -> None:
    for kind in ("container", "volume", "network"):
        listing = ["ls", "--quiet", "--filter", f"label=com.docker.compose.project={NAME}"]
        expect(not docker(kind, *listing), f"a {kind} is left")


# --- Steps ------------------------------------------------------------------------------------


def running_sync(stack: Stack) -> str:
    """The id of a running request with some progress."""
    return stack.sql("SELECT id FROM sync_requests WHERE stage <> '' LIMIT 1")


def press_sync(visitor: requests.Session) -> None:
    """Press the sync button; if the last press was less than a minute ago, wait first."""
    answer = press(visitor, PAGES, "/sync/")
    if answer.status_code == 429:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = press(visitor, PAGES, "/sync/")
    expect(answer.status_code < 400, f"the sync button was answered with {answer.status_code}")


def await_sync(stack: Stack, listener: str, number: int) -> None:
    # 0.1.0 has no other kinds.
    query = f"""SELECT r.state FROM sync_requests AS r JOIN users ON users.id = r.user_id
        WHERE spotify_id = '{listener}' AND coalesce(to_jsonb(r)->>'kind', 'spotify') = 'spotify'
        ORDER BY r.id OFFSET {number - 1}"""
    wait_until(f"sync {number} of {listener} is done", lambda: stack.sql(query) == "succeeded")


def playlists(stack: Stack, listener: str) -> list[str]:
    """The ids of the main mirror's playlists; 0.1.0 has one mirror a listener, with its id."""
    has_many = stack.sql("SELECT to_regclass('playlists') IS NOT NULL") == "t"
    tables = (
        "playlists AS p JOIN mirrors AS m ON m.id = p.mirror_id AND m.is_main "
        "JOIN users ON users.id = m.user_id"
        if has_many
        else "mirror_volumes AS p JOIN users ON users.id = p.mirror_id"
    )
    query = f"SELECT p.spotify_id FROM {tables} WHERE users.spotify_id = '{listener}'"
    return stack.sql(f"{query} ORDER BY p.number").split()


def expect_mirrored(stack: Stack, listener: str) -> None:
    shown = at_spotify(SPOTIFY, listener)
    uris = {playlist["id"]: playlist["uris"] for playlist in shown["playlists"]}
    mirrored = [uri for volume in playlists(stack, listener) for uri in uris[volume]]
    expect(mirrored == shown["liked"], f"{listener}'s playlist differs from their songs")


def change_library(listener: str) -> None:
    requests.post(f"{SPOTIFY}/simulator/listeners/{listener}/like", timeout=10).raise_for_status()


def slow_down() -> None:
    fault = {"fault": "latency:seconds=1.5,times=0"}
    requests.post(f"{SPOTIFY}/simulator/faults", data=fault, timeout=10).raise_for_status()


def speed_up() -> None:
    requests.delete(f"{SPOTIFY}/simulator/faults", timeout=10).raise_for_status()


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        expect(time.monotonic() < deadline, f"not within {PATIENCE} s: {what}")
        time.sleep(0.5)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def expect(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise CheckFailed(otherwise)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
