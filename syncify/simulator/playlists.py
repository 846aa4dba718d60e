"""Playlists: their rows, the edits, and the snapshot id."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Row:
    """One position. ``uri`` is None for an entry that Spotify shows as null."""

    uri: str | None
    added_at: datetime | None
    added_by: str | None


@dataclass
class Playlist:
    """``versions`` holds (since, snapshot id), oldest first; any change adds one."""

    id: str
    owner: str
    name: str
    description: str = ""
    public: bool | None = True
    collaborative: bool = False
    rows: list[Row] = field(default_factory=list)
    cover: bytes = b""  # a JPEG that was uploaded
    covers: int = 0  # how many of them
    versions: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def uris(self) -> list[str | None]:
        return [row.uri for row in self.rows]

    def touch(self, now: datetime) -> str:
        """A new snapshot id, valid from now."""
        number = len(self.versions)
        digest = hashlib.sha256(f"{self.id} {number}".encode()).hexdigest()
        self.versions.append((now, f"AAAA{number:04x}{digest[:24]}"))
        return self.versions[-1][1]

    def snapshot_id(self, now: datetime, lag: timedelta = timedelta()) -> str:
        """The version that a reader sees; with a lag, an older one."""
        seen = [version for since, version in self.versions if since + lag <= now]
        return seen[-1] if seen else self.versions[0][1]

    def insert(self, rows: Iterable[Row], position: int | None = None) -> None:
        at = len(self.rows) if position is None else position
        self.rows[at:at] = rows

    def remove(self, uris: Iterable[str]) -> None:
        """Remove every occurrence of each."""
        gone = set(uris)
        self.rows = [row for row in self.rows if row.uri not in gone]

    def move(self, start: int, before: int, length: int = 1) -> None:
        """Move rows; positions are those before the move. Rows keep their date and ``added_by``."""
        moved = self.rows[start : start + length]
        del self.rows[start : start + length]
        target = before if before <= start else before - length
        self.rows[target:target] = moved

    def replace(self, rows: Sequence[Row], *, keep_dates: bool) -> None:
        known = {row.uri: row for row in self.rows} if keep_dates else {}
        self.rows = [known.get(row.uri, row) for row in rows]
