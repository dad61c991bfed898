"""Signing in by an OpenID provider: the flow against the local stand-in, and tokens and providers that do not hold."""

import base64
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from crowdsight.clock import system_clock
from crowdsight.https import MAX_ANSWER_BYTES, Https
from crowdsight.workplace.id_tokens import InvalidIdToken, read_id_token
from crowdsight.workplace.limits import Limits, Rates
from crowdsight.workplace.openid import IdentityProvider, ProviderFailed, is_safe
from crowdsight.workplace.people import Identity, NotInvited, People, Welcome
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.site import WorkerSite
from local.http_server import Request, Response, Server
from local.identity_provider import StandInProvider
from tests.unit.workplace_site.browsing import Browser
from tests.unit.workplace_site.workplace_in_memory import WorkplaceInMemory

SITE = "https://workplace.example"
REDIRECT = f"{SITE}/sign-in/callback"
CLIENT = {"client_id": "site:1", "client_secret": "s%cret"}
EMAIL = "ada@example.org"


@pytest.fixture(scope="module")
def provider() -> Iterator[StandInProvider]:
    provider = StandInProvider()
    provider.register(CLIENT["client_id"], CLIENT["client_secret"], [REDIRECT])
    yield provider
    provider.close()


@pytest.fixture
def openid(provider: StandInProvider) -> IdentityProvider:
    return IdentityProvider(provider.issuer, lambda: CLIENT, Https().send, system_clock)


@pytest.fixture
def workplace() -> WorkplaceInMemory:
    return WorkplaceInMemory(system_clock)


@pytest.fixture
def people(workplace: WorkplaceInMemory) -> People:
    sessions = Sessions(lambda: ["a key for tests"], system_clock)
    welcome = Welcome(frozenset({"welcome.example"}), frozenset({"annotators"}))
    return People(workplace.table, workplace, sessions, system_clock, welcome)


@pytest.fixture
def site(workplace: WorkplaceInMemory, people: People, openid: IdentityProvider) -> WorkerSite:
    return WorkerSite(workplace, people, Limits(workplace.table, system_clock, Rates()), system_clock, None, openid)


def say_who(address: str, **given: str) -> str:
    """What somebody does at the stand-in; where it sends them back to."""
    assert httpx.get(address).status_code == 200
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    form = {**asked, "email": EMAIL, "email_verified": "true", **given}
    answer = httpx.post(f"{address.partition('/authorize')[0]}/authorize", data=form)
    assert answer.status_code == 303
    return answer.headers["Location"]


def sign_in(browser: Browser, **given: str) -> Any:
    """Sign in by the provider; the site's page for who comes back."""
    away = browser.get("/sign-in/provider")
    assert away.status == 303
    return browser.get(say_who(away.location, **given).removeprefix(SITE))


def invite(people: People, name: str, email: str) -> str:
    invitation = people.sessions.read_invitation(people.sessions.invite_worker(name))
    people.invite_by_email(email, invitation)
    return invitation.worker_id


