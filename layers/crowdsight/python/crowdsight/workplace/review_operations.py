"""The operation of MTurk's Requester API that tells of review policies at work."""

from collections.abc import Callable, Iterable, Mapping

from crowdsight.workplace.calls import Answer, Call, wire_time
from crowdsight.workplace.review_reports import Detail
from crowdsight.workplace.reviews import Action, Result, ReviewLevel

DEFAULT_DETAILS = 100
"""In one page: as many as there may be, for MTurk's programs are used to 400."""


def list_review_policy_results_for_hit(call: Call) -> Answer:
    """ListReviewPolicyResultsForHIT: what a HIT's review policies found, and what they did, oldest first."""
    given = call.given
    levels = [ReviewLevel(level) for level in given.get("PolicyLevels", ())] or list(ReviewLevel)
    wants_results, wants_actions = given.get("RetrieveResults", True), given.get("RetrieveActions", True)
    kinds = (*((Result,) if wants_results else ()), *((Action,) if wants_actions else ()))
    listing = f"reviews {given['HITId']} {sorted(levels)} {wants_results} {wants_actions}"
    page = call.requesters.review_reports.page(
        call.requester_id,
        given["HITId"],
        levels,
        kinds,
        int(given.get("MaxResults", DEFAULT_DETAILS)),
        call.next_tokens.take(listing, given.get("NextToken")),
    )
    answer: Answer = {"HITId": page.hit.hit_id, "NextToken": call.next_tokens.give(listing, page.next_start)}
    policies = {ReviewLevel.ASSIGNMENT: page.hit.assignment_policy, ReviewLevel.HIT: page.hit.hit_policy}
    for level, policy in policies.items():
        if policy is not None and level in levels:
            answer[f"{level}ReviewPolicy"] = {"PolicyName": policy}
            answer[f"{level}ReviewReport"] = _report(detail for detail in page.details if detail.level is level)
    return answer


REVIEW_OPERATIONS: Mapping[str, Callable[[Call], Answer]] = {
    "ListReviewPolicyResultsForHIT": list_review_policy_results_for_hit,
}
"""That operation, by MTurk's name."""


def _report(details: Iterable[Detail]) -> Answer:
    results, actions = [], []
    for detail in details:
        if isinstance(detail.what, Result):
            results.append(_result(detail.action_id, detail.what))
        else:
            actions.append(_action(detail, detail.what))
    return {"ReviewResults": results, "ReviewActions": actions}


def _result(action_id: str, result: Result) -> Answer:
    return {
        "ActionId": action_id,
        "SubjectId": result.subject_id,
        "SubjectType": result.subject_type.value,
        "QuestionId": result.question_id,
        "Key": result.key,
        "Value": result.value,
    }


def _action(detail: Detail, action: Action) -> Answer:
    return {
        "ActionId": detail.action_id,
        "ActionName": action.name,
        "TargetId": action.target_id,
        "TargetType": action.target_type.value,
        "Status": action.status.value,
        "CompleteTime": wire_time(detail.completed_at_ms),
        "Result": action.result,
        "ErrorCode": action.error_code,
    }
