"""The worker site's pages for finding HITs: groups of them, previews, and taking one."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.faults import GroupNotFound, HitAlreadyDone, HitNotAvailable
from crowdsight.workplace.groups import HitGroup
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.listing import Desk, Order, Wish
from crowdsight.workplace.requirements import Action
from crowdsight.workplace.sessions import Role
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_questions import DONE, PREVIEW_ASSIGNMENT_ID, frame_sources, make_frame
from crowdsight.workplace.site_visits import Visits

MAX_WORDS_LENGTH = 200
MAX_REWARD_CENTS = 1_000_000
TRIES = 4
"""How often another HIT of a group is looked for when the one found was taken meanwhile."""


class HitPages:
    """Lists, previews and accepts; `group_id` and `hit_id` are out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace
        self._listing = visits.workplace.listing

    def show_groups(self, request: Request) -> Response:
        """What there is to do, searched and sorted as the Worker wishes; without a session, how to get one."""
        session = self._visits.find_session(request)
        if session is None:
            return self._visits.page(request, "welcome.html", {})
        if session.role is not Role.WORKER:
            return see_other(f"{request.prefix}/requester")
        desk = self._visits.desk(request)
        wish = _read_wish(request)
        start = request.asked("after") or None
        number = _read_number(request.asked("page"))
        page = self._listing.groups(desk, wish, start, number)
        asked = {
            "q": wish.words,
            "sort": "" if wish.order is Order.NEWEST else wish.order.value,
            "min": request.asked("min") if wish.at_least_cents else "",
            "qualified": "1" if wish.only_qualified else "",
        }
        onward = {"after": page.next_start or start or "", "page": str(page.next_page or "")}
        more = {name: value for name, value in (asked | onward).items() if value}
        values = {
            "groups": page.groups,
            "wish": wish,
            "minimum": asked["min"],
            "may_accept": partial(desk.may, Action.ACCEPT),
            "is_all": page.is_all,
            "more": urlencode(more) if page.next_page or page.next_start else None,
        }
        return self._visits.page(request, "groups.html", values, here="hits")

    def show_group(self, request: Request, group_id: str) -> Response:
        """One group: what it is about and asks for, with a preview and a HIT of it one press away."""
        self._visits.require_session(request)
        group = self._listing.group(group_id)
        desk = self._visits.desk(request)
        if not desk.may(Action.DISCOVER, group):
            raise GroupNotFound("There is no such group of HITs.")
        values = {
            "group": group,
            "is_for_you": desk.has_left(group),
            "may_preview": desk.may(Action.PREVIEW, group),
            "missing": _missing(desk, group),
            "none_found": bool(request.asked("none")),
            "look_on_at": request.asked("from")[:8],
        }
        return self._visits.page(request, "group.html", values, here="hits")

    def preview_one(self, request: Request, group_id: str) -> Response:
        """On to the preview of a HIT that the Worker can take."""
        session = self._visits.require_session(request)
        find = self._listing.find_hit(group_id, session.worker_id, request.asked("from"))
        if find.hit is None:
            return self._none_left(request, group_id, find.look_on_at)
        return see_other(f"{request.prefix}/hits/{find.hit.hit_id}")

    def accept_one(self, request: Request, group_id: str) -> Response:
        """Take a HIT of the group and go on to its assignment; `auto` is carried along to the next one."""
        session = self._visits.require_form(request)
        self._visits.count(request, "accept", session.worker_id)
        fields = dict(request.form())
        gone: list[str] = []
        look_on_at = fields.get("from")
        for _ in range(TRIES):
            find = self._listing.find_hit(group_id, session.worker_id, look_on_at, gone)
            if find.hit is None:
                held = self._listing.desk(session.worker_id).in_hand
                mine = next((one for one in held if one.hit_group_id == group_id), None)
                if mine:  # pressed twice, perhaps: the one in hand is what there is
                    return self._to_work(request, mine, bool(fields.get("auto")))
                return self._none_left(request, group_id, find.look_on_at)
            try:
                assignment = self._workplace.accept(find.hit.hit_id, session.worker_id)
            except (HitNotAvailable, HitAlreadyDone):
                gone.append(find.hit.hit_id)
                continue
            self._listing.note_taken(group_id, session.worker_id)
            return self._to_work(request, assignment, bool(fields.get("auto")))
        raise HitNotAvailable("Others were faster, several times. Try again.")

    def show_hit(self, request: Request, hit_id: str) -> Response:
        """A preview of the HIT, or the way back to one in hand."""
        session = self._visits.require_session(request)
        preview = self._workplace.preview(hit_id, session.worker_id)
        hit, mine = preview.hit, preview.mine
        if mine is None and not hit.available:
            raise HitNotAvailable("Its time is over, or others were faster.")
        desk = self._visits.desk(request)
        if mine is None:
            self._workplace.check_preview(hit, desk.standing)
        values = {
            "hit": hit,
            "missing": _missing(desk, hit),
            "frame": make_frame(request, preview.question, hit_id, PREVIEW_ASSIGNMENT_ID, session),
            "assignment_id": mine.assignment_id if mine and mine.status is AssignmentStatus.ACCEPTED else None,
            "is_done": mine is not None and mine.status in DONE,
        }
        return self._visits.page(
            request, "hit.html", values, here="hits", frame_sources=frame_sources(preview.question)
        )

    def accept(self, request: Request, hit_id: str) -> Response:
        """Take this very HIT and go on to its assignment."""
        session = self._visits.require_form(request)
        self._visits.count(request, "accept", session.worker_id)
        try:
            assignment = self._workplace.accept(hit_id, session.worker_id)
        except HitAlreadyDone:
            mine = self._workplace.find_accepted(hit_id, session.worker_id)
            if mine is None or mine.status is not AssignmentStatus.ACCEPTED:
                raise
            assignment = mine  # pressed twice: the one in hand is what they want
        self._listing.note_taken(assignment.hit_group_id, session.worker_id)
        return self._to_work(request, assignment, is_auto=False)

    def _to_work(self, request: Request, assignment: Assignment, is_auto: bool) -> Response:
        return see_other(f"{request.prefix}/assignments/{assignment.assignment_id}{'?auto=1' if is_auto else ''}")

    def _none_left(self, request: Request, group_id: str, look_on_at: str | None) -> Response:
        query = {"none": "1", **({"from": look_on_at} if look_on_at else {})}
        return see_other(f"{request.prefix}/groups/{group_id}?{urlencode(query)}")


