"""Folding a vector index's log into segments, and merging segments.

A refresh reads the log, then the manifest, then what is gone; writes new segments; swaps the manifest; has every search
know the new one; and drops from the log what it has read. It swaps even if the segments stay the same: whoever has
read the log before is then told, by his own swap, to read it again. Killed anywhere, it leaves entries in both places,
which counts once, or objects that nothing names but the log's own record of them.

Short segments are merged with what is new. Longer ones are merged, four of one size into one of the next (O'Neil et
al., "The Log-Structured Merge-Tree", 1996), so that an entry is rewritten as often as the collection grows fourfold,
and a search meets few segments. What was removed is noted beside its segment, and erased when that is rewritten: when
it is merged, a quarter of it is gone, or a day later.

As long as a segment is damaged, the log keeps what the segment may have, and all removals: there they hide what it has.
"""

import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.search.index import Refreshed
from crowdsight.search.manifest import Current, Manifest, Manifests, Retired
from crowdsight.search.objects import ObjectChanged
from crowdsight.search.rows import Rows, gather
from crowdsight.search.segment_format import Damaged, Segment
from crowdsight.search.segments import Segments
from crowdsight.search.vector_log import Dirty, Log, VectorLog, Writing

FULL_ROWS = 4096
"""Segments with fewer rows are merged with what is new, and rewritten whenever they lose some."""

FAN_OUT = 4
"""So many segments of one size are merged into one; the sizes are FULL_ROWS, and the powers of this number times it."""

MOST_BYTES = 1024 * 1024 * 1024
"""No merge makes a segment with more bytes of vectors: it is made in memory, of about three times the size."""

MOST_DELETED = 1 / 4
"""A segment that has lost a larger share is rewritten."""

ERASED_AFTER_S = 86_400
"""A segment that has lost anything is rewritten so much later."""

ROUND_ENTRIES = 20_000
"""About how much of a log is folded at a time, for the sake of memory."""

RETIRED_GRACE_S = 60
"""How long the objects of a segment outlive it: a search under way may still read them."""

ABANDONED_AFTER_S = 1200
"""A segment that was begun so long ago and is in no manifest never will be: no Lambda runs longer than 900 s."""

SLOWEST_S = ABANDONED_AFTER_S / 2
"""Whoever takes longer to write a segment gives it up: with so much time left no other refresh has deleted it."""

ATTEMPTS = 8

logger = logging.getLogger(__name__)


class Contended(Exception):
    """Other refreshes were quicker, time after time; or this one was too slow."""


