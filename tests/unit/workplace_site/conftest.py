import pytest

from crowdsight.workplace.people import People
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.site import WorkerSite
from tests.conftest import StoppedClock
from tests.unit.workplace_site.browsing import Browser
from tests.unit.workplace_site.workplace_in_memory import WorkplaceInMemory, site_of


@pytest.fixture
def workplace(clock: StoppedClock) -> WorkplaceInMemory:
    return WorkplaceInMemory(clock)


@pytest.fixture
def sessions(clock: StoppedClock) -> Sessions:
    return Sessions(lambda: ["a key for tests"], clock)


@pytest.fixture
def people(workplace: WorkplaceInMemory, sessions: Sessions, clock: StoppedClock) -> People:
    return People(workplace.table, workplace, sessions, clock)


@pytest.fixture
def site(workplace: WorkplaceInMemory, sessions: Sessions, clock: StoppedClock) -> WorkerSite:
    return site_of(workplace, workplace.table, sessions, clock)


@pytest.fixture
def stranger(site: WorkerSite) -> Browser:
    """A browser that nobody is signed in with."""
    return Browser(site.respond)


@pytest.fixture
def ada(site: WorkerSite, sessions: Sessions) -> Browser:
    """A browser that the Worker Ada is signed in with."""
    browser = Browser(site.respond)
    browser.sign_in(sessions.invite_worker("Ada"))
    return browser


@pytest.fixture
def grace(site: WorkerSite, sessions: Sessions) -> Browser:
    browser = Browser(site.respond)
    browser.sign_in(sessions.invite_worker("Grace"))
    return browser
