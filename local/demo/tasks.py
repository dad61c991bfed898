"""What the demonstration asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEST_SUFFIX = "-test"


@dataclass(frozen=True)
class DemoTask:
    """One question about one photograph (with `label`) or two. `truth`: the right answer, if there is one."""

    name: str
    photographs: tuple[str, ...]
    label: str | None = None
    truth: str | None = None
    is_test: bool = False

    @property
    def function(self) -> str:
        """The function that is asked, or its twin."""
        return ("image-contains" if self.label else "image-similarity") + (TEST_SUFFIX if self.is_test else "")

    @property
    def pictures(self) -> str:
        """The photographs as people call them."""
        return " + ".join(photograph.removesuffix(".jpg") for photograph in self.photographs)

    @property
    def question(self) -> str:
        return f"a {self.label}?" if self.label else "how alike?"

    def input(self, base_url: str) -> dict[str, Any]:
        """The task's input, with the photographs at `base_url`."""
        urls = [f"{base_url}/{photograph}" for photograph in self.photographs]
        if self.label:
            return {"image": {"url": urls[0]}, "target": {"label": self.label}}
        return {"image1": {"url": urls[0]}, "image2": {"url": urls[1]}}

    def facts(self, base_url: str) -> Mapping[str, str]:
        """What the question's page tells of itself, by which a HIT is known to be this task's."""
        task_input = self.input(base_url)
        if self.label:
            pictures = {"image-url": task_input["image"]["url"], "label": self.label}
        else:
            pictures = {f"image{number}-url": task_input[f"image{number}"]["url"] for number in (1, 2)}
        return {"function": self.function, **pictures}


TASKS = (
    DemoTask("cat", ("cat.jpg",), "cat", "yes"),
    DemoTask("dogs", ("dogs.jpg",), "dog", "yes"),
    DemoTask("coffee", ("coffee.jpg",), "coffee cup", "yes"),
    DemoTask("rocket", ("rocket.jpg",), "rocket", "yes"),
    DemoTask("astronaut", ("astronaut.jpg",), "person", "yes"),
    DemoTask("stream", ("stream.jpg",), "bicycle", "no"),
    DemoTask("lost", ("not-there.jpg",), "cat", "not there"),
    DemoTask("same-cat", ("cat.jpg", "cat-small.jpg"), truth="1.00"),
    DemoTask("mirrored", ("peaks.jpg", "peaks-mirrored.jpg"), truth="0.75"),
    DemoTask("mountains", ("meadow.jpg", "peaks.jpg"), truth="0.50"),
    DemoTask("flowers", ("dahlia.jpg", "dandelions.jpg"), truth="0.25"),
    DemoTask("unlike", ("coffee.jpg", "galaxies.jpg"), truth="0.00"),
    DemoTask("mock", ("pagoda.jpg",), "temple", is_test=True),
)
"""A dozen for the crowd, one of them about a picture that is not there, and one for a function's `-test` twin."""
