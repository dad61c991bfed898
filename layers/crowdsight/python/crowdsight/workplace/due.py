"""What time alone brings about, pure: expiries, abandoned assignments, reviews, automatic approvals, disposal."""

from collections.abc import Iterable
from dataclasses import replace

from crowdsight.workplace import lifecycle, reviewing
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.hits import Hit, HitStatus
from crowdsight.workplace.lifecycle import CHANGES_AT_ONCE, DISPOSAL_AFTER_MS, UNDER_REVIEW, Change
from crowdsight.workplace.review_policies import NO_POLICIES, ReviewPolicies

_KINDS = ("assignment review", "HIT review", "expiry", "deadline", "approval", "disposal")
"""What is due at one moment happens in this order."""

_Moment = tuple[int, str, Assignment | None]


def next_due_change(
    hit: Hit,
    assignments: Iterable[Assignment],
    now_ms: int,
    policies: ReviewPolicies = NO_POLICIES,
    can_pay: bool = True,
) -> Change | None:
    """What time alone has brought about first, or None when the HIT is up to date.

    What is found late, an assignment's approval say, has the moment at which it was due; the money that it moves is
    booked at `now_ms`, so that nothing is added to a period that is over.

    `assignments` are all of the HIT's, `policies` its own. One call brings one kind of thing for at most
    CHANGES_AT_ONCE assignments; call again with what is then. `can_pay`: whether the requester can pay for one more
    assignment, which nothing here needs but a review policy.
    """
    everything = list(assignments)
    moments = _moments(hit, everything)
    due = sorted((moment for moment in moments if moment[0] <= now_ms), key=_order)
    if not due:
        next_due_ms = min((moment[0] for moment in moments), default=None)
        if hit.next_due_at_ms == next_due_ms:
            return None
        return Change(hit, replace(hit, next_due_at_ms=next_due_ms, version=hit.version + 1))
    change = _first(hit, everything, due, policies, can_pay)
    changed = {after.assignment_id: after for _, after in change.assignments}
    left = [changed.get(assignment.assignment_id, assignment) for assignment in everything]
    next_due_ms = min((moment[0] for moment in _moments(change.after, left)), default=None)
    booked = tuple(replace(entry, at_ms=now_ms) for entry in change.entries)
    return replace(change, after=replace(change.after, next_due_at_ms=next_due_ms), entries=booked)


def _first(
    hit: Hit, assignments: list[Assignment], due: list[_Moment], policies: ReviewPolicies, can_pay: bool
) -> Change:
    at_ms, kind, _ = due[0]
    together: list[tuple[Assignment, int]] = []
    for moment in due[:CHANGES_AT_ONCE]:
        if moment[1] != kind:
            break
        if moment[2]:
            together.append((moment[2], moment[0]))
    match kind:
        case "assignment review":
            if policies.assignment is None:
                raise ValueError("a review is due, and the HIT's policies are not given")
            return reviewing.review_assignment(hit, together[0][0], policies.assignment, at_ms, can_pay)
        case "HIT review":
            return reviewing.review_hit(hit, assignments, policies, can_pay)
        case "expiry":
            return lifecycle.expire(hit, hit, at_ms)
        case "deadline":
            return lifecycle.abandon(hit, [overdue for overdue, _ in together], together[-1][1])
        case "approval":
            return lifecycle.approve_all(hit, together, None, together[-1][1])
        case _:
            return lifecycle.dispose(hit, at_ms)


def _order(moment: _Moment) -> tuple[int, int]:
    return moment[0], _KINDS.index(moment[1])


def _moments(hit: Hit, assignments: Iterable[Assignment]) -> list[_Moment]:
    if hit.status is HitStatus.DISPOSED:
        return []
    moments: list[_Moment] = []
    if not hit.expired:
        moments.append((hit.expires_at_ms, "expiry", None))
    for assignment in assignments:
        if assignment.status is AssignmentStatus.ACCEPTED:
            moments.append((assignment.deadline_ms, "deadline", assignment))
        elif assignment.status is AssignmentStatus.SUBMITTED:
            if hit.assignment_policy and assignment.known_answer_score is None:
                moments.append((assignment.submitted_at_ms or 0, "assignment review", assignment))
            if assignment.auto_approval_at_ms is not None:
                moments.append((assignment.auto_approval_at_ms, "approval", assignment))
    if hit.status in UNDER_REVIEW and hit.reviewable_at_ms is not None:
        if hit.waits_for_review:
            moments.append((hit.reviewable_at_ms, "HIT review", None))
        if hit.submitted == 0:
            moments.append((hit.reviewable_at_ms + DISPOSAL_AFTER_MS, "disposal", None))
    return moments
