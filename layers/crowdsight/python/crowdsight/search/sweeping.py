"""What nobody waits for: expired requests, and saves and removals that were killed."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.dynamodb import Unprocessed
from crowdsight.search.library import Library, Request, WorkKind
from crowdsight.search.objects import DeletionFailed, Objects
from crowdsight.search.removing import Leftovers

FAILURES = (ClientError, BotoCoreError, DeletionFailed, Unprocessed)
"""What may go wrong with one thing, and must not keep all others waiting: the next sweep tries it again."""

BATCH_REQUESTS = 100
"""Forgotten together: one call to S3 and four to DynamoDB."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swept:
    """How many requests were forgotten, saves undone, removals finished; and how many of these failed."""

    requests: int
    saves: int
    removals: int
    failed: int


class Sweep:
    """Forgets expired requests, undoes abandoned saves and finishes removals."""

    def __init__(self, library: Library, objects: Objects, leftovers: Leftovers) -> None:
        self._library = library
        self._objects = objects
        self._leftovers = leftovers

    def __call__(self, is_over: Callable[[], bool] = lambda: False) -> Swept:
        """`is_over` is asked now and then; what is left then waits for the next sweep.

        What was killed comes first: it is seldom, and requests expire all the time.
        """
        done = {WorkKind.SAVE: 0, WorkKind.REMOVAL: 0}
        requests = failed = 0
        for work in self._library.overdue_work():
            if is_over():
                break
            try:
                if removal := self._library.abandon_save(work):
                    self._leftovers.clear(removal)
                    done[work.kind] += 1
            except FAILURES:
                logger.exception("the %s of image %s could not be cleared away", work.kind, work.key)
                failed += 1
        expired = self._library.expired_requests()
        while not is_over() and (batch := list(islice(expired, BATCH_REQUESTS))):
            try:
                kept = self._forget(batch)
                requests += len(batch) - kept
                failed += kept
            except FAILURES:
                logger.exception("%d requests could not be forgotten", len(batch))
                failed += len(batch)
        return Swept(requests, done[WorkKind.SAVE], done[WorkKind.REMOVAL], failed)

    def _forget(self, requests: Sequence[Request]) -> int:
        """How many of them are kept, because their bytes could not be deleted."""
        kept: Collection[str] = ()
        try:
            self._objects.delete(request.object_key for request in requests if request.image_id is None)
        except DeletionFailed as error:
            logger.exception("the bytes of some requests could not be deleted")
            kept = error.keys
        self._library.forget(request for request in requests if request.object_key not in kept)
        return len(kept)
