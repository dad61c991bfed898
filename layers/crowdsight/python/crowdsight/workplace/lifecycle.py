"""The rules of HITs and assignments, pure: from what is, what was asked and the time, to what is to be written.

MTurk's states of a HIT, as its documentation gives them: *Assignable* while a Worker can take it, *Unassignable* while
nobody can but some Worker is at it, *Reviewable* once every assignment is handed in or its time is over and nobody is
at it, *Reviewing* when its requester says so, *Disposed* when deleted.

Money follows the slots: a slot that can be taken, or is accepted, or waits for judgement, has its cost held.
"""

from dataclasses import dataclass, replace

from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.events import Event, EventType
from crowdsight.workplace.hits import MS_PER_S, Hit, HitStatus, HitType
from crowdsight.workplace.identifiers import group_id_of
from crowdsight.workplace.ledger import LedgerEntry
from crowdsight.workplace.reviews import Review

DISPOSAL_AFTER_MS = 120 * 86_400 * MS_PER_S
CHANGES_AT_ONCE = 9
"""Assignments changed by one transition: at most ten writes each, besides the HIT and its requester's account, within
DynamoDB's 100 of a transaction."""

UNDER_REVIEW = (HitStatus.REVIEWABLE, HitStatus.REVIEWING)


@dataclass(frozen=True)
class Change:
    """All that one transition writes, together or not at all. `before` is None for a new HIT or assignment."""

    before: Hit | None
    after: Hit
    assignments: tuple[tuple[Assignment | None, Assignment], ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    events: tuple[Event, ...] = ()
    reviews: tuple[Review, ...] = ()


def then(first: Change, second: Change) -> Change:
    """Two changes as one, the second being of what the first leaves. The HIT's version goes up by both."""
    pairs = {after.assignment_id: (before, after) for before, after in first.assignments}
    for before, after in second.assignments:
        pairs[after.assignment_id] = (pairs.get(after.assignment_id, (before,))[0], after)
    return Change(
        first.before,
        second.after,
        tuple(pairs.values()),
        first.entries + second.entries,
        first.events + second.events,
        first.reviews + second.reviews,
    )


def create(hit: Hit) -> Change:
    """A new HIT, with the money for all its slots held."""
    after = replace(hit, version=1, next_due_at_ms=hit.expires_at_ms)
    return Change(
        None,
        after,
        entries=_hold(after, after.unfilled * after.cost_cents, hit.created_at_ms),
        events=(Event(EventType.HIT_CREATED, hit.created_at_ms),),
    )


def accept(hit: Hit, assignment_id: str, worker_id: str, now_ms: int) -> Change:
    """A Worker takes a slot of a HIT that has one available."""
    taken = Assignment(
        assignment_id=assignment_id,
        hit_id=hit.hit_id,
        hit_type_id=hit.hit_type_id,
        requester_id=hit.requester_id,
        worker_id=worker_id,
        title=hit.title,
        reward_cents=hit.reward_cents,
        fee_cents=hit.fee_cents,
        status=AssignmentStatus.ACCEPTED,
        accepted_at_ms=now_ms,
        deadline_ms=now_ms + hit.assignment_duration_s * MS_PER_S,
    )
    after = replace(hit, pending=hit.pending + 1)
    return _changed(
        hit,
        after,
        now_ms,
        due_ms=taken.deadline_ms,
        assignments=((None, taken),),
        events=(Event(EventType.ASSIGNMENT_ACCEPTED, now_ms, assignment_id),),
    )


def submit(hit: Hit, assignment: Assignment, answer_xml: str, now_ms: int) -> Change:
    """The Worker hands in an accepted assignment."""
    handed_in = replace(
        assignment,
        status=AssignmentStatus.SUBMITTED,
        submitted_at_ms=now_ms,
        auto_approval_at_ms=now_ms + hit.auto_approval_delay_s * MS_PER_S,
        answer_xml=answer_xml,
    )
    after = replace(hit, pending=hit.pending - 1, submitted=hit.submitted + 1)
    return _changed(
        hit,
        after,
        now_ms,
        due_ms=now_ms if hit.assignment_policy else handed_in.auto_approval_at_ms,
        assignments=((assignment, handed_in),),
        events=(Event(EventType.ASSIGNMENT_SUBMITTED, now_ms, assignment.assignment_id),),
    )


def give_back(hit: Hit, assignment: Assignment, now_ms: int) -> Change:
    """The Worker returns an accepted assignment; its slot is free again, or released if the HIT's time is over."""
    return _give_up(hit, [assignment], AssignmentStatus.RETURNED, EventType.ASSIGNMENT_RETURNED, now_ms)


def approve(hit: Hit, assignment: Assignment, feedback: str | None, now_ms: int) -> Change:
    """A submitted assignment, or a rejected one after all, is paid."""
    return approve_all(hit, [(assignment, now_ms)], feedback, now_ms)


def reject(hit: Hit, assignment: Assignment, feedback: str, now_ms: int) -> Change:
    """A submitted assignment is not paid; the money is free again, the slot stays used."""
    rejected = replace(assignment, status=AssignmentStatus.REJECTED, rejected_at_ms=now_ms, requester_feedback=feedback)
    after = replace(hit, submitted=hit.submitted - 1, rejected=hit.rejected + 1)
    change = _changed(
        hit,
        after,
        now_ms,
        assignments=((assignment, rejected),),
        events=(Event(EventType.ASSIGNMENT_REJECTED, now_ms, assignment.assignment_id),),
    )
    return replace(change, entries=_hold(change.after, -assignment.cost_cents, now_ms))


def extend(hit: Hit, additional: int, now_ms: int) -> Change:
    """More slots. The money for them is held now if the HIT is open, or else when it is opened again."""
    after = replace(hit, max_assignments=hit.max_assignments + additional)
    change = _changed(hit, after, now_ms, events=(Event(EventType.HIT_EXTENDED, now_ms),))
    return replace(change, entries=_hold(change.after, 0 if hit.expired else additional * hit.cost_cents, now_ms))


def change_expiration(hit: Hit, expires_at_ms: int, now_ms: int) -> Change:
    """Another end of the HIT's time: at once if it is past, and open again if it lies ahead of an expired HIT."""
    after = replace(hit, expires_at_ms=expires_at_ms)
    if expires_at_ms <= now_ms:
        return expire(hit, replace(after, expires_at_ms=min(now_ms, hit.expires_at_ms)), now_ms)
    after = replace(after, expired=False)
    later = expires_at_ms > hit.expires_at_ms
    events = (Event(EventType.HIT_EXTENDED, now_ms),) if later else ()
    change = _changed(hit, after, now_ms, due_ms=expires_at_ms, events=events)
    return replace(change, entries=_hold(change.after, hit.unfilled * hit.cost_cents if hit.expired else 0, now_ms))


def note(hit: Hit, before: Assignment, after: Assignment, at_ms: int) -> Change:
    """Something is kept with an assignment that changes no count and no money."""
    return _changed(hit, hit, at_ms, assignments=((before, after),))


def note_round(hit: Hit, round_ms: int) -> Change:
    """The HIT is reviewed, after becoming reviewable at that moment."""
    return _changed(hit, replace(hit, reviewed_round_ms=round_ms), round_ms)


def set_reviewing(hit: Hit, reviewing: bool, now_ms: int) -> Change:
    """Between Reviewable and Reviewing."""
    status = HitStatus.REVIEWING if reviewing else HitStatus.REVIEWABLE
    return _changed(hit, replace(hit, status=status), now_ms)


def change_hit_type(hit: Hit, hit_type: HitType, fee_cents: int, now_ms: int) -> Change:
    """A HIT that no Worker is at takes on another type's values; what is submitted keeps its reward."""
    after = replace(
        hit,
        hit_type_id=hit_type.hit_type_id,
        hit_group_id=group_id_of(hit_type.hit_type_id),
        title=hit_type.title,
        description=hit_type.description,
        keywords=hit_type.keywords,
        reward_cents=hit_type.reward_cents,
        fee_cents=fee_cents,
        assignment_duration_s=hit_type.assignment_duration_s,
        auto_approval_delay_s=hit_type.auto_approval_delay_s,
        qualification_requirements=hit_type.qualification_requirements,
    )
    change = _changed(hit, after, now_ms)
    difference_cents = hit.available * (after.cost_cents - hit.cost_cents)
    return replace(change, entries=_hold(change.after, difference_cents, now_ms))


def dispose(hit: Hit, now_ms: int) -> Change:
    """The end of a HIT that is under review and has nothing left to judge. It holds no money by then."""
    after = replace(hit, status=HitStatus.DISPOSED)
    return _changed(hit, after, now_ms, events=(Event(EventType.HIT_DISPOSED, now_ms),))


def expire(before: Hit, after: Hit, at_ms: int) -> Change:
    """The end of the HIT's time; `after` may have another `expires_at_ms` already."""
    if before.expired:
        return _changed(before, after, at_ms)
    over = replace(after, expired=True)
    # A HIT that is done already has nothing to expire, and MTurk's programs take HITExpired for a HIT left unfinished.
    events = () if before.status in UNDER_REVIEW else (Event(EventType.HIT_EXPIRED, at_ms),)
    change = _changed(before, over, at_ms, events=events)
    return replace(change, entries=_hold(change.after, -before.unfilled * before.cost_cents, at_ms))


def abandon(hit: Hit, assignments: list[Assignment], at_ms: int) -> Change:
    """The time for accepted assignments has run out."""
    return _give_up(hit, assignments, AssignmentStatus.ABANDONED, EventType.ASSIGNMENT_ABANDONED, at_ms)


def _give_up(
    hit: Hit, assignments: list[Assignment], status: AssignmentStatus, event_type: EventType, at_ms: int
) -> Change:
    change = _changed(
        hit,
        replace(hit, pending=hit.pending - len(assignments)),
        at_ms,
        assignments=tuple((assignment, replace(assignment, status=status)) for assignment in assignments),
        events=tuple(
            Event(
                event_type,
                assignment.deadline_ms if status is AssignmentStatus.ABANDONED else at_ms,
                assignment.assignment_id,
            )
            for assignment in assignments
        ),
    )
    released = sum(assignment.cost_cents for assignment in assignments) if hit.expired else 0
    return replace(change, entries=_hold(change.after, -released, at_ms))


def approve_all(hit: Hit, judged: list[tuple[Assignment, int]], feedback: str | None, at_ms: int) -> Change:
    """Assignments, each with the moment of its approval, are paid together."""
    entries = []
    for assignment, approved_at_ms in judged:
        overrides = assignment.status is AssignmentStatus.REJECTED
        entries.append(
            LedgerEntry(
                key=f"pay#{assignment.assignment_id}",
                kind="pay",
                requester_id=hit.requester_id,
                at_ms=approved_at_ms,
                available_cents=-assignment.cost_cents if overrides else 0,
                held_cents=0 if overrides else -assignment.cost_cents,
                spent_cents=assignment.cost_cents,
                reward_cents=assignment.reward_cents,
                fee_cents=assignment.fee_cents,
                hit_id=hit.hit_id,
                assignment_id=assignment.assignment_id,
                worker_id=assignment.worker_id,
            )
        )
    overridden = sum(assignment.status is AssignmentStatus.REJECTED for assignment, _ in judged)
    after = replace(
        hit,
        submitted=hit.submitted - len(judged) + overridden,
        rejected=hit.rejected - overridden,
        approved=hit.approved + len(judged),
    )
    return _changed(
        hit,
        after,
        at_ms,
        assignments=tuple(
            (
                assignment,
                replace(
                    assignment,
                    status=AssignmentStatus.APPROVED,
                    approved_at_ms=approved_at_ms,
                    requester_feedback=feedback,
                ),
            )
            for assignment, approved_at_ms in judged
        ),
        entries=tuple(entries),
        events=tuple(
            Event(EventType.ASSIGNMENT_APPROVED, approved_at_ms, assignment.assignment_id)
            for assignment, approved_at_ms in judged
        ),
    )


def _hold(after: Hit, cents: int, at_ms: int) -> tuple[LedgerEntry, ...]:
    """The entry that moves money from available to held, or back when `cents` is negative."""
    if cents == 0:
        return ()
    kind = "hold" if cents > 0 else "release"
    return (
        LedgerEntry(
            key=f"{kind}#{after.hit_id}#{after.version:08d}",
            kind=kind,
            requester_id=after.requester_id,
            at_ms=at_ms,
            available_cents=-cents,
            held_cents=cents,
            hit_id=after.hit_id,
        ),
    )


def _changed(
    before: Hit,
    after: Hit,
    at_ms: int,
    *,
    due_ms: int | None = None,
    assignments: tuple[tuple[Assignment | None, Assignment], ...] = (),
    entries: tuple[LedgerEntry, ...] = (),
    events: tuple[Event, ...] = (),
) -> Change:
    """The change with the HIT's status, next due moment and version brought into line with its counts."""
    status = _status(after)
    # Rounds of reviews are told apart by when they were due, and what they do carries the next millisecond.
    earliest_ms = at_ms if after.reviewed_round_ms is None else max(at_ms, after.reviewed_round_ms + 2)
    reviewable_at_ms = (after.reviewable_at_ms or earliest_ms) if status in UNDER_REVIEW else None
    waits_for_review = replace(after, status=status, reviewable_at_ms=reviewable_at_ms).waits_for_review
    if status is HitStatus.REVIEWABLE and before.status not in UNDER_REVIEW and not waits_for_review:
        events = (*events, Event(EventType.HIT_REVIEWABLE, at_ms))
    candidates = [before.next_due_at_ms, due_ms, None if after.expired else after.expires_at_ms]
    if reviewable_at_ms is not None:
        candidates.append(reviewable_at_ms if waits_for_review else reviewable_at_ms + DISPOSAL_AFTER_MS)
    next_due_at_ms = min(moment for moment in candidates if moment is not None) if any(candidates) else None
    settled = replace(
        after,
        status=status,
        reviewable_at_ms=reviewable_at_ms,
        next_due_at_ms=None if status is HitStatus.DISPOSED else next_due_at_ms,
        version=before.version + 1,
    )
    return Change(before, settled, assignments, entries, events)


def _status(hit: Hit) -> HitStatus:
    if hit.status is HitStatus.DISPOSED:
        return HitStatus.DISPOSED
    if hit.available > 0:
        return HitStatus.ASSIGNABLE
    if hit.pending > 0:
        return HitStatus.UNASSIGNABLE
    return hit.status if hit.status in UNDER_REVIEW else HitStatus.REVIEWABLE
