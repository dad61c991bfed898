"""`python -m benchmarks.faults`: crowd tasks on the local stack while things go wrong, and an audit of every one after.

plan       what is to happen: how many tasks, which questions, which faults
stack      a local stack of its own, for one run
callers    puts the tasks and waits for them, as callers of the API do
killer     kills Lambda processes at random moments
audit      every task, answer and cent, from outside and from inside
run        all of it, in order
"""
