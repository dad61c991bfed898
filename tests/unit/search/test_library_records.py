from hypothesis import given
from hypothesis import strategies as st

from crowdsight.dynamodb import Table
from crowdsight.search.library import ImageRecord, Label, Library, image_id_of
from tests.conftest import StoppedClock
from tests.contract.memory_dynamodb import MemoryDynamoDB

ACCOUNTS = st.text("abcXYZ019_-", min_size=1, max_size=8)
FLOATS = st.floats(0, 5000, allow_nan=False)
LABELS = st.builds(
    Label, st.text(max_size=20), st.floats(0, 1), st.tuples(FLOATS, FLOATS, FLOATS, FLOATS), st.integers(0, 79)
)


def test_an_id_is_one_of_the_account_the_picture_and_the_secret_together() -> None:
    ids = {
        image_id_of(key, account, digest)
        for key in (b"key", b"other")
        for account in ("ann", "bob", "ann1")
        for digest in ("1ab", "ab", "b")
    }
    assert len(ids) == 2 * 3 * 3
    assert all(len(image_id) == 32 and set(image_id) <= set("0123456789abcdef") for image_id in ids)
    assert image_id_of(b"key", "ann", "ab") == image_id_of(b"key", "ann", "ab")


@given(ACCOUNTS, st.lists(LABELS, max_size=5), st.sampled_from(["jpeg", "png"]), st.text(max_size=50))
def test_a_record_is_read_as_it_was_written(account: str, labels: list[Label], format: str, source: str) -> None:
    dynamodb = MemoryDynamoDB()
    dynamodb.create_table("images")
    library = Library(Table(dynamodb, "images"), StoppedClock())
    image = ImageRecord(
        account, "0" * 32, "one", format, 7, 9, 1234, tuple(labels), 1_800_000_000_123, source, "sent", "stored", "b1"
    )
    library.begin_save(image)
    library.commit_save(image)
    assert library.image(account, image.image_id) == image
    assert library.images(account, [image.image_id, "1" * 32]) == {image.image_id: image}
    assert library.images("somebody-else", [image.image_id]) == {}
    assert library.owner_of_pixels(account, "unknown", "stored") == image
    assert library.page(account, 5).images == [image]
    file = library.file(image.image_id)
    assert file is not None
    assert (file.object_key, file.thumbnail_object_key) == (image.object_key, image.thumbnail_object_key)
