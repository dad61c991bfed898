"""Messages between Workers and requesters: in order, once for each key, and nobody sees another's."""

import pytest

from crowdsight.dynamodb import Table
from crowdsight.workplace.faults import MessageRefused
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.messages import Messages
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import INDEXES


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def messages(clock: StoppedClock) -> Messages:
    table: Table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    return Messages(table, clock, new_id)


def test_a_worker_reads_what_was_written_newest_first_and_page_after_page(
    messages: Messages, clock: StoppedClock
) -> None:
    for number in range(5):
        messages.send_to_worker("AW1", "A1FIRST", f"Subject {number}", "text")
        clock.move(1)
    messages.send_to_worker("AW2", "A1FIRST", "for another", "text")
    first = messages.list_for_worker("AW1", limit=3)
    rest = messages.list_for_worker("AW1", limit=3, start=first.next_start)
    subjects = [message.subject for message in first.messages + rest.messages]
    assert subjects == [f"Subject {number}" for number in (4, 3, 2, 1, 0)]
    assert first.messages[0].requester_id == "A1FIRST"
    assert rest.next_start is None


@pytest.mark.parametrize("start", ["", "x", "messagekey#a", "000000000000001#A#B"])
def test_a_start_that_was_not_given_gives_the_first_page(messages: Messages, start: str) -> None:
    messages.send_to_worker("AW1", "A1FIRST", "Hello", "text")
    assert [message.subject for message in messages.list_for_worker("AW1", start=start).messages] == ["Hello"]


def test_a_message_of_one_key_is_sent_once_to_each_worker(messages: Messages, clock: StoppedClock) -> None:
    for worker_id in ("AW1", "AW1", "AW2"):
        messages.send_to_worker(worker_id, "A1FIRST", "Hello", "text", key="grant#1")
        clock.move(1)
    assert len(messages.list_for_worker("AW1").messages) == len(messages.list_for_worker("AW2").messages) == 1


def test_a_requester_reads_what_workers_wrote(messages: Messages) -> None:
    messages.send_to_requester("A1FIRST", "AW1", "3HIT", " A question ", "Is the\nlabel right?")
    messages.send_to_requester("A1SECOND", "AW1", None, "Other", "text")
    (message,) = messages.list_for_requester("A1FIRST").messages
    assert (message.worker_id, message.hit_id, message.subject) == ("AW1", "3HIT", "A question")
    assert message.text == "Is the\nlabel right?"
    assert messages.list_for_worker("AW1").messages == []


@pytest.mark.parametrize(("subject", "text"), [(" \n", "text"), ("s" * 201, "text"), ("s", " "), ("s", "t" * 4_097)])
def test_a_message_that_is_empty_or_too_long_is_refused(messages: Messages, subject: str, text: str) -> None:
    with pytest.raises(MessageRefused):
        messages.send_to_requester("A1FIRST", "AW1", None, subject, text)
    assert messages.list_for_requester("A1FIRST").messages == []
