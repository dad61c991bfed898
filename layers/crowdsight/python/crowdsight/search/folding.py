"""Folding a vector index's log into segments.

A refresh reads the log, then the manifest, then what is gone; writes new segments; swaps the manifest; and drops from
the log what it has read. It swaps even if the segments stay the same: whoever has read the log before is then told,
by his own swap, to read it again. Killed anywhere, it leaves entries in both places, which counts once, or segments
that nothing names but the log's own record of them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import Unprocessed
from crowdsight.search.index import Refreshed
from crowdsight.search.manifest import Current, Manifest, Manifests, Retired, UnknownFormat
from crowdsight.search.objects import DeletionFailed, ObjectChanged
from crowdsight.search.segments import Rows, Segment, Segments, gather
from crowdsight.search.vector_log import Dirty, Log, VectorLog, Writing

FULL_ROWS = 4096
"""A segment with so many rows is left alone until it loses some; those with fewer are merged with what is new."""

MOST_ROWS = 2 * FULL_ROWS
"""The longest segment that is written."""

ROUND_ITEMS = 20_000
"""How much of a log is folded at a time, for the sake of memory."""

RETIRED_GRACE_S = 60
"""How long the objects of a segment outlive it: a search under way may still read them."""

ABANDONED_AFTER_S = 1200
"""A segment that was begun so long ago and is in no manifest never will be: no Lambda runs longer than 900 s."""

ATTEMPTS = 8

FAILURES = (ClientError, BotoCoreError, DeletionFailed, Unprocessed, UnknownFormat)
"""What may go wrong with one account, and must not keep all others waiting."""

logger = logging.getLogger(__name__)


class Contended(Exception):
    """Other refreshes were quicker, time after time."""


@dataclass(frozen=True)
class _Folded:
    """The segments as they will be; the names of those that were replaced; entries that came and went."""

    segments: list[Segment]
    written: list[str]
    replaced: list[str]
    put: int
    removed: int


class Folding:
    """Refreshes the accounts of one index. `prefix_of` gives an account's prefix in the bucket."""

    def __init__(
        self,
        log: VectorLog,
        manifests: Manifests,
        segments: Segments,
        dimensions: Mapping[str, int],
        prefix_of: Callable[[str], str],
        clock: Clock,
        new_id: Callable[[], str],
        round_items: int = ROUND_ITEMS,
    ) -> None:
        self._log = log
        self._manifests = manifests
        self._segments = segments
        self._dimensions = dimensions
        self._prefix_of = prefix_of
        self._clock = clock
        self._new_id = new_id
        self._round_items = round_items

    def refresh(self, is_over: Callable[[], bool]) -> Refreshed:
        """See `VectorIndex.refresh`."""
        accounts = put = removed = failed = 0
        for dirty in self._log.dirty_accounts():
            if is_over():
                break
            accounts += 1
            try:
                account_put, account_removed = self._refresh_account(dirty, is_over)
                put += account_put
                removed += account_removed
            except (*FAILURES, Contended):
                logger.exception("the index of account %s could not be refreshed", dirty.account)
                failed += 1
        return Refreshed(accounts, put, removed, failed)

    def _refresh_account(self, dirty: Dirty, is_over: Callable[[], bool]) -> tuple[int, int]:
        """How many entries came and went. Raises Contended."""
        account = dirty.account
        put = removed = attempts = 0
        while True:
            log = self._log.read(account, self._round_items)
            current = self._manifests.read(self._prefix_of(account))
            being_written = self._clear_abandoned(account, current.manifest)
            retired = self._delete_retired(account, current.manifest)
            if not len(log) and retired == current.manifest.retired:
                break
            folded = self._fold(account, current.manifest, log)
            replaced = tuple(Retired(name, self._clock()) for name in folded.replaced)
            manifest = Manifest(current.manifest.version + 1, tuple(folded.segments), retired + replaced)
            try:
                self._manifests.swap(self._prefix_of(account), current, manifest)
            except ObjectChanged:
                # What was written for nothing is deleted later, as if this refresh had been killed.
                attempts += 1
                if attempts == ATTEMPTS:
                    raise Contended(account) from None
                continue
            self._log.drop(account, log)
            self._log.end_segments(account, folded.written)
            put += folded.put
            removed += folded.removed
            current = Current(manifest, None)
            if log.is_whole or is_over():
                break
        if log.is_whole and not current.manifest.retired and not being_written:
            self._log.set_clean(dirty)
        return put, removed

    def _fold(self, account: str, manifest: Manifest, log: Log) -> _Folded:
        prefix = self._prefix_of(account)
        new = _without(log.rows, self._log.gone(account)) if len(log.rows.keys) else log.rows
        changed: list[tuple[Segment, NDArray[np.bool_]]] = []  # with a mask of the rows that stay
        short: list[Segment] = []
        kept: list[Segment] = []
        for segment in manifest.segments:
            keys = self._segments.keys(prefix, segment)
            if keys is None:
                kept.append(segment)  # damaged: the log has the line; what can be read of it later is not lost
                continue
            new = _without(new, keys)  # put twice, or folded by a refresh that was killed before it dropped the log
            stay = ~np.isin(keys, log.removed)
            if not stay.all():
                changed.append((segment, stay))
            elif segment.rows < FULL_ROWS:
                short.append(segment)
            else:
                kept.append(segment)
        if not changed and not len(new.keys):
            return _Folded(list(manifest.segments), [], [], 0, 0)
        written: list[Segment] = []
        replaced: list[str] = []
        pool = [new]
        removed = 0
        for segment, stay in [*changed, *((segment, np.ones(segment.rows, bool)) for segment in short)]:
            rows = self._segments.rows(prefix, segment)
            if rows is None:
                kept.append(segment)
                continue
            replaced.append(segment.name)
            removed += int((~stay).sum())
            left = rows.take(stay)
            if len(left.keys) >= FULL_ROWS:
                written.append(self._write(account, left))
            else:
                pool.append(left)
        merged = gather(pool, self._dimensions)
        for start in range(0, len(merged.keys), MOST_ROWS):
            written.append(
                self._write(account, merged.take(np.arange(start, min(start + MOST_ROWS, len(merged.keys)))))
            )
        names = [segment.name for segment in written]
        return _Folded(kept + written, names, replaced, len(new.keys), removed)

    def _write(self, account: str, rows: Rows) -> Segment:
        name = self._new_id()
        self._log.begin_segment(account, name)
        return self._segments.write(self._prefix_of(account), name, rows)

    def _clear_abandoned(self, account: str, manifest: Manifest) -> list[Writing]:
        """Delete what killed refreshes wrote and nothing names; returns what somebody may still be writing."""
        long_ago = self._clock() - ABANDONED_AFTER_S * 1000
        being_written = self._log.segments_being_written(account)
        abandoned = [writing.name for writing in being_written if writing.at_ms <= long_ago]
        self._delete(account, [name for name in abandoned if name not in manifest.names])
        if abandoned:
            self._log.end_segments(account, abandoned)
        return [writing for writing in being_written if writing.name not in abandoned]

    def _delete_retired(self, account: str, manifest: Manifest) -> tuple[Retired, ...]:
        """Delete what was retired long enough ago; returns the others."""
        long_ago = self._clock() - RETIRED_GRACE_S * 1000
        self._delete(account, [retired.name for retired in manifest.retired if retired.at_ms <= long_ago])
        return tuple(retired for retired in manifest.retired if retired.at_ms > long_ago)

    def _delete(self, account: str, names: Sequence[str]) -> None:
        self._segments.delete(self._prefix_of(account), names)


def _without(rows: Rows, keys: NDArray[np.bytes_]) -> Rows:
    found = np.isin(rows.keys, keys)
    return rows.take(~found) if found.any() else rows
