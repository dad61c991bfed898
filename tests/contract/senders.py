"""Where notifications go that no queue waits for."""

from collections.abc import Callable
from dataclasses import dataclass

from crowdsight.workplace.events import Delivery


@dataclass(frozen=True)
class CallingSender:
    """A Sender that calls a function; every destination will do."""

    call: Callable[[Delivery], None]

    def check(self, transport: str, destination: str) -> None:
        pass

    def send(self, delivery: Delivery) -> None:
        self.call(delivery)


UNHEARD = CallingSender(lambda _: None)
