"""The file of a backup: all rows, keys and settings of an installation, in a zip file.

Rows are stored as PostgreSQL's COPY writes them, beside the migrations that made their tables. So
a backup needs no program of PostgreSQL's, and can be restored by another version of it and by a
later Syncify.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import psycopg
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from syncify.sealed import SealedReader, SealedWriter, WrongPassphrase, is_sealed

#: 2 has a digest of the whole file; 1, of 0.1.0, has none.
FORMAT = 2
_FORMATS = (1, FORMAT)
#: The comment of a zip file that is not encrypted: SHA-256 of all that stands before the digest.
_DIGEST = b"sha256:"
_DIGITS = 64
#: Migrations and running processes fill these tables.
_MADE_ANEW = {"django_migrations", "django_content_type", "auth_permission", "processes"}
_BLOCK = 1 << 20
#: What reading a zip file or a manifest raises where bytes of it were changed.
_DAMAGED = (
    BadZipFile, zlib.error, EOFError, AttributeError, KeyError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class BadArchive(Exception):
    """``str`` says why the file cannot be used, for people."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: list[str]
    rows: int
    #: The last number of each column that counts by itself.
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a backup, stored in its file."""

    made: str
    #: Names of the migrations by app.
    migrations: dict[str, list[str]]
    tables: list[Table]
    token_keys: list[str] = field(repr=False)
    secret_key: str = field(repr=False)
    #: Values of environment variables, by name.
    settings: dict[str, str] = field(repr=False)
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


# --- Writing ------------------------------------------------------------------------------------


def write_archive(
    file: BinaryIO,
    *,
    passphrase: str,
    token_keys: list[str],
    secret_key: str,
    settings: dict[str, str],
) -> Manifest:
    """Write one snapshot of everything; encrypted if there is a passphrase."""
    target = SealedWriter(file, passphrase) if passphrase else file
    with (
        ZipFile(cast("Any", target), "w", ZIP_DEFLATED, compresslevel=6) as archive,
        _snapshot() as db,
    ):
        if not passphrase:  # an encrypted file authenticates each of its bytes
            archive.comment = _DIGEST + b"0" * _DIGITS
        manifest = Manifest(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            migrations=_migrations(),
            tables=[_copy_out(db, name, archive) for name in table_names()],
            token_keys=token_keys,
            secret_key=secret_key,
            settings=settings,
        )
        archive.writestr("manifest.json", json.dumps(asdict(manifest), indent=1))
    if passphrase:
        target.close()
    else:
        digest = _digest(file)
        file.seek(-_DIGITS, io.SEEK_END)
        file.write(digest)
    return manifest


def _digest(file: BinaryIO) -> bytes:
    """SHA-256 of a file without its last digits, in hexadecimal digits."""
    left = file.seek(0, io.SEEK_END) - _DIGITS
    file.seek(0)
    found = hashlib.sha256()
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        found.update(block)
        left -= len(block)
    return found.hexdigest().encode()


@contextmanager
def _snapshot() -> Iterator[psycopg.Connection[Any]]:
    """A separate connection with one snapshot of the database."""
    with closing(psycopg.connect(**connection.get_connection_params())) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        db.read_only = True
        yield db


def _migrations() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        found.setdefault(app, []).append(name)
    return found


def table_names() -> list[str]:
    """Our tables, each after those that it refers to."""
    ours = set(connection.introspection.django_table_names(only_existing=True)) - _MADE_ANEW
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid <> confrelid"
        )
        refers = [(one, other) for one, other in cursor.fetchall() if {one, other} <= ours]
    ordered: list[str] = []
    while left := sorted(ours - set(ordered)):
        waiting = {one for one, other in refers if other in left}
        # The order within a circle does not matter: constraints are checked at the end.
        ordered += [name for name in left if name not in waiting] or left[:1]
    return ordered


_COLUMNS = """
SELECT attname, pg_get_serial_sequence(attrelid::regclass::text, attname)
  FROM pg_attribute
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
 ORDER BY attnum"""


def _copy_out(db: psycopg.Connection[Any], table: str, archive: ZipFile) -> Table:
    found = db.execute(_COLUMNS, [table]).fetchall()
    columns = [name for name, _ in found]
    rows = 0
    with (
        archive.open(f"tables/{table}", "w", force_zip64=True) as member,
        db.cursor().copy(_copy(table, columns, "TO STDOUT")) as copy,
    ):
        for block in copy:
            rows += bytes(block).count(b"\n")
            member.write(block)
    numbers = {}
    for name, sequence in found:
        if sequence:
            row = db.execute("SELECT pg_sequence_last_value(%s::regclass)", [sequence]).fetchone()
            if row and row[0] is not None:
                numbers[name] = row[0]
    return Table(table, columns, rows, numbers)


def _copy(table: str, columns: list[str], direction: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) {}")
    return statement.format(sql.Identifier(table), names, sql.SQL(cast("Any", direction)))


# --- Reading ------------------------------------------------------------------------------------


class Archive:
    """A backup that was read and verified to its end."""

    def __init__(self, zipped: ZipFile, manifest: Manifest, *, is_encrypted: bool) -> None:
        self._zip, self.manifest, self.is_encrypted = zipped, manifest, is_encrypted

    def load(self, table: Table) -> None:
        """Put the rows of ``table`` into the database, inside the caller's transaction."""
        with connection.cursor() as cursor:
            statement = _copy(table.name, table.columns, "FROM STDIN")
            with self._zip.open(f"tables/{table.name}") as member, cursor.copy(statement) as copy:
                while block := member.read(_BLOCK):
                    copy.write(block)
            for column, number in table.numbers.items():
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                    [f'"{table.name}"', column, number],
                )


