"""Links that somebody asked for at the worker site, by SQS: send them by e-mail, if there is reason to."""

import logging
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from crowdsight.wiring import wire

wiring = wire()
processor = BatchProcessor(
    event_type=EventType.SQS, raise_on_entire_batch_failure=False, logger=logging.getLogger(__name__)
)


def send_link(record: SQSRecord) -> None:
    """`record` is the name by which Powertools passes it."""
    wiring.mailer.send(record.body)


def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=send_link, processor=processor, context=context)
