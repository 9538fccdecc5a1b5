"""Runs all benchmarks, or those named, and prints one JSON object per line.

usage: python -m benchmarks [store] [ingest] [accounting] [validation] [features] [day] [hashing]
                            [ranker] [training] [next_item_peer] [tables] [search] [memory]
"""

import importlib
import json
import os
import sys

NAMES = (
    "store",
    "ingest",
    "accounting",
    "validation",
    "features",
    "day",
    "hashing",
    "ranker",
    "training",
    "next_item_peer",
    "tables",
    "search",
    "memory",
)


def main(chosen: list[str]) -> int:
    """Prints the results of the chosen benchmarks, all if none is named."""
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        print(f"No benchmark {unknown[0]!r}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for name in chosen or NAMES:
        for result in importlib.import_module(f"benchmarks.{name}").results():
            print(json.dumps(result.to_dict()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
