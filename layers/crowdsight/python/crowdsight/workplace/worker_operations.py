"""The operations of MTurk's Requester API that are about Workers."""

from collections.abc import Callable, Mapping

from crowdsight.workplace.calls import Answer, Call, page_size, require_text


def create_worker_block(call: Call) -> Answer:
    """CreateWorkerBlock: a Worker gets none of the requester's HITs from now on, and may end what is in hand."""
    reason = require_text(call, "Reason")
    call.requesters.blocks.block(call.requester_id, call.given["WorkerId"], reason)
    return {}


def delete_worker_block(call: Call) -> Answer:
    """DeleteWorkerBlock: a Worker gets the requester's HITs again."""
    call.requesters.blocks.unblock(call.requester_id, call.given["WorkerId"])
    return {}


def list_worker_blocks(call: Call) -> Answer:
    """ListWorkerBlocks: whom the requester blocks, by their ids."""
    start = call.next_tokens.take("blocks", call.given.get("NextToken"))
    page = call.requesters.blocks.list(call.requester_id, page_size(call), start)
    return {
        "NextToken": call.next_tokens.give("blocks", page.next_start),
        "NumResults": len(page.blocks),
        "WorkerBlocks": [{"WorkerId": block.worker_id, "Reason": block.reason} for block in page.blocks],
    }


def notify_workers(call: Call) -> Answer:
    """NotifyWorkers: a message to Workers whose work the requester has judged; whom it did not reach, and why."""
    subject, text = require_text(call, "Subject"), require_text(call, "MessageText")
    failures = call.requesters.notices.notify(call.requester_id, call.given["WorkerIds"], subject, text)
    return {
        "NotifyWorkersFailureStatuses": [
            {
                "NotifyWorkersFailureCode": failure.code.value,
                "NotifyWorkersFailureMessage": failure.message,
                "WorkerId": failure.worker_id,
            }
            for failure in failures
        ]
    }


WORKER_OPERATIONS: Mapping[str, Callable[[Call], Answer]] = {
    "CreateWorkerBlock": create_worker_block,
    "DeleteWorkerBlock": delete_worker_block,
    "ListWorkerBlocks": list_worker_blocks,
    "NotifyWorkers": notify_workers,
}
"""Those operations, by MTurk's names."""
