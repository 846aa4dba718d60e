"""Secrets that are made once and kept, for an installation that was given none."""

import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet


def new_secret() -> str:
    """Of 64 characters; Django wants 50 or more."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = new_secret) -> str:
    """What stands in ``path``, made at first; of processes that start at once, one wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(make() + "\n", encoding="utf-8")
        # Unlike a rename, a link never replaces a secret that is already in use.
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_text(encoding="utf-8").strip()


def new_token_key() -> str:
    return Fernet.generate_key().decode()


def main(folder: Path) -> None:
    """``python -m syncify.secrets FOLDER`` makes what all containers of an installation share."""
    kept_secret(folder / "secret_key")
    kept_secret(folder / "token_key", new_token_key)
    kept_secret(folder / "database_password")
    # PostgreSQL runs as another user, in a container that mounts this folder too.
    (folder / "database_password").chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
