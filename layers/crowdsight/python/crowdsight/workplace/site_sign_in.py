"""The worker site's pages for signing in without an invitation's link: by e-mail, or by the organisation's provider.

A browser that comes to sign in is given a secret of its own, a cookie. The forms are bound to it, and so are the links
that it asks for: whoever else gets hold of one, in a forwarded mail or a log, can do nothing with it.
"""

import hmac
import logging
import re
import secrets

from crowdsight.workplace.mail import ADDRESS_PATH, SIGN_IN_PATH, MailQueue
from crowdsight.workplace.openid import IdentityProvider, ProviderFailed
from crowdsight.workplace.people import EmailTaken, LinkUsed, NotInvited, checked_email
from crowdsight.workplace.sessions import SESSION_AGE_S, ExpiredToken, InvalidToken, Link, Person, WrongBrowser
from crowdsight.workplace.site_errors import (
    BadForm,
    EmailInUse,
    LinkInvalid,
    LinkOver,
    NoSuchPage,
    NotAdmitted,
    OtherBrowser,
    ProviderTrouble,
)
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_visits import Visits, make_cookie, not_too_often

CALLBACK_PATH = "/sign-in/callback"

_BROWSER, _VISIT = "crowdsight_browser", "crowdsight_visit"
_BROWSER_AGE_S = 3_600
_VISIT_AGE_S = 600
_SECRET = re.compile(r"[A-Za-z0-9_-]{32}")

_logger = logging.getLogger(__name__)


