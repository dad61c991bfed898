import asyncio
import random

import httpx
import pytest

from local.workers.behaviour import Question
from local.workers.browser import SiteGone
from local.workers.mischief import ALL, Mischief
from local.workers.truth import PHOTOGRAPHS
from local.workers.worker import NotInvited, Worker
from tests.unit.workers.conftest import MakeWorker
from tests.unit.workers.site_in_memory import SITE_URL, SiteInMemory

CAT = {"image": {"url": "http://127.0.0.1:9000/cat.jpg"}, "target": {"label": "cat"}}
DAHLIAS = {
    "image1": {"url": "http://127.0.0.1:9000/dahlia.jpg"},
    "image2": {"url": "http://127.0.0.1:9000/dahlia-crop.jpg"},
}


def serve_photographs(path: str) -> httpx.Response:
    file = PHOTOGRAPHS / path.strip("/")
    return httpx.Response(200, content=file.read_bytes()) if file.is_file() else httpx.Response(404)


async def sign_in_and_do(worker: Worker, count: int = 1) -> list[bool]:
    page = await worker.sign_in()
    did = []
    for _ in range(count):
        did.append(await worker.do_one(page))
        page = await worker.browser.open(SITE_URL + "/")
    return did


@pytest.mark.parametrize(
    ("function", "task_input", "answer"),
    [("image-contains", CAT, "yes"), ("image-similarity", DAHLIAS, "3")],
)
def test_a_worker_signs_in_accepts_looks_and_answers_by_the_sites_own_forms(
    site: SiteInMemory, make_worker: MakeWorker, function: str, task_input: dict[str, object], answer: str
) -> None:
    site.picture = serve_photographs
    hit_id = site.ask(function, task_input)
    assert asyncio.run(sign_in_and_do(make_worker(), 2)) == [True, False]
    assert site.statuses(hit_id) == ["Submitted"]
    [xml] = site.submitted(hit_id)
    assert f"<QuestionIdentifier>answer</QuestionIdentifier><FreeText>{answer}</FreeText>" in str(xml)
    assert [worker.name for worker in site.workplace.workers()] == ["Ada"]
    assert max(site.answers) < 400


