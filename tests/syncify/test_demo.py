"""The demo ends at any moment without leaving a process or a file behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from syncify.demo import ABOVE, _all_alive, _interrupt, free_port
from syncify.interruptions import ENDINGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def left_over(folder: Path) -> list[str]:
    """Command lines of processes that work in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            is_of_it = process.environ().get("TMPDIR") == str(folder)
            lines = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if (is_of_it or str(folder) in lines) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(lines)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    ("line", "pause"),
    [
        ("Making a database", 0.0),
        ("Making a database", 2.0),
        ("Collecting styles", 0.2),
        ("Starting the simulated", 0.3),
        ("Syncify is at", 0.0),
    ],
)
def test_a_demo_that_is_interrupted_leaves_nothing(
    tmp_path: Path, line: str, pause: float, number: signal.Signals
) -> None:
    # As root the database runs as another user, who must reach its folder.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    demo = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "syncify.demo", "--port", str(free_port(0) % 60000 + 1024)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    assert demo.stdout is not None
    for one in demo.stdout:
        said.append(one)
        if line in one:
            break
    time.sleep(pause)

    demo.send_signal(number)
    demo.send_signal(number)
    rest, _ = demo.communicate(timeout=120)

    assert "nothing of it is left" in rest, "".join(said) + rest
    assert "Traceback" not in rest
    assert left_over(tmp_path) == []
    assert [path for path in tmp_path.iterdir() if path.name.startswith("syncify-demo")] == []


def test_an_interruption_waits_until_the_children_were_looked_at() -> None:
    looks = []

    class Child:
        def poll(self) -> int | None:
            signal.raise_signal(signal.SIGINT)
            looks.append("whole")
            return None

    before = {number: signal.signal(number, _interrupt) for number in ENDINGS}
    try:
        with pytest.raises(KeyboardInterrupt):
            _all_alive({"web": Child(), "worker": Child()})
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert looks == ["whole", "whole"]


@pytest.mark.parametrize("port", ["0", "65000", "many", "-1"])
def test_a_port_that_leaves_no_room_for_the_other_is_refused(port: str) -> None:
    refused = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "syncify.demo", f"--port={port}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2
    assert "--port" in refused.stderr
    assert 65000 + ABOVE > 65535
