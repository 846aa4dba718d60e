"""Secrets that are made once and kept, for an installation that was given none."""

import os
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from syncify.env import read_text

#: Seconds that a secret which another process has begun to write is waited for.
PATIENCE = 2.0
_HERE = "SYNCIFY_DATA_DIR"


def new_secret() -> str:
    """Of 64 characters; Django wants 50 or more."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = new_secret) -> str:
    """What stands in ``path``, made at first; of processes that start at once, one wins.

    Raises ImproperlyConfigured, with what to do, when it can be neither read nor made, or is empty.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, make() + "\n")
        except OSError as error:
            raise ImproperlyConfigured(
                f"{_HERE}: cannot write {path}: {error.strerror}. Let the user that Syncify runs "
                f"as write to {path.parent}, or name another folder."
            ) from error
    deadline = time.monotonic() + PATIENCE
    while not (secret := read_text(path, setting=_HERE).strip()):
        if time.monotonic() > deadline:
            raise ImproperlyConfigured(
                f"{_HERE}: {path} is empty. Restore it from a backup; or delete it, and a new one "
                "is made with which everybody has to sign in again."
            )
        time.sleep(0.05)
    return secret


def _make(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, unless another process was first; leaves no other file."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(fresh, text)
        # Unlike a rename, a link never replaces a secret that is already in use.
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    except OSError:
        # SMB, exFAT and others know no hard links. Here a reader may meet the file before its
        # content, which is why it waits.
        with suppress(FileExistsError):
            _write_new(path, text)
    finally:
        fresh.unlink(missing_ok=True)


def _write_new(path: Path, text: str) -> None:
    """Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def new_version_of(path: Path, secret: str) -> None:
    """Replace a secret that is kept in ``path``. Raises OSError; the old one is kept then."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(fresh, secret + "\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def new_token_key() -> str:
    return Fernet.generate_key().decode()


def main(folder: Path) -> None:
    """``python -m syncify.secrets FOLDER`` makes what all containers of an installation share."""
    kept_secret(folder / "secret_key")
    kept_secret(folder / "token_key", new_token_key)
    password = folder / "database_password"
    kept_secret(password)
    # PostgreSQL runs as another user, in a container that mounts this folder too. Where a volume
    # knows no modes, its mount options have decided already.
    with suppress(OSError):
        password.chmod(0o644)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ImproperlyConfigured as problem:
        sys.exit(str(problem))
