"""Qualifications in the table: reading them, and writing one decision at a time.

What one Worker holds and asked for of one type is the unit of consistency: it is written over the version that was
read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from crowdsight.clock import Clock
from crowdsight.dynamodb import Step, Table, TransactionFailed
from crowdsight.workplace import qualification_records as lie
from crowdsight.workplace import records
from crowdsight.workplace.faults import ServiceFault
from crowdsight.workplace.qualifications import (
    GRANTED_BY_OPERATOR,
    SYSTEM_TYPES,
    Locale,
    Qualification,
    QualificationRequest,
    QualificationStatus,
    QualificationTest,
    QualificationType,
    RequestStatus,
    canonical_type_id,
)
from crowdsight.workplace.requirements import Standing

MAX_ATTEMPTS = 60
"""How often a decision is made anew because others changed what it was made from."""

RETRIED = frozenset({"type", "qualification", "request", "waiting"})
"""Labels of steps that fail when others were faster."""

Decided = TypeVar("Decided")


class QualificationStore:
    """Types, qualifications and requests over one table."""

    def __init__(self, table: Table, clock: Clock, new_id: Callable[[], str]) -> None:
        self.table = table
        self.clock = clock
        self.new_id = new_id

    def find_type(self, qualification_type_id: str) -> QualificationType | None:
        """The type, disposed or not, a requester's or the workplace's own."""
        type_id = canonical_type_id(qualification_type_id)
        if type_id in SYSTEM_TYPES:
            return SYSTEM_TYPES[type_id]
        item = self.table.get(lie.type_pk(type_id), "qualtype")
        return lie.type_from_item(item) if item else None

    def find_types(self, qualification_type_ids: set[str]) -> Mapping[str, QualificationType]:
        """Those of the types that there are, by id."""
        ids = set(map(canonical_type_id, qualification_type_ids))
        found = {type_id: SYSTEM_TYPES[type_id] for type_id in ids if type_id in SYSTEM_TYPES}
        for item in self.table.get_many((lie.type_pk(type_id), "qualtype") for type_id in sorted(ids - set(found))):
            kind = lie.type_from_item(item)
            found[kind.qualification_type_id] = kind
        return found

    def read_test(self, qualification_type_id: str, version: int) -> QualificationTest:
        """One of the type's tests, which there must be."""
        item = self.table.get(lie.type_pk(qualification_type_id), lie.test_sk(version))
        if item is None:
            raise ServiceFault()
        return lie.test_from_item(item)

    def find_standing(self, worker_id: str) -> Standing | None:
        """The Worker with all that they hold and asked for, at this moment; None if there is no such Worker."""
        return lie.standing_from_items(self.table.query_all(records.worker_pk(worker_id), records.STANDING))

    def find_qualification(self, qualification_type_id: str, worker_id: str) -> Qualification | None:
        """What the Worker holds or held of the type."""
        item = self.table.get(records.worker_pk(worker_id), lie.qualification_sk(qualification_type_id))
        return lie.qualification_from_item(item) if item else None

    def find_request(self, request_id: str) -> QualificationRequest | None:
        """The request without its answers, unless its Worker has made another one for the same type since."""
        pointer = self.table.get(lie.request_pk(request_id), "request")
        if pointer is None:
            return None
        sk = lie.request_sk(pointer["qualification_type_id"])
        item = self.table.get(records.worker_pk(pointer["worker_id"]), sk)
        return lie.request_from_item(item) if item and item["request_id"] == request_id else None

    def waiting_requests(self, requester_id: str, qualification_type_id: str) -> Iterator[QualificationRequest]:
        """All requests for a type that wait for its requester."""
        prefix = lie.waiting_prefix(qualification_type_id)
        for item in self.table.query_all(records.requester_pk(requester_id), prefix):
            yield lie.request_from_item(item)

    def write(self, decide: Callable[[], tuple[Decided, Sequence[Step]]]) -> Decided:
        """Bring a decision about and return it; `decide` reads, and is called again if others changed that meanwhile.

        Raises what `decide` raises, TransactionFailed when another step than those `RETRIED` failed, ServiceFault.
        """
        for _ in range(MAX_ATTEMPTS):
            decided, steps = decide()
            try:
                if steps:
                    self.table.transact(list(steps))
            except TransactionFailed as error:
                if not RETRIED.issuperset(error.failed):
                    raise
            else:
                return decided
        raise ServiceFault()

    def grant(
        self, kind: QualificationType, worker_id: str, value: int, held: Qualification | None
    ) -> tuple[Qualification, list[Step]]:
        """The qualification with this value instead of what was `held`, and the writes that make it so."""
        granted = Qualification(
            kind.qualification_type_id,
            kind.name,
            worker_id,
            value,
            QualificationStatus.GRANTED,
            self.clock(),
            version=held.version + 1 if held else 1,
        )
        return granted, self._change(held, granted)

    def revoke(self, held: Qualification, reason: str | None) -> list[Step]:
        """The writes that take a granted qualification back."""
        revoked = replace(held, status=QualificationStatus.REVOKED, reason=reason, version=held.version + 1)
        return self._change(held, revoked)

    def unchanged(self, standing: Standing, requirements: Iterable[Mapping[str, Any]]) -> list[Step]:
        """Checks that what the Worker holds of the types required is still what it was. Not of what is computed."""
        type_ids = {canonical_type_id(requirement["QualificationTypeId"]) for requirement in requirements}
        computed = SYSTEM_TYPES.keys() - set(GRANTED_BY_OPERATOR.values())
        pk = records.worker_pk(standing.worker.worker_id)
        steps = []
        for type_id in sorted(type_ids - computed):
            held = standing.qualifications.get(type_id)
            condition, values, names = _as_it_was(held)
            sk = lie.qualification_sk(type_id)
            steps.append(self.table.check_step("qualification", pk, sk, condition, values, names))
        return steps

    def is_unchanged(self, kind: QualificationType) -> Step:
        """A check that a requester's type is still as it was."""
        return self.table.check_step(
            "type",
            lie.type_pk(kind.qualification_type_id),
            "qualtype",
            "#version = :version",
            {"version": kind.version},
            {"version": "version"},
        )

    def set_locale(self, worker_id: str, locale: Locale, only_if_unknown: bool = False) -> None:
        """Keep where a Worker is. Raises ConditionFailed without such a Worker, or if it is not to be changed."""
        values = {"country": locale.country}
        expression = "SET country = :country REMOVE subdivision"
        if locale.subdivision is not None:
            values["subdivision"] = locale.subdivision
            expression = "SET country = :country, subdivision = :subdivision"
        condition = "attribute_exists(pk)" + (" AND attribute_not_exists(country)" if only_if_unknown else "")
        self.table.update(records.worker_pk(worker_id), "worker", expression, condition, values)

    def put_type(self, kind: QualificationType, before: QualificationType | None = None) -> Step:
        """The write of a new type, or of a changed one over what it was."""
        condition, values, names = _as_it_was(before)
        return self.table.put_step("type", lie.type_to_item(kind), condition, values, names)

    def put_request(self, request: QualificationRequest, before: QualificationRequest | None) -> list[Step]:
        """The writes that put a Worker's request, as it is now, in the place of what it was or of an earlier one."""
        item = lie.request_to_item(request)
        if before is None:
            steps = [self.table.put_step("request", item, "attribute_not_exists(pk)")]
        else:
            values = {"id": before.request_id, "status": before.status.value}
            names = {"status": "status"}
            steps = [self.table.put_step("request", item, "request_id = :id AND #status = :status", values, names)]
        if before is None or before.request_id != request.request_id:
            steps.append(self.table.put_step("pointer", lie.pointer_to_item(request), "attribute_not_exists(pk)"))
        if request.status is RequestStatus.SUBMITTED:
            steps.append(self.table.put_step("waiting", lie.waiting_to_item(request), "attribute_not_exists(pk)"))
        elif before and before.request_id == request.request_id and before.status is RequestStatus.SUBMITTED:
            pk = records.requester_pk(before.requester_id)
            steps.append(self.table.delete_step("waiting", pk, lie.waiting_sk(before), "attribute_exists(pk)"))
        return steps

    def _change(self, before: Qualification | None, after: Qualification) -> list[Step]:
        condition, values, names = _as_it_was(before)
        steps = [
            self.table.put_step("qualification", lie.qualification_to_item(after), condition, values, names),
            self.table.put_step("holder", lie.holder_to_item(after)),
        ]
        if before and before.status is not after.status:
            item = lie.holder_to_item(before)
            steps.append(self.table.delete_step("former_holder", item["pk"], item["sk"]))
        return steps


def _as_it_was(
    before: Qualification | QualificationType | None,
) -> tuple[str, dict[str, Any] | None, dict[str, str] | None]:
    """The condition, with its values and names, that an item is at this version, or not there."""
    if before is None:
        return "attribute_not_exists(pk)", None, None
    return "#version = :version", {"version": before.version}, {"version": "version"}
