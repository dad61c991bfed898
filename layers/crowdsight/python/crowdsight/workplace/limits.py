"""How often somebody may do something: counters in the table, one for each window of time."""

import ipaddress
from dataclasses import dataclass

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Table
from crowdsight.workplace import records


class TooOften(Exception):
    """It was done as often as it may be; it can be tried again after `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Rates:
    """How often at most; 0 is no limit.

    `worker`: one Worker, of each kind of thing, in a minute. `network`: all that come from one network address, in a
    minute. `sign_in`: attempts to sign in from one network address in a quarter of an hour.
    """

    worker: int = 0
    network: int = 0
    sign_in: int = 0


MINUTE_S = 60
QUARTER_S = 900
MAX_LINKS = 5
MAX_LINKS_OF_ALL = 25
"""For one e-mail address in a quarter of an hour, asked for from one network address and from all, whatever the rates:
so that nobody's mailbox is filled, and nobody keeps its owner from signing in without many networks."""


class Limits:
    """Counts what people do, and where it comes from. Exact also when many come at once; what is refused counts not."""

    def __init__(self, table: Table, clock: Clock, rates: Rates) -> None:
        self._table = table
        self._clock = clock
        self._rates = rates

    def count_network(self, what: str, source_ip: str) -> None:
        """One more from this network address. Raises TooOften."""
        self._count(f"{what} network", network_of(source_ip), self._rates.network, MINUTE_S)

    def count_worker(self, what: str, worker_id: str) -> None:
        """One more of this Worker. Raises TooOften."""
        self._count(what, worker_id, self._rates.worker, MINUTE_S)

    def count_sign_in(self, source_ip: str) -> None:
        """One more attempt to sign in from this network address. Raises TooOften."""
        self._count("sign-in network", network_of(source_ip), self._rates.sign_in, QUARTER_S)

    def count_link(self, email: str, source_ip: str) -> None:
        """One more link for this e-mail address, asked for from this network address. Raises TooOften."""
        self._count("link network", f"{network_of(source_ip)} {email}", MAX_LINKS, QUARTER_S)
        self._count("link", email, MAX_LINKS_OF_ALL, QUARTER_S)

    def _count(self, what: str, who: str, times: int, window_s: int) -> None:
        if times == 0:
            return
        now_s = self._clock() // 1000
        start_s = now_s - now_s % window_s
        end_s = start_s + window_s
        try:
            self._table.update(
                records.rate_pk(what, who),
                f"{start_s:012d}",
                "SET ttl_s = :end ADD done :one",
                "attribute_not_exists(done) OR done < :times",
                {"end": end_s + 1, "one": 1, "times": times},
            )
        except ConditionFailed as error:
            raise TooOften(end_s - now_s) from error


def network_of(source_ip: str) -> str:
    """Whom an address stands for: itself, or with IPv6 the /64 that one household or machine has."""
    try:
        address = ipaddress.ip_address(source_ip)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