class TestFlow:
    def test_who_was_invited_by_their_address_signs_in_and_stays_the_same_when_it_changes(
        self, site: WorkerSite, people: People
    ) -> None:
        worker_id = invite(people, "Ada", EMAIL)
        browser = Browser(site.respond)
        assert "Sign in with your organisation" in browser.get("/sign-in").text
        page = sign_in(browser)
        assert (page.status, page.location) == (303, "/")
        assert worker_id in browser.get("/account").text
        assert "crowdsight_visit" not in browser.cookies
        people.set_email("new@example.org", people.sessions.read_session(browser.cookies["crowdsight_session"]))
        again = Browser(site.respond)
        sign_in(again)
        assert worker_id in again.get("/account").text

    def test_who_nobody_has_invited_does_not(self, site: WorkerSite, workplace: WorkplaceInMemory) -> None:
        browser = Browser(site.respond)
        assert sign_in(browser).status == 403
        assert "crowdsight_session" not in browser.cookies
        assert workplace.workers() == []

    def test_an_address_that_the_provider_has_not_verified_is_nobodys(self, site: WorkerSite, people: People) -> None:
        invite(people, "Ada", EMAIL)
        for email in (EMAIL, "eve@welcome.example"):
            assert sign_in(Browser(site.respond), email=email, email_verified="").status == 403

    def test_people_of_a_welcome_domain_or_group_become_workers_once(
        self, site: WorkerSite, workplace: WorkplaceInMemory
    ) -> None:
        for _ in range(2):
            assert sign_in(Browser(site.respond), email="bob@welcome.example", name="Bob").status == 303
            assert sign_in(Browser(site.respond), email="cy@elsewhere.example", groups="x, annotators").status == 303
        assert sorted(worker.name for worker in workplace.workers()) == ["Bob", "cy"]
        for email in ("eve@notwelcome.example", "eve@welcome.example.org", "eve@sub.welcome.example"):
            assert sign_in(Browser(site.respond), email=email, groups="admins").status == 403

    def test_one_who_is_suspended_does_not_come_in(self, site: WorkerSite, people: People) -> None:
        people.suspend(invite(people, "Ada", EMAIL))
        browser = Browser(site.respond)
        assert sign_in(browser).status == 403
        assert "crowdsight_session" not in browser.cookies

    def test_who_refuses_is_told_so(self, site: WorkerSite) -> None:
        assert sign_in(Browser(site.respond), refuse="true").status == 502

    def test_a_code_works_in_the_browser_that_left_for_it_only_and_once(self, site: WorkerSite, people: People) -> None:
        invite(people, "Ada", EMAIL)
        ada, eve = Browser(site.respond), Browser(site.respond)
        back = say_who(ada.get("/sign-in/provider").location).removeprefix(SITE)
        assert eve.get(back).status == 403
        eve.get("/sign-in/provider")
        assert eve.get(back).status == 403  # the state is another visit's
        state = parse_qs(urlsplit(back).query)["state"][0]
        visit = dict(ada.cookies)
        assert ada.get(back.replace(state, "x")).status == 403
        assert ada.get(back).status == 303
        ada.cookies = visit
        assert ada.get(back).status == 502

    def test_another_visits_code_does_not_fit_this_ones_verifier(self, site: WorkerSite, people: People) -> None:
        """An attacker's code, smuggled into a victim's browser, signs nobody in."""
        invite(people, "Eve", "eve@example.org")
        victim, attacker = Browser(site.respond), Browser(site.respond)
        theirs = say_who(attacker.get("/sign-in/provider").location, email="eve@example.org")
        own = urlsplit(victim.get("/sign-in/provider").location)
        code, state = (parse_qs(urlsplit(theirs).query)["code"][0], parse_qs(own.query)["state"][0])
        assert victim.get(f"/sign-in/callback?code={code}&state={state}").status == 502
        assert "crowdsight_session" not in victim.cookies

    def test_the_stand_in_is_strict_with_clients(self, provider: StandInProvider, openid: IdentityProvider) -> None:
        departure = openid.depart("https://elsewhere.example/")
        assert httpx.get(departure.address).status_code == 400
        departure = openid.depart(REDIRECT)
        code = parse_qs(urlsplit(say_who(departure.address)).query)["code"][0]
        wrong = IdentityProvider(provider.issuer, lambda: CLIENT | {"client_secret": "no"}, Https().send, system_clock)
        with pytest.raises(ProviderFailed, match="401"):
            wrong.arrive(code, REDIRECT, departure.nonce, departure.verifier)
        assert openid.arrive(code, REDIRECT, departure.nonce, departure.verifier).email == EMAIL


ISSUER, NONCE, NOW_S = "https://issuer.example", "the nonce", int(time.time())
KEY = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
JWKS: Mapping[str, Any] = {"keys": [KEY.as_dict(private=False)]}
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER, "aud": "site", "sub": "7", "nonce": NONCE, "iat": NOW_S, "exp": NOW_S + 300,
}  # fmt: skip


def read(claims: Mapping[str, Any], key: Any = KEY, algorithm: str = "RS256", jwks: Mapping[str, Any] = JWKS) -> Any:
    token = jwt.encode({"alg": algorithm, "kid": "1"}, dict(claims), key, algorithms=[algorithm])
    return read_id_token(token, jwks, ISSUER, "site", NONCE, NOW_S)


def encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class TestIdToken:
    def test_one_that_holds_is_read(self) -> None:
        assert read(CLAIMS)["sub"] == "7"
        assert read({**CLAIMS, "aud": ["site"]})["sub"] == "7"
        assert read({**CLAIMS, "aud": ["site", "other"], "azp": "site"})["sub"] == "7"
        key = ECKey.generate_key("P-256", {"kid": "1"})
        assert read(CLAIMS, key, "ES256", {"keys": [key.as_dict(private=False)]})["sub"] == "7"

    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://issuer.example/"},
            {"iss": "https://other.example"},
            {"aud": "other"},
            {"aud": ["other"]},
            {"aud": ["site", "other"]},
            {"aud": ["site", "other"], "azp": "other"},
            {"azp": "other"},
            {"nonce": "another"},
            {"nonce": None},
            {"nonce": ["the nonce"]},
            {"exp": NOW_S - 61},
            {"exp": "soon"},
            {"iat": NOW_S + 3600},
            {"nbf": NOW_S + 3600},
        ],
    )
    def test_a_claim_that_does_not_hold_is_refused(self, changed: Mapping[str, Any]) -> None:
        with pytest.raises(InvalidIdToken):
            read({**CLAIMS, **changed})

    @pytest.mark.parametrize("missing", ["iss", "aud", "sub", "nonce", "exp", "iat"])
    def test_each_claim_has_to_be_there(self, missing: str) -> None:
        with pytest.raises(InvalidIdToken):
            read({name: value for name, value in CLAIMS.items() if name != missing})

    @pytest.mark.parametrize("algorithm", ["HS256", "none"])
    def test_the_public_key_as_a_shared_secret_or_no_signature_is_refused(self, algorithm: str) -> None:
        parts = [json.dumps({"alg": algorithm, "kid": "1"}).encode(), json.dumps(dict(CLAIMS)).encode()]
        signed = b".".join(encoded(part) for part in parts)
        signature = hmac.digest(KEY.as_pem(private=False), signed, "sha256") if algorithm == "HS256" else b""
        with pytest.raises(InvalidIdToken):
            read_id_token((signed + b"." + encoded(signature)).decode(), JWKS, ISSUER, "site", NONCE, NOW_S)

    def test_another_key_or_a_broken_token_is_refused(self) -> None:
        with pytest.raises(InvalidIdToken):
            read(CLAIMS, OTHER)
        token = jwt.encode({"alg": "RS256", "kid": "1"}, dict(CLAIMS), KEY)
        head, body, signature = token.split(".")
        for broken in ("", "x", "a.b.c", f"{head}.{body}.", f"{head}.{body[:-2]}xx.{signature}", f"{head}.{body}"):
            with pytest.raises(InvalidIdToken):
                read_id_token(broken, JWKS, ISSUER, "site", NONCE, NOW_S)

    @pytest.mark.parametrize(
        "jwks", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "eA", "kid": "1"}]}, {"keys": [1]}]
    )
    def test_without_the_providers_key_none_holds(self, jwks: Mapping[str, Any]) -> None:
        with pytest.raises(InvalidIdToken):
            read(CLAIMS, jwks=jwks)


class TestProviders:
    @pytest.mark.parametrize(
        "answer",
        [
            Response(500),
            Response(200, b"{"),
            Response(200, b"[]"),
            Response(200, b"{" * 10_000),
            Response(200, b" " * (MAX_ANSWER_BYTES + 1)),
            Response.of_json(200, {}),
            Response.of_json(200, {"issuer": "https://other.example"}),
            Response(302, b"", [("Location", "http://127.0.0.1:1/")]),
        ],
    )
    def test_a_description_that_cannot_be_used_is_refused(self, answer: Response) -> None:
        server = Server(lambda request: answer)
        try:
            provider = IdentityProvider(server.url, lambda: CLIENT, Https().send, system_clock)
            with pytest.raises(ProviderFailed):
                provider.depart(REDIRECT)
        finally:
            server.close()

    def test_secrets_go_nowhere_but_over_https_or_to_this_machine(self) -> None:
        def describe(request: Request) -> Response:
            description = {"issuer": server.url, "authorization_endpoint": "http://issuer.example/authorize"}
            return Response.of_json(200, description)

        server = Server(describe)
        try:
            with pytest.raises(ProviderFailed, match="https"):
                IdentityProvider(server.url, lambda: CLIENT, Https().send, system_clock).depart(REDIRECT)
        finally:
            server.close()
        assert is_safe("https://a.example/x") and is_safe("http://127.0.0.1:8/x")
        for address in ("http://a.example", "ftp://a.example", "javascript:1", "//a.example", "http://[", ""):
            assert not is_safe(address)

    def test_one_that_cannot_be_reached_is_said_so(self) -> None:
        with pytest.raises(ProviderFailed, match="reached"):
            IdentityProvider("http://127.0.0.1:1", lambda: CLIENT, Https().send, system_clock).depart(REDIRECT)


def test_two_sign_ins_at_once_make_one_worker(people: People, workplace: WorkplaceInMemory) -> None:
    identity = Identity(ISSUER, "7", "dora@welcome.example", "Dora")
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: people.admit(identity), range(8)))
    assert len({person.worker_id for person in admitted}) == 1
    assert len(workplace.workers()) == 1
    with pytest.raises(NotInvited):
        people.admit(Identity("https://other.example", "7", "", "Dora"))
