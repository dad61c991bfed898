"""Messages: what requesters and the workplace write to a Worker, and what Workers write to a requester.

MTurk sent them by e-mail; here they are read on the worker site and the requester's page. None is ever changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Step, Table, TransactionFailed
from crowdsight.workplace import records
from crowdsight.workplace.faults import MessageRefused

MAX_SUBJECT_LENGTH = 200
MAX_TEXT_LENGTH = 4_096
"""In characters, as NotifyWorkers has them."""


@dataclass(frozen=True)
class Message:
    """One message between a Worker and a requester; who received it has it. `hit_id`: what it is about, if a HIT."""

    message_id: str
    worker_id: str
    requester_id: str
    subject: str
    text: str
    sent_at_ms: int
    hit_id: str | None = None

    @property
    def start(self) -> str:
        """Where a list of messages goes on after this one."""
        return records.time_key(self.sent_at_ms, self.message_id)


@dataclass(frozen=True)
class MessagePage:
    """Some messages, newest first, and where to go on (None at the end)."""

    messages: list[Message]
    next_start: str | None


class Messages:
    """Everybody's messages over the workplace's table. Nobody here checks who may write to whom."""

    def __init__(self, table: Table, clock: Clock, new_id: Callable[[], str]) -> None:
        self._table = table
        self._clock = clock
        self._new_id = new_id

    def send_to_worker(
        self, worker_id: str, requester_id: str, subject: str, text: str, key: str | None = None
    ) -> None:
        """Write to a Worker; with a `key`, once however often it is sent. Nothing is checked but the key."""
        message = Message(self._new_id(), worker_id, requester_id, subject, text, self._clock())
        try:
            self._table.transact(list(self.steps_to_worker(message, key)))
        except TransactionFailed:
            return  # sent under this key before

    def steps_to_worker(self, message: Message, key: str | None = None) -> Iterator[Step]:
        """The writes of a message to a Worker, for going with what it tells of; with a `key` used before they fail."""
        yield self._table.put_step("message", _to_item(records.worker_pk(message.worker_id), message))
        if key is not None:
            item = {"pk": records.worker_pk(message.worker_id), "sk": records.message_key_sk(key)}
            yield self._table.put_step("message_key", item, "attribute_not_exists(pk)")
        pk = records.worker_pk(message.worker_id)
        yield self._table.update_step("inbox", pk, records.INBOX, "ADD unread :one", None, {"one": 1})

    def note_read(self, worker_id: str) -> None:
        """The Worker has seen what there was."""
        self._table.update(records.worker_pk(worker_id), records.INBOX, "SET unread = :none", None, {"none": 0})

    def list_for_worker(self, worker_id: str, limit: int = 20, start: str | None = None) -> MessagePage:
        """What a Worker was written, newest first. A `start` that is no `next_start` gives the first page."""
        return self._list(records.worker_pk(worker_id), limit, start)

    def send_to_requester(self, requester_id: str, worker_id: str, hit_id: str | None, subject: str, text: str) -> None:
        """Write to a requester, who must be one that there is: a subject of 1 to 200 characters that are not all
        blank, a text of 1 to 4,096. Raises MessageRefused."""
        subject, text = subject.strip(), text.strip()
        for what, value, most in (("subject", subject, MAX_SUBJECT_LENGTH), ("message", text, MAX_TEXT_LENGTH)):
            if not 1 <= len(value) <= most:
                raise MessageRefused(f"A {what} has 1 to {most} characters.")
        message = Message(self._new_id(), worker_id, requester_id, subject, text, self._clock(), hit_id)
        self._table.put(_to_item(records.requester_pk(requester_id), message))

    def list_for_requester(self, requester_id: str, limit: int = 20, start: str | None = None) -> MessagePage:
        """What Workers wrote to a requester, newest first. A `start` that is no `next_start` gives the first page."""
        return self._list(records.requester_pk(requester_id), limit, start)

    def find_for_requester(self, requester_id: str, start: str) -> Message | None:
        """What a Worker wrote to this requester, by the message's `start`; None if nobody did."""
        if not records.is_start(start):
            return None
        item = self._table.get(records.requester_pk(requester_id), f"{records.MESSAGES}{start}")
        return _from_item(item) if item else None

    def _list(self, pk: str, limit: int, start: str | None) -> MessagePage:
        key = {"pk": pk, "sk": f"{records.MESSAGES}{start}"} if records.is_start(start) else None
        page = self._table.query(pk, records.MESSAGES, limit=limit, newest_first=True, start_key=key)
        next_start = page.next_key["sk"].removeprefix(records.MESSAGES) if page.next_key else None
        return MessagePage([_from_item(item) for item in page.items], next_start)


def _to_item(pk: str, message: Message) -> Item:
    values = {name: value for name, value in asdict(message).items() if value is not None}
    return values | {"pk": pk, "sk": records.message_sk(message.sent_at_ms, message.message_id)}


def _from_item(item: Item) -> Message:
    return Message(**{name: value for name, value in item.items() if name not in ("pk", "sk")})
