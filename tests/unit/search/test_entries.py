from crowdsight.search.entries import image_entry
from crowdsight.search.library import ImageRecord, Label


def image_with(*labels: Label) -> ImageRecord:
    return ImageRecord("ann", "0" * 32, "g", "jpeg", 1, 1, 1, labels, 1234, "", "sent", "stored", "bundle-1")


def label(name: str, score: float) -> Label:
    return Label(name, score, (0.0, 0.0, 1.0, 1.0), 1)


def test_an_entry_has_each_label_once_with_its_best_score_and_the_time_of_the_save() -> None:
    image = image_with(label("dog", 0.25), label("cat", 0.5), label("dog", 0.75))
    found = image_entry(image, {})
    assert (found.key, found.labels, found.time_ms) == (image.key, {"dog": 0.75, "cat": 0.5}, 1234)


def test_of_more_than_32_labels_the_surest_count() -> None:
    found = image_entry(image_with(*(label(f"label{number}", number / 100) for number in range(40))), {})
    assert set(found.labels) == {f"label{number}" for number in range(8, 40)}
