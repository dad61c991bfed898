"""Bonuses: what a requester pays a Worker for an assignment besides its reward."""

from dataclasses import asdict, dataclass

from crowdsight.dynamodb import Item, Step, TransactionFailed
from crowdsight.money import fee_cents, shown_dollars
from crowdsight.workplace import records
from crowdsight.workplace.assignments import SEEN_BY_REQUESTERS
from crowdsight.workplace.faults import InsufficientFunds, RequestError, wrong_assignment_status
from crowdsight.workplace.ledger import Earning, LedgerEntry
from crowdsight.workplace.messages import MAX_SUBJECT_LENGTH, Message, Messages
from crowdsight.workplace.ownership import Ownership
from crowdsight.workplace.store import Store
from crowdsight.workplace.tokens import UniqueRequestTokens


@dataclass(frozen=True)
class Bonus:
    """One bonus; `cents` is what the Worker got, `reason` what they were told."""

    bonus_id: str
    requester_id: str
    worker_id: str
    hit_id: str
    assignment_id: str
    title: str
    cents: int
    reason: str
    granted_at_ms: int


@dataclass(frozen=True)
class BonusPage:
    """Some bonuses, and where to go on (None at the end)."""

    bonuses: list[Bonus]
    next_start: str | None


class Bonuses:
    """Sends and lists bonuses; each moves its money, its fee's too, in one transaction with all that tells of it."""

    def __init__(self, store: Store, fee_percent: int, tokens: UniqueRequestTokens, messages: Messages) -> None:
        self._store = store
        self._table = store.table
        self._own = Ownership(store)
        self._fee_percent = fee_percent
        self._tokens = tokens
        self._messages = messages

    def send(
        self, requester_id: str, worker_id: str, assignment_id: str, cents: int, reason: str, token: str | None = None
    ) -> Bonus:
        """Pay a Worker for an assignment that they handed in, judged or not.

        Raises RequestError AssignmentDoesNotExist, InvalidAssignmentState, InvalidParameterValue when it is another
        Worker's, DuplicateRequest for a token used within 24 hours, InsufficientFunds.
        """
        assignment = self._own.assignment(requester_id, assignment_id)
        if assignment.worker_id != worker_id:
            raise RequestError("InvalidParameterValue", f"Assignment {assignment_id} is not Worker {worker_id}'s.")
        if assignment.status not in SEEN_BY_REQUESTERS:
            raise wrong_assignment_status(SEEN_BY_REQUESTERS)
        bonus = Bonus(
            bonus_id=self._store.new_id(),
            requester_id=requester_id,
            worker_id=worker_id,
            hit_id=assignment.hit_id,
            assignment_id=assignment_id,
            title=assignment.title,
            cents=cents,
            reason=reason,
            granted_at_ms=self._store.clock(),
        )
        steps = self._steps(bonus)
        if token is not None:
            self._tokens.refuse_repeated_bonus(requester_id, token)
            steps.append(self._tokens.bonus(requester_id, token, bonus.bonus_id))
        try:
            self._table.transact(steps)
        except TransactionFailed as error:
            if token is not None:
                self._tokens.refuse_repeated_bonus(requester_id, token)
            if "account" in error.failed:
                raise InsufficientFunds() from error
            raise
        return bonus

    def list_for_hit(self, requester_id: str, hit_id: str, limit: int, start: str | None = None) -> BonusPage:
        """The bonuses for a HIT's assignments, one assignment after the other. Raises RequestError HITDoesNotExist."""
        self._own.hit(requester_id, hit_id)
        return self._list(hit_id, records.BONUSES, limit, start)

    def list_for_assignment(
        self, requester_id: str, assignment_id: str, limit: int, start: str | None = None
    ) -> BonusPage:
        """The bonuses for an assignment, oldest first. Raises RequestError AssignmentDoesNotExist."""
        assignment = self._own.assignment(requester_id, assignment_id)
        return self._list(assignment.hit_id, f"{records.BONUSES}{assignment_id}#", limit, start)

    def _list(self, hit_id: str, prefix: str, limit: int, start: str | None) -> BonusPage:
        pk = records.hit_pk(hit_id)
        key = {"pk": pk, "sk": f"{records.BONUSES}{start}"} if start else None
        page = self._table.query(pk, prefix, limit=limit, start_key=key)
        next_start = page.next_key["sk"].removeprefix(records.BONUSES) if page.next_key else None
        return BonusPage([_from_item(item) for item in page.items], next_start)

    def _steps(self, bonus: Bonus) -> list[Step]:
        table = self._table
        fee = fee_cents(bonus.cents, self._fee_percent, max_assignments=1)
        cost = bonus.cents + fee
        entry = LedgerEntry(
            key=f"bonus#{bonus.bonus_id}",
            kind="bonus",
            requester_id=bonus.requester_id,
            at_ms=bonus.granted_at_ms,
            available_cents=-cost,
            spent_cents=cost,
            reward_cents=bonus.cents,
            fee_cents=fee,
            hit_id=bonus.hit_id,
            assignment_id=bonus.assignment_id,
            worker_id=bonus.worker_id,
        )
        earning = Earning(
            worker_id=bonus.worker_id,
            key=entry.key,
            kind=entry.kind,
            at_ms=bonus.granted_at_ms,
            cents=bonus.cents,
            text=bonus.title,
            requester_id=bonus.requester_id,
            hit_id=bonus.hit_id,
            assignment_id=bonus.assignment_id,
        )
        when = (bonus.granted_at_ms, bonus.bonus_id)
        requester, worker = records.requester_pk(bonus.requester_id), records.worker_pk(bonus.worker_id)
        subject = f"A bonus of {shown_dollars(bonus.cents)}: {bonus.title}"[:MAX_SUBJECT_LENGTH]
        message = Message(
            bonus.bonus_id,
            bonus.worker_id,
            bonus.requester_id,
            subject,
            bonus.reason,
            bonus.granted_at_ms,
            bonus.hit_id,
        )
        return [
            table.put_step("ledger", records.entry_to_item(entry), "attribute_not_exists(pk)"),
            *self._store.day_steps(entry),
            table.update_step(
                "account",
                requester,
                "account",
                "ADD available_cents :taken, spent_cents :cost",
                "available_cents >= :cost",
                {"taken": -cost, "cost": cost},
            ),
            table.update_step(
                "worker", worker, "worker", "ADD bonus_cents :cents", "attribute_exists(pk)", {"cents": bonus.cents}
            ),
            table.put_step(
                "bonus",
                _to_item(
                    records.hit_pk(bonus.hit_id),
                    records.bonus_sk(bonus.assignment_id, *when),
                    bonus,
                ),
            ),
            table.put_step("earning", records.earning_to_item(earning), "attribute_not_exists(pk)"),
            *self._messages.steps_to_worker(message),
        ]


def _to_item(pk: str, sk: str, bonus: Bonus) -> Item:
    return asdict(bonus) | {"pk": pk, "sk": sk}


def _from_item(item: Item) -> Bonus:
    return Bonus(**{name: value for name, value in item.items() if name not in ("pk", "sk")})
