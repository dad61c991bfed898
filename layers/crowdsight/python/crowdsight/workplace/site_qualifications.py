"""The worker site's qualifications: what a Worker has, what can be asked for, and the tests of those that have one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from crowdsight.workplace.faults import FormIncomplete
from crowdsight.workplace.qualifications import Locale, QualificationStatus, RequestStatus
from crowdsight.workplace.site_http import Request, Response, values_by_name
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_visits import ID, Visits
from crowdsight.workplace.worker_qualifications import BegunTest

TYPES_ON_A_PAGE = 20


class QualificationPages:
    """One Worker's qualifications; a type's and a request's id are out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._qualifications = visits.workplace.qualifications

    def show_qualifications(self, request: Request) -> Response:
        """What the Worker holds, and the types that can be asked for, 20 to a page, or only those in `types`."""
        session = self._visits.require_session(request)
        standing = self._visits.desk(request).standing
        start = request.asked("after") or None
        named = [type_id for type_id in request.asked("types").split(",") if ID.fullmatch(type_id)][:TYPES_ON_A_PAGE]
        if named:
            page = self._qualifications.list_named(session.worker_id, named, standing)
        else:
            page = self._qualifications.list_requestable(session.worker_id, TYPES_ON_A_PAGE, start, standing)
        held = [one for one in standing.qualifications.values() if one.status is QualificationStatus.GRANTED]
        values = {
            "held": sorted(held, key=lambda one: one.type_name.casefold()),
            "types": page.types,
            "more": page.next_start,
            "is_of_hit": bool(named),
            "locale": standing.worker.locale,
            "now_ms": self._visits.clock(),
            "told": request.asked("told") if request.asked("told") in ("granted", "asked", "placed") else "",
        }
        return self._visits.page(request, "qualifications.html", values, here="qualifications")

    def ask(self, request: Request, type_id: str) -> Response:
        """Ask for a qualification, or begin its test, or go on with it."""
        session = self._visits.require_form(request)
        self._visits.count(request, "qualification", session.worker_id)
        asked = self._qualifications.request(session.worker_id, type_id)
        if asked.status is RequestStatus.TESTING:
            return see_other(f"{request.prefix}/tests/{asked.request_id}")
        told = "granted" if asked.status is RequestStatus.GRANTED else "asked"
        return see_other(f"{request.prefix}/qualifications?told={told}")

    def show_test(self, request: Request, request_id: str) -> Response:
        """The questions of a test that is under way, with the time left."""
        session = self._visits.require_session(request)
        return self._show(request, self._qualifications.get_test(session.worker_id, request_id))

    def hand_in(self, request: Request, request_id: str) -> Response:
        """Take a test's answers; those that do not fit are asked for again."""
        session = self._visits.require_form(request)
        self._visits.count(request, "qualification", session.worker_id)
        answers = [(name, value) for name, value in request.form() if name != "csrf"]
        try:
            after = self._qualifications.submit_test(session.worker_id, request_id, answers)
        except FormIncomplete as error:
            begun = self._qualifications.get_test(session.worker_id, request_id)
            return self._show(request, begun, answers, error.problems)
        told = "granted" if after.status is RequestStatus.GRANTED else "asked"
        return see_other(f"{request.prefix}/qualifications?told={told}")

    def say_where(self, request: Request) -> Response:
        """Where the Worker is, said once."""
        session = self._visits.require_form(request)
        fields = dict(request.form())
        country = fields.get("country", "").strip().upper()
        subdivision = fields.get("subdivision", "").strip().upper() or None
        self._qualifications.set_own_locale(session.worker_id, Locale(country, subdivision))
        return see_other(f"{request.prefix}/qualifications?told=placed")

    def _show(
        self,
        request: Request,
        begun: BegunTest,
        given: Sequence[tuple[str, str]] = (),
        problems: Mapping[int, str] = MappingProxyType({}),
    ) -> Response:
        values = {"asked": begun.request, "form": begun.form, "given": values_by_name(given), "problems": problems}
        status = 422 if problems else 200
        return self._visits.page(request, "test.html", values, here="qualifications", status=status, media="https:")
