"""What the adjudicator would have made of recorded answers: how right, how sure, how many answers.

    python -m benchmarks.adjudication --answers A.csv --gold G.csv --kind binary|categorical|graded --seed N

`A.csv` has the columns `task,worker,label`, `G.csv` has `task,gold`; grades are from 0 to 1. Ten tasks are open at
once, each with its answers in a random order, and one of them at random gets its next answer. A Worker's skill is what
closed tasks tell and, with `--known K`, up to K of that Worker's own answers, drawn at random and at most half of them,
that are taken for answers to known-answer questions that came before; they are not met again, and the confidence is
calibrated on them. A Worker that they put below the floor is passed over, as the service would give the HIT to another.
No other truth is shown to the adjudicator.

Beside it, on the same answers in the same order: the majority of five, first to lead by two, or the mean of five.

Means over seeds from 0 on, at most nine answers a task; `error` is the calibration error of one replay:

    recorded answers      known  seeds   accuracy  answers  error   majority of 5   lead by two
    bluebirds (image)         0     20       .708     3.36   .169            .712   .708 / 3.29
                             10     20       .847     4.08   .064            .716   .711 / 3.30
    rte                       0      8       .888     2.83   .059            .850   .852 / 3.19
                             10      5       .911     2.80   .022            .807   .805 / 3.22
    wsd (3 categories)        0     12       .993     1.73   .028            .993   .993 / 2.06
                             10     12       .992     1.33   .004            .994   .994 / 2.06

    recorded grades       known  seeds      error  ranks  answers  90 % intervals hold   mean of 5
    wordsim                   0     60       .101   .927     4.37                 .898   .105 / .931
                             10     60       .102   .920     3.59                 .891   .107 / .929

The rules beside it meet fewer answers, and other Workers' answers, where some were taken for known ones. Without known
answers it cannot see a misconception that Workers share (bluebirds): it is then wrong as often as the majority, and
says .87 where .71 is right.

recorded     reading the files
replay       answers as the service would meet them
categorical  figures of categories
graded       figures of grades
crowds       simulated crowds, honest and under attack
local        the local stack beside a replay: `python -m benchmarks.adjudication.local`
attacks      what attacks cost: `python -m benchmarks.adjudication.attacks`
"""
