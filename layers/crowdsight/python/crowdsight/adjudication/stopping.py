"""When to stop: one more answer only while it is worth its price.

Sequential analysis (Wald 1945) with a finite horizon, as Kamar et al. 2012 put it for crowds: a right result is worth
so many answers; looking some answers ahead, each from an average Worker, is the best plan that goes on worth more
than stopping now?
"""

from collections.abc import Callable, Sequence

Joint = Sequence[Sequence[float]]
"""Weights of [truth][clarity]."""


def gain_of_going_on(
    joint: Joint,
    rows: Sequence[Sequence[Sequence[float]]],
    horizon: int,
    right_in_answers: float,
    stated: Callable[[float], float] = lambda share: share,
) -> float:
    """What the best plan of 1 to `horizon` more answers gains over stopping now, in answers; at most 0: stop.

    `joint`: P(truth, clarity | answers so far). `rows`: an average Worker's answers, [truth][clarity][answer].
    `right_in_answers`: what a right result is worth. `stated`: the calibrated confidence of a posterior's largest
    share.
    """
    seen: dict[tuple[int, ...], float] = {}
    size = len(joint)

    def stop(weights: Joint) -> float:
        mass = [sum(row) for row in weights]
        total = sum(mass)
        return total * right_in_answers * stated(max(mass) / total)

    def go_on(weights: Joint, drawn: tuple[int, ...], left: int) -> float:
        value = -sum(map(sum, weights))
        for answer in range(size):
            after = tuple(count + (number == answer) for number, count in enumerate(drawn))
            if after not in seen:
                seen[after] = best(_after(weights, rows, answer), after, left - 1)
            value += seen[after]
        return value

    def best(weights: Joint, drawn: tuple[int, ...], left: int) -> float:
        now = stop(weights)
        return now if left == 0 else max(now, go_on(weights, drawn, left))

    if horizon < 1:
        return 0.0
    return go_on(joint, (0,) * size, horizon) - stop(joint)


def _after(weights: Joint, rows: Sequence[Sequence[Sequence[float]]], answer: int) -> list[list[float]]:
    return [
        [weight * chances[answer] for weight, chances in zip(row, by_clarity, strict=True)]
        for row, by_clarity in zip(weights, rows, strict=True)
    ]
