"""The real workplace over a DynamoDB in memory, with a requester who offers HITs."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table
from crowdsight.workplace import records
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.hits import HitType
from crowdsight.workplace.limits import Limits, Rates
from crowdsight.workplace.operator import Operator
from crowdsight.workplace.people import People
from crowdsight.workplace.questions import EXTERNAL_NAMESPACE, HTML_NAMESPACE, QuestionKind, read_question
from crowdsight.workplace.requirements import normal_requirements
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.site import WorkerSite
from crowdsight.workplace.workers import Worker
from crowdsight.workplace.workplace import Workplace
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.senders import UNHEARD

REQUESTER = "A1REQUESTER000"


class WorkplaceInMemory(Workplace):
    """Its ids count up, so that what happens at the same moment is in the order in which it was done."""

    def __init__(self, clock: Clock) -> None:
        dynamodb = MemoryDynamoDB()
        dynamodb.create_table("workplace")
        self.table = Table(dynamodb, "workplace")
        numbers = count()
        super().__init__(self.table, clock, lambda: f"3{next(numbers):029}", 20, UNHEARD)
        unused: Any = None
        Operator(self.table, clock, unused, unused).fund_requester(REQUESTER, 100_000_000, "first")

    def offer(
        self,
        content: str = "<p>Is there a dog?</p>",
        *,
        kind: QuestionKind = QuestionKind.HTML,
        frame_height_px: int = 0,
        title: str = "Is there a dog?",
        description: str = "Look at one picture and say whether there is a dog in it.",
        reward_cents: int = 2,
        max_assignments: int = 3,
        assignment_duration_s: int = 600,
        lifetime_s: int = 86_400,
        annotation: str = "",
        requirements: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """Offer a HIT; its id. `content`: a page, for EXTERNAL its address, for FORM the form's XML."""
        hit_type = self.requesters.create_hit_type(
            HitType(
                "",
                REQUESTER,
                title,
                description,
                "",
                reward_cents,
                assignment_duration_s,
                30 * 86_400,
                normal_requirements(requirements),
            )  # fmt: skip
        )
        question = read_question(_question_xml(kind, content, frame_height_px))
        offered = self.requesters.create_hit(
            hit_type, question, lifetime_s=lifetime_s, max_assignments=max_assignments, annotation=annotation
        )
        return offered.hit.hit_id

    def group_address(self, hit_id: str) -> str:
        """Where the site shows the HIT's group."""
        return f"/groups/{self.get_hit(hit_id).hit_group_id}"

    def done_address(self, assignment_id: str) -> str:
        """Where the site says that the assignment is submitted."""
        return f"/done/{records.assignment_start(self.get_assignment(assignment_id)).replace('#', '-')}"

    def workers(self) -> list[Worker]:
        """Everyone who is registered."""
        return [self.get_worker(item["sk"]) for item in self.table.query_all("workers")]

    def assignments(self, hit_id: str) -> list[Assignment]:
        """All assignments of a HIT that there ever were, in order of acceptance, as last written."""
        items = self.table.query_all(records.hit_pk(hit_id), records.ASSIGNMENTS)
        return [records.assignment_from_item(item) for item in items]


def site_of(
    workplace: Workplace, table: Table, sessions: Sessions, clock: Clock, rates: Rates | None = None
) -> WorkerSite:
    """The worker site of a workplace over a table."""
    people = People(table, workplace, sessions, clock)
    return WorkerSite(workplace, people, Limits(table, clock, rates or Rates()), clock)


def _question_xml(kind: QuestionKind, content: str, frame_height_px: int) -> str:
    if kind is QuestionKind.FORM:
        return content
    height = f"<FrameHeight>{frame_height_px}</FrameHeight>"
    if kind is QuestionKind.EXTERNAL:
        url = f"<ExternalURL>{escape(content)}</ExternalURL>"
        return f'<ExternalQuestion xmlns="{EXTERNAL_NAMESPACE}">{url}{height}</ExternalQuestion>'
    html = f"<HTMLContent>{escape(content)}</HTMLContent>"
    return f'<HTMLQuestion xmlns="{HTML_NAMESPACE}">{html}{height}</HTMLQuestion>'
