"""The worker site's pages for coming in and going out."""

from crowdsight.workplace.sessions import SESSION_AGE_S, ExpiredToken, InvalidToken, Invitation
from crowdsight.workplace.site_errors import InvitationExpired, InvitationInvalid
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_visits import Visits, make_cookie


class SigningIn:
    """Invitations and sessions; `token` is out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits

    def show_invitation(self, request: Request, token: str) -> Response:
        """Whom an invitation is for, with a button to sign in as them."""
        invitation = self._read_invitation(token)
        values = {"invitation": invitation, "invitation_csrf_field": self._visits.csrf_field(invitation)}
        return self._visits.page(request, "join.html", values)

    def sign_in(self, request: Request, token: str) -> Response:
        """Start a session of 30 days for the invited person; a Worker who is new is registered."""
        invitation = self._read_invitation(token)
        self._visits.check_form(request, invitation)
        session = self._visits.people.sign_in(invitation)
        return see_other(f"{request.prefix}/", make_cookie(request, session.token, SESSION_AGE_S))

    def sign_out(self, request: Request) -> Response:
        """Forget the session. Without one nothing is changed, so that no other page can sign anybody out."""
        session = self._visits.find_session(request)
        if session is None:
            return see_other(f"{request.prefix}/")
        self._visits.check_form(request, session)
        return see_other(f"{request.prefix}/", make_cookie(request, "", 0))

    def _read_invitation(self, token: str) -> Invitation:
        try:
            return self._visits.sessions.read_invitation(token)
        except InvalidToken as error:
            raise InvitationInvalid from error
        except ExpiredToken as error:
            raise InvitationExpired from error