def _missing(desk: Desk, offered: HitGroup | Hit) -> dict[str, Any] | None:
    """What keeps the Worker from taking such a HIT: in words, and the types to ask for; None if nothing does."""
    if desk.may(Action.ACCEPT, offered):
        return None
    unmet = desk.standing.unmet(offered.qualification_requirements, Action.ACCEPT)
    return {
        "words": [desk.standing.in_words(one) for one in unmet],
        "types": ",".join(one.qualification_type_id for one in unmet if one.can_be_requested),
    }


def _read_wish(request: Request) -> Wish:
    """What is wished for in the query; what is no wish is left out."""
    order = request.asked("sort")
    return Wish(
        request.asked("q")[:MAX_WORDS_LENGTH].strip(),
        Order(order) if order in set(Order) else Order.NEWEST,
        _read_cents(request.asked("min")),
        bool(request.asked("qualified")),
    )


def _read_cents(dollars: str) -> int:
    """Dollars such as 0.05 in cents, 0 for what is no amount."""
    whole, _, part = dollars.strip().removeprefix("$").partition(".")
    if not (whole + part).isdecimal() or not (whole + part).isascii() or len(whole) > 6 or len(part) > 2:
        return 0
    return min(int(whole or 0) * 100 + int(part.ljust(2, "0") or 0), MAX_REWARD_CENTS)


def _read_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
