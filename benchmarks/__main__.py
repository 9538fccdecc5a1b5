"""Runs all benchmarks, or those named, and prints one JSON object per line.

usage: python -m benchmarks [store] [ingest] [accounting] [validation] [features] [day] [text_ids]
                            [hashing] [ranker] [gradient] [training] [learning] [learning_kuairand]
                            [content_world] [small_shop] [feed_sources] [next_item_peer] [tables]
                            [search] [memory] [evaluation] [gate_chains] [release_losses] [serving]

Several run in a process each: what one leaves in memory would slow or speed up the next.
"""

import importlib
import json
import os
import subprocess
import sys

NAMES = (
    "store",
    "ingest",
    "accounting",
    "validation",
    "features",
    "day",
    "text_ids",
    "hashing",
    "ranker",
    "gradient",
    "training",
    "learning",
    "learning_kuairand",
    "content_world",
    "small_shop",
    "feed_sources",
    "next_item_peer",
    "tables",
    "search",
    "memory",
    "evaluation",
    "gate_chains",
    "release_losses",
    "serving",
)


def main(chosen: list[str]) -> int:
    """Prints the results of the chosen benchmarks, all if none is named; 1 if one failed."""
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        print(f"No benchmark {unknown[0]!r}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    names = chosen or NAMES
    if len(names) > 1:
        command = [sys.executable, "-m", "benchmarks"]
        codes = [subprocess.run([*command, name], check=False).returncode for name in names]
        return int(any(codes))
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for result in importlib.import_module(f"benchmarks.{names[0]}").results():
        print(json.dumps(result.to_dict()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