@contextmanager
def open_archive(path: Path, *, passphrase: str) -> Iterator[Archive]:
    """Open a backup and read it to its end. Raises BadArchive."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            sealed = is_sealed(file)
            if sealed and not passphrase:
                raise BadArchive(f"{path} is encrypted. Set SYNCIFY_BACKUP_PASSPHRASE.")
            source = io.BufferedReader(SealedReader(file, passphrase)) if sealed else file
            zipped = stack.enter_context(ZipFile(source))
            manifest = _checked(zipped)
            if not sealed and manifest.format != 1:
                _check_digest(file)
            archive = Archive(zipped, manifest, is_encrypted=sealed)
        except OSError as error:
            raise BadArchive(f"{path} cannot be read: {error.strerror or error}.") from error
        except WrongPassphrase as error:
            raise BadArchive(
                f"{path} was encrypted with another SYNCIFY_BACKUP_PASSPHRASE, or is damaged."
            ) from error
        except _DAMAGED as error:
            raise BadArchive(f"{path} is damaged, or no backup of Syncify's ({error}).") from error
        yield archive


def _check_digest(file: BinaryIO) -> None:
    """Raises ValueError where any byte of the file is another than when it was written."""
    before = file.tell()
    digest = _digest(file)
    if file.read() != digest:
        raise ValueError("a byte of it was changed")
    file.seek(before)


def _checked(zipped: ZipFile) -> Manifest:
    told = json.loads(zipped.read("manifest.json"))
    if told.get("format") not in _FORMATS:
        raise BadArchive("The backup was made by a later Syncify. Restore it with that one.")
    manifest = Manifest(**{**told, "tables": [Table(**table) for table in told["tables"]]})
    for table in manifest.tables:
        rows = 0
        # The zip file's own checksum is compared at the end of each member.
        with zipped.open(f"tables/{table.name}") as member:
            while block := member.read(_BLOCK):
                rows += block.count(b"\n")
        if rows != table.rows:
            raise BadArchive(f"{table.name} holds {rows} rows in place of {table.rows}.")
    return manifest
