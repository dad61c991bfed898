"""What is known of the stored images, in DynamoDB.

| pk                        | sk               | what                                                                |
|---------------------------|------------------|---------------------------------------------------------------------|
| ACCOUNT#account           | IMAGE#image id   | a stored image                                                      |
| ACCOUNT#account           | PIXELS#digest    | which of the account's images has these pixels                      |
| ACCOUNT#account           | REQUEST#id       | an image that was searched for, remembered for 3 minutes            |
| FILE#image id             | FILE             | what serving the image's files needs                                |
| WORK#image id.generation  | WORK             | a save or a removal that is not finished                            |

The index `due` (due_pk = REQUEST or WORK, due_sk = when, in milliseconds) holds the requests that expire and the work
that somebody else has to finish.

An image is stored by one transaction and removed by another; its files and vectors come before the one and go after
the other, under a key that no other save has (`generation`), so that a killed save or removal leaves nothing that
anybody can see. What it does leave, the work item names.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table, TransactionFailed

REQUEST_LIFETIME_S = 180
FINISH_AFTER_S = 600
"""A save or removal that takes longer was killed: the sweep undoes or finishes it."""

FORGET_AFTER_S = 86_400
"""When DynamoDB itself drops a request that no sweep has found."""

EXTENSIONS: Mapping[str, str] = {"jpeg": "jpg", "png": "png"}
MEDIA_TYPES: Mapping[str, str] = {"jpeg": "image/jpeg", "png": "image/png"}
THUMBNAIL_MEDIA_TYPE = "image/webp"
IMAGE_FILE = re.compile(r"([0-9a-f]{32})\.(jpg|png)")
THUMBNAIL_FILE = re.compile(r"([0-9a-f]{32})\.webp")


class PixelsTaken(Exception):
    """The account has an image with these pixels."""


class SaveAbandoned(Exception):
    """The save took so long that the sweep has begun to undo it."""


class WorkKind(StrEnum):
    SAVE = "save"
    REMOVAL = "removal"


@dataclass(frozen=True)
class Label:
    """An object detected in an image. `box`: x_min, y_min, x_max, y_max in pixels of the stored image.

    `category_id`: 0 to 79, as YOLOv7 numbers the classes of COCO.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]
    category_id: int


class Stored:
    """Where a generation of an image lies. `format`: `jpeg` or `png`."""

    image_id: str
    generation: str
    format: str

    @property
    def key(self) -> str:
        """Its key in the vector index."""
        return f"{self.image_id}.{self.generation}"

    @property
    def object_key(self) -> str:
        """Where the image lies in the bucket."""
        return f"images/{self.image_id}/{self.generation}.{EXTENSIONS[self.format]}"

    @property
    def thumbnail_object_key(self) -> str:
        """Where its thumbnail lies in the bucket."""
        return f"thumbnails/{self.image_id}/{self.generation}.webp"


@dataclass(frozen=True)
class ImageRecord(Stored):
    """A stored image. Its sizes are those of the stored form.

    `sent_digest` and `stored_digest`: of its pixels as they came, and as they are after re-encoding.
    `bundle`: the name of the models that it was embedded and labelled with last.
    """

    account: str
    image_id: str
    generation: str
    format: str
    width: int
    height: int
    size_bytes: int
    labels: tuple[Label, ...]
    saved_at_ms: int
    source: str
    sent_digest: str
    stored_digest: str
    bundle: str

    @property
    def file(self) -> str:
        """The name under which it is served."""
        return f"{self.image_id}.{EXTENSIONS[self.format]}"

    @property
    def thumbnail_file(self) -> str:
        """The name under which its thumbnail is served."""
        return f"{self.image_id}.webp"


@dataclass(frozen=True)
class FileRecord(Stored):
    """Whose image has this id, and in which objects it lies."""

    image_id: str
    account: str
    generation: str
    format: str


@dataclass(frozen=True)
class Request:
    """An image that was searched for. `image_id`: the stored image that it is, if it was named by its own address;
    otherwise its bytes lie in the bucket under `object_key`."""

    account: str
    id: str
    url: str
    expires_at_ms: int
    image_id: str | None = None

    @property
    def object_key(self) -> str:
        return f"requests/{self.id}"


@dataclass(frozen=True)
class Work(Stored):
    """A save or a removal, and what it leaves behind if it is killed."""

    kind: WorkKind
    account: str
    image_id: str
    generation: str
    format: str


@dataclass(frozen=True)
class ImagePage:
    """Some images in the order of their ids; `after` is where the next page starts, None at the end."""

    images: list[ImageRecord]
    after: str | None


def image_id_of(name_key: bytes, account: str, sent_digest: str) -> str:
    """The id of an account's picture, 32 hex digits: always the same, and nobody without the key can tell it."""
    return hmac.digest(name_key, f"{account}\0{sent_digest}".encode(), hashlib.sha256).hex()[:32]


