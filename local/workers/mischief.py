"""What a hostile Worker does with an accepted HIT: everything that the site has to withstand.

Each piece of mischief ends with the HIT answered (any button), returned, or the answer refused, so that tasks end.
"""

import asyncio
import random
import string
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from local.workers.browser import Browser
from local.workers.pages import Page

if TYPE_CHECKING:
    from local.workers.worker import Work

HUGE_ANSWER_CHARACTERS = 300_000
SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></FreeText></Answer><Answer><QuestionIdentifier>answer</QuestionIdentifier><FreeText>yes",
    "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'>]><x>&a;&a;</x>",
    "'; DROP TABLE hits; --",
    "{{7*7}}${7*7}",
    "\u202eyes\u0000\ufffe",
)


class Mischief:
    """One hostile Worker at one HIT. Methods not starting with `_` are the pieces of mischief."""

    def __init__(self, browser: Browser, work: "Work", dice: random.Random) -> None:
        self._browser = browser
        self._work = work
        self._dice = dice

    async def press_any_button(self) -> None:
        await self._submit(self._any_answer())

    async def submit_twice(self) -> None:
        """Two different answers at the same moment, and one more after."""
        await asyncio.gather(self._submit(self._any_answer()), self._submit(self._any_answer()))
        await self._submit(self._any_answer())

    async def submit_with_forged_id(self) -> None:
        """An answer to an assignment that is not there, to one that is nearly ours, and to a preview."""
        own = self._work.assignment_id
        forged = "".join(self._dice.choices(string.ascii_uppercase + string.digits, k=len(own)))
        swapped = own[:-1] + ("A" if own[-1] != "A" else "B")
        preview = "ASSIGNMENT_ID_NOT_AVAILABLE"
        for assignment_id in (forged, swapped, preview, "", "../" + own, own + "\x00", "x" * 5000):
            await self._send([("assignmentId", assignment_id), ("answer", self._any_answer())])
        await self._submit(self._any_answer())

    async def submit_after_return(self) -> None:
        await self._return()
        await self._submit(self._any_answer())
        await self._return()

    async def submit_garbage(self) -> None:
        """Fields nobody asked for, none that was, names that are no names; then an answer that was never on offer."""
        own = ("assignmentId", self._work.assignment_id)
        await self._send([*((f"field {n}", "x") for n in range(500)), own])
        await self._send([own, own, ("answer", "yes"), ("answer", "no"), ("\u2028", ""), ("answer", "4")])
        await self._submit(self._dice.choice(("maybe", "5", "-1", "0.5", "NaN", "YES ", "true", "")))

    async def submit_unreadable(self) -> None:
        """Bodies that are not the form they say they are; then a real answer."""
        target = self._work.form.action
        for content_type, content in (
            ("application/x-www-form-urlencoded", b"\xff\xfe%%%=&&&=;assignmentId"),
            ("application/json", b'{"assignmentId": ["' * 2000),
            ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=answer\r\n\r\n"),
            ("text/plain", b""),
        ):
            headers = {"Content-Type": content_type}
            await self._browser.send(target, [], content=content, headers=headers)
        await self._submit(self._any_answer())

    async def submit_huge(self) -> None:
        await self._submit("x" * HUGE_ANSWER_CHARACTERS)
        await self._submit(self._any_answer())

    async def submit_script(self) -> None:
        await self._submit(self._dice.choice(SCRIPTS))

    async def forge_csrf(self) -> None:
        """Return and accept with a wrong token and with none; then answer."""
        page = self._work.page
        for token in ("", "forged", "é" * 100):
            for path in (f"/assignments/{self._work.assignment_id}/return", "/sign-out"):
                await self._browser.send(urljoin(page.url, path), [("csrf", token)] if token else [])
        await self._submit(self._any_answer())

    async def poke_around(self) -> None:
        """Addresses that nobody is linked to, and the wrong verb; then answer."""
        for path in (
            "/hits/none", "/hits/%2e%2e%2fassignments", "/assignments/x", "/frames/x?assignmentId=%00", "/join/forged",
            "/static/../../wiring.py", "/?after=%ff%fe", "/?after=eyJwayI6InNlY3JldCJ9", "/earnings?after=x", "/%00",
            "/mturk/externalSubmit",
        ):  # fmt: skip
            await self._browser.open(urljoin(self._work.page.url, path))
        await self._submit(self._any_answer())

    async def return_it(self) -> None:
        await self._return()

    def _any_answer(self) -> str:
        return self._dice.choice(self._work.question.offered or ("yes", "no", "3"))

    async def _submit(self, answer: str) -> Page:
        return await self._browser.submit(self._work.form, self._work.fields(answer))

    async def _send(self, fields: list[tuple[str, str]]) -> Page:
        return await self._browser.send(self._work.form.action, fields)

    async def _return(self) -> None:
        give_back = self._work.page.form_to("/return")
        if give_back is not None:
            await self._browser.submit(give_back)


ALL: dict[str, Callable[[Mischief], Awaitable[None]]] = {
    name.replace("_", " "): method for name, method in vars(Mischief).items() if not name.startswith("_")
}


async def work_mischief(browser: Browser, work: "Work", dice: random.Random, did: Counter[str]) -> None:
    """One piece of mischief, counted in `did`; half of the time it is just any button. Raises SiteGone."""
    name = "press any button" if dice.random() < 0.5 else dice.choice(list(ALL))
    did[name] += 1
    await ALL[name](Mischief(browser, work, dice))
