"""Qualifications, as Workers see them: what they hold, what they can ask for, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crowdsight.dynamodb import ConditionFailed, Item, Step
from crowdsight.workplace import qualification_records as lie
from crowdsight.workplace import records
from crowdsight.workplace.answer_key import read_answer_key
from crowdsight.workplace.answers import write_answers
from crowdsight.workplace.faults import (
    LocaleRefused,
    QualificationNotFound,
    QualificationNotOffered,
    QualificationTestOver,
    WorkerNotFound,
)
from crowdsight.workplace.form_answers import check_answers
from crowdsight.workplace.hits import MS_PER_S
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.qualifications import (
    Locale,
    Qualification,
    QualificationRequest,
    QualificationStatus,
    QualificationType,
    RequestStatus,
    TypeStatus,
)
from crowdsight.workplace.question_form import QuestionForm, read_question_form
from crowdsight.workplace.requirements import Standing, check_locale

MAX_PAGES_LOOKED_THROUGH = 10


@dataclass(frozen=True)
class Requestable:
    """A type that Workers can ask for, and when this one can: `next_request_at_ms` is None for never (again)."""

    kind: QualificationType
    held: Qualification | None
    request: QualificationRequest | None
    next_request_at_ms: int | None


@dataclass(frozen=True)
class RequestablePage:
    """Some types, and where to go on (None at the end)."""

    types: list[Requestable]
    next_start: str | None


@dataclass(frozen=True)
class BegunTest:
    """A test that a Worker is taking, until the request's `deadline_ms`."""

    request: QualificationRequest
    form: QuestionForm


