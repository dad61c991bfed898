"""One run: the files, then the URLs."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.hostile_images.urls import FETCHED, INVALID, LET_THROUGH, UrlsReport, fetch_all
from benchmarks.hostile_images.urls import HUNG as HUNG_URL
from benchmarks.hostile_images.urls import REFUSED as REFUSED_URL
from benchmarks.hostile_images.urls import WRONG as WRONG_URL
from benchmarks.hostile_images.workers import CRASHED, DECODED, HUNG, REFUSED, WRONG, FilesReport, decode_all

PEAK_RSS_LIMIT_MB = 1_536

Advance = Callable[[str], None]
"""Told of each thing that is done: `files` or `urls`."""


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    seed: int
    files: FilesReport
    urls: UrlsReport

    @property
    def failures(self) -> list[str]:
        """What must not have happened."""
        found = [*self.files.failures, *self.urls.failures]
        if self.files.peak_rss_mb > PEAK_RSS_LIMIT_MB:
            found.append(f"a process took {self.files.peak_rss_mb:.0f} MB")
        return found

    @property
    def is_ok(self) -> bool:
        return not self.failures

    def document(self) -> dict[str, object]:
        """As JSON has it. `wrong`: another error than the named ones, or none of the forms that are promised."""
        files, urls = self.files.outcomes, self.urls.outcomes
        return {
            "seed": self.seed,
            "files": files.total(),
            "decoded": files[DECODED],
            "refused": files[REFUSED],
            "wrong": files[WRONG],
            "crashed": files[CRASHED],
            "hung": files[HUNG],
            "slowest_s": round(self.files.slowest_s, 2),
            "peak_rss_mb": round(self.files.peak_rss_mb),
            "urls": urls.total(),
            "url_fetched": urls[FETCHED],
            "url_refused": urls[REFUSED_URL],
            "url_invalid": urls[INVALID],
            "url_let_through": urls[LET_THROUGH],
            "url_wrong": urls[WRONG_URL],
            "url_hung": urls[HUNG_URL],
            "url_slowest_s": round(self.urls.slowest_s, 2),
            "strange_connections": self.urls.strange_connections,
            "ok": self.is_ok,
        }


def run(files: int, urls: int, seed: int, processes: int, advance: Advance = lambda stage: None) -> Report:
    """Do it all."""
    decoded = decode_all(seed, files, processes, lambda: advance("files"))
    return Report(seed, decoded, fetch_all(seed, urls, lambda: advance("urls")))