@dataclass(frozen=True)
class _Change:
    """The segments as they will be; names that were written and replaced; entries that came and went.

    `put_ids`, `removed_keys`: what the log need not say any more; `left`: how much of what was read of it remains.
    """

    segments: Sequence[Segment]
    written: Sequence[str] = ()
    replaced: Sequence[str] = ()
    put: int = 0
    removed: int = 0
    put_ids: Sequence[str] = ()
    removed_keys: NDArray[np.bytes_] = field(default_factory=lambda: np.empty(0, "S1"))
    left: int = 0


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
        most_bytes: int = MOST_BYTES,
        round_entries: int = ROUND_ENTRIES,
    ) -> None:
        self._log = log
        self._manifests = manifests
        self._segments = segments
        self._dimensions = dimensions
        self._prefix_of = prefix_of
        self._clock = clock
        self._new_id = new_id
        self._most_rows = most_bytes // (2 * sum(dimensions.values()))
        self._round_entries = round_entries

    def refresh(self, is_over: Callable[[], bool]) -> Refreshed:
        """See `VectorIndex.refresh`.

        Every account's log is folded before anything is merged, and each time the accounts have another order: whatever
        takes long in one, or ends this process, keeps no other waiting for ever.
        """
        accounts = list(self._log.dirty_accounts())
        random.shuffle(accounts)
        met: set[str] = set()
        failed: set[str] = set()
        put = removed = 0
        for is_merging in (False, True):
            for dirty in accounts:
                if is_over():
                    return Refreshed(len(met), put, removed, len(failed))
                if dirty.account in failed:
                    continue
                met.add(dirty.account)
                try:
                    account_put, account_removed = self._refresh_account(dirty, is_over, is_merging)
                    put += account_put
                    removed += account_removed
                except Exception:  # whatever it is, the others have nothing to do with it
                    logger.exception("the index of account %s could not be refreshed", dirty.account)
                    failed.add(dirty.account)
        return Refreshed(len(met), put, removed, len(failed))

    def add(self, account: str, rows: Rows) -> None:
        """Put many entries, past the log, into a segment of their own. Raises Contended,
        UnknownFormat, ManifestMissing, Damaged."""
        prefix = self._prefix_of(account)
        for _ in range(ATTEMPTS):
            began_ms = self._clock()
            current = self._current(account)
            new = rows.without(self._log.gone(account))
            for segment in current.manifest.segments:
                new = self._without_those_of(prefix, segment, new)
            if not len(new):
                self._log.see(account, current.manifest.version)  # whoever put them before may have been killed
                return
            written = self._write(account, new)
            names = [segment.name for segment in written]
            manifest = replace(
                current.manifest,
                version=current.manifest.version + 1,
                segments=(*current.manifest.segments, *written),
            )
            try:
                self._swap(account, current, manifest, names, began_ms)
            except ObjectChanged:
                continue
            self._log.see(account, manifest.version)
            self._log.end_segments(account, names)
            return
        raise Contended(account)

    def _refresh_account(self, dirty: Dirty, is_over: Callable[[], bool], is_merging: bool) -> tuple[int, int]:
        """Fold the log, and if it is merging, merge and tidy all else; how many entries came and went.

        Raises Contended, UnknownFormat, ManifestMissing.
        """
        account = dirty.account
        put = removed = attempts = left = 0
        damaged: set[str] = set()
        while True:
            began_ms = self._clock()
            limit = self._round_entries + left
            log = self._log.read(account, limit)
            if not (len(log) or is_merging):
                return put, removed
            current = self._current(account)
            self._log.see(account, current.manifest.version)
            being_written = self._clear_abandoned(account, current.manifest)
            retired = self._delete_retired(account, current.manifest)
            change = self._fold(account, current.manifest, log, damaged) if len(log) else None
            if change is None and len(log) >= limit:
                left = len(log)  # none of it can be folded, but perhaps what comes after it
                continue
            if change is None and not is_merging:
                return put, removed
            change = change or self._merge(account, current.manifest, damaged)
            if change is None and retired == current.manifest.retired:
                break
            change = change or _Change(current.manifest.segments)
            replaced = tuple(Retired(name, self._clock()) for name in change.replaced)
            manifest = Manifest(current.manifest.version + 1, tuple(change.segments), retired + replaced)
            try:
                self._swap(account, current, manifest, change.written, began_ms)
            except ObjectChanged:
                # What was written for nothing is deleted later, as if this refresh had been killed.
                attempts += 1
                if attempts == ATTEMPTS:
                    raise Contended(account) from None
                continue
            self._log.see(account, manifest.version)
            self._log.drop(account, change.put_ids, change.removed_keys)
            self._log.end_segments(account, change.written)
            put += change.put
            removed += change.removed
            left = change.left
            if is_over():
                return put, removed
        is_tidy = (
            not len(log)
            and not retired
            and not being_written
            and not any(each.deletions for each in current.manifest.segments)
        )
        if is_tidy:
            self._log.set_clean(dirty)
        return put, removed

    def _current(self, account: str) -> Current:
        """Raises UnknownFormat, ManifestMissing."""
        return self._manifests.read(self._prefix_of(account), self._log.seen_version(account))

    def _swap(self, account: str, current: Current, manifest: Manifest, written: Sequence[str], began_ms: int) -> None:
        """Put a manifest in force for which all of this was written since then. Raises ObjectChanged, Contended."""
        if self._clock() - began_ms > SLOWEST_S * 1000:
            self._delete(account, written)  # else what was written after another had deleted it would stay for ever
            raise Contended(f"{account}: writing took too long")
        self._manifests.swap(self._prefix_of(account), current, manifest)

    def _fold(self, account: str, manifest: Manifest, log: Log, damaged: set[str]) -> _Change | None:
        """The log's entries in segments, and its removals beside them, if damaged segments leave anything to be done.

        What a damaged segment may have stays in the log, and so do all removals.
        """
        prefix = self._prefix_of(account)
        new = log.rows.without(self._log.gone(account)) if len(log.rows) else log.rows
        kept: list[Segment] = []
        short: list[Segment] = []
        written: list[str] = []
        replaced: list[str] = []
        unsure = np.empty(0, "S1")
        removed = 0
        is_sound = True
        for segment in manifest.segments:
            try:
                new = self._without_those_of(prefix, segment, new)
                deleted = self._deleted(prefix, segment, log.removed)
            except Damaged as error:
                self._tell(account, segment, error, damaged)
                kept.append(segment)  # what can be read of it later is not lost
                is_sound = False
                may_be_there = self._segments.may_have(prefix, segment, new.keys)
                unsure = np.concatenate([unsure, new.keys[may_be_there]])
                new = new.take(~may_be_there)
                continue
            lost = len(deleted) - (segment.rows - segment.living_rows)
            if segment.rows - len(deleted) < FULL_ROWS and (len(new) or len(deleted)):
                short.append(segment)
            elif lost:
                removed += lost
                changed = self._with_deletions(account, segment, deleted)
                kept.append(changed)
                written += changed.names[1:]
                replaced += segment.names[1:]
            else:
                kept.append(segment)
        pool = [new]
        for segment in short:
            try:
                living = self._segments.living(prefix, segment)
            except Damaged as error:
                self._tell(account, segment, error, damaged)
                kept.append(segment)
                is_sound = False
                continue
            pool.append(living.without(log.removed))
            removed += len(living) - len(pool[-1])
            replaced += segment.names
        put = len(new)
        merged = gather(pool, self._dimensions)
        del pool, new
        added = self._write(account, merged) if len(merged) else []
        written += [name for segment in added for name in segment.names]
        put_ids = [put_id for put_id, keys in log.put_keys.items() if not np.isin(keys, unsure).any()]
        removed_keys = log.removed if is_sound else log.removed[:0]
        if not (written or replaced or put_ids or len(removed_keys)):
            return None
        left = len(log) - sum(len(log.put_keys[put_id]) for put_id in put_ids) - len(removed_keys)
        return _Change([*kept, *added], written, replaced, put, removed, put_ids, removed_keys, left)

    def _merge(self, account: str, manifest: Manifest, damaged: set[str]) -> _Change | None:
        """Some segments in one, if that is due."""
        prefix = self._prefix_of(account)
        pool: list[Rows] = []
        merged: list[Segment] = []
        while not merged:
            chosen = self._due([segment for segment in manifest.segments if segment.name not in damaged])
            if not chosen:
                return None
            for segment in chosen:
                try:
                    pool.append(self._segments.living(prefix, segment))
                    merged.append(segment)
                except Damaged as error:
                    self._tell(account, segment, error, damaged)
        rows = gather(pool, self._dimensions)
        del pool
        added = self._write(account, rows) if len(rows) else []
        kept = [segment for segment in manifest.segments if segment not in merged]
        replaced = [name for segment in merged for name in segment.names]
        return _Change([*kept, *added], [segment.name for segment in added], replaced)

    def _due(self, segments: Sequence[Segment]) -> list[Segment]:
        """Those to merge now: one that has lost much, or many of one size."""
        long_ago = self._clock() - ERASED_AFTER_S * 1000
        for segment in segments:
            deletions = segment.deletions
            if deletions and (deletions.rows > MOST_DELETED * segment.rows or deletions.since_ms <= long_ago):
                return [segment]
        sizes: dict[int, list[Segment]] = {}
        for segment in sorted(segments, key=lambda segment: segment.living_rows):
            sizes.setdefault(_size_class(segment), []).append(segment)
        for _, alike in sorted(sizes.items()):
            fitting: list[Segment] = []
            for segment in alike:
                if sum(each.living_rows for each in fitting) + segment.living_rows <= self._most_rows:
                    fitting.append(segment)
            if len(alike) >= FAN_OUT and len(fitting) > 1:
                return fitting
        return []

    def _without_those_of(self, prefix: str, segment: Segment, rows: Rows) -> Rows:
        """Entries that the segment has not: it has those that were put twice, or whose refresh was killed before it
        dropped them from the log. Raises Damaged."""
        if not len(rows):
            return rows
        found = self._segments.find(prefix, segment, rows.keys) >= 0
        return rows.take(~found) if found.any() else rows

    def _deleted(self, prefix: str, segment: Segment, removed: NDArray[np.bytes_]) -> NDArray[np.uint32]:
        """The rows that the segment has lost, with those of some keys. Raises Damaged."""
        before = self._segments.deleted(prefix, segment)
        if not len(removed):
            return before
        rows = self._segments.find(prefix, segment, removed)
        return np.union1d(before, rows[rows >= 0]).astype(np.uint32)

    def _with_deletions(self, account: str, segment: Segment, deleted: NDArray[np.uint32]) -> Segment:
        name = self._new_id()
        self._log.begin_segment(account, name)
        since_ms = segment.deletions.since_ms if segment.deletions else self._clock()
        deletions = self._segments.write_deletions(self._prefix_of(account), name, deleted, since_ms)
        return replace(segment, deletions=deletions)

    def _write(self, account: str, rows: Rows) -> list[Segment]:
        """Segments of rows that `gather` gave; one, unless that would be too large."""
        written = []
        for part in np.array_split(np.arange(len(rows)), -(-len(rows) // self._most_rows)):
            name = self._new_id()
            self._log.begin_segment(account, name)
            some = rows if len(part) == len(rows) else rows.take(part)
            written.append(self._segments.write(self._prefix_of(account), name, some))
        return written

    def _tell(self, account: str, segment: Segment, error: Damaged, damaged: set[str]) -> None:
        logger.error("segment %s of account %s is damaged: %s", segment.name, account, error)
        damaged.add(segment.name)

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


def _size_class(segment: Segment) -> int:
    """0 for what is short, 1 from FULL_ROWS, 2 from FAN_OUT times as many, and so on."""
    if segment.living_rows < FULL_ROWS:
        return 0
    return 1 + int(math.log(segment.living_rows / FULL_ROWS, FAN_OUT) + 1e-9)
