"""How fast and how well the vector index finds, against exact search and faiss, in one run.

`python -m benchmarks.vector_search --help` lists the options.
"""
