"""Finding, saving, removing and serving images, over moto and in memory."""

from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from crowdsight.errors import AlreadyStored, InvalidRequest, NotFound, UndecodableImage, UnfetchableImage
from crowdsight.search.index import Entry
from crowdsight.search.library import FINISH_AFTER_S, REQUEST_LIFETIME_S
from crowdsight.search.sweeping import BATCH_REQUESTS
from tests.conftest import StoppedClock
from tests.contract.search_world import Search, SearchWorld, picture, plain


@pytest.fixture
def world(dynamodb: Any, s3: Any, clock: StoppedClock) -> SearchWorld:
    return SearchWorld(dynamodb, s3, clock)


@pytest.fixture
def search(world: SearchWorld) -> Search:
    return world.search


def test_a_find_in_an_empty_library_finds_nothing_and_what_was_saved_is_found_by_the_very_next(
    world: SearchWorld, search: Search
) -> None:
    url = world.put_on_web(picture(1))
    finding = search.find("ann", url)
    assert finding.results == []
    assert str(UUID(finding.request_id)) == finding.request_id
    image = search.save("ann", finding.request_id)
    (hit,) = search.find("ann", url).results
    assert (hit.image, hit.similarity) == (image, 1.0)
    assert (image.source, image.width, image.height, image.saved_at_ms) == (url, 40, 30, world.clock())
    assert [label.box for label in image.labels] == [(0.0, 0.5, 40.0, 30.0)]


def test_results_come_most_similar_first_no_more_than_asked_for_and_none_below_the_threshold(
    world: SearchWorld, search: Search
) -> None:
    for seed in range(8):
        world.find_and_save("ann", picture(seed))
    url = world.put_on_web(picture(3))
    similarities = [hit.similarity for hit in search.find("ann", url, max_results=50).results]
    assert len(similarities) == 8
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == 1.0 and all(0 <= similarity <= 1 for similarity in similarities)
    assert all(similarity == round(similarity, 6) for similarity in similarities)
    assert len(search.find("ann", url).results) == 5
    assert [hit.similarity for hit in search.find("ann", url, 50, similarities[3]).results] == similarities[:4]


def test_the_same_bytes_score_1_after_a_refresh_as_well_even_if_they_are_stored_in_another_form(
    world: SearchWorld, search: Search
) -> None:
    for data in (picture(1, format="JPEG"), picture(2, (300, 900), "WEBP"), picture(3, alpha=True)):
        url = world.put_on_web(data)
        image = search.save("ann", search.find("ann", url).request_id)
        assert search.find("ann", url, 1).results[0].similarity == 1.0
        search.index.refresh()
        (hit,) = world.new_process().find("ann", url, 1).results
        assert (hit.image.image_id, hit.similarity) == (image.image_id, 1.0)


def test_what_cannot_be_fetched_or_decoded_is_no_request(world: SearchWorld, search: Search) -> None:
    with pytest.raises(UnfetchableImage):
        search.find("ann", "https://nowhere.example/")
    with pytest.raises(UndecodableImage):
        search.find("ann", world.put_on_web(b"no picture"))
    with pytest.raises(UndecodableImage):
        search.find_similar("ann", data=b"no picture")
    assert world.object_keys() == []


def test_a_request_is_remembered_for_three_minutes_by_its_own_account_only(world: SearchWorld, search: Search) -> None:
    url = world.put_on_web(picture(1))
    first, second = search.find("ann", url).request_id, search.find("ann", url).request_id
    world.clock.move(REQUEST_LIFETIME_S - 0.001)
    for account, request_id in (("bob", first), ("ann", "unknown"), ("ann", "")):
        with pytest.raises(NotFound):
            search.save(account, request_id)
    assert search.sweep().requests == 0
    search.save("ann", first)
    world.clock.move(0.001)
    with pytest.raises(NotFound):
        search.save("ann", second)
    assert search.sweep().requests == 2
    assert not [key for key in world.object_keys() if key.startswith("requests/")]
    world.tidy()
    world.check_is_whole("ann", {image.image_id for image in search.library.all_images("ann")})


def test_a_picture_is_stored_once_however_it_comes(world: SearchWorld, search: Search) -> None:
    stored = search.save.save_bytes("ann", picture(1, format="PNG"), "here")
    served = search.serve.image(stored.file).data
    for same in (picture(1, format="PNG"), picture(1, format="TIFF"), served):
        finding = search.find("ann", world.put_on_web(same))
        with pytest.raises(AlreadyStored) as error:
            search.save("ann", finding.request_id, lambda file: f"https://ours.example/{file}")
        assert error.value.details == {"url": f"https://ours.example/{stored.file}"}
        assert error.value.details["url"] in error.value.message
    assert search.stats("ann").images == 1
    assert search.stats("ann").vectors == 1


def test_a_name_is_the_same_for_one_account_and_picture_and_another_for_another_account(
    world: SearchWorld, search: Search
) -> None:
    first = search.save.save_bytes("ann", picture(1), "here")
    others = search.save.save_bytes("bob", picture(1), "there")
    assert first.image_id != others.image_id
    search.remove("ann", first.image_id)
    again = search.save.save_bytes("ann", picture(1), "here")
    assert again.file == first.file
    assert again.generation != first.generation