class Library:
    """All reads are strongly consistent but `expired_requests` and `overdue_work`."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    # Images

    def image(self, account: str, image_id: str) -> ImageRecord | None:
        """The account's image, or None."""
        item = self._table.get(_account_pk(account), f"IMAGE#{image_id}")
        return _image(item) if item else None

    def images(self, account: str, image_ids: Iterable[str]) -> dict[str, ImageRecord]:
        """Those of the account's images that there are, by id."""
        items = self._table.get_many((_account_pk(account), f"IMAGE#{image_id}") for image_id in image_ids)
        return {image.image_id: image for image in map(_image, items)}

    def all_images(self, account: str) -> Iterator[ImageRecord]:
        """Every image of an account, in the order of their ids."""
        return map(_image, self._table.query_all(_account_pk(account), "IMAGE#"))

    def page(self, account: str, limit: int, after: str | None = None) -> ImagePage:
        """At most `limit` images, those that follow `after`."""
        pk = _account_pk(account)
        start_key = {"pk": pk, "sk": f"IMAGE#{after}"} if after else None
        page = self._table.query(pk, "IMAGE#", limit=limit, start_key=start_key)
        return ImagePage(
            [_image(item) for item in page.items], page.next_key["sk"].removeprefix("IMAGE#") if page.next_key else None
        )

    def accounts(self) -> dict[str, int]:
        """How many images each account has that has any, by reading the whole table."""
        counts: dict[str, int] = {}
        for pk, _ in self._table.scan_keys("IMAGE#"):
            account = pk.removeprefix("ACCOUNT#")
            counts[account] = counts.get(account, 0) + 1
        return counts

    def file(self, image_id: str) -> FileRecord | None:
        """Anybody's image with this id, or None."""
        item = self._table.get(f"FILE#{image_id}", "FILE")
        return FileRecord(image_id, item["account"], item["generation"], item["format"]) if item else None

    def image_of_file(self, account: str, file: str) -> ImageRecord | None:
        """The account's image that is served under this name, or None."""
        name = IMAGE_FILE.fullmatch(file)
        image = self.image(account, name[1]) if name else None
        return image if image and image.file == file else None

    def owner_of_pixels(self, account: str, *digests: str) -> ImageRecord | None:
        """The account's image with such pixels, or None."""
        pk = _account_pk(account)
        for claim in self._table.get_many((pk, f"PIXELS#{digest}") for digest in digests):
            if image := self.image(account, claim["image_id"]):
                return image
        return None

    # Saving and removing

    def begin_save(self, image: ImageRecord) -> Work:
        """Before anything of it is written elsewhere."""
        work = Work(WorkKind.SAVE, image.account, image.image_id, image.generation, image.format)
        self._table.put(self._work_item(work))
        return work

    def commit_save(self, image: ImageRecord) -> None:
        """From here on the image is stored, and its save is done. Raises PixelsTaken, SaveAbandoned."""
        pk = _account_pk(image.account)
        steps = [
            self._table.delete_step("work", *_work_keys(image), "kind = :save", {"save": WorkKind.SAVE.value}),
            self._table.put_step("image", _image_item(image), "attribute_not_exists(pk)"),
            self._table.put_step("file", _file_item(image), "attribute_not_exists(pk)"),
        ]
        for digest in _digests(image):
            claim = {"pk": pk, "sk": f"PIXELS#{digest}", "image_id": image.image_id}
            steps.append(self._table.put_step("claim", claim, "attribute_not_exists(pk)"))
        try:
            self._table.transact(steps)
        except TransactionFailed as error:
            stored = self.image(image.account, image.image_id)
            if stored and stored.generation == image.generation:
                return  # an attempt whose answer was lost has done it
            if error.failed == ["work"]:
                raise SaveAbandoned(image.key) from error
            raise PixelsTaken(image.key) from error

    def abandon_save(self, work: Work) -> Work | None:
        """Turn a save into a removal, so that it cannot be committed any more; None if it has ended already."""
        try:
            self._table.update(
                *_work_keys(work),
                "SET kind = :removal",
                "attribute_exists(pk)",
                {"removal": WorkKind.REMOVAL.value},
            )
        except ConditionFailed:
            return None
        return Work(WorkKind.REMOVAL, work.account, work.image_id, work.generation, work.format)

    def renew(self, image: ImageRecord, bundle: str, labels: Sequence[Label]) -> ImageRecord | None:
        """From here on the image is one of this bundle; None if it was already, or this generation is not stored."""
        try:
            item = self._table.update(
                _account_pk(image.account),
                f"IMAGE#{image.image_id}",
                "SET #bundle = :bundle, #labels = :labels",
                "generation = :generation AND #bundle <> :bundle",
                {"bundle": bundle, "labels": _labels_text(labels), "generation": image.generation},
                {"bundle": "bundle", "labels": "labels"},
            )
        except ConditionFailed:
            return None
        return _image(item)

    def begin_removal(self, image: ImageRecord) -> Work | None:
        """From here on the image is not stored any more; None if this generation of it was not."""
        pk = _account_pk(image.account)
        work = Work(WorkKind.REMOVAL, image.account, image.image_id, image.generation, image.format)
        steps = [
            self._table.delete_step(
                "image", pk, f"IMAGE#{image.image_id}", "generation = :generation", {"generation": image.generation}
            ),
            self._table.delete_step("file", f"FILE#{image.image_id}", "FILE"),
            *(self._table.delete_step("claim", pk, f"PIXELS#{digest}") for digest in _digests(image)),
            self._table.put_step("work", self._work_item(work)),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed:
            return None
        return work

    def finish_removal(self, work: Work) -> None:
        """Nothing of it is left anywhere."""
        self._table.delete(*_work_keys(work))

    def is_unfinished(self, key: str) -> bool:
        """Whether a save or removal under this key of the vector index has begun, and not ended."""
        return self._table.get(f"WORK#{key}", "WORK") is not None

    def overdue_work(self) -> Iterator[Work]:
        """Saves and removals that were killed, oldest first (eventually consistent)."""
        return map(_work, self._table.query_all("WORK", sk_between=(0, self._clock()), index="due"))

    # Requests

    def remember(self, account: str, request_id: str, url: str, image_id: str | None = None) -> Request:
        """Keep a request for 3 minutes."""
        now = self._clock()
        request = Request(account, request_id, url, now + REQUEST_LIFETIME_S * 1000, image_id)
        self._table.put(
            {
                "pk": _account_pk(account),
                "sk": f"REQUEST#{request_id}",
                "account": account,
                "url": url,
                "image_id": image_id,
                "expires_at_ms": request.expires_at_ms,
                "due_pk": "REQUEST",
                "due_sk": request.expires_at_ms,
                "ttl_s": now // 1000 + FORGET_AFTER_S,
            }
        )
        return request

    def request(self, account: str, request_id: str) -> Request | None:
        """The account's request, or None if there is none or its time is over."""
        item = self._table.get(_account_pk(account), f"REQUEST#{request_id}")
        if item is None or item["expires_at_ms"] <= self._clock():
            return None
        return _request(item)

    def expired_requests(self) -> Iterator[Request]:
        """Requests whose time is over, oldest first (eventually consistent)."""
        return map(_request, self._table.query_all("REQUEST", sk_between=(0, self._clock()), index="due"))

    def forget(self, requests: Iterable[Request]) -> None:
        """Doing it again changes nothing. Raises Unprocessed."""
        self._table.delete_many((_account_pk(request.account), f"REQUEST#{request.id}") for request in requests)

    def _work_item(self, work: Work) -> Item:
        pk, sk = _work_keys(work)
        return {
            "pk": pk,
            "sk": sk,
            "kind": work.kind.value,
            "account": work.account,
            "image_id": work.image_id,
            "generation": work.generation,
            "format": work.format,
            "due_pk": "WORK",
            "due_sk": self._clock() + FINISH_AFTER_S * 1000,
        }


def _account_pk(account: str) -> str:
    return f"ACCOUNT#{account}"


def _work_keys(of: ImageRecord | Work) -> tuple[str, str]:
    return f"WORK#{of.key}", "WORK"


def _digests(image: ImageRecord) -> list[str]:
    """One or two: a lossless form has the pixels that were sent."""
    return sorted({image.sent_digest, image.stored_digest})


def _image_item(image: ImageRecord) -> Item:
    return {
        "pk": _account_pk(image.account),
        "sk": f"IMAGE#{image.image_id}",
        "account": image.account,
        "image_id": image.image_id,
        "generation": image.generation,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "labels": _labels_text(image.labels),
        "saved_at_ms": image.saved_at_ms,
        "source": image.source,
        "sent_digest": image.sent_digest,
        "stored_digest": image.stored_digest,
        "bundle": image.bundle,
    }


def _labels_text(labels: Sequence[Label]) -> str:
    """As text: our tables hold no floats."""
    return json.dumps([asdict(label) for label in labels])


def _image(item: Item) -> ImageRecord:
    values: dict[str, Any] = {name: value for name, value in item.items() if name not in ("pk", "sk")}
    labels = tuple(Label(**label | {"box": tuple(label["box"])}) for label in json.loads(item["labels"]))
    return ImageRecord(**values | {"labels": labels})


def _file_item(image: ImageRecord) -> Item:
    return {
        "pk": f"FILE#{image.image_id}",
        "sk": "FILE",
        "account": image.account,
        "generation": image.generation,
        "format": image.format,
    }


def _work(item: Item) -> Work:
    return Work(WorkKind(item["kind"]), item["account"], item["image_id"], item["generation"], item["format"])


def _request(item: Item) -> Request:
    return Request(
        item["account"], item["sk"].removeprefix("REQUEST#"), item["url"], item["expires_at_ms"], item["image_id"]
    )