class WorkerQualifications:
    """Every method is on behalf of one Worker and raises WorkerNotFound when there is no such Worker."""

    def __init__(self, store: QualificationStore) -> None:
        self._store = store

    def get_standing(self, worker_id: str) -> Standing:
        """All that the Worker holds, held and asked for, in one read."""
        standing = self._store.find_standing(worker_id)
        if standing is None:
            raise WorkerNotFound("There is no such Worker.")
        return standing

    def list_requestable(
        self, worker_id: str, limit: int = 20, start: str | None = None, standing: Standing | None = None
    ) -> RequestablePage:
        """The types that Workers can ask for, by time of creation, with how this Worker stands to each.

        `standing`: the Worker's, if it has been read already.

        A page may be shorter than `limit` and still have a next one. The list may lag a moment behind, as an index
        does; `request` decides. A `start` that is no `next_start` gives the first page.
        """
        standing = standing or self.get_standing(worker_id)
        key: Item | None = None
        if records.is_start(start):
            type_id = start.partition("#")[2]
            key = {"pk": lie.type_pk(type_id), "sk": "qualtype", "open_pk": lie.ALL_TYPES, "open_sk": start}
        found: list[Requestable] = []
        for _ in range(MAX_PAGES_LOOKED_THROUGH):
            page = self._store.table.query(lie.ALL_TYPES, index="open", limit=limit + 1, start_key=key)
            for kind in map(lie.type_from_item, page.items):
                if kind.is_requestable:
                    if len(found) == limit:
                        return RequestablePage(found, lie.type_start(found[-1].kind))
                    found.append(self._requestable(kind, standing))
            key = page.next_key
            if key is None:
                return RequestablePage(found, None)
        return RequestablePage(found, str(key["open_sk"]) if key else None)

    def list_named(self, worker_id: str, type_ids: Sequence[str], standing: Standing | None = None) -> RequestablePage:
        """These types, without those that are gone and the workplace's own, with how this Worker stands to each."""
        standing = standing or self.get_standing(worker_id)
        kinds = self._store.find_types(set(type_ids))
        there = [kinds[type_id] for type_id in dict.fromkeys(type_ids) if type_id in kinds]
        shown = [kind for kind in there if not kind.is_system and kind.status is not TypeStatus.DISPOSED]
        return RequestablePage([self._requestable(kind, standing) for kind in shown], None)

    def get_requestable(self, worker_id: str, qualification_type_id: str) -> Requestable:
        """A type and how the Worker stands to it. Raises QualificationNotFound."""
        return self._requestable(self._type(qualification_type_id), self.get_standing(worker_id))

    def request(self, worker_id: str, qualification_type_id: str) -> QualificationRequest:
        """Ask for a qualification: granted at once, a test begun (or under way), or left to the type's requester.

        What a requester revoked is never granted again by itself. Raises QualificationNotFound,
        QualificationNotOffered when it cannot be asked for, now or ever.
        """

        def decide() -> tuple[QualificationRequest, list[Step]]:
            standing = self.get_standing(worker_id)
            kind = self._type(qualification_type_id)
            now_ms = self._store.clock()
            held = standing.qualifications.get(qualification_type_id)
            last = standing.requests.get(qualification_type_id)
            if last and _is_under_way(last, now_ms):
                return last, []
            self._require_requestable(kind, held, last, now_ms)
            asked = QualificationRequest(
                request_id=self._store.new_id(),
                qualification_type_id=qualification_type_id,
                type_name=kind.name,
                worker_id=worker_id,
                requester_id=kind.requester_id,
                status=RequestStatus.SUBMITTED,
                requested_at_ms=now_ms,
                submitted_at_ms=now_ms,
            )
            steps = [self._store.is_unchanged(kind)]
            if kind.test_version is not None:
                asked = replace(
                    asked,
                    status=RequestStatus.TESTING,
                    submitted_at_ms=None,
                    deadline_ms=now_ms + (kind.test_duration_s or 0) * MS_PER_S,
                    test_version=kind.test_version,
                )
            elif kind.auto_granted and not _was_revoked(held):
                asked = replace(asked, status=RequestStatus.GRANTED)
                steps += self._store.grant(kind, worker_id, kind.auto_granted_value, held)[1]
            return asked, [*steps, *self._store.put_request(asked, last)]

        return self._store.write(decide)

    def get_test(self, worker_id: str, request_id: str) -> BegunTest:
        """The test that the Worker has begun, as it was then. Raises QualificationNotFound, QualificationTestOver."""
        request = self._testing(worker_id, request_id)
        return BegunTest(request, self._read_form(request))

    def submit_test(self, worker_id: str, request_id: str, fields: Sequence[tuple[str, str]]) -> QualificationRequest:
        """Hand in a test's answers, names and values of a submitted form: scored by its key, or left to its requester.

        Raises QualificationNotFound, QualificationTestOver (also when it was submitted before), FormIncomplete,
        AnswerRefused.
        """
        answers = check_answers(self._read_form(self._testing(worker_id, request_id)), fields)
        answer_xml = write_answers(answers)

        def decide() -> tuple[QualificationRequest, list[Step]]:
            before = self._testing(worker_id, request_id)
            kind = self._store.find_type(before.qualification_type_id)
            if kind is None or kind.status is TypeStatus.DISPOSED or before.test_version is None:
                raise QualificationTestOver("This qualification is not offered any more.")
            held = self._store.find_qualification(before.qualification_type_id, worker_id)
            steps = [self._store.is_unchanged(kind)]
            handed_in = replace(before, submitted_at_ms=self._store.clock())
            key_xml = self._store.read_test(kind.qualification_type_id, before.test_version).answer_key_xml
            if key_xml is None or _was_revoked(held):
                after = replace(handed_in, status=RequestStatus.SUBMITTED, answer_xml=answer_xml)
            else:
                after = replace(handed_in, status=RequestStatus.GRANTED)
                value = read_answer_key(key_xml).value(answers)
                steps += self._store.grant(kind, worker_id, value, held)[1]
            return after, [*steps, *self._store.put_request(after, before)]

        return self._store.write(decide)

    def set_own_locale(self, worker_id: str, locale: Locale) -> None:
        """Say where one is, once: after that only the operator changes it. Raises LocaleRefused."""
        try:
            check_locale(locale)
            self._store.set_locale(worker_id, locale, only_if_unknown=True)
        except ValueError as error:
            raise LocaleRefused(f"That place is not known: {error}.") from error
        except ConditionFailed as error:
            raise LocaleRefused("Where you are is known already. Who runs this site can change it.") from error

    def _requestable(self, kind: QualificationType, standing: Standing) -> Requestable:
        held = standing.qualifications.get(kind.qualification_type_id)
        last = standing.requests.get(kind.qualification_type_id)
        at_ms = next_request_at_ms(kind, held, last, self._store.clock()) if kind.is_requestable else None
        return Requestable(kind, held, last, at_ms)

    def _require_requestable(
        self, kind: QualificationType, held: Qualification | None, last: QualificationRequest | None, now_ms: int
    ) -> None:
        if not kind.is_requestable:
            raise QualificationNotOffered("This qualification cannot be asked for now.")
        at_ms = next_request_at_ms(kind, held, last, now_ms)
        if at_ms is None:
            if last and last.status is RequestStatus.SUBMITTED:
                raise QualificationNotOffered("You have asked for this qualification. Its requester will decide.")
            if held and held.status is QualificationStatus.GRANTED:
                raise QualificationNotOffered("You have this qualification already.")
            raise QualificationNotOffered("This qualification can be asked for only once.")
        if at_ms > now_ms:
            left_s = -(-(at_ms - now_ms) // MS_PER_S)
            raise QualificationNotOffered(f"You can ask for this qualification again in {left_s} seconds.")

    def _type(self, qualification_type_id: str) -> QualificationType:
        kind = self._store.find_type(qualification_type_id)
        if kind is None or kind.status is TypeStatus.DISPOSED:
            raise QualificationNotFound("There is no such qualification.")
        return kind

    def _testing(self, worker_id: str, request_id: str) -> QualificationRequest:
        request = self._store.find_request(request_id)
        if request is None or request.worker_id != worker_id:
            raise QualificationNotFound("There is no such test of yours.")
        if request.status is not RequestStatus.TESTING:
            raise QualificationTestOver("You have handed in this test already.")
        if not _is_under_way(request, self._store.clock()):
            raise QualificationTestOver("The time for this test ran out.")
        return request

    def _read_form(self, request: QualificationRequest) -> QuestionForm:
        test = self._store.read_test(request.qualification_type_id, request.test_version or 0)
        return read_question_form(test.test_xml)


def next_request_at_ms(
    kind: QualificationType, held: Qualification | None, last: QualificationRequest | None, now_ms: int
) -> int | None:
    """From when on a Worker can ask for a type, or go on with its test; None for never (again).

    While a request waits there cannot be another one. Without a test, nothing better can come of asking for what one
    holds. After a request the next one waits for the type's delay, and without a delay there is none.
    """
    if last and _is_under_way(last, now_ms):
        return now_ms
    if last and last.status is RequestStatus.SUBMITTED:
        return None
    if kind.test_version is None and held and held.status is QualificationStatus.GRANTED:
        return None
    if last is None:
        return now_ms
    return None if kind.retry_delay_s is None else last.requested_at_ms + kind.retry_delay_s * MS_PER_S


def _is_under_way(request: QualificationRequest, now_ms: int) -> bool:
    """Whether its test can still be handed in."""
    return request.status is RequestStatus.TESTING and now_ms < (request.deadline_ms or 0)


def _was_revoked(held: Qualification | None) -> bool:
    return held is not None and held.status is QualificationStatus.REVOKED
