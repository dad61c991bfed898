"""How HITs are found: what is listed, what a look costs, and that nobody gets what is not theirs."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from moto import mock_aws

from crowdsight.workplace import records
from crowdsight.workplace.faults import GroupNotFound, HitNotAvailable, WorkerNotFound
from crowdsight.workplace.groups import SETTLED_AFTER_MS, group_pk
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.identifiers import group_id_of, new_id
from crowdsight.workplace.lifecycle import create
from crowdsight.workplace.listing import GROUPS_READ, GROUPS_SHOWN, WINDOW_HITS, WINDOWS, Order, Wish
from crowdsight.workplace.store import Store
from tests.contract.counting_dynamodb import CountingDynamoDB
from tests.contract.senders import UNHEARD
from tests.contract.workplace_rig import HTML_QUESTION, REQUESTER, Rig

WORKER = "AWORKER0000001"


@pytest.fixture
def dynamodb() -> CountingDynamoDB:
    return CountingDynamoDB()


@pytest.fixture
def rig(dynamodb: CountingDynamoDB) -> Iterator[Rig]:
    with mock_aws():
        rig = Rig(dynamodb=dynamodb, funds_cents=10_000_000)
        rig.workplace.register_worker(WORKER, "Ada")
        yield rig


def titles(rig: Rig, wish: Wish | None = None, worker_id: str = WORKER) -> list[str]:
    listing = rig.workplace.listing
    return [group.title for group in listing.groups(listing.desk(worker_id), wish or Wish()).groups]


def offer_many(rig: Rig, count: int, places: int = 1) -> str:
    """Many HITs of one type, written without a requester's program; their group."""
    store = Store(rig.wiring.workplace_table, rig.clock, new_id, UNHEARD)
    group_id = group_id_of("3MANY")
    for _ in range(count):
        hit = Hit(
            new_id(), "3MANY", group_id, REQUESTER, "Many", "", "", 1, 1, 600, 86_400, (), "",
            max_assignments=places, created_at_ms=rig.clock(), expires_at_ms=rig.clock() + 86_400_000,
        )  # fmt: skip
        question = records.question_to_item(hit.hit_id, HTML_QUESTION)
        store.add_hit(create(hit), [store.table.put_step("question", question)])
    return group_id


def have_done(rig: Rig, group_id: str, count: int) -> None:
    """That the Worker has or did so many of the group's HITs."""
    table = rig.wiring.workplace_table
    hits = islice(table.query_all(group_pk(group_id), index="open"), count)
    table.put_many({"pk": hit["pk"], "sk": records.holder_sk(WORKER), "assignment_sk": "-"} for hit in hits)


