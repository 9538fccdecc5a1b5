"""JAX's compiled programs, kept between processes: every day of a pipeline is a new process."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from components.store.artifacts import Store


def use_cache(store: Store) -> Path:
    """Keeps compiled programs below the store, apart for each kind of processor.

    Works before and after JAX was imported, and does not import it. Nothing that is computed
    depends on it. A folder that `JAX_COMPILATION_CACHE_DIR` names already is used as it is.
    """
    if folder := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(folder)
    name = f"work/compiled-{_processor()}"
    storage = store.storage
    base = Path(storage.uri(name)) if storage.is_local else Path(tempfile.gettempdir()) / name
    settings = {  # of small programs, too, of which a step compiles many
        "jax_compilation_cache_dir": str(base),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for key, value in settings.items():
        # Before its import JAX reads the environment, after it only its own configuration.
        os.environ[key.upper()] = str(value)
        if (jax := sys.modules.get("jax")) is not None:
            jax.config.update(key, value)
    return base


def _processor() -> str:
    """Returns a digest of the kind of processor.

    A program compiled for one processor may hold instructions that another one lacks.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    facts = sorted({line for line in lines if line.startswith(("model name", "flags"))})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