def test_files_are_served_in_their_stored_form_to_anybody_who_knows_the_name(search: Search) -> None:
    opaque = search.save.save_bytes("ann", picture(1, (700, 500), "WEBP"), "here")
    transparent = search.save.save_bytes("ann", picture(2, alpha=True), "here")
    assert (opaque.file[32:], transparent.file[32:]) == (".jpg", ".png")
    for image, media_type, mode in ((opaque, "image/jpeg", "RGB"), (transparent, "image/png", "RGBA")):
        served = search.serve.image(image.file)
        assert served.media_type == media_type
        with Image.open(BytesIO(served.data)) as read:
            assert (read.mode, read.size) == (mode, (image.width, image.height))
        assert image.size_bytes == len(served.data)
        thumbnail = search.serve.thumbnail(image.thumbnail_file)
        assert thumbnail.media_type == "image/webp"
        with Image.open(BytesIO(thumbnail.data)) as read:
            assert read.format == "WEBP" and max(read.size) == min(256, image.width)


@pytest.mark.parametrize("file", ["", "x.jpg", "0" * 32 + ".jpg", "../requests/x", "0" * 31 + "g.png"])
def test_a_name_that_is_no_file_is_not_found(search: Search, file: str) -> None:
    for serve in (search.serve.image, search.serve.thumbnail):
        with pytest.raises(NotFound):
            serve(file)


def test_a_file_is_not_served_under_another_format_or_with_anything_around_its_name(search: Search) -> None:
    image = search.save.save_bytes("ann", picture(1, format="JPEG"), "here")
    for file in (f"{image.image_id}.png", f"{image.file}\n", f"/{image.file}", image.image_id, image.thumbnail_file):
        with pytest.raises(NotFound):
            search.serve.image(file)
        with pytest.raises(NotFound):
            search.find("ann", "https://ours.example/", own_file=file)
    with pytest.raises(NotFound):
        search.serve.thumbnail(image.file)


def test_a_query_by_an_images_own_address_is_answered_by_itself_and_then_by_those_like_it(
    world: SearchWorld, search: Search
) -> None:
    ids = [world.find_and_save("ann", picture(seed)) for seed in range(6)]
    world.find_and_save("bob", picture(99))
    image = search.library.image("ann", ids[2])
    assert image is not None
    finding = search.find("ann", "https://ours.example/x", 4, own_file=image.file)
    assert (finding.results[0].image, finding.results[0].similarity) == (image, 1.0)
    assert len(finding.results) == 4
    assert len({hit.image.image_id for hit in finding.results}) == 4
    assert search.find_similar("ann", url="https://ours.example/x", own_file=image.file, limit=4) == finding.results
    assert search.find_similar("ann", url="https://ours.example/x", own_file=image.file) == finding.results[:1]
    with pytest.raises(AlreadyStored):
        search.save("ann", finding.request_id)
    with pytest.raises(NotFound):
        search.find("bob", "https://ours.example/x", own_file=image.file)
    search.remove("ann", image.image_id)
    with pytest.raises(NotFound):
        search.save("ann", finding.request_id)
    with pytest.raises(NotFound):
        search.find("ann", "https://ours.example/x", own_file=image.file)
    assert search.sweep().failed == 0


def test_similar_images_are_found_by_url_by_bytes_and_by_words_and_nothing_is_remembered(
    world: SearchWorld, search: Search
) -> None:
    ids = {colour: world.find_and_save("ann", plain(colour)) for colour in ("red", "lime", "blue", "yellow")}
    world.clock.move(REQUEST_LIFETIME_S)
    search.sweep()
    before = world.object_keys()
    by_words = search.find_similar("ann", text="yellow", limit=3)
    assert [hit.image.image_id for hit in by_words][0] == ids["yellow"]
    assert len(by_words) == 3 and by_words[0].similarity > by_words[1].similarity
    for query in ({"data": plain("blue", "BMP")}, {"url": world.put_on_web(plain("blue"))}):
        (hit,) = search.find_similar("ann", **query)
        assert (hit.image.image_id, hit.similarity) == (ids["blue"], 1.0)
    assert world.object_keys() == before
    for wrong in ({}, {"text": "red", "data": b"x"}):
        with pytest.raises(InvalidRequest):
            search.find_similar("ann", **wrong)  # type: ignore[arg-type]


def test_a_removed_image_is_found_and_served_no_more_and_leaves_nothing(world: SearchWorld, search: Search) -> None:
    kept, removed = world.find_and_save("ann", picture(1)), world.find_and_save("ann", picture(2))
    image = search.library.image("ann", removed)
    assert image is not None
    for account, image_id in (("bob", removed), ("ann", "0" * 32)):
        with pytest.raises(NotFound):
            search.remove(account, image_id)
    search.remove("ann", removed)
    with pytest.raises(NotFound):
        search.remove("ann", removed)
    for serve, file in ((search.serve.image, image.file), (search.serve.thumbnail, image.thumbnail_file)):
        with pytest.raises(NotFound):
            serve(file)
    url = world.put_on_web(picture(2))
    assert [hit.image.image_id for hit in search.find("ann", url).results] == [kept]
    world.tidy()
    world.check_is_whole("ann", {kept})


