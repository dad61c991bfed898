"""The worker site's pages for what a Worker was paid, by month."""

from crowdsight.workplace.site_errors import NoSuchPage
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import attachment
from crowdsight.workplace.site_visits import Visits
from crowdsight.workplace.statement import Statement, csv_lines, month_of

ENTRIES_ON_A_PAGE = 500


class StatementPages:
    """The Worker's own statement; `?month=2026-11` asks for another month than this one (UTC)."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._statements = visits.workplace.statements

    def show_statement(self, request: Request) -> Response:
        """A month's entries, of which the newest 500 are shown, with their sums."""
        statement = self._asked_for(request)
        known = self._visits.known(request)
        values = {
            "statement": statement,
            "shown": statement.earnings[:ENTRIES_ON_A_PAGE],
            "months": self._statements.months(known.registered_at_ms),
        }
        return self._visits.page(request, "statement.html", values, here="earnings")

    def download_statement(self, request: Request) -> Response:
        """All of a month's entries as CSV, oldest first."""
        statement = self._asked_for(request)
        name = f"crowdsight-statement-{statement.month}.csv"
        return attachment(name, "".join(csv_lines(reversed(statement.earnings))), "text/csv")

    def _asked_for(self, request: Request) -> Statement:
        session = self._visits.require_session(request)
        month = request.asked("month") or month_of(self._visits.clock())
        try:
            return self._statements.of_month(session.worker_id, month)
        except ValueError as error:
            raise NoSuchPage from error
