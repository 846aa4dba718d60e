"""Uploaded listening histories: stored in pieces until a worker has read them."""

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Length, Now

from sync.library.history import Imported, import_history, lock_history
from sync.library.plays import ZIPPED_MAX, HistoryRefused
from sync.models import SyncRequest, UploadPart
from sync.queue import store as queue
from sync.queue.errors import GiveUp
from sync.queue.job import Job

PART = 2**20
#: Unread uploads are deleted after this time.
KEPT = timedelta(days=1)


def accept_upload(user_id: int, chunks: Iterable[bytes]) -> SyncRequest:
    """Store an upload in place of an earlier one, and queue its import.

    Raises HistoryRefused for a file that is too large, or while another one is being read.
    """
    with transaction.atomic():
        lock_history(user_id)  # two uploads of one listener wait for each other
        if SyncRequest.objects.filter(
            user=user_id, kind=SyncRequest.Kind.IMPORT, completed=None
        ).exists():
            raise HistoryRefused("Your last upload is still being read. Try again when it is done.")
        UploadPart.objects.filter(user=user_id).delete()
        for number, data in enumerate(_parts(chunks)):
            if number * PART + len(data) > ZIPPED_MAX:
                raise HistoryRefused("The file is larger than 200 MB.")
            UploadPart.objects.create(user_id=user_id, number=number, data=data)
        request, _ = queue.enqueue(user_id, SyncRequest.Kind.IMPORT, trigger="manual")
    return request


def run_import(job: Job) -> None:
    """Count the uploaded plays, delete the upload, and end the request.

    Raises a SyncError, Cancelled, Released or LeaseLost.
    """
    user_id = job.request.user_id
    try:
        with io.BufferedReader(_Upload(user_id), PART) as upload:
            imported = import_history(user_id, upload, _progress(job))
    except HistoryRefused as refused:
        UploadPart.objects.filter(user=user_id).delete()
        raise GiveUp("history_refused", str(refused)) from refused
    with transaction.atomic():
        # The fence first: a worker that lost its lease deletes nothing.
        queue.succeed(job.request, note=_note(imported))
        UploadPart.objects.filter(user=user_id).delete()


def drop_old_uploads() -> None:
    UploadPart.objects.filter(created__lt=Now() - KEPT).delete()


def _progress(job: Job) -> Callable[[float], None]:
    def note(share: float) -> None:
        job.safe_point(progress=min(share, 1.0))

    return note


def _note(imported: Imported) -> str:
    share = imported.likes_found / max(imported.likes_asked, 1)
    first, last = (datetime.fromtimestamp(second, UTC).date() for second in imported.covers)
    return (
        f"{imported.plays_read:,} plays read, from {first} to {last};"
        f" {share:.0%} of your likes are among them."
    )


def _parts(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """``chunks`` in pieces of PART bytes, of which the last may be shorter."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PART:
            yield bytes(waiting[:PART])
            del waiting[:PART]
    if waiting:
        yield bytes(waiting)


class _Upload(io.RawIOBase):
    """The pieces of a listener's upload as one file, read from the database piece by piece."""

    def __init__(self, user_id: int) -> None:
        self._parts = UploadPart.objects.filter(user=user_id)
        last = self._parts.aggregate(last=Max("number"))["last"]
        if last is None:
            raise HistoryRefused("The upload is no longer there. Send the file again.")
        rest = self._parts.filter(number=last).values_list(Length("data"), flat=True).get()
        self._size = last * PART + rest
        self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative place {start + offset}")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        number, offset = divmod(self._place, PART)
        if self._place >= self._size:
            return 0
        if self._held[0] != number:
            data = self._parts.filter(number=number).values_list("data", flat=True).first()
            self._held = number, bytes(data or b"")
        piece = self._held[1][offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)
