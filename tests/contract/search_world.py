"""Image search as the wiring joins it, with a bundle that sees colours and a web of pictures."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from crowdsight.dynamodb import Table
from crowdsight.errors import UnfetchableImage
from crowdsight.models.bundle import Detection
from crowdsight.search.finding import FindImages, FindSimilar, OwnImages
from crowdsight.search.index import VectorIndex
from crowdsight.search.library import Library
from crowdsight.search.listing import ListImages, Stats
from crowdsight.search.neighbours import Neighbours
from crowdsight.search.objects import Objects
from crowdsight.search.removing import Leftovers, RemoveImage
from crowdsight.search.s3_index import S3VectorIndex
from crowdsight.search.saving import SaveImage
from crowdsight.search.serving import ServeFile
from crowdsight.search.sweeping import Sweep
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions

GRID_PX = 4
BUCKET = "images"


class Colours:
    """A bundle that sees colours: a picture's vector is its colours in a grid of 4 by 4, or its mean colour."""

    spaces: Mapping[str, int] = {"grid": 3 * GRID_PX**2, "mean": 3}
    image_space = "grid"
    text_space = "mean"
    image_size_px = 64

    def __init__(self, name: str = "colours-1") -> None:
        self.name = name

    def embed_images(self, images: Sequence[Image.Image]) -> dict[str, NDArray[np.float32]]:
        small = [image.convert("RGB").resize((GRID_PX, GRID_PX), Image.Resampling.BOX) for image in images]
        grids = np.stack([np.asarray(image, np.float32) for image in small]) + 1
        return {"grid": _unit(grids.reshape(len(images), -1)), "mean": _unit(grids.mean(axis=(1, 2)))}

    def embed_text(self, text: str) -> NDArray[np.float32]:
        return _unit(np.array([ImageColor.getrgb(text)], np.float32) + 1)[0]

    def detect(self, image: Image.Image) -> list[Detection]:
        return [Detection(self.name, 0.5, (0.0, 0.5, float(image.width), float(image.height)), 7)]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Web:
    """Pictures at URLs."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def fetch(self, url: str) -> bytes:
        if url not in self.pictures:
            raise UnfetchableImage(f"nothing at {url}")
        return self.pictures[url]


class Search:
    """One process: the use cases, and what they stand on."""

    def __init__(
        self,
        dynamodb: Any,
        s3: Any,
        clock: StoppedClock,
        web: Web,
        bundle: Colours,
        index: VectorIndex | None = None,
    ) -> None:
        table = Table(dynamodb, "images")
        self.bundle = bundle
        self.objects = Objects(s3, BUCKET)
        self.library = Library(table, clock)
        self.index: VectorIndex = index or S3VectorIndex(
            table, self.objects, self.bundle.name, self.bundle.spaces, clock, lambda: uuid4().hex
        )
        neighbours = Neighbours(self.index, self.library)
        own_images = OwnImages(self.bundle, neighbours, self.library, self.objects)
        self.leftovers = Leftovers(self.library, self.index, self.objects)
        self.find = FindImages(
            web, self.bundle, neighbours, own_images, self.library, self.objects, lambda: str(uuid4())
        )
        self.find_similar = FindSimilar(web, self.bundle, neighbours, own_images)
        self.save = SaveImage(
            self.bundle,
            self.index,
            self.library,
            self.objects,
            self.leftovers,
            clock,
            lambda: uuid4().hex,
            lambda: b"name key",
        )
        self.remove = RemoveImage(self.library, self.leftovers)
        self.serve = ServeFile(self.library, self.objects)
        self.sweep = Sweep(self.library, self.objects, self.leftovers)
        self.list = ListImages(self.library)
        self.stats = Stats(self.library, self.index)


class SearchWorld:
    """A table, a bucket and a web, with processes of image search; and what lies in them.

    `bundle_of`: makes a bundle by its name. `index_of`: gives the vector index of a bundle, if it is not the one in S3.
    """

    def __init__(
        self,
        dynamodb: Any,
        s3: Any,
        clock: StoppedClock,
        bundle_of: Callable[[str], Colours] = Colours,
        index_of: Callable[[Colours], VectorIndex] | None = None,
    ) -> None:
        self.interruptions = Interruptions()
        self.clock = clock
        self.web = Web()
        self.s3 = s3
        self._dynamodb = dynamodb
        self._bundle_of = bundle_of
        self._index_of = index_of
        s3.create_bucket(Bucket=BUCKET)
        self.table = create_table(dynamodb, "images", {"due": "N"})
        self.search = self.new_process()

    def new_process(self, interruptions: Interruptions | None = None, bundle: str = "colours-1") -> Search:
        """One with nothing in its memory."""
        watch = (interruptions or self.interruptions).watch
        models = self._bundle_of(bundle)
        index = self._index_of(models) if self._index_of else None
        return Search(watch(self._dynamodb), watch(self.s3), self.clock, self.web, models, index)

    def put_on_web(self, data: bytes) -> str:
        url = f"https://pictures.example/{uuid4()}"
        self.web.pictures[url] = data
        return url

    def find_and_save(self, account: str, data: bytes) -> str:
        """Returns the id of the image."""
        finding = self.search.find(account, self.put_on_web(data))
        return self.search.save(account, finding.request_id).image_id

    def object_keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def tidy(self) -> None:
        """All that schedules do within an hour, by a new process."""
        process = self.new_process()
        for seconds in (1201, 61, 61):
            self.clock.move(seconds)
            process.sweep()
            process.index.refresh()

    def check_is_whole(self, account: str, committed: set[str]) -> None:
        """Exactly these images are stored, found and served, and nothing else lies anywhere."""
        process = self.new_process()
        images = {image.image_id: image for image in process.library.all_images(account)}
        assert set(images) == committed
        query = np.ones(process.bundle.spaces["mean"], np.float32)
        [found] = process.index.search(account, "mean", query[np.newaxis], 10_000)
        assert sorted(match.key for match in found) == sorted(image.key for image in images.values())
        for image in images.values():
            assert process.serve.image(image.file).data
            assert process.serve.thumbnail(image.thumbnail_file).data
        objects = {image.object_key for image in images.values()}
        objects |= {image.thumbnail_object_key for image in images.values()}
        assert {key for key in self.object_keys() if not key.startswith("vectors/")} == objects
        segments = {key.rpartition("/")[2].partition(".")[0] for key in self.object_keys() if "/segments/" in key}
        assert len(segments) == process.index.stats(account).segments
        claims = {item["sk"]: item["image_id"] for item in self.table.query_all(f"ACCOUNT#{account}", "PIXELS#")}
        expected = {f"PIXELS#{image.sent_digest}": image.image_id for image in images.values()}
        expected |= {f"PIXELS#{image.stored_digest}": image.image_id for image in images.values()}
        assert claims == expected
        assert list(self.table.query_all(f"ACCOUNT#{account}", "REQUEST#")) == []
        assert list(self.table.query_all("WORK", index="due", sk_between=(0, 10**15))) == []
        assert list(self.table.query_all("DIRTY#colours-1")) == []


def picture(seed: int, size: tuple[int, int] = (40, 30), format: str = "PNG", alpha: bool = False) -> bytes:
    """A file with coarse coloured blocks, other ones for each seed."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize(size))
    file = BytesIO()
    image.save(file, format)
    return file.getvalue()


def plain(colour: str, format: str = "PNG") -> bytes:
    """A file of one colour."""
    file = BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, format)
    return file.getvalue()
