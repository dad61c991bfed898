"""What nobody waits for: expired requests, and saves and removals that were killed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.dynamodb import Unprocessed
from crowdsight.search.library import Library, WorkKind
from crowdsight.search.objects import DeletionFailed, Objects
from crowdsight.search.removing import Leftovers

FAILURES = (ClientError, BotoCoreError, DeletionFailed, Unprocessed)
"""What may go wrong with one thing, and must not keep all others waiting: the next sweep tries it again."""

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
        """`is_over` is asked between any two; what is left then waits for the next sweep."""
        requests = failed = 0
        done = {WorkKind.SAVE: 0, WorkKind.REMOVAL: 0}
        for request in self._library.expired_requests():
            if is_over():
                break
            try:
                if request.image_id is None:
                    self._objects.delete([request.object_key])
                self._library.forget(request)
                requests += 1
            except FAILURES:
                logger.exception("request %s could not be forgotten", request.id)
                failed += 1
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
        return Swept(requests, done[WorkKind.SAVE], done[WorkKind.REMOVAL], failed)
