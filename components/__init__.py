"""The steps of the pipeline: one module = one container step, plus what they share."""

import os

# Arrow asks for its allocator when it is imported. Its own choice, mimalloc, gives large columns
# back to the system and takes them anew: a day of 5 M rows cost 3 s more and .35 GB.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
