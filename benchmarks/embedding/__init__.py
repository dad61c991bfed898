"""How many pictures a second are embedded, from JPEG bytes to vectors, and how much of that is overhead.

    python -m benchmarks.embedding

For pictures of 1 and of 12 megapixels, in one process and in turns, so that what else the machine does hits all alike:

- the whole path, as a request goes it: decoding, then `embed_images`, with a thread for each core;
- its two bare parts: Pillow's decoding in draft mode with a resize, and `session.run` on a tensor that is ready;
- many pictures in bulk, as `client index add` embeds them, a thread for each core and models of one thread, against one
  at a time with models on all cores and on one.
"""
