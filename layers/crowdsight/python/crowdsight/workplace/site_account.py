"""The worker site's page for what is known of who is signed in, and for signing out of all browsers."""

from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_visits import Visits, make_cookie


class AccountPages:
    """One's own account, a Worker's or of a requester's staff. `has_mail`: whether one can sign in by e-mail."""

    def __init__(self, visits: Visits, has_mail: bool) -> None:
        self._visits = visits
        self._has_mail = has_mail

    def show_account(self, request: Request) -> Response:
        """Name, id and e-mail address."""
        self._visits.require_anyone(request)
        values = {"known": self._visits.known(request), "has_mail": self._has_mail}
        return self._visits.page(request, "account.html", values, here="account")

    def sign_out_everywhere(self, request: Request) -> Response:
        """End all sessions of this person, also those of other browsers."""
        session = self._visits.require_anyone(request)
        self._visits.check_form(request, session)
        self._visits.people.end_sessions(session.worker_id)
        return see_other(f"{request.prefix}/", make_cookie(request, "", 0))
