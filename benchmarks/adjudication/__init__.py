"""What the adjudicator would have made of recorded answers: how right, how sure, how many answers.

    python -m benchmarks.adjudication --answers A.csv --gold G.csv --kind binary|categorical|graded --seed N

`A.csv` has the columns `task,worker,label`, `G.csv` has `task,gold`; grades are from 0 to 1. Ten tasks are open at
once, each with its answers in a random order, and one of them at random gets its next answer. A Worker's skill is what
closed tasks tell and, with `--known K`, up to K of that Worker's own answers, drawn at random and at most half of them,
that are taken for answers to known-answer questions that came before; they are not met again, and the confidence is
calibrated on them. A Worker that they put below the floor is passed over, as the service would give the HIT to another.
No other truth is shown to the adjudicator.

Beside it, on the same answers in the same order: the majority of five, first to lead by two, or the mean of five.

recorded     reading the files
replay       answers as the service would meet them
categorical  figures of categories
graded       figures of grades
"""