class SignInPages:
    """`mail` is None where no mail is sent, `provider` where there is none; `token` is out of the address."""

    def __init__(self, visits: Visits, mail: MailQueue | None, provider: IdentityProvider | None) -> None:
        self._visits = visits
        self._mail = mail
        self._provider = provider

    def show_ways(self, request: Request) -> Response:
        """The ways to sign in that there are."""
        browser = _browser_of(request) or secrets.token_urlsafe(24)
        values = {
            "browser_csrf_field": self._visits.csrf_field(browser),
            "by_mail": self._mail is not None,
            "by_provider": self._provider is not None,
        }
        cookie = make_cookie(request, browser, _BROWSER_AGE_S, _BROWSER)
        return self._visits.page(request, "sign_in.html", values, cookies=(cookie,))

    # -- by e-mail

    def ask_for_link(self, request: Request) -> Response:
        """Have a link sent, if the address is somebody's; the answer is the same if it is not."""
        mail = self._require_mail()
        browser = _browser_of(request)
        if browser is None:
            raise OtherBrowser
        self._visits.check_form(request, browser)
        email = _email_in(request)
        with not_too_often():
            self._visits.limits.count_sign_in(request.source_ip)
            self._visits.limits.count_link(email, request.source_ip)
        mail.send(self._visits.sessions.make_link(email, browser))
        return self._visits.page(request, "link_sent.html", {"email": email})

    def show_link(self, request: Request, token: str) -> Response:
        """Whom a link is for, with a button: what opens links by itself, as mail filters do, does not use it up."""
        link = self._read_link(request, token)
        values = {
            "link": link,
            "action": f"{request.prefix}{SIGN_IN_PATH}/{link.token}",
            "label": f"Sign in as {self._person_of(link).name}",
            "link_csrf_field": self._visits.csrf_field(link.token),
        }
        return self._visits.page(request, "link.html", values)

    def use_link(self, request: Request, token: str) -> Response:
        """Sign in, once."""
        link = self._read_link(request, token)
        self._visits.check_form(request, link.token)
        person = self._person_of(link)
        self._use(link)
        session = self._visits.people.sign_in(person)
        return see_other(f"{request.prefix}/", make_cookie(request, session.token, SESSION_AGE_S))

    def ask_for_address(self, request: Request) -> Response:
        """Have a link sent to an address that somebody who is signed in wants to sign in by."""
        mail = self._require_mail()
        session = self._visits.require_anyone(request)
        self._visits.check_form(request, session)
        email = _email_in(request)
        with not_too_often():
            self._visits.limits.count_sign_in(request.source_ip)
            self._visits.limits.count_link(email, request.source_ip)
        mail.send(self._visits.sessions.make_link(email, session.token, session.worker_id))
        return self._visits.page(request, "link_sent.html", {"email": email})

    def show_address(self, request: Request, token: str) -> Response:
        """Which address is to become one's own, with a button."""
        link, _ = self._read_own_link(request, token)
        values = {
            "link": link,
            "action": f"{request.prefix}{ADDRESS_PATH}/{link.token}",
            "label": f"Let me sign in by {link.email}",
            "link_csrf_field": self._visits.csrf_field(link.token),
        }
        return self._visits.page(request, "link.html", values)

    def use_address(self, request: Request, token: str) -> Response:
        """Make the address one's own, once."""
        link, person = self._read_own_link(request, token)
        self._visits.check_form(request, link.token)
        self._use(link)
        try:
            self._visits.people.set_email(link.email, person)
        except EmailTaken as error:
            raise EmailInUse from error
        return see_other(f"{request.prefix}/account")

    def _read_own_link(self, request: Request, token: str) -> tuple[Link, Person]:
        session = self._visits.require_anyone(request)
        link = self._read(token, session.token)
        if link.worker_id != session.worker_id:
            raise LinkInvalid
        return link, Person(session.worker_id, session.name, session.role, session.requester_id)

    def _read_link(self, request: Request, token: str) -> Link:
        link = self._read(token, _browser_of(request))
        if link.worker_id:
            raise LinkInvalid
        return link

    def _read(self, token: str, browser: str | None) -> Link:
        try:
            return self._visits.sessions.read_link(token, browser)
        except InvalidToken as error:
            raise LinkInvalid from error
        except ExpiredToken as error:
            raise LinkOver from error
        except WrongBrowser as error:
            raise OtherBrowser from error

    def _person_of(self, link: Link) -> Person:
        person = self._visits.people.find_by_email(link.email)
        if person is None:
            raise LinkInvalid
        return person

    def _use(self, link: Link) -> None:
        try:
            self._visits.people.use_link(link)
        except LinkUsed as error:
            raise LinkOver from error

    def _require_mail(self) -> MailQueue:
        if self._mail is None:
            raise NoSuchPage
        return self._mail

    # -- by the organisation's provider

    def go_to_provider(self, request: Request) -> Response:
        """Off to the provider, which sends the browser back to `come_back`."""
        provider = self._require_provider()
        with not_too_often():
            self._visits.limits.count_sign_in(request.source_ip)
        try:
            departure = provider.depart(f"{request.address}{CALLBACK_PATH}")
        except ProviderFailed as error:
            raise self._trouble(error) from error
        visit = {"state": departure.state, "nonce": departure.nonce, "verifier": departure.verifier}
        sealed = self._visits.sessions.seal(visit, _VISIT_AGE_S)
        return see_other(departure.address, make_cookie(request, sealed, _VISIT_AGE_S, _VISIT))

    def come_back(self, request: Request) -> Response:
        """Sign in whom the provider sends back, if they may come."""
        provider = self._require_provider()
        try:
            visit = self._visits.sessions.unseal(request.cookie(_VISIT) or "")
        except (InvalidToken, ExpiredToken) as error:
            raise OtherBrowser from error
        if not hmac.compare_digest(request.asked("state").encode("utf-8", "surrogatepass"), visit["state"].encode()):
            raise OtherBrowser
        code = request.asked("code")
        if not code:
            raise ProviderTrouble("The provider did not sign you in. Try again, or ask whoever runs this workplace.")
        try:
            identity = provider.arrive(code, f"{request.address}{CALLBACK_PATH}", visit["nonce"], visit["verifier"])
        except ProviderFailed as error:
            raise self._trouble(error) from error
        try:
            session = self._visits.people.sign_in(self._visits.people.admit(identity))
        except NotInvited as error:
            raise NotAdmitted from error
        return see_other(
            f"{request.prefix}/",
            make_cookie(request, session.token, SESSION_AGE_S),
            make_cookie(request, "", 0, _VISIT),
        )

    def _require_provider(self) -> IdentityProvider:
        if self._provider is None:
            raise NoSuchPage
        return self._provider

    def _trouble(self, error: ProviderFailed) -> ProviderTrouble:
        _logger.warning("signing in by the provider failed: %s", error)
        return ProviderTrouble("Your organisation's sign-in did not work just now. Try again in a moment.")


def _browser_of(request: Request) -> str | None:
    """The secret that the browser was given."""
    found = request.cookie(_BROWSER)
    return found if found and _SECRET.fullmatch(found) else None


def _email_in(request: Request) -> str:
    given = [value for name, value in request.form() if name == "email"]
    try:
        return checked_email(given[0] if len(given) == 1 else "")
    except ValueError as error:
        raise BadForm("That is not an e-mail address. Go back and look at it again.") from error
