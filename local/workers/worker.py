"""One simulated Worker: signs in, looks for HITs, and answers them through the site's own forms."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from local.workers.behaviour import Behaviour, Question
from local.workers.browser import Browser
from local.workers.mischief import work_mischief
from local.workers.pace import Pace
from local.workers.pages import Form, Page
from local.workers.pictures import Pictures, is_loopback
from local.workers.truth import Truth, made_up

LONGEST_SHARE_OF_TIME = 0.8
"""A slow Worker still answers within this share of the time allotted."""

REST_AFTER_LEAVING_S = 90.0
MAX_LIST_PAGES = 5
NO_ASSIGNMENT = "ASSIGNMENT_ID_NOT_AVAILABLE"


class NotInvited(Exception):
    """The site does not let a Worker in by this invitation."""


@dataclass
class Surroundings:
    """What the Workers of one crowd share. `speed`: how many times faster than people they are. `did`: how often each
    kind of act was done. `sleep`: waits for seconds.
    """

    truth: Truth
    pictures: Pictures
    pace: Pace
    speed: float = 1.0
    did: Counter[str] = field(default_factory=Counter)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass
class Work:
    """An accepted HIT with its question open."""

    assignment_id: str
    page: Page
    frame: Page
    form: Form
    question: Question

    def fields(self, answer: str) -> dict[str, str]:
        """What the question's own form would send for this answer."""
        return {"assignmentId": self.assignment_id, "answer": answer}


class Worker:
    """A person at the site. `invitation_url` signs in; `dice` decides everything that is left to chance."""

    def __init__(
        self, invitation_url: str, behaviour: Behaviour, browser: Browser, around: Surroundings, dice: random.Random
    ) -> None:
        self._invitation_url = invitation_url
        self._behaviour = behaviour
        self.browser = browser
        self._around = around
        self._dice = dice
        self._site_url = invitation_url.partition("/join/")[0] + "/"
        self._left: set[str] = set()

    async def work(self) -> None:
        """Look for HITs and answer them until cancelled. Raises SiteGone, NotInvited."""
        async with self.browser:
            hits_page = await self.sign_in()
            while True:
                if await self.do_one(hits_page):
                    self._around.pace.found_work()
                else:
                    await self._around.pace.wait_for_turn()
                hits_page = await self.browser.open(self._site_url)
                if hits_page.form_to("/sign-out") is None:
                    hits_page = await self.sign_in()

    async def sign_in(self) -> Page:
        """Open the invitation, press its button, and see the HITs. Raises NotInvited."""
        page = await self.browser.open(self._invitation_url)
        button = page.form_to(urlsplit(self._invitation_url).path)
        if button is None:
            raise NotInvited(f"{self._invitation_url}: {page.heading or page.status}")
        page = await self.browser.submit(button)
        if page.form_to("/sign-out") is None:
            raise NotInvited(f"{self._invitation_url}: {page.heading or page.status}")
        self._did("signed in")
        return page

    async def do_one(self, hits_page: Page) -> bool:
        """Take one HIT of those on the page, or go on with one taken before, and be done with it; False if none."""
        page = await self._go_on(hits_page) or await self.accept_one(hits_page)
        if page is None:
            return False
        if self._dice.random() < self._behaviour.leaves:
            await self._leave(page)
            return True
        work = await self.open_question(page)
        if work is None:
            await self._give_back(page)
            return True
        if self._behaviour.is_hostile:
            await work_mischief(self.browser, work, self._dice, self._around.did)
            return True
        await self._answer(work)
        return True

    async def _go_on(self, hits_page: Page) -> Page | None:
        for link in hits_page.links_to("/assignments/"):
            if assignment_id_of(link.url) not in self._left:
                page = await self.browser.open(link.url)
                return page if _is_work(page) else None
        return None

    async def accept_one(self, hits_page: Page) -> Page | None:
        """Accept any HIT of those on the page, or of the next pages when there are none; the assignment's page."""
        for _ in range(MAX_LIST_PAGES):
            accepts = [form for form in hits_page.forms if form.action.endswith("/accept")]
            if accepts:
                break
            more = next((link for link in hits_page.links if link.rel == "next"), None)
            if more is None:
                return None
            hits_page = await self.browser.open(more.url)
        else:
            return None
        accept: Form | None = self._dice.choice(accepts)
        if accept is not None and self._behaviour.think_s[1] > 0 and self._dice.random() < 0.5:
            # Half of the time people look at a HIT before they take it.
            preview = await self.browser.open(accept.action.removesuffix("/accept"))
            accept = preview.form_to("/accept")
        if accept is None:
            return None
        page = await self.browser.submit(accept)
        if not _is_work(page):
            self._did("too late to accept")
            return None
        self._did("accepted")
        return page

    async def open_question(self, page: Page) -> Work | None:
        """The question in the page's frame; None where it cannot be opened from here or has no form."""
        here = urlsplit(self._site_url).netloc
        if not page.frames or not (urlsplit(page.frames[0]).netloc == here or is_loopback(page.frames[0])):
            return None
        frame = await self.browser.open(page.frames[0])
        if not frame.forms:
            return None
        form = frame.forms[0]
        question = Question(
            function=frame.facts.get("function", ""),
            image_urls=_image_urls(frame),
            label=frame.facts.get("label", ""),
            offered=tuple(form.choices.get("answer", ())),
        )
        _run_its_script(form, frame.url)
        return Work(assignment_id_of(page.url), page, frame, form, question)

    async def _answer(self, work: Work) -> None:
        if work.question.offered:
            loads = all([await self._around.pictures.load(url) for url in work.question.image_urls])
            answers = {"answer": self._behaviour.answer(work.question, loads, self._around.truth, self._dice)}
        else:
            answers = _answer_anything(work.form, self._dice)
        await self._think(work.page.left_s)
        page = await self.browser.submit(work.form, answers)
        self._did("submitted" if page.status < 400 else "too late to submit")

    async def _think(self, left_s: int | None) -> None:
        think_s = self._dice.uniform(*self._behaviour.think_s) / self._around.speed
        if left_s is not None:
            think_s = min(think_s, left_s * LONGEST_SHARE_OF_TIME)
        if think_s > 0:
            await self._around.sleep(think_s)

    async def _leave(self, page: Page) -> None:
        """Return the HIT, or walk away from it for good; either way, have a rest."""
        await self._think(page.left_s)
        if self._dice.random() < 0.5:
            await self._give_back(page)
        else:
            self._left.add(assignment_id_of(page.url))
            self._did("walked away")
        await self._around.sleep(REST_AFTER_LEAVING_S / self._around.speed)

    async def _give_back(self, page: Page) -> None:
        give_back = page.form_to("/return")
        if give_back is not None:
            await self.browser.submit(give_back)
            self._did("returned")

    def _did(self, what: str) -> None:
        self._around.did[what] += 1