def test_an_account_sees_nothing_of_anothers_images(world: SearchWorld, search: Search) -> None:
    for seed in range(3):
        world.find_and_save("ann", picture(seed))
    own = world.find_and_save("an", picture(1))
    search.index.refresh()
    url = world.put_on_web(picture(1))
    assert [hit.image.image_id for hit in search.find("an", url, 50).results] == [own]
    assert [hit.image.image_id for hit in search.find_similar("an", text="red", limit=50)] == [own]
    assert [image.image_id for image in search.list("an").images] == [own]
    assert search.stats("an").images == search.stats("an").vectors == 1


def test_vectors_without_a_stored_image_never_shorten_an_answer(world: SearchWorld, search: Search) -> None:
    ids = {world.find_and_save("ann", picture(seed)) for seed in range(3)}
    orphan = search.library.image("ann", min(ids))
    assert orphan is not None
    rows = search.bundle.embed_images([Image.open(BytesIO(picture(0)))])
    vectors = {space: row[0] for space, row in rows.items()}
    search.index.put("ann", [Entry(f"{orphan.image_id}.other{number:02}", vectors) for number in range(40)])
    hits = search.find("ann", world.put_on_web(picture(0)), 3).results
    assert {hit.image.image_id for hit in hits} == ids


def test_lists_come_in_pages_and_figures_add_up(world: SearchWorld, search: Search) -> None:
    images = [search.save.save_bytes("ann", picture(seed), "here") for seed in range(5)]
    seen: list[str] = []
    after = None
    while True:
        page = search.list("ann", 2, after)
        assert len(page.images) <= 2
        seen += [image.image_id for image in page.images]
        after = page.after
        if after is None:
            break
    assert seen == sorted(image.image_id for image in images)
    search.index.refresh()
    search.remove("ann", seen[0])
    figures = search.stats("ann")
    size_bytes = sum(image.size_bytes for image in images if image.image_id != seen[0])
    assert (figures.images, figures.size_bytes, figures.vectors) == (4, size_bytes, 4)
    assert (figures.segments, figures.log_length) == (1, 1)


def test_a_sweep_that_is_over_leaves_the_rest_to_the_next(world: SearchWorld, search: Search) -> None:
    for number in range(BATCH_REQUESTS + 2):
        search.library.remember("ann", f"request-{number}", "https://pictures.example/")
    world.clock.move(FINISH_AFTER_S)
    answers = iter([False, True])
    assert search.sweep(lambda: next(answers)).requests == BATCH_REQUESTS
    assert search.sweep().requests == 2


def test_killed_saves_do_not_wait_behind_requests(world: SearchWorld, search: Search) -> None:
    image = search.save.save_bytes("ann", picture(1), "x")
    search.remove("ann", image.image_id)
    search.library.begin_save(image)
    search.library.remember("ann", "request", "https://pictures.example/")
    world.clock.move(FINISH_AFTER_S)
    answers = iter([False, True])
    swept = search.sweep(lambda: next(answers))
    assert (swept.saves, swept.requests) == (1, 0)


def test_under_another_bundle_a_stored_picture_is_found_once_it_is_saved_again(world: SearchWorld) -> None:
    before, after = world.new_process(), world.new_process(bundle="colours-2")
    image = before.save.save_bytes("ann", picture(1), "x")
    url = world.put_on_web(picture(1))
    finding = after.find("ann", url)
    assert finding.results == []
    renewed = after.save("ann", finding.request_id)
    assert (renewed.file, renewed.generation) == (image.file, image.generation)
    assert (renewed.bundle, [label.name for label in renewed.labels]) == ("colours-2", ["colours-2"])
    finding = after.find("ann", url)
    assert [hit.image for hit in finding.results] == [renewed]
    with pytest.raises(AlreadyStored):
        after.save("ann", finding.request_id)
    # The way back: what the first bundle embedded still lies in its own index.
    (hit,) = before.find("ann", url).results
    assert (hit.image.image_id, hit.similarity) == (image.image_id, 1.0)


def test_under_another_bundle_a_picture_named_by_its_own_address_can_be_saved_again(world: SearchWorld) -> None:
    image = world.new_process().save.save_bytes("ann", picture(1), "x")
    after = world.new_process(bundle="colours-2")
    finding = after.find("ann", f"https://api.example/image/{image.file}", own_file=image.file)
    assert after.save("ann", finding.request_id).bundle == "colours-2"
    with pytest.raises(AlreadyStored):
        after.save("ann", finding.request_id)
    (hit,) = after.find_similar("ann", data=picture(1))
    assert hit.image.image_id == image.image_id
    after.remove("ann", image.image_id)
    assert after.find_similar("ann", data=picture(1)) == []
