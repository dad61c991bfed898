"""How a Worker finds a HIT: by a list of groups, and in a group by chance among a few that are left for the Worker.

Nothing here costs more as HITs grow: a list reads groups, and a look into a group reads a window of its ring.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Table
from crowdsight.workplace import records
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.faults import GroupNotFound, WorkerNotFound
from crowdsight.workplace.groups import (
    GROUPS,
    SETTLED_AFTER_MS,
    Groups,
    HitGroup,
    group_from_item,
    group_pk,
    is_ring_start,
    ring_position,
)
from crowdsight.workplace.hits import DAY_MS, Hit
from crowdsight.workplace.ledger import PayDay
from crowdsight.workplace.qualification_records import standing_from_items
from crowdsight.workplace.requirements import Action, Standing
from crowdsight.workplace.workers import Worker

GROUPS_READ = 200
GROUPS_SHOWN = 25
WINDOW_HITS = 25
WINDOWS = 4
"""How many windows of a ring are looked into for one HIT; a Worker who has done most of a large group may look on."""

SEEN_AGE_S = 90 * 86_400
RING_START, RING_END = "0" * 8, "~"


class Order(StrEnum):
    """How groups are sorted; each with the best for a Worker first."""

    NEWEST = "newest"
    REWARD = "reward"
    HITS = "hits"
    TIME = "time"


_RANKS: dict[Order, Callable[[HitGroup], Any]] = {
    Order.REWARD: lambda group: -group.reward_cents,
    Order.HITS: lambda group: -group.open_hits,
    Order.TIME: lambda group: group.assignment_duration_s,
}


@dataclass(frozen=True)
class Wish:
    """Which groups a Worker wants to see. `words`: all of them occur in what the requester wrote, or are its id."""

    words: str = ""
    order: Order = Order.NEWEST
    at_least_cents: int = 0
    only_qualified: bool = False


@dataclass(frozen=True)
class Desk:
    """A Worker's standing and the HITs in hand, soonest over first;
    `exhausted`: groups with none left for them, as of which opening; `months`: what was paid, by month; `unread`: how
    many messages were not seen yet.
    """

    standing: Standing
    in_hand: tuple[Assignment, ...] = ()
    exhausted: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[str, Item] = field(default_factory=dict)
    unread: int = 0

    @property
    def worker(self) -> Worker:
        return self.standing.worker

    def may(self, action: Action, offered: HitGroup | Hit) -> bool:
        """Whether the Worker's qualifications and the requester let them do this with the HIT, or the group's."""
        is_qualified = not self.standing.unmet(offered.qualification_requirements, action)
        return is_qualified and offered.requester_id not in self.standing.blocked_by

    def has_left(self, group: HitGroup) -> bool:
        """Whether the group may have something that the Worker has not had."""
        return group.open_hits > 0 and self.exhausted.get(group.group_id) != group.openings

    def last_days(self, now_ms: int, count: int) -> list[PayDay]:
        """What was paid on each of the last days (UTC), newest first."""
        dates = [records.date_of(now_ms - ago * DAY_MS) for ago in range(count)]
        return [records.day_in_month(self.months.get(date[:7], {}), date) for date in dates]


@dataclass(frozen=True)
class GroupPage:
    """Some groups. `next_page`: that many pages on in what was read; `next_start`: where more can be read.

    `is_all`: whether every group was looked at, so that the order is that of all.
    """

    groups: list[HitGroup]
    next_page: int | None
    next_start: str | None
    is_all: bool


@dataclass(frozen=True)
class Find:
    """A HIT for the Worker, or None; then `look_on_at` says where on the ring to go on, None if all was seen."""

    group: HitGroup
    hit: Hit | None
    look_on_at: str | None = None


class Listing:
    """Groups and HITs as one Worker sees them, over the workplace's table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._groups = Groups(table)

    def desk(self, worker_id: str) -> Desk:
        """The Worker with all that is in hand. Raises WorkerNotFound."""
        desk = self.find_desk(worker_id)
        if desk is None:
            raise WorkerNotFound("There is no such Worker.")
        return desk

    def find_desk(self, worker_id: str) -> Desk | None:
        """The same, by one query; None if there is no such Worker."""
        return self._read_desk(self._table.query_all(records.worker_pk(worker_id), records.STANDING))

    def groups(self, desk: Desk, wish: Wish, start: str | None = None, page: int = 0) -> GroupPage:
        """Groups that may have something for the Worker, by one query: a page of those read from `start` on.

        A `start` that no page named gives the first ones.
        """
        found = self._table.query(
            GROUPS, index="open", limit=GROUPS_READ, newest_first=True, start_key=_groups_key(start)
        )
        words = wish.words.casefold().split()
        groups = [
            group
            for group in map(group_from_item, found.items)
            if desk.has_left(group)
            and desk.may(Action.ACCEPT if wish.only_qualified else Action.DISCOVER, group)
            and group.reward_cents >= wish.at_least_cents
            and _has(group, words)
        ]
        if wish.order in _RANKS:
            groups.sort(key=_RANKS[wish.order])
        first = GROUPS_SHOWN * page
        next_start = found.next_key["open_sk"] if found.next_key else None
        has_more = len(groups) > first + GROUPS_SHOWN
        return GroupPage(
            groups[first : first + GROUPS_SHOWN],
            page + 1 if has_more else None,
            None if has_more else next_start,
            start is None and next_start is None,
        )

    def group(self, group_id: str) -> HitGroup:
        """Raises GroupNotFound."""
        item = self._table.get(group_pk(group_id), "group")
        if item is None:
            raise GroupNotFound("There is no such group of HITs.")
        return group_from_item(item)

    def find_hit(
        self, group_id: str, worker_id: str, look_on_at: str | None = None, without: Collection[str] = ()
    ) -> Find:
        """A HIT of the group that the Worker has not had, by two calls for a window and mostly one window.

        `without`: HITs that turned out to be gone.

        Which one, a hash of Worker and HIT decides, so that two who look at the same HITs seldom take the same; where
        on the ring of a large group the look begins, the Worker and the moment, so that what the Worker has done is
        not in the way. Raises GroupNotFound.
        """
        return self._find(self.group(group_id), worker_id, look_on_at, without)

    def note_taken(self, group_id: str, worker_id: str) -> None:
        """Remember it if nothing in the group is left for a Worker who has just taken a HIT of it."""
        group = self.group(group_id)
        if group.open_hits <= WINDOW_HITS:
            self._find(group, worker_id)

    def _find(
        self, group: HitGroup, worker_id: str, look_on_at: str | None = None, without: Collection[str] = ()
    ) -> Find:
        now_ms = self._clock()
        start = look_on_at if look_on_at and is_ring_start(look_on_at) else ring_position(f"{worker_id} {now_ms}")
        ahead = [(RING_START, RING_END)] if group.open_hits <= WINDOW_HITS else [(start, RING_END), (RING_START, start)]
        seen = 0
        for _ in range(WINDOWS):
            low, high = ahead.pop(0)
            page = self._table.query(group_pk(group.group_id), index="open", limit=WINDOW_HITS, sk_between=(low, high))
            hits = [records.hit_from_item(item) for item in page.items]
            had = self._had(worker_id, hits).union(without)
            free = [hit for hit in hits if hit.hit_id not in had and hit.expires_at_ms > now_ms]
            if free:
                return Find(group, min(free, key=lambda hit: _lot(worker_id, hit.hit_id)))
            seen += len(hits)
            if page.next_key:
                ahead.insert(0, (f"{page.next_key['open_sk']}!", high))  # what sorts right after it
            if not ahead:
                self._remember(group, worker_id, seen, now_ms)
                return Find(group, None)
        return Find(group, None, ahead[0][0][: len(RING_START)])

    def _had(self, worker_id: str, hits: Sequence[Hit]) -> set[str]:
        """Which of the HITs the Worker has, did or took too often, by one call."""
        holder = records.holder_sk(worker_id)
        items = self._table.get_many((records.hit_pk(hit.hit_id), holder) for hit in hits)
        had = (item for item in items if records.held_sk(item) or records.is_taken_too_often(item))
        return {records.hit_id_of(item["pk"]) for item in had}

    def _remember(self, group: HitGroup, worker_id: str, seen: int, now_ms: int) -> None:
        """That nothing is left for the Worker, or for anybody; unless there may be HITs that the index lacks yet."""
        if not seen:
            self._groups.hide_if_empty(group, now_ms)
        if seen == group.open_hits or group.opened_at_ms <= now_ms - SETTLED_AFTER_MS:
            item = {"pk": records.worker_pk(worker_id), "sk": records.seen_sk(group.group_id)}
            self._table.put(item | {"openings": group.openings, "ttl_s": now_ms // 1000 + SEEN_AGE_S})

    def _read_desk(self, items: Iterable[Item]) -> Desk | None:
        found = list(items)
        standing = standing_from_items(found)
        in_hand: list[Assignment] = []
        exhausted: dict[str, int] = {}
        months: dict[str, Item] = {}
        unread = 0
        for item in found:
            sk = str(item["sk"])
            if sk.startswith(records.IN_HAND):
                in_hand.append(records.assignment_from_item(item))
            elif sk.startswith(records.SEEN):
                exhausted[sk.removeprefix(records.SEEN)] = item["openings"]
            elif sk.startswith(records.MONTHS):
                months[sk.removeprefix(records.MONTHS)] = item
            elif sk == records.INBOX:
                unread = item["unread"]
        if standing is None:
            return None
        now_ms = self._clock()
        in_hand = [assignment for assignment in in_hand if assignment.deadline_ms > now_ms]
        return Desk(
            standing,
            tuple(sorted(in_hand, key=lambda one: one.deadline_ms)),
            exhausted,
            months,
            unread,
        )


def _lot(worker_id: str, hit_id: str) -> bytes:
    """What decides between HITs for a Worker, as even as chance and the same every time."""
    return hashlib.sha256(f"{worker_id} {hit_id}".encode()).digest()


def _has(group: HitGroup, words: Sequence[str]) -> bool:
    text = f"{group.title}\n{group.description}\n{group.keywords}\n{group.requester_id}".casefold()
    return all(word in text for word in words)


def _groups_key(start: str | None) -> Item | None:
    if not records.is_start(start):
        return None
    group_id = start.partition("#")[2]
    return {"pk": group_pk(group_id), "sk": "group", "open_pk": GROUPS, "open_sk": start}
