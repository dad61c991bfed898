import random
import signal
import threading

from benchmarks.faults.killer import Killer, LambdaProcess, choose_victim

IDLE = LambdaProcess("get_task", 11, "idle")
BUSY = LambdaProcess("close_task", 12, "busy")
DEAD = LambdaProcess("put_task", 13, "dead")


def test_the_dead_are_left_alone() -> None:
    assert choose_victim([DEAD], random.Random(0)) is None
    assert choose_victim([DEAD, IDLE], random.Random(0)) == IDLE


def test_the_busy_are_killed_more_often() -> None:
    dice = random.Random(0)
    victims = [choose_victim([IDLE, BUSY], dice) for _ in range(200)]
    assert victims.count(BUSY) > 150
    assert victims.count(IDLE) > 5


def test_the_same_seed_chooses_the_same_whatever_the_order() -> None:
    processes = [IDLE, BUSY, LambdaProcess("get_task", 14, "idle")]
    first, second = random.Random(3), random.Random(3)
    assert [choose_victim(processes, first) for _ in range(20)] == [
        choose_victim(processes[::-1], second) for _ in range(20)
    ]


def test_kills_are_counted_by_operation_and_a_process_that_is_gone_is_none() -> None:
    killed = []

    def kill(process_id: int, number: int) -> None:
        if process_id == IDLE.process_id:
            raise ProcessLookupError
        killed.append((process_id, number))

    Killer(1.0, 0, lambda: [IDLE], kill).kill_one()
    killer = Killer(1.0, 0, lambda: [BUSY], kill)
    killer.kill_one()
    assert killed == [(12, signal.SIGKILL)]
    assert killer.kills == {"close_task": 1}


def test_it_kills_while_it_is_entered_and_not_after() -> None:
    three = threading.Event()
    killed = []

    def kill(process_id: int, number: int) -> None:
        killed.append(process_id)
        if len(killed) == 3:
            three.set()

    with Killer(0.001, 0, lambda: [BUSY], kill):
        assert three.wait(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "killer"]


def test_an_interval_of_nothing_kills_nothing() -> None:
    with Killer(0.0, 0, lambda: [BUSY], lambda process_id, number: None) as killer:
        pass
    assert killer.kills.total() == 0
