"""HIT groups: what Workers choose from. A group is all HITs of one type (MTurk's HITGroupId) that can be taken.

Each group has one item that lists are made of, so that a list costs the same however many HITs a group has. The item
counts the group's open HITs. The count goes up before a HIT is written as open and down after it is written as open no
more, each by an update of its own, because in the HITs' transactions every Worker of a group would wait for all others.
So the count hides no HIT; and where it is too high, because something failed between the two writes, whoever finds the
group empty counts again.

Within a group its HITs lie on a ring, at positions that follow from their ids alone. Whoever looks for a HIT starts
anywhere on it, and so looks at a few among thousands.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crowdsight.dynamodb import ConditionFailed, Table
from crowdsight.workplace.hits import Hit, HitStatus

GROUPS = "groups"
"""The `open` index's key for groups with open HITs."""

RECOUNTED = 25
SETTLED_AFTER_MS = 60_000
"""An index shows by then what was written."""

_SHARED = ("hit_type_id", "requester_id", "title", "description", "keywords", "reward_cents", "assignment_duration_s")


@dataclass(frozen=True)
class HitGroup:
    """What the HITs of a group share, and how many of them are open.

    `openings`: how often a HIT of the group was opened, ever. `opened_at_ms`, `expires_at_ms`: of the one opened last.
    """

    group_id: str
    hit_type_id: str
    requester_id: str
    title: str
    description: str
    keywords: str
    reward_cents: int
    assignment_duration_s: int
    qualification_requirements: tuple[dict[str, Any], ...]
    open_hits: int
    openings: int
    opened_at_ms: int
    expires_at_ms: int


def group_pk(group_id: str) -> str:
    """Of a group; in the `open` index, of its HITs that can be taken."""
    return f"group#{group_id}"


def ring_key(hit_id: str) -> str:
    """A HIT's place on its group's ring: 8 hexadecimal digits that follow from its id, and the id."""
    return f"{ring_position(hit_id)}#{hit_id}"


def ring_position(text: str) -> str:
    """The place of any text on a ring, as even as chance."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def group_from_item(item: Mapping[str, Any]) -> HitGroup:
    """The group as `Groups` keeps it."""
    values = {name: item[name] for name in HitGroup.__dataclass_fields__}
    return HitGroup(**values | {"qualification_requirements": tuple(values["qualification_requirements"])})


def group_of(hit: Hit | None) -> str | None:
    """The group in which a HIT can be found, None while it cannot be taken."""
    return hit.hit_group_id if hit and hit.status is HitStatus.ASSIGNABLE else None


class Groups:
    """All groups, over the workplace's table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self, hit: Hit, now_ms: int) -> None:
        """Count a HIT that is about to be open, and show its group."""
        group_id = hit.hit_group_id
        values: dict[str, Any] = {name: asdict(hit)[name] for name in _SHARED}
        values |= {
            "group_id": group_id,
            "qualification_requirements": list(hit.qualification_requirements),
            "opened_at_ms": now_ms,
            "expires_at_ms": hit.expires_at_ms,
            "open_pk": GROUPS,
            "open_sk": f"{now_ms:015d}#{group_id}",
        }
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values) + " ADD open_hits :one, openings :one"
        names = {name: name for name in values}
        self._table.update(group_pk(group_id), "group", expression, None, values | {"one": 1}, names)

    def close(self, group_id: str) -> None:
        """Count off a HIT that is open no more; a group without any is shown no more."""
        try:
            item = self._table.update(
                group_pk(group_id), "group", "ADD open_hits :less", "attribute_exists(pk)", {"less": -1}
            )
        except ConditionFailed:
            return  # never counted
        group = group_from_item(item)
        if group.open_hits <= 0:
            self._set_count(group, self._count(group_id))

    def hide_if_empty(self, group: HitGroup, now_ms: int) -> None:
        """Correct the count of a group in which a look all around the ring has found nothing."""
        if group.opened_at_ms <= now_ms - SETTLED_AFTER_MS:
            self._set_count(group, self._count(group.group_id))

    def _count(self, group_id: str) -> int:
        """How many HITs are open, up to RECOUNTED: the index may lag, so each of these few is looked at."""
        found = self._table.query(group_pk(group_id), index="open", limit=RECOUNTED).items
        hits = self._table.get_many((item["pk"], item["sk"]) for item in found) if found else []
        return sum(hit["status"] == HitStatus.ASSIGNABLE and hit["hit_group_id"] == group_id for hit in hits)

    def _set_count(self, group: HitGroup, count: int) -> None:
        """Write a new count, unless there was an opening meanwhile."""
        expression = "SET open_hits = :count" + ("" if count else " REMOVE open_pk, open_sk")
        values = {"count": count, "openings": group.openings, "before": group.open_hits}
        condition = "openings = :openings AND open_hits = :before"
        try:
            self._table.update(group_pk(group.group_id), "group", expression, condition, values)
        except ConditionFailed:
            return  # who changed it since then has counted too


def is_ring_start(text: str) -> bool:
    """Whether this is a position on a ring."""
    return len(text) == 8 and all(character in "0123456789abcdef" for character in text)
