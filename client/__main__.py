"""`python -m client`: crowd tasks for callers, the workplace and the index of images for operators.

Exit codes: 0 done; 1 refused, failed, some pictures were bad, or the audit found something; 2 wrong usage; 3 still
waiting, stopped, or no answer came.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from client.admin import add_admin
from client.audit_tasks import add_audit_tasks
from client.commands import (
    DONE,
    NO_ANSWER,
    REFUSED,
    USAGE,
    WrongUsage,
    account_name,
    add_command,
    add_place,
    complain,
    count,
    show,
    stack_of,
)
from client.gold import add_gold
from client.stack import StackNotFound
from client.tasks import ApiError, ApiUnreachable, StillWaiting, Task, TaskClient
from crowdsight.accounts.gateway_keys import NoUsagePlan
from crowdsight.errors import CrowdsightError
from crowdsight.workplace.faults import WorkplaceError
from crowdsight.workplace.qualifications import GRANTED_BY_OPERATOR, Locale

if TYPE_CHECKING:  # what is about images takes a while to import, and callers need none of it
    from crowdsight.search.library import ImageRecord
    from crowdsight.wiring import Wiring

API_KEY_VARIABLE = "CROWDSIGHT_API_KEY"
DEFAULT_ACCOUNT = "default"
ENGINES = ("segments", "s3vectors")
PAGE_IMAGES = 100
STORED_FILE = re.compile(r"([0-9a-f]{32})(\.[a-z]+)?")


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one command; its answer goes to the standard output, as JSON where it has parts. Returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options, environment)
        return code
    except WrongUsage as error:
        return complain(error, USAGE)
    except (ApiError, CrowdsightError, WorkplaceError, StackNotFound, NoUsagePlan, ClientError) as error:
        return complain(error, REFUSED)
    except (ApiUnreachable, StillWaiting, BotoCoreError) as error:
        return complain(error, NO_ANSWER)
    except KeyboardInterrupt:
        return complain("stopped", NO_ANSWER)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m client",
        description="Crowd tasks for callers; accounts, the workplace and the index of images for operators.",
        epilog="Each command has its own --help. All of them are explained in client/README.md.",
    )
    subjects = top.add_subparsers(title="subjects", required=True, metavar="SUBJECT")
    _add_tasks(subjects.add_parser("tasks", help="put, get, delete and wait for tasks"))
    _add_workers(subjects.add_parser("workers", help="invite Workers"))
    _add_requesters(subjects.add_parser("requesters", help="fund requesters and issue their credentials"))
    _add_index(subjects.add_parser("index", help="add, list, remove and count images, migrate vectors"))
    add_admin(subjects.add_parser("admin", help="accounts of callers: their keys, balances, budgets and usage"))
    add_gold(subjects.add_parser("gold", help="questions whose truth is known, by which Workers are measured"))
    add_audit_tasks(subjects.add_parser("audit-tasks", help="finished tasks, drawn at random, whose truth is wanted"))
    audit = add_command(subjects, "audit", _audit, "check that HITs, assignments and money add up")
    add_place(audit)
    return top


def _add_tasks(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    put = add_command(commands, "put", _put_task, "ask a question; asked again, see how it stands")
    get = add_command(commands, "get", _get_task, "see a task")
    delete = add_command(commands, "delete", _delete_task, "forget a task that has ended; its name is free again")
    wait = add_command(commands, "wait", _wait_for_task, "see a task once it has ended; exit code 1 if it failed")
    for command in (put, get, delete, wait):
        command.add_argument("function", metavar="FUNCTION", help="such as image-contains or image-similarity-test")
        command.add_argument("name", metavar="NAME", help="the task's name, 1 to 64 of A-Z a-z 0-9 . _ -")
        command.add_argument("--api-url", metavar="URL", help=f"the API's address; the key is in {API_KEY_VARIABLE}")
        add_place(command)
    put.add_argument("input", metavar="INPUT", help="the input as JSON, or - to read it from the standard input")
    wait.add_argument(
        "--timeout", type=float, default=3600.0, metavar="SECONDS", help="how long to wait (3600); then exit code 3"
    )


def _add_workers(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    invite = add_command(commands, "invite", _invite_worker, "make an invitation link for one new Worker")
    invite.add_argument("name", metavar="NAME", help="what the site calls the Worker, 1 to 80 characters")
    adjust = add_command(commands, "adjust", _adjust_worker, "put a Worker's earnings right, once a reference")
    adjust.add_argument("id", metavar="ID", help="the Worker's id")
    adjust.add_argument("cents", type=int, metavar="CENTS", help="how much more, or with a minus sign less, in cents")
    adjust.add_argument(
        "--reference", required=True, metavar="R", help="what it is known by; a repeated one changes nothing"
    )
    adjust.add_argument("--reason", required=True, metavar="TEXT", help="why; the Worker reads it in the statement")
    invite.add_argument("--email", default="", metavar="ADDRESS", help="by which the Worker can sign in as well")
    listing = add_command(commands, "list", _list_workers, "list the Workers, one JSON object a line")
    for name, run, summary in (
        ("suspend", _suspend, "sign a Worker, or one of a requester's staff, out and let them do nothing any more"),
        ("resume", _resume, "let a suspended person sign in again"),
        ("sign-out", _end_sessions, "sign a Worker, or one of a requester's staff, out of all browsers"),
    ):
        command = add_command(commands, name, run, summary)
        command.add_argument("id", metavar="ID", help="the person's id, as the site shows it under their name")
        add_place(command)
    rotate = add_command(commands, "rotate-key", _rotate_session_key, "sign sessions and invitations with a new key")
    locate = add_command(commands, "locate", _locate_worker, "say where a Worker is")
    locate.add_argument("id", metavar="ID", help="the Worker's id")
    locate.add_argument("country", metavar="COUNTRY", help="its code in ISO 3166, such as US")
    locate.add_argument(
        "subdivision", nargs="?", metavar="SUBDIVISION", help="its code in ISO 3166-2, such as WA (the whole country)"
    )
    qualify = add_command(commands, "qualify", _qualify_worker, "grant a Worker a qualification of the workplace's own")
    disqualify = add_command(commands, "disqualify", _disqualify_worker, "take it back")
    for command in (qualify, disqualify):
        command.add_argument("id", metavar="ID", help="the Worker's id")
        command.add_argument(
            "qualification",
            metavar="QUALIFICATION",
            choices=sorted(GRANTED_BY_OPERATOR),
            help="masters, or adult: of age",
        )
    for command in (invite, adjust, listing, rotate, locate, qualify, disqualify):
        add_place(command)


def _add_requesters(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    fund = add_command(commands, "fund", _fund_requester, "add money to a requester's balance, once a reference")
    issue = add_command(commands, "issue-credentials", _issue_credentials, "make a key for a requester's programs")
    invite = add_command(commands, "invite", _invite_staff, "make an invitation link for one of a requester's staff")
    for command in (fund, issue, invite):
        command.add_argument("id", metavar="ID", help="the requester's id, such as A1CROWDSIGHT00")
        add_place(command)
    invite.add_argument("name", metavar="NAME", help="what the site calls the person, 1 to 80 characters")
    invite.add_argument("--email", default="", metavar="ADDRESS", help="by which the person can sign in as well")
    fund.add_argument("cents", type=int, metavar="CENTS", help="how much, in whole cents")
    fund.add_argument(
        "--reference", required=True, metavar="R", help="what the payment is known by; a repeated one changes nothing"
    )


def _add_index(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = add_command(commands, "add", _add_images, "store many pictures; run it again to go on where it was stopped")
    add.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a folder, a CSV file of URLs or paths, s3://BUCKET/PREFIX, or a picture",
    )
    add.add_argument(
        "--workers", type=count, default=os.cpu_count() or 1, metavar="N", help="how many cores to keep busy (all)"
    )
    add.add_argument(
        "--allow-image-host",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="a loopback address that a CSV file's URLs may lead to, which is otherwise refused; may be repeated",
    )
    listing = add_command(commands, "list", _list_images, "list the stored images, one JSON object a line")
    listing.add_argument("--limit", type=count, metavar="N", help="how many at most (all)")
    remove = add_command(commands, "remove", _remove_images, "remove stored images; exit code 1 if one was not there")
    remove.add_argument("images", nargs="+", metavar="ID", help="an image's id, its file's name, or its address")
    stats = add_command(commands, "stats", _show_image_stats, "count what is stored")
    migrate = add_command(
        commands, "migrate", _migrate_vectors, "copy all vectors to the other engine; run it again to go on"
    )
    migrate.add_argument("--to", required=True, choices=ENGINES, help="the engine that lacks them")
    add_place(migrate)
    for command in (add, listing, remove, stats):
        command.add_argument(
            "--account", type=account_name, default=DEFAULT_ACCOUNT, metavar="NAME", help="whose images (default)"
        )
        add_place(command)


# Callers


def _put_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    text = sys.stdin.read() if options.input == "-" else options.input
    try:
        task_input = json.loads(text)
    except ValueError as error:
        raise WrongUsage(f"the input is not JSON: {error}") from error
    with _tasks(options, environment) as tasks:
        return _show_task(tasks.put_task(options.function, options.name, task_input))


def _get_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        return _show_task(tasks.get_task(options.function, options.name))


def _delete_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        tasks.delete_task(options.function, options.name)
    return DONE


def _wait_for_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        task = tasks.wait(options.function, options.name, options.timeout)
    _show_task(task)
    return REFUSED if task.problem else DONE


def _tasks(options: argparse.Namespace, environment: Mapping[str, str]) -> TaskClient:
    if options.stack and not options.api_url:
        api = stack_of(options).local_api()
        return TaskClient(api.url, api.key)
    api_key = environment.get(API_KEY_VARIABLE)
    if not api_key:
        raise WrongUsage(f"the API key must be in the environment variable {API_KEY_VARIABLE}")
    return TaskClient(options.api_url or stack_of(options).api_url(), api_key)


def _show_task(task: Task) -> int:
    show(task.document)
    return DONE


# Operators


def _invite_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack = stack_of(options)
    try:
        token = stack.operator().invite_worker(options.name, options.email)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    print(stack.workplace().invitation_url(token))
    return DONE


def _adjust_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        earning = (
            stack_of(options).operator().adjust_worker(options.id, options.cents, options.reference, options.reason)
        )
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    show(asdict(earning))
    return DONE


def _list_workers(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    for worker in stack_of(options).operator().list_workers():
        print(json.dumps(asdict(worker), ensure_ascii=False))
    return DONE


def _suspend(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack_of(options).operator().suspend(options.id)
    return DONE


def _resume(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack_of(options).operator().resume(options.id)
    return DONE


def _end_sessions(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack_of(options).operator().end_sessions(options.id)
    return DONE


def _rotate_session_key(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack_of(options).rotate_session_key()
    return DONE


def _locate_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        stack_of(options).operator().locate_worker(options.id, Locale(options.country, options.subdivision))
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    return DONE


def _qualify_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        stack_of(options).operator().qualify_worker(options.id, GRANTED_BY_OPERATOR[options.qualification])
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    return DONE


def _disqualify_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack_of(options).operator().disqualify_worker(options.id, GRANTED_BY_OPERATOR[options.qualification])
    return DONE


def _invite_staff(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack = stack_of(options)
    try:
        token = stack.operator().invite_staff(options.name, options.id, options.email)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    print(stack.workplace().invitation_url(token))
    return DONE


def _fund_requester(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        stack_of(options).operator().fund_requester(options.id, options.cents, options.reference)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    return DONE


def _issue_credentials(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        credentials = stack_of(options).operator().issue_credentials(options.id)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    show(asdict(credentials))
    return DONE


def _audit(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    audit = stack_of(options).operator().audit()
    show(asdict(audit))
    return REFUSED if audit.discrepancies else DONE


def _add_images(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from rich.console import Console

    from client.index import Adding, Tally
    from client.progress import Census, display_for
    from client.sources import UnusableSource, open_sources
    from crowdsight.images.fetching import ImageFetcher
    from crowdsight.models.descriptions import InvalidBundle

    stack = stack_of(options)
    search = stack.image_search()
    fetcher = ImageFetcher(options.allow_image_host)
    console = Console(stderr=True)
    save = search.save_image.save_bytes
    with tempfile.TemporaryFile("w+", encoding="utf-8") as failures:
        tally = Tally(failures)
        try:
            sources = open_sources(options.sources, stack.aws.client("s3"), fetcher.fetch)
            with Census(sources) as census, display_for(console, tally, census) as display:
                adding = Adding(
                    lambda data, source: save(options.account, data, source),
                    search.vector_index.refresh,
                    tally,
                    options.workers,
                    display.show,
                )
                adding(chain.from_iterable(sources))
        except UnusableSource as error:
            raise WrongUsage(str(error)) from error
        except InvalidBundle as error:
            raise StackNotFound(f"the models of this deployment are not here: {error}") from error
        finally:
            if tally.counts.done:
                sys.stderr.writelines(tally.failures())
                show(tally.summary())
    if not tally.counts.done:
        return complain("no pictures were found", REFUSED)
    return REFUSED if tally.counts.failed else DONE


def _list_images(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from crowdsight.search_http import Addresses

    stack = stack_of(options)
    addresses = Addresses(stack.api_url())
    for image in islice(_all_images(stack.image_search(), options.account), options.limit):
        print(json.dumps(_described(image, addresses.image(image.file)), ensure_ascii=False))
    return DONE


def _all_images(search: "Wiring", account: str) -> Iterator["ImageRecord"]:
    page = search.list_images(account, PAGE_IMAGES)
    yield from page.images
    while page.after:
        page = search.list_images(account, PAGE_IMAGES, page.after)
        yield from page.images


def _described(image: "ImageRecord", url: str) -> dict[str, Any]:
    return {
        "id": image.image_id,
        "file": image.file,
        "url": url,
        "source": image.source,
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "saved_at": datetime.fromtimestamp(image.saved_at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "labels": [label.name for label in image.labels],
    }


def _remove_images(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from crowdsight.errors import NotFound

    search = stack_of(options).image_search()
    removed: list[str] = []
    missing: list[str] = []
    for name in options.images:
        image_id = _image_id(name)
        try:
            if image_id is None:
                raise NotFound(f"no such image: {name}")
            search.remove_image(options.account, image_id)
            removed.append(image_id)
        except NotFound as error:
            complain(error.message, REFUSED)
            missing.append(name)
    show({"removed": removed, "not_found": missing})
    return REFUSED if missing else DONE


def _image_id(name: str) -> str | None:
    """From an id, a file's name or an address; None if it is none of them."""
    try:
        found = STORED_FILE.fullmatch(urlsplit(name).path.rpartition("/")[2])
    except ValueError:  # it starts like a URL and is none
        return None
    return found[1] if found else None


def _show_image_stats(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    show(asdict(stack_of(options).image_search().image_stats(options.account)))
    return DONE


def _migrate_vectors(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from rich.console import Console

    from client.migrating import Migration, MigrationTally
    from client.progress import display_for

    stack = stack_of(options)
    search = stack.image_search()
    if not search.settings.vector_indexes:
        raise StackNotFound("this deployment has no indexes of S3 Vectors: deploy it with -c keep_vector_bucket=true")
    [source] = [engine for engine in ENGINES if engine != options.to]
    images = search.library.accounts()
    accounts = sorted({*images, *stack.accounts().accounts.names()})
    tally = MigrationTally(sum(images.values()))
    try:
        with display_for(Console(stderr=True), tally, tally) as display:
            Migration(
                search.library,
                search.vector_index_of(source),
                search.vector_index_of(options.to),
                search.model_bundle.name,
                tally,
                display.show,
            )(accounts)
    finally:
        show({"to": options.to, "accounts": len(accounts), **tally.summary()})
    return REFUSED if tally.counts.missing or tally.counts.failed else DONE


if __name__ == "__main__":
    sys.exit(main())
