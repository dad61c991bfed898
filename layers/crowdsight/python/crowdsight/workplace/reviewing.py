"""Review policies at work, pure: from a HIT and what was handed in to what is found, and to what is done about it.

MTurk applies a HIT's policies by itself: the one for assignments to each as it is submitted, the one for the HIT each
time that it becomes reviewable. Here both are due at that moment, like an expiry, and whoever next looks at the HIT
carries them out. Each part of a review is one transition, so that it happens once however often it is begun.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from crowdsight.money import FEE_SURCHARGE_FROM_ASSIGNMENTS
from crowdsight.workplace import lifecycle
from crowdsight.workplace.answer_values import read_values
from crowdsight.workplace.assignments import SEEN_BY_REQUESTERS, Assignment, AssignmentStatus
from crowdsight.workplace.events import Event, EventType
from crowdsight.workplace.hits import MS_PER_S, Hit, HitStatus
from crowdsight.workplace.known_answers import score_known_answers
from crowdsight.workplace.lifecycle import CHANGES_AT_ONCE, Change, then
from crowdsight.workplace.plurality import Agreement, find_agreement
from crowdsight.workplace.review_policies import Extending, Judging, KnownAnswersPolicy, PluralityPolicy, ReviewPolicies
from crowdsight.workplace.reviews import Action, Result, Review, ReviewLevel

INVALID_STATE = "AWS.MechanicalTurk.InvalidAssignmentState"
INSUFFICIENT_FUNDS = "AWS.MechanicalTurk.InsufficientFunds"
INVALID_INCREASE = "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease"

ASSIGNMENT, HIT = ReviewLevel.ASSIGNMENT, ReviewLevel.HIT


@dataclass(frozen=True)
class _Round:
    """One time that the HIT's policy is applied: because it became reviewable at `at_ms`.

    What it does carries the next millisecond, so that a rejection of its own is not taken for an earlier one when the
    round goes on.
    """

    at_ms: int
    considered: dict[str, Assignment]
    agreement: Agreement

    @property
    def acts_at_ms(self) -> int:
        return self.at_ms + 1


def review_assignment(
    hit: Hit, assignment: Assignment, policy: KnownAnswersPolicy, at_ms: int, can_pay: bool
) -> Change:
    """Apply ScoreMyKnownAnswers to an assignment that was submitted. `can_pay`: for one more assignment."""
    assignment_id = assignment.assignment_id
    known = score_known_answers(read_values(assignment.answer_xml or ""), policy.key)
    results = [
        Result(ASSIGNMENT, assignment_id, "KnownAnswerCorrect", str(int(correct)), question)
        for question, correct in known.correct.items()
    ]
    results.append(Result(ASSIGNMENT, assignment_id, "KnownAnswerScore", str(known.score)))
    count = f"{sum(known.correct.values())} of {len(known.correct)}"
    actions = [Action("review", ASSIGNMENT, assignment_id, f"{count} known answers are correct.")]
    scored = replace(assignment, known_answer_score=known.score)
    change = lifecycle.note(hit, assignment, scored, at_ms)
    change, judged = _judge(change, scored, known.score, policy.judging, at_ms)
    change, extended = _extend(change, known.score, policy.extending, at_ms, can_pay)
    review = Review(ASSIGNMENT, assignment_id, at_ms, tuple(results), (*actions, *judged, *extended))
    return replace(change, reviews=(review,))


def review_hit(hit: Hit, assignments: Iterable[Assignment], policies: ReviewPolicies, can_pay: bool) -> Change:
    """The next part of a round: SimplePlurality for some of the assignments, and after all of them for the HIT.

    With the last part the HIT's requester is told that it is reviewable, unless there are assignments to take again.
    """
    at_ms = hit.reviewable_at_ms or 0
    seen = [each for each in assignments if each.status in SEEN_BY_REQUESTERS and (each.submitted_at_ms or 0) <= at_ms]
    begun = _begin_round(seen, policies.hit, at_ms) if policies.hit else None
    if begun is None or policies.hit is None or not begun.considered:
        return _end_round(lifecycle.note_round(hit, at_ms), at_ms)
    waiting = [each for each in begun.considered.values() if each.agreement_round_ms != at_ms]
    if not waiting:
        return _conclude(hit, begun, policies.hit, can_pay)
    first, *others = waiting[:CHANGES_AT_ONCE]
    change = _review_worker(hit, first, begun, policies.hit)
    for assignment in others:
        change = then(change, _review_worker(change.after, assignment, begun, policies.hit))
    return change


def _begin_round(seen: list[Assignment], policy: PluralityPolicy, at_ms: int) -> _Round:
    considered = {each.assignment_id: each for each in seen if not _is_disregarded(each, policy, at_ms)}
    answers = [read_values(each.answer_xml or "") for each in considered.values()]
    return _Round(at_ms, considered, find_agreement(answers, policy.question_ids, policy.threshold))


def _is_disregarded(assignment: Assignment, policy: PluralityPolicy, at_ms: int) -> bool:
    rejected = assignment.rejected_at_ms is not None and assignment.rejected_at_ms <= at_ms
    overridden = rejected and assignment.approved_at_ms is not None and assignment.approved_at_ms <= at_ms
    if policy.disregard_rejected and rejected and not overridden:
        return True
    score = assignment.known_answer_score
    return policy.disregard_below is not None and score is not None and score < policy.disregard_below


def _review_worker(hit: Hit, assignment: Assignment, begun: _Round, policy: PluralityPolicy) -> Change:
    assignment_id, at_ms = assignment.assignment_id, begun.acts_at_ms
    agreement = begun.agreement.of_worker(read_values(assignment.answer_xml or ""))
    results = [
        Result(ASSIGNMENT, assignment_id, "PluralityAnswersCorrect", str(agreement.agreed)),
        Result(ASSIGNMENT, assignment_id, "PluralityAnswersIncorrect", str(agreement.disagreed)),
    ]
    noted = replace(assignment, agreement_round_ms=begun.at_ms)
    change = lifecycle.note(hit, assignment, noted, at_ms)
    count = f"{agreement.agreed} of {agreement.agreed + agreement.disagreed}"
    actions = [Action("review", ASSIGNMENT, assignment_id, f"{count} answers are the agreed ones.")]
    if agreement.score is not None:
        results.append(Result(ASSIGNMENT, assignment_id, "WorkerAgreementScore", str(agreement.score)))
        change, judged = _judge(change, noted, agreement.score, policy.judging, at_ms)
        actions += judged
    return replace(change, reviews=(Review(HIT, assignment_id, begun.at_ms, tuple(results), tuple(actions)),))


def _conclude(hit: Hit, begun: _Round, policy: PluralityPolicy, can_pay: bool) -> Change:
    results = []
    for question, agreed in begun.agreement.answers.items():
        found = [("AgreedAnswerFound", "true" if agreed else "false")]
        if agreed:
            found.append(("AgreedAnswer", "|".join(sorted(agreed.values))))
            found.append(("AnswerAgreementScore", str(agreed.score)))
        results += [Result(HIT, hit.hit_id, key, value, question) for key, value in found]
    score = begun.agreement.score
    results.append(Result(HIT, hit.hit_id, "HitAgreementScore", str(score)))
    questions = len(begun.agreement.answers)
    agreed_on = sum(answer is not None for answer in begun.agreement.answers.values())
    actions = [Action("review", HIT, hit.hit_id, f"{agreed_on} of {questions} questions have an agreed answer.")]
    change = lifecycle.note_round(hit, begun.at_ms)
    change, extended = _extend(change, score, policy.extending, begun.acts_at_ms, can_pay)
    review = Review(HIT, hit.hit_id, begun.at_ms, tuple(results), (*actions, *extended))
    return _end_round(replace(change, reviews=(review,)), begun.acts_at_ms)


def _end_round(change: Change, at_ms: int) -> Change:
    if change.after.status is not HitStatus.REVIEWABLE:
        return change
    return replace(change, events=(*change.events, Event(EventType.HIT_REVIEWABLE, at_ms)))


def _judge(
    change: Change, assignment: Assignment, score: int, judging: Judging, at_ms: int
) -> tuple[Change, list[Action]]:
    """Approve or reject by score; what is done already is done, and nothing is taken back."""
    actions = []
    assignment_id, status = assignment.assignment_id, assignment.status
    if judging.approve_from is not None and score >= judging.approve_from:
        if status is AssignmentStatus.SUBMITTED:
            change = then(change, lifecycle.approve(change.after, assignment, judging.approve_reason, at_ms))
        actions.append(
            _judged("approve", assignment_id, "Approved", "Already approved", status, AssignmentStatus.APPROVED)
        )
        status = AssignmentStatus.APPROVED if status is AssignmentStatus.SUBMITTED else status
        assignment = replace(assignment, status=status)
    if judging.reject_below is not None and score < judging.reject_below:
        if status is AssignmentStatus.SUBMITTED:
            change = then(change, lifecycle.reject(change.after, assignment, judging.reject_reason, at_ms))
        actions.append(
            _judged("reject", assignment_id, "Rejected", "Already rejected", status, AssignmentStatus.REJECTED)
        )
    return change, actions


def _judged(
    name: str, assignment_id: str, done: str, done_before: str, status: AssignmentStatus, wanted: AssignmentStatus
) -> Action:
    if status is AssignmentStatus.SUBMITTED:
        return Action(name, ASSIGNMENT, assignment_id, done)
    if status is wanted:
        return Action(name, ASSIGNMENT, assignment_id, done_before)
    return Action(name, ASSIGNMENT, assignment_id, f"The assignment is {status.value} already.", INVALID_STATE)


def _extend(
    change: Change, score: int, extending: Extending | None, at_ms: int, can_pay: bool
) -> tuple[Change, list[Action]]:
    """One more assignment if the score is too low, and time to do it."""
    if extending is None or score >= extending.below:
        return change, []
    hit = change.after
    if hit.max_assignments >= extending.max_assignments:
        return change, [Action("extend", HIT, hit.hit_id, f"The HIT has {hit.max_assignments} assignments already.")]
    if hit.max_assignments + 1 == FEE_SURCHARGE_FROM_ASSIGNMENTS:
        why = f"A HIT with fewer than {FEE_SURCHARGE_FROM_ASSIGNMENTS} assignments never gets as many."
        return change, [Action("extend", HIT, hit.hit_id, why, INVALID_INCREASE)]
    if not can_pay:
        why = "The funds do not cover one more assignment."
        return change, [Action("extend", HIT, hit.hit_id, why, INSUFFICIENT_FUNDS)]
    change = then(change, lifecycle.extend(hit, 1, at_ms))
    open_until_ms = at_ms + extending.minimum_time_s * MS_PER_S
    if extending.minimum_time_s and open_until_ms > hit.expires_at_ms:
        longer = lifecycle.change_expiration(change.after, open_until_ms, at_ms)
        change = then(change, replace(longer, events=()))  # it is told once that the HIT is extended
    return change, [Action("extend", HIT, hit.hit_id, f"The HIT has {change.after.max_assignments} assignments now.")]
