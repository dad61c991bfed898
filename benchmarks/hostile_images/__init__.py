"""`python -m benchmarks.hostile_images`: broken files through decoding and storing, hostile URLs through fetching.

seeds      good files of every format and many kinds
mutations  what is done to them
workers    processes in which they are decoded, so that a crash or a hang is seen as one
hosts      a server that misbehaves in every way we know
urls       URLs that lead to it, and URLs that must not lead anywhere
run        all of it, in order
"""
