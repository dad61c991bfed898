"""What a Worker sees and does, in a real browser, with the whole stack behind it."""

import time
from uuid import uuid4

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from client.stack import Stack
from client.tasks import Task, TaskClient
from tests.browser.conftest import PATIENCE_MS, PHONE, SignIn
from tests.browser.doing_hits import question_frame, wait_for_input

HOSTILE_LABEL = """<script>window.parent.x=1</script>"'><img src=x onerror="window.x=1">{{7*7}}]]>&amp;"""


def put_contains(tasks: TaskClient, image_url: str, label: str) -> str:
    name = f"t-{uuid4().hex}"
    tasks.put_task("image-contains", name, {"image": {"url": image_url}, "target": {"label": label}})
    return name


def accept_hit_of(page: Page, stack: Stack, function_title: str, image_url: str) -> FrameLocator:
    """Find the HIT whose question shows this picture, by its page, and accept it; returns the question's frame."""
    site = stack.workplace().url
    mturk = stack.workplace().mturk()
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        for hits in mturk.get_paginator("list_hits").paginate():
            for hit in hits["HITs"]:
                if hit["HITStatus"] == "Assignable" and image_url in hit["Question"]:
                    page.goto(f"{site}/hits/{hit['HITId']}")
                    expect(page.get_by_role("heading", level=1)).to_have_text(function_title)
                    page.get_by_role("button", name="Accept").click()
                    page.wait_for_url("**/assignments/*")
                    wait_for_input(page)
                    return page.frame_locator("iframe")
        time.sleep(0.3)
    raise AssertionError(f"no HIT about {image_url} within {PATIENCE_MS} ms")


def has_ended_or_asks(stack: Stack, tasks: TaskClient, name: str, image_url: str) -> bool:
    """Wait until a task has ended, True, or its HIT has another place, False."""
    mturk = stack.workplace().mturk()
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        if tasks.get_task("image-similarity", name).state != "processing":
            return True
        pages = mturk.get_paginator("list_hits").paginate()
        hits = [hit for page in pages for hit in page["HITs"] if image_url in hit["Question"]]
        if any(hit["HITStatus"] == "Assignable" for hit in hits):
            return False
        time.sleep(0.3)
    raise AssertionError(f"{name} neither ended nor asked for more within {PATIENCE_MS} ms")


def expect_submitted(page: Page) -> None:
    expect(page.get_by_role("status").filter(has_text="Submitted")).to_be_visible(timeout=PATIENCE_MS)


CONTAINS, SIMILARITY = "Does a picture show a certain thing?", "How alike do two pictures look?"


def test_two_workers_answer_by_mouse_and_by_keyboard_and_the_task_completes(
    stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn
) -> None:
    url = f"{pictures}cat.jpg?{uuid4().hex}"
    name = put_contains(tasks, url, "cat")

    first = sign_in("Ada")
    frame = accept_hit_of(first, stack, CONTAINS, url)
    frame.get_by_role("button", name="Yes").click()
    expect_submitted(first)

    second = sign_in("Grace")
    frame = accept_hit_of(second, stack, CONTAINS, url)
    expect(frame.get_by_role("button", name="Yes")).to_be_enabled()
    second.keyboard.press("y")
    expect_submitted(second)

    task: Task = tasks.wait("image-contains", name, timeout_s=PATIENCE_MS / 1000)
    assert (task.state, task.result) == ("completed", {"containsTarget": True})
    first.goto(f"{stack.workplace().url}/earnings")
    expect(first.locator("dl.totals")).to_contain_text("$0.02")


