"""The operations of MTurk's Requester API that are about bonuses."""

from collections.abc import Callable, Mapping

from crowdsight.money import wire_dollars
from crowdsight.workplace.calls import Answer, Call, page_size, read_cents, require_text, wire_time
from crowdsight.workplace.faults import RequestError


def send_bonus(call: Call) -> Answer:
    """SendBonus: pay a Worker for an assignment besides its reward, and tell them why."""
    cents = read_cents(call, "BonusAmount")
    if cents == 0:
        raise RequestError("InvalidParameterValue", "BonusAmount must be at least 0.01.")
    call.requesters.bonuses.send(
        call.requester_id,
        call.given["WorkerId"],
        call.given["AssignmentId"],
        cents,
        require_text(call, "Reason"),
        call.given.get("UniqueRequestToken"),
    )
    return {}


def list_bonus_payments(call: Call) -> Answer:
    """ListBonusPayments: the bonuses for a HIT, or for one assignment."""
    hit_id, assignment_id = call.given.get("HITId"), call.given.get("AssignmentId")
    if (hit_id is None) == (assignment_id is None):
        raise RequestError("InvalidParameterValue", "Either HITId or AssignmentId must be given, and not both.")
    listing = f"bonuses {hit_id} {assignment_id}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    bonuses = call.requesters.bonuses
    if assignment_id is not None:
        page = bonuses.list_for_assignment(call.requester_id, assignment_id, page_size(call), start)
    else:
        page = bonuses.list_for_hit(call.requester_id, str(hit_id), page_size(call), start)
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.bonuses),
        "BonusPayments": [
            {
                "WorkerId": bonus.worker_id,
                "BonusAmount": wire_dollars(bonus.cents),
                "AssignmentId": bonus.assignment_id,
                "Reason": bonus.reason,
                "GrantTime": wire_time(bonus.granted_at_ms),
            }
            for bonus in page.bonuses
        ],
    }


BONUS_OPERATIONS: Mapping[str, Callable[[Call], Answer]] = {
    "ListBonusPayments": list_bonus_payments,
    "SendBonus": send_bonus,
}
"""Those operations, by MTurk's names."""
