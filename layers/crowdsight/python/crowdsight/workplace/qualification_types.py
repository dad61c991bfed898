"""Qualification types, as requesters make, change, find and delete them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crowdsight.dynamodb import Item, Step, TransactionFailed
from crowdsight.workplace import qualification_records as lie
from crowdsight.workplace import records
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.qualifications import (
    SYSTEM_TYPES,
    QualificationRequest,
    QualificationTest,
    QualificationType,
    RequestStatus,
    TypeStatus,
)

TYPES_AT_ONCE = 100
TYPES_LOOKED_THROUGH = 5_000
"""A search that finds nothing in so many goes on with the next token."""

_NOT_DISPOSED = (TypeStatus.ACTIVE, TypeStatus.INACTIVE)


@dataclass(frozen=True)
class TypeChanges:
    """What of a type shall be another; None for what stays. A `test` comes with its `test_duration_s`."""

    description: str | None = None
    status: TypeStatus | None = None
    retry_delay_s: int | None = None
    auto_granted: bool | None = None
    auto_granted_value: int | None = None
    test: QualificationTest | None = None
    test_duration_s: int | None = None


@dataclass(frozen=True)
class OfferedType:
    """A type as a requester sees it: with its test if it is their own and has one."""

    kind: QualificationType
    test: QualificationTest | None


@dataclass(frozen=True)
class TypePage:
    """Some types, and where to go on (None at the end)."""

    types: list[OfferedType]
    next_start: str | None


class QualificationTypes:
    """Every operation is on behalf of one requester and raises RequestError when it cannot be done."""

    def __init__(self, store: QualificationStore, max_page_bytes: int) -> None:
        self._store = store
        self._max_page_bytes = max_page_bytes

    def create(self, kind: QualificationType, test: QualificationTest | None) -> OfferedType:
        """Make a type, with `test` as its first test; ids, versions and time as given are ignored.

        Raises RequestError QualificationTypeAlreadyExists if its requester has another one of this name.
        """
        kind = replace(
            kind,
            qualification_type_id=self._store.new_id(),
            created_at_ms=self._store.clock(),
            version=1,
            test_version=1 if test else None,
            has_answer_key=bool(test and test.answer_key_xml),
        )
        name = {
            "pk": records.requester_pk(kind.requester_id),
            "sk": lie.type_name_sk(kind.name),
            "qualification_type_id": kind.qualification_type_id,
        }
        steps = [
            self._store.put_type(kind),
            self._store.table.put_step("name", name, "attribute_not_exists(pk)"),
            *self._put_test(kind, test),
        ]
        try:
            self._store.table.transact(steps)
        except TransactionFailed as error:
            raise RequestError(
                "QualificationTypeAlreadyExists",
                "You have already created a QualificationType with this name. A QualificationType's name must be unique"
                " among all of the QualificationTypes created by the same user.",
            ) from error
        return OfferedType(kind, test)

    def get(self, requester_id: str, qualification_type_id: str) -> OfferedType:
        """A type of anybody's that is not disposed, its test only for its owner.

        Raises RequestError QualificationTypeDoesNotExist.
        """
        return self._offered(self._usable(qualification_type_id), requester_id)

    def get_own(self, requester_id: str, qualification_type_id: str) -> QualificationType:
        """A type of the requester's that is not disposed.

        Raises RequestError QualificationTypeDoesNotExist, PermissionDeniedException for another's or the workplace's,
        InvalidQualificationTypeState when it is disposed.
        """
        kind = self._existing(qualification_type_id)
        if kind.requester_id != requester_id:
            raise RequestError(
                "PermissionDeniedException", f"QualificationType {qualification_type_id} belongs to somebody else."
            )
        _require(kind, _NOT_DISPOSED)
        return kind

    def update(self, requester_id: str, qualification_type_id: str, changes: TypeChanges) -> OfferedType:
        """Change a type. A test can be replaced, not removed, and no type is both tested and granted automatically.

        Raises as `get_own`, and RequestError InvalidParameterValue.
        """

        def decide() -> tuple[OfferedType, list[Step]]:
            before = self.get_own(requester_id, qualification_type_id)
            after = _changed(before, changes)
            if after.auto_granted and after.test_version is not None:
                raise RequestError("InvalidParameterValue", "AutoGranted cannot be true when there is a Test.")
            steps = [self._store.put_type(after, before), *self._put_test(after, changes.test)]
            return OfferedType(after, changes.test), steps

        offered = self._store.write(decide)
        return offered if offered.test else self._offered(offered.kind, requester_id)

    def delete(self, requester_id: str, qualification_type_id: str) -> None:
        """Dispose of a type: no HIT can newly require it, requests that wait are rejected, its name is free again.

        HITs that require it go on doing so, and Workers keep what they hold. Raises as `get_own`; when a first attempt
        was interrupted, another one finishes it.
        """

        def decide() -> tuple[QualificationType, list[Step]]:
            before = self.get_own(requester_id, qualification_type_id)
            after = replace(before, status=TypeStatus.DISPOSED, version=before.version + 1)
            pk = records.requester_pk(requester_id)
            name = self._store.table.delete_step("name", pk, lie.type_name_sk(before.name))
            return after, [self._store.put_type(after, before), name]

        try:
            self._store.write(decide)
        finally:
            self._reject_all(requester_id, qualification_type_id)

    def search(
        self,
        requester_id: str,
        query: str,
        must_be_requestable: bool,
        must_be_own: bool,
        limit: int,
        start: str | None = None,
    ) -> TypePage:
        """Types whose name, description or keywords have every word of `query`, by time of creation.

        Those of the workplace come first. Others' are listed only while they are active. A page may be shorter than
        `limit`, or empty, and still have a next one.
        """
        words = query.casefold().split()
        found: list[OfferedType] = []
        size_bytes = 0
        for number, kind in enumerate(self._all(requester_id, must_be_own, start)):
            if number == TYPES_LOOKED_THROUGH:
                return TypePage(found, start)
            start = lie.type_start(kind)
            is_own = kind.requester_id == requester_id
            if (must_be_requestable and not kind.is_requestable) or not (is_own or kind.status is TypeStatus.ACTIVE):
                continue
            if not _has_words(kind, words):
                continue
            offered = self._offered(kind, requester_id)
            if offered.test:
                size_bytes += len((offered.test.test_xml + (offered.test.answer_key_xml or "")).encode())
            if len(found) == limit or (found and size_bytes > self._max_page_bytes):
                return TypePage(found, lie.type_start(found[-1].kind))
            found.append(offered)
        return TypePage(found, None)

    def check_known(self, qualification_type_id: str) -> None:
        """Raises RequestError QualificationTypeDoesNotExist unless there is, or was, such a type."""
        self._existing(qualification_type_id)

    def check_required(self, requirements: Iterable[Mapping[str, Any]]) -> None:
        """Raises RequestError QualificationTypeDoesNotExist or InvalidQualificationTypeState unless a HIT can require
        all of these types now."""
        ids = {requirement["QualificationTypeId"] for requirement in requirements}
        for type_id in sorted(ids):
            _require(self._usable(type_id), (TypeStatus.ACTIVE,))

    def _existing(self, qualification_type_id: str) -> QualificationType:
        kind = self._store.find_type(qualification_type_id)
        if kind is None:
            raise _no_such_type(qualification_type_id)
        return kind

    def _usable(self, qualification_type_id: str) -> QualificationType:
        kind = self._existing(qualification_type_id)
        if kind.status is TypeStatus.DISPOSED:
            raise _no_such_type(qualification_type_id)
        return kind

    def _offered(self, kind: QualificationType, requester_id: str) -> OfferedType:
        if kind.test_version is None or kind.requester_id != requester_id:
            return OfferedType(kind, None)
        return OfferedType(kind, self._store.read_test(kind.qualification_type_id, kind.test_version))

    def _put_test(self, kind: QualificationType, test: QualificationTest | None) -> Iterator[Step]:
        if test is not None and kind.test_version is not None:
            item = lie.test_to_item(kind.qualification_type_id, kind.test_version, test)
            yield self._store.table.put_step("test", item)

    def _all(self, requester_id: str, must_be_own: bool, start: str | None) -> Iterator[QualificationType]:
        if not must_be_own:
            yield from (kind for kind in SYSTEM_TYPES.values() if start is None or lie.type_start(kind) > start)
        index, pk = ("requester", lie.types_of_pk(requester_id)) if must_be_own else ("open", lie.ALL_TYPES)
        key: Item | None = None
        if start:
            type_id = start.partition("#")[2]
            key = {"pk": lie.type_pk(type_id), "sk": "qualtype", f"{index}_pk": pk, f"{index}_sk": start}
        while True:
            page = self._store.table.query(pk, index=index, limit=TYPES_AT_ONCE, start_key=key)
            yield from map(lie.type_from_item, page.items)
            key = page.next_key
            if key is None:
                return

    def _reject_all(self, requester_id: str, qualification_type_id: str) -> None:
        kind = self._store.find_type(qualification_type_id)
        if kind is None or kind.requester_id != requester_id or kind.status is not TypeStatus.DISPOSED:
            return
        for request in self._store.waiting_requests(requester_id, qualification_type_id):

            def decide(request_id: str = request.request_id) -> tuple[None, list[Step]]:
                before = self._store.find_request(request_id)
                return None, self._rejection(before) if before else []

            self._store.write(decide)

    def _rejection(self, before: QualificationRequest) -> list[Step]:
        if before.status is not RequestStatus.SUBMITTED:
            return []
        reason = "The qualification is not offered any more."
        return self._store.put_request(replace(before, status=RequestStatus.REJECTED, reason=reason), before)


def _changed(before: QualificationType, changes: TypeChanges) -> QualificationType:
    given = {
        name: getattr(changes, name)
        for name in ("description", "status", "retry_delay_s", "auto_granted", "auto_granted_value")
        if getattr(changes, name) is not None
    }
    after = replace(before, **given, version=before.version + 1)
    if changes.test is None:
        return after
    return replace(
        after,
        test_version=(before.test_version or 0) + 1,
        test_duration_s=changes.test_duration_s,
        has_answer_key=changes.test.answer_key_xml is not None,
    )


def _has_words(kind: QualificationType, words: list[str]) -> bool:
    text = f"{kind.name}\n{kind.description}\n{kind.keywords}".casefold()
    return all(word in text for word in words)


def _no_such_type(qualification_type_id: str) -> RequestError:
    return RequestError("QualificationTypeDoesNotExist", f"QualificationType {qualification_type_id} does not exist.")


def _require(kind: QualificationType, statuses: Iterable[TypeStatus]) -> None:
    if kind.status not in statuses:
        allowed = ",".join(statuses)
        raise RequestError("InvalidQualificationTypeState", f"This operation can be called with a status of: {allowed}")