def test_workers_grade_two_pictures_with_the_number_keys(
    stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn
) -> None:
    url, name = f"{pictures}dahlia.jpg?{uuid4().hex}", f"t-{uuid4().hex}"
    tasks.put_task("image-similarity", name, {"image1": {"url": url}, "image2": {"url": f"{pictures}dahlia-crop.jpg"}})
    for worker in ("Ada", "Grace", "Edith", "Dora"):
        page = sign_in(worker)
        frame = accept_hit_of(page, stack, SIMILARITY, url)
        expect(frame.get_by_role("button")).to_have_count(6)
        expect(frame.get_by_role("button", name="Very alike")).to_be_enabled()
        page.keyboard.press("4")
        expect_submitted(page)
        if has_ended_or_asks(stack, tasks, name, url):
            break
    task = tasks.wait("image-similarity", name, timeout_s=PATIENCE_MS / 1000)
    assert task.result == {"similarityScore": pytest.approx(0.75, abs=0.02)}


def test_a_callers_text_is_shown_as_text_and_never_runs(
    stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn
) -> None:
    url = f"{pictures}dogs.jpg?{uuid4().hex}"
    put_contains(tasks, url, HOSTILE_LABEL)
    page = sign_in("Ada")
    frame = accept_hit_of(page, stack, CONTAINS, url)
    expect(frame.locator("#subject")).to_have_text(HOSTILE_LABEL)
    inner = question_frame(page)
    assert inner.evaluate("[window.x, document.querySelectorAll('main script').length, document.images.length]") == [
        None,
        0,
        1,
    ]
    assert page.evaluate("window.x") is None


def test_a_question_can_read_nothing_of_the_site(
    stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn
) -> None:
    url = f"{pictures}coffee.jpg?{uuid4().hex}"
    put_contains(tasks, url, "cup")
    page = sign_in("Ada")
    accept_hit_of(page, stack, CONTAINS, url)
    inner = question_frame(page)
    attempts = {
        "cookie": "document.cookie",
        "storage": "localStorage.length",
        "parent": "parent.document.body",
        "navigation": "top.location.href = 'about:blank'",
    }
    for what, script in attempts.items():
        refused = f"(() => {{ try {{ {script}; return null }} catch (error) {{ return error.name }} }})()"
        assert inner.evaluate(refused) == "SecurityError", what
    answer = inner.evaluate("fetch('/earnings', {credentials: 'include'}).then(() => 'read', () => 'refused')")
    assert answer == "refused"


def test_a_picture_that_does_not_load_is_announced_and_can_be_said(
    stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn
) -> None:
    url = f"{pictures}missing.jpg?{uuid4().hex}"
    name = put_contains(tasks, url, "dog")
    for worker in ("Ada", "Grace"):
        page = sign_in(worker)
        frame = accept_hit_of(page, stack, CONTAINS, url)
        expect(frame.get_by_role("status")).to_contain_text("does not load")
        page.keyboard.press("x")
        expect_submitted(page)
    task = tasks.wait("image-contains", name, timeout_s=PATIENCE_MS / 1000)
    assert task.problem is not None and task.problem.code == "ImageUnavailable"


def test_a_preview_cannot_be_answered(stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn) -> None:
    url = f"{pictures}rocket.jpg?{uuid4().hex}"
    put_contains(tasks, url, "rocket")
    page = sign_in("Ada")
    accept_hit_of(page, stack, CONTAINS, url)
    page.get_by_role("button", name="Return").click()
    page.goto(page.url if "/hits/" in page.url else stack.workplace().url)
    page.get_by_role("link", name=CONTAINS).first.click()
    frame = page.frame_locator("iframe")
    for button in frame.get_by_role("button").all():
        expect(button).to_be_disabled()


def test_it_can_all_be_done_on_a_phone(stack: Stack, tasks: TaskClient, pictures: str, sign_in: SignIn) -> None:
    url = f"{pictures}windmill.jpg?{uuid4().hex}"
    put_contains(tasks, url, "windmill")
    page = sign_in("Ada", viewport=PHONE, has_touch=True, is_mobile=True)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    frame = accept_hit_of(page, stack, CONTAINS, url)
    assert page.evaluate(overflow) <= 0
    for name in ("Yes", "No"):
        box = frame.get_by_role("button", name=name, exact=False).first.bounding_box()
        assert box is not None and box["height"] >= 44
    frame.get_by_role("button", name="Yes").tap()
    expect_submitted(page)