def assignment_id_of(url: str) -> str:
    """The id in the address of an assignment's page."""
    return urlsplit(url).path.rpartition("/assignments/")[2].partition("/")[0]


def _is_work(page: Page) -> bool:
    return page.status == 200 and bool(assignment_id_of(page.url))


def _image_urls(frame: Page) -> tuple[str, ...]:
    named = [frame.facts[name] for name in ("image-url", "image1-url", "image2-url") if name in frame.facts]
    return tuple(named or frame.pictures)


def _run_its_script(form: Form, frame_url: str) -> None:
    """What the script of a question does, ours and MTurk's alike: put the assignment's id and address into the form."""
    query = parse_qs(urlsplit(frame_url).query)
    assignment_id = query.get("assignmentId", [NO_ASSIGNMENT])[0]
    form.fixed = [(name, value) for name, value in form.fixed if name != "assignmentId"]
    form.fixed.insert(0, ("assignmentId", assignment_id))
    submit_to = query.get("turkSubmitTo", [""])[0]
    if submit_to:
        form.action = f"{submit_to.rstrip('/')}/mturk/externalSubmit"
    form.method = "post"


def _answer_anything(form: Form, dice: random.Random) -> dict[str, str]:
    """Any answer to anybody's form: one of each set of choices, a word in each field."""
    answers = {name: values[int(made_up(name, *values) * len(values))] for name, values in form.choices.items()}
    return answers | {name: dice.choice(("one", "two", "three")) for name in form.texts}
