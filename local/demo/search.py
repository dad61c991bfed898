"""Saves the photographs, asks the queries, and keeps what is answered; beside the crowd's tasks, in its own thread."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import httpx

from local.demo.exhibits import Answer, Exhibition, Result, StoredPhotograph, in_words
from local.demo.image_search import ImageSearchClient, Match, Picture
from local.demo.queries import RESULTS, DemoQuery, Kind
from local.demo.watch import Event

EVENTS_OF = "image search"


class Search:
    """Asks image search, with the photographs at `base_url`. `stored`: names of those to be saved."""

    def __init__(
        self, client: ImageSearchClient, base_url: str, stored: Sequence[str], queries: Sequence[DemoQuery]
    ) -> None:
        self.exhibition = Exhibition()
        self.progress = ""
        """How far it is, in words."""
        self._client = client
        self._base_url = base_url
        self._names = stored
        self._queries = queries
        self._addresses: dict[str, str] = {}
        self._pictures: dict[str, Picture] = {}

    def steps(self) -> Iterator[Event | None]:
        """Do all of it, a request or two at a step, and tell what is new. Raises ApiError and ApiUnreachable."""
        self.progress = f"saving {len(self._names)} photographs"
        for number, name in enumerate(self._names, start=1):
            self._addresses[name] = self._client.save(self._client.find(self._url(name), max_results=1).request_id)
            self.progress = f"{number} of {len(self._names)} photographs are saved"
            yield None
        yield Event(EVENTS_OF, f"{len(self._names)} photographs are saved")
        for name in self._names:
            self.exhibition.stored.append(self._look_up(name))
            yield None
        itself = sum(stored.finds_itself for stored in self.exhibition.stored)
        yield Event(EVENTS_OF, f"{itself} of {len(self._names)} find themselves first")
        for number, query in enumerate(self._queries, start=1):
            answer = self._ask(query)
            self.exhibition.answers.append(answer)
            self.progress = (
                f"{len(self._names)} photographs are saved, {number} of {len(self._queries)} queries answered"
            )
            yield Event(EVENTS_OF, f"{query.kind.value} {query.name}: {found_in_words(answer)}")

    def _url(self, name: str) -> str:
        return f"{self._base_url}/{name}"

    def _look_up(self, name: str) -> StoredPhotograph:
        first = next(iter(self._client.similar(1, url=self._url(name))), None)
        thumbnail = self._picture(first.thumbnail_url) if first else None
        return StoredPhotograph(name.removesuffix(".jpg"), self._addresses[name], first, thumbnail)

    def _ask(self, query: DemoQuery) -> Answer:
        url = self._addresses[query.photograph] if query.by_own_address else self._url(query.photograph)
        shown = self._picture(url) if query.photograph else None
        began_at_s = time.monotonic()
        match query.kind:
            case Kind.FIND:
                matches = self._client.find(url, RESULTS).matches
            case Kind.URL:
                matches = self._client.similar(RESULTS, url=url, with_labels=query.with_labels)
            case Kind.PICTURE:
                matches = self._client.similar(
                    RESULTS, data=shown.data if shown else b"", with_labels=query.with_labels
                )
            case Kind.WORDS:
                matches = self._client.similar(RESULTS, text=query.words, with_labels=query.with_labels)
        took_s = time.monotonic() - began_at_s
        return Answer(query, [self._result(match) for match in matches], took_s, shown)

    def _result(self, match: Match) -> Result:
        saved_as = {address: name.removesuffix(".jpg") for name, address in self._addresses.items()}
        name = saved_as.get(match.url) or httpx.URL(match.url).path.rpartition("/")[2]
        return Result(name, match, self._picture(match.url))

    def _picture(self, url: str) -> Picture:
        if url not in self._pictures:
            self._pictures[url] = self._client.picture(url)
        return self._pictures[url]


def found_in_words(answer: Answer, limit: int = RESULTS) -> str:
    """The first of what a query found, and what is in the very first, if that was asked."""
    found = ", ".join(f"{result.name} {result.match.similarity:.2f}" for result in answer.results[:limit])
    labels = in_words(answer.results[0].labels) if answer.results else ""
    return (found or "nothing") + (f" (in the first: {labels})" if labels else "")


class SearchThread:
    """Takes the steps of a search in a thread of its own until they are done, or `stopped` is set, and shows them then.

    `show`: called in that thread with all that was answered.
    """

    def __init__(self, search: Search, show: Callable[[Exhibition], None], stopped: threading.Event) -> None:
        self._search = search
        self._show = show
        self._stopped = stopped
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._exhibition: Future[Exhibition] = Future()
        self._thread = threading.Thread(target=self._run, name="search", daemon=True)

    def start(self) -> None:
        """From the second time on, nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until it does nothing any more, as it soon does once `stopped` is set."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def progress(self) -> str:
        return self._search.progress

    @property
    def is_over(self) -> bool:
        return self._exhibition.done()

    @property
    def exhibition(self) -> Exhibition:
        """All that was answered, once it is over. Raises what the search and `show` raised."""
        return self._exhibition.result(timeout=0)

    def events(self) -> Iterator[Event]:
        """What is new since the last time."""
        while True:
            try:
                yield self._events.get_nowait()
            except Empty:
                return

    def _run(self) -> None:
        try:
            for event in self._search.steps():
                if event is not None:
                    self._events.put(event)
                if self._stopped.is_set():
                    return
            self._show(self._search.exhibition)
            self._exhibition.set_result(self._search.exhibition)
        except Exception as error:
            self._exhibition.set_exception(error)  # raised again where the outcome is asked for
