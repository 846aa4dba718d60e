"""The results of a sync so far, and fenced transactions to store them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import transaction

from sync.models import Mirror, SyncResult
from sync.queue import store as queue
from sync.queue.locks import lock_listener
from sync.queue.store import Fields

if TYPE_CHECKING:
    from sync.queue.job import Job

COUNTS = ("added", "removed", "moved", "skipped")


class MirrorGone(Exception):
    """The mirror was deleted while a sync worked on it."""


class Record:
    """The counts and sentences of one request, over all its attempts.

    Every write of a sync goes through ``fenced``, so that a worker that lost its lease stores
    nothing over its successor's.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.note = job.request.note
        self._results = {
            result.mirror_id: result for result in SyncResult.objects.filter(request=job.request)
        }
        self._stored = {mirror: _values(result) for mirror, result in self._results.items()}

    def of(self, mirror: Mirror) -> SyncResult:
        """This request's result for ``mirror``; stored with the next fenced write."""
        if mirror.pk not in self._results:
            self._results[mirror.pk] = SyncResult(
                request_id=self._job.request.pk,
                mirror=mirror,
                state=SyncResult.State.RUNNING,
                **dict.fromkeys(COUNTS, 0),
                note="",
                error_code="",
                error_message="",
            )
        return self._results[mirror.pk]

    def say(self, sentence: str, result: SyncResult | None = None, *, of: str = "") -> None:
        """Add a sentence to the history once; sentences of earlier attempts stay.

        ``of`` names the mirror of a sentence of ``result``, if there are several.
        """
        if result is not None and sentence not in result.note:
            result.note = f"{result.note} {sentence}".strip()
        told = f"{of}: {sentence}" if of else sentence
        if told not in self.note:
            self.note = f"{self.note} {told}".strip()

    def totals(self) -> Fields:
        """The sums over all mirrors."""
        results = self._results.values()
        return Fields(
            added=sum(result.added for result in results),
            removed=sum(result.removed for result in results),
            moved=sum(result.moved for result in results),
            skipped=sum(result.skipped for result in results),
        )

    @contextmanager
    def fenced(self, *mirrors: Mirror) -> Iterator[None]:
        """A transaction that holds the job until its end.

        Locks rows in the common order (``sync/queue/locks.py``). Raises LeaseLost or MirrorGone.
        """
        with transaction.atomic():
            lock_listener(self._job.request.user_id)
            keys = sorted(mirror.pk for mirror in mirrors)
            if len(_lock_mirrors(keys)) < len(keys):
                raise MirrorGone(keys)
            fields = self.totals()
            fields["api_requests"], fields["note"] = self._job.calls, self.note
            queue.record_progress(self._job.request, **fields)
            yield
            self._store(keys)

    def _store(self, mirrors: Iterable[int]) -> None:
        for key in mirrors:
            result = self._results.get(key)
            if result is None or self._stored.get(key) == _values(result):
                continue
            if result.pk:
                result.save(update_fields=list(_values(result)))
            else:
                result.save(force_insert=True)
            self._stored[key] = _values(result)


def _lock_mirrors(keys: list[int]) -> list[int]:
    rows = Mirror.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def _values(result: SyncResult) -> dict[str, object]:
    names = [*COUNTS, "state", "note", "error_code", "error_message"]
    return {name: getattr(result, name) for name in names}