def test_a_picture_that_does_not_load_is_answered_so(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_id = site.ask("image-contains", CAT)  # nothing serves pictures here
    asyncio.run(sign_in_and_do(make_worker()))
    assert "<FreeText>unavailable</FreeText>" in str(site.submitted(hit_id))


def test_a_label_that_looks_like_markup_is_read_as_the_text_it_is(site: SiteInMemory, make_worker: MakeWorker) -> None:
    task_input = {"image": {"url": "https://www.example.com/a.jpg?a=1&b='2'"}, "target": {"label": '"><script>x(1)'}}
    hit_id = site.ask("image-contains", task_input)
    worker = make_worker()

    async def look() -> Question:
        page = await worker.accept_one(await worker.sign_in())
        assert page is not None
        work = await worker.open_question(page)
        assert work is not None
        return work.question

    question = asyncio.run(look())
    assert question.label == task_input["target"]["label"]
    assert question.image_urls == (task_input["image"]["url"],)
    assert site.statuses(hit_id) == ["Accepted"]


def test_a_hit_accepted_before_is_gone_on_with(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_id = site.ask("image-contains", CAT, max_assignments=1)
    worker = make_worker()

    async def accept_and_come_back() -> None:
        await worker.accept_one(await worker.sign_in())
        await worker.do_one(await worker.browser.open(SITE_URL + "/"))

    asyncio.run(accept_and_come_back())
    assert site.statuses(hit_id) == ["Submitted"]


def test_a_worker_who_came_too_late_goes_on_without_it(site: SiteInMemory, make_worker: MakeWorker) -> None:
    site.ask("image-contains", CAT, max_assignments=1)
    slow, quick = make_worker(name="Ben"), make_worker(name="Ada")

    async def race() -> list[bool]:
        page = await slow.sign_in()
        await quick.do_one(await quick.sign_in())
        return [await slow.do_one(page)]

    assert asyncio.run(race()) == [False]


def test_hits_on_later_pages_of_the_list_are_found(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_ids = [site.ask("image-contains", CAT) for _ in range(23)]
    assert asyncio.run(sign_in_and_do(make_worker(), 24)) == [True] * 23 + [False]
    assert all(site.statuses(hit_id) == ["Submitted"] for hit_id in hit_ids)


def test_an_absent_worker_returns_the_hit_or_walks_away_from_it(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_ids = [site.ask("image-contains", CAT) for _ in range(12)]
    asyncio.run(sign_in_and_do(make_worker("absent"), 12))
    assert {status for hit_id in hit_ids for status in site.statuses(hit_id)} == {"Accepted", "Returned"}


def test_a_slow_worker_takes_long_and_still_answers_in_time(
    site: SiteInMemory, make_worker: MakeWorker, waits_s: list[float]
) -> None:
    hit_ids = [site.ask("image-contains", CAT, assignment_duration_s=30) for _ in range(15)]
    asyncio.run(sign_in_and_do(make_worker("slow"), 15))
    assert all(site.statuses(hit_id) == ["Submitted"] for hit_id in hit_ids)
    assert min(waits_s) >= 20
    assert max(waits_s) == 24.0


def test_somebody_elses_form_is_filled_in_somehow(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_id = site.workplace.offer(
        """<form action="https://www.mturk.com/mturk/externalSubmit"><input type="hidden" name="assignmentId">
        <select name="mood"><option value="good">Good</select><textarea name="why"></textarea></form>"""
    )
    asyncio.run(sign_in_and_do(make_worker("careful")))
    [xml] = site.submitted(hit_id)
    assert "<FreeText>good</FreeText>" in str(xml)
    assert "<QuestionIdentifier>why</QuestionIdentifier>" in str(xml)


def test_a_question_without_a_form_is_returned(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_id = site.workplace.offer("<p>Nothing to press.</p>")
    asyncio.run(sign_in_and_do(make_worker()))
    assert site.statuses(hit_id) == ["Returned"]


def test_a_page_that_does_not_come_is_loaded_again(site: SiteInMemory, make_worker: MakeWorker) -> None:
    hit_id = site.ask("image-contains", CAT)
    seen: list[str] = []

    def fail_at_first(request: httpx.Request) -> httpx.Response | None:
        seen.append(str(request.url))
        if seen.count(str(request.url)) == 1:
            if request.method == "GET":
                raise httpx.ConnectError("refused")
            return httpx.Response(503)
        return None

    site.broken = fail_at_first
    asyncio.run(sign_in_and_do(make_worker()))
    assert site.statuses(hit_id) == ["Submitted"]


def test_a_site_that_is_gone_is_given_up(site: SiteInMemory, make_worker: MakeWorker) -> None:
    site.broken = lambda request: httpx.Response(502)
    with pytest.raises(SiteGone, match="HTTP 502"):
        asyncio.run(make_worker(patience_s=0).work())


def test_an_invitation_that_is_not_accepted_is_said_so(site: SiteInMemory, make_worker: MakeWorker) -> None:
    site.broken = lambda request: httpx.Response(404, text="<h1>No such invitation</h1>")
    with pytest.raises(NotInvited, match="No such invitation"):
        asyncio.run(make_worker().work())


@pytest.mark.parametrize("mischief", ALL.values(), ids=ALL.keys())
def test_no_mischief_breaks_the_site_or_leaves_the_hit_in_hand(
    site: SiteInMemory, make_worker: MakeWorker, mischief: object
) -> None:
    hit_id = site.ask("image-contains", CAT)
    worker = make_worker("hostile")

    async def work_it() -> None:
        page = await worker.accept_one(await worker.sign_in())
        assert page is not None
        work = await worker.open_question(page)
        assert work is not None
        await mischief(Mischief(worker.browser, work, random.Random(3)))  # type: ignore[operator]

    asyncio.run(work_it())
    assert [status for status in site.answers if status >= 500] == []
    assert site.statuses(hit_id) in (["Submitted"], ["Returned"])