def test_a_group_is_listed_while_it_has_a_hit_that_can_be_taken(rig: Rig) -> None:
    assert titles(rig) == []
    taken, expiring = rig.create_hit(Title="A")["HITId"], rig.create_hit(Title="B", LifetimeInSeconds=60)["HITId"]
    both = [rig.create_hit(Title="C")["HITId"] for _ in range(2)]
    assert sorted(titles(rig)) == ["A", "B", "C"]
    assignment = rig.accept(taken, "AW2")
    assert sorted(titles(rig)) == ["B", "C"]
    rig.workplace.return_assignment(assignment.assignment_id, "AW2")
    assert sorted(titles(rig)) == ["A", "B", "C"]
    rig.submit(taken, "AW2")
    rig.clock.move(60)
    rig.sweep()
    assert titles(rig) == ["C"]
    rig.client.update_expiration_for_hit(HITId=expiring, ExpireAt=rig.clock() // 1000 + 60)
    assert sorted(titles(rig)) == ["B", "C"]
    rig.accept(both[0], "AW2")
    assert sorted(titles(rig)) == ["B", "C"]
    rig.client.update_expiration_for_hit(HITId=both[1], ExpireAt=0)
    assert titles(rig) == ["B"]


def test_a_hit_that_changes_its_type_changes_its_group(rig: Rig) -> None:
    hit_id = rig.create_hit(Title="A")["HITId"]
    other = rig.client.create_hit_type(Title="B", Description="b", Reward="0.02", AssignmentDurationInSeconds=60)
    rig.client.update_hit_type_of_hit(HITId=hit_id, HITTypeId=other["HITTypeId"])
    assert titles(rig) == ["B"]


def test_a_hit_that_is_not_paid_for_leaves_no_group(rig: Rig) -> None:
    with pytest.raises(rig.client.exceptions.RequestError):
        rig.create_hit(Title="Too dear", Reward="90000", MaxAssignments=9)
    assert titles(rig) == []


def test_a_group_of_which_nothing_is_left_for_a_worker_is_left_out_for_them_alone(rig: Rig) -> None:
    hit_ids = [rig.create_hit(MaxAssignments=3)["HITId"] for _ in range(2)]
    listing, group_id = rig.workplace.listing, rig.hit(hit_ids[0])["HITGroupId"]
    rig.workplace.register_worker("AW2", "Bo")
    first, second = (rig.accept(hit_id, WORKER) for hit_id in hit_ids)
    listing.note_taken(group_id, WORKER)
    assert (titles(rig), len(titles(rig, worker_id="AW2"))) == ([], 1)
    assert listing.find_hit(group_id, WORKER).hit is None
    rig.workplace.return_assignment(first.assignment_id, WORKER)
    assert len(titles(rig)) == 1
    rig.accept(hit_ids[0], WORKER)
    listing.note_taken(group_id, WORKER)
    assert titles(rig) == []
    rig.workplace.submit(second.assignment_id, [])
    rig.create_hit(MaxAssignments=3)
    assert len(titles(rig)) == 1
    rig.clock.move(601)
    rig.sweep()
    found = listing.find_hit(group_id, WORKER).hit
    assert found and found.hit_id != hit_ids[1]


def test_pages_of_groups_leave_none_out(rig: Rig) -> None:
    expected = {f"Kind {number}" for number in range(GROUPS_READ + 30)}
    for title in expected:
        rig.create_hit(Title=title)
    listing = rig.workplace.listing
    desk = listing.desk(WORKER)
    found: list[str] = []
    start, number = None, 0
    while True:
        page = listing.groups(desk, Wish(order=Order.HITS), start, number)
        assert len(page.groups) <= GROUPS_SHOWN
        assert not page.is_all
        found += [group.title for group in page.groups]
        if page.next_page is None and page.next_start is None:
            break
        start, number = (start, page.next_page) if page.next_page else (page.next_start, 0)
    assert sorted(found) == sorted(expected)


def test_looking_costs_the_same_at_a_hundred_and_at_ten_thousand_hits(rig: Rig, dynamodb: CountingDynamoDB) -> None:
    """Counted in calls and in items read; a Worker who has done hundreds of the group pays no more."""
    costs = []
    for count in (100, 9_900):
        group_id = offer_many(rig, count, places=9)
        listing = rig.workplace.listing
        have_done(rig, group_id, 30 if count == 100 else 300)
        dynamodb.calls.clear()
        dynamodb.read = 0
        (group,) = listing.groups(listing.desk(WORKER), Wish()).groups
        listed = (list(dynamodb.calls), dynamodb.read)
        assert group.open_hits == (100 if count == 100 else 10_000)
        dynamodb.calls.clear()
        dynamodb.read = 0
        assert listing.find_hit(group_id, WORKER).hit
        assert dynamodb.calls == ["get_item", "query", "batch_get_item"]
        assert dynamodb.read <= 2 * WINDOW_HITS
        costs.append(listed)
    assert costs[0] == costs[1] == (["query", "query"], 2)


def test_two_hundred_workers_who_look_at_once_find_different_hits(rig: Rig) -> None:
    group_id = offer_many(rig, 2_000)
    found = Counter(
        find.hit.hit_id
        for number in range(200)
        if (find := rig.workplace.listing.find_hit(group_id, f"AWORKER{number:07}")).hit
    )
    assert sum(found.values()) == 200
    assert len(found) >= 180, "chance alone gives 190"


def test_a_large_group_is_walked_all_around(rig: Rig) -> None:
    """Who has done nearly all of it finds the rest, if not in one look then by looking on."""
    count = WINDOW_HITS * WINDOWS * 2
    group_id = offer_many(rig, count, places=9)
    table = rig.wiring.workplace_table
    have_done(rig, group_id, count - 1)
    *_, last = table.query_all(group_pk(group_id), index="open")
    listing, looks, look_on_at = rig.workplace.listing, 0, None
    while (find := listing.find_hit(group_id, WORKER, look_on_at)).hit is None:
        looks += 1
        look_on_at = find.look_on_at
        assert look_on_at and looks < 4
    assert find.hit.hit_id == last["hit_id"]


def test_an_empty_group_that_is_still_listed_is_noticed(rig: Rig) -> None:
    """As after a failure between a change and its count."""
    hit_id = rig.create_hit()["HITId"]
    group_id = rig.hit(hit_id)["HITGroupId"]
    table = rig.wiring.workplace_table
    table.update(group_pk(group_id), "group", "ADD open_hits :one", None, {"one": 1})
    rig.submit(hit_id, "AW2")
    assert len(titles(rig)) == 1
    rig.clock.move(SETTLED_AFTER_MS / 1000)
    assert rig.workplace.listing.find_hit(group_id, WORKER).hit is None
    assert titles(rig, worker_id="AW2") == []


def test_a_count_that_is_too_low_hides_no_hit(rig: Rig) -> None:
    first, second, third = (rig.create_hit()["HITId"] for _ in range(3))
    group_id = rig.hit(first)["HITGroupId"]
    rig.wiring.workplace_table.update(group_pk(group_id), "group", "ADD open_hits :less", None, {"less": -2})
    rig.accept(first, "AW2")
    (group,) = rig.workplace.listing.groups(rig.workplace.listing.desk(WORKER), Wish()).groups
    assert group.open_hits == 2
    rig.accept(second, "AW2")
    rig.accept(third, "AW2")
    assert titles(rig) == []


def test_many_workers_at_once_get_every_hit_and_none_twice(rig: Rig) -> None:
    group_id = offer_many(rig, 60)
    lock, taken = threading.Lock(), Counter[str]()

    def work(number: int) -> None:
        worker_id = f"AWORKER{number:07}"
        rig.workplace.register_worker(worker_id, "W")
        gone: list[str] = []
        while (find := rig.workplace.listing.find_hit(group_id, worker_id, None, gone)).hit:
            try:
                assignment = rig.workplace.accept(find.hit.hit_id, worker_id)
            except HitNotAvailable:
                gone.append(find.hit.hit_id)
                continue
            rig.workplace.submit(assignment.assignment_id, [])
            with lock:
                taken[assignment.hit_id] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(taken) == 60 and set(taken.values()) == {1}
    assert titles(rig) == []
    assert rig.audit().discrepancies == []


def test_what_is_not_there_is_said_to_be_not_there(rig: Rig) -> None:
    with pytest.raises(GroupNotFound):
        rig.workplace.listing.find_hit("3NOTHERE", WORKER)
    with pytest.raises(WorkerNotFound):
        rig.workplace.listing.desk("ANOBODY")


@pytest.mark.parametrize("start", ["", "x", "#", "000000000000000#", "1" * 2_000, "000001800000000000#../x"])
def test_a_start_that_is_none_gives_the_first_groups(rig: Rig, start: str) -> None:
    rig.create_hit(Title="A")
    listing = rig.workplace.listing
    assert len(listing.groups(listing.desk(WORKER), Wish(), start).groups) == 1
