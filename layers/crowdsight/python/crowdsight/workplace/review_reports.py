"""Reports of reviews: what review policies found and did, detail after detail, as their requester reads it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from crowdsight.workplace import records
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.ownership import Ownership
from crowdsight.workplace.reviews import Action, Result, Review, ReviewLevel
from crowdsight.workplace.store import Store


@dataclass(frozen=True)
class Detail:
    """One result, or one action, of a review; `completed_at_ms` is when the review was."""

    level: ReviewLevel
    action_id: str
    completed_at_ms: int
    what: Result | Action


@dataclass(frozen=True)
class ReportPage:
    """Some details of a HIT's reviews, oldest first at each level, and where to go on (None at the end)."""

    hit: Hit
    details: list[Detail]
    next_start: str | None


class ReviewReports:
    """Every HIT's reviews."""

    def __init__(self, store: Store) -> None:
        self._table = store.table
        self._own = Ownership(store)

    def page(
        self,
        requester_id: str,
        hit_id: str,
        levels: Collection[ReviewLevel],
        kinds: tuple[type[Result] | type[Action], ...],
        limit: int,
        start: str | None = None,
    ) -> ReportPage:
        """Details of these levels and kinds. Raises RequestError HITDoesNotExist."""
        hit = self._own.hit(requester_id, hit_id)
        sk, _, number = (start or f"{records.REVIEWS}|0").rpartition("|")
        found: list[Detail] = []
        for item in self._table.query_all(records.hit_pk(hit_id), sk_between=(sk, f"{records.REVIEWS}~")):
            review = records.review_from_item(item)
            if review.level not in levels:
                continue
            wanted = [detail for detail in _details(review) if isinstance(detail.what, kinds)]
            first = int(number) if item["sk"] == sk else 0
            for index, detail in enumerate(wanted[first:], first):
                if len(found) == limit:
                    return ReportPage(hit, found, f"{item['sk']}|{index}")
                found.append(detail)
        return ReportPage(hit, found, None)


def _details(review: Review) -> Iterator[Detail]:
    for result in review.results:
        yield Detail(review.level, review.action_id(0), review.at_ms, result)
    for number, action in enumerate(review.actions):
        yield Detail(review.level, review.action_id(number), review.at_ms, action)
