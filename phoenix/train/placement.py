"""The place of training: one device, or a mesh (data, table) of devices on one or several hosts.

Batches are split over `data`. Each table is split by rows over `table`, together with the state of
its optimizer: a device holds R / n consecutive rows, gives the rows of them that a batch reads, and
changes no others. Dense parameters are everywhere. What a step computes is the same as on one
device; only the order of its sums differs.

Several hosts form one mesh through `jax.distributed`; `join_hosts` reads the environment that
Kubernetes (an indexed Job), or whoever starts the processes, sets.

Glossary of shapes:
  R: rows of a table, D: embedding size, M: rows read by one batch.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

from phoenix.config import ConfigError
from phoenix.embedding import (
    Decay,
    EmbeddingTable,
    EmbeddingTables,
    lookup,
    row_gradients,
    update,
    updated_table,
)
from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings
from phoenix.train.config import ComputeConfig
from phoenix.train.optimizer import Tree

DATA, TABLE = "data", "table"
COORDINATOR = "JAX_COORDINATOR_ADDRESS"  # host:port of process 0
NUM_PROCESSES = "JAX_NUM_PROCESSES"
PROCESS_INDEX = ("JAX_PROCESS_ID", "JOB_COMPLETION_INDEX")  # the second is set by Kubernetes


def join_hosts(environment: Mapping[str, str] = os.environ) -> None:
    """Joins the other processes of this run, where the environment names a coordinator.

    Raises:
      ConfigError: If the environment names a coordinator, but not which process of how many.
    """
    coordinator = environment.get(COORDINATOR)
    if not coordinator or jax.distributed.is_initialized():
        return
    numbers = [environment.get(name) for name in (NUM_PROCESSES, *PROCESS_INDEX)]
    count, index = numbers[0], next((text for text in numbers[1:] if text is not None), None)
    if count is None or index is None or not (count + index).isdigit():
        raise ConfigError(
            f"`{COORDINATOR}` is set: expected numbers in `{NUM_PROCESSES}` and in one of "
            f"{', '.join(PROCESS_INDEX)}, got {count!r} and {index!r}."
        )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator, int(count), int(index))


def is_writer() -> bool:
    """Whether this process is the one that writes files."""
    return jax.process_index() == 0


@dataclass(frozen=True)
class Placement:
    """Puts arrays where the step wants them; without a mesh there is one device."""

    device: Any  # A `jax.Device`.
    mesh: Mesh | None = None

    @classmethod
    def of(cls, compute: ComputeConfig) -> "Placement":
        """Returns the placement that a configuration asks for.

        Raises:
          ConfigError: If there is no such device, or not as many.
        """
        try:
            devices = jax.devices(compute.devices.device)
        except RuntimeError as error:
            there = sorted({device.platform for device in jax.devices()})
            raise compute.error(
                "devices",
                "device",
                expected=f"one of {there}",
                got=f"{compute.devices.device!r}.",
            ) from error
        shape = compute.devices.num_data_shards, compute.devices.num_table_shards
        num_wanted = shape[0] * shape[1]
        if num_wanted > len(devices) or (jax.process_count() > 1 and num_wanted != len(devices)):
            raise compute.error(
                "devices",
                "num_table_shards",
                expected="a product with `devices.num_data_shards` "
                f"{'of' if jax.process_count() > 1 else 'up to'} {len(devices)}, the number of "
                f"{devices[0].platform} devices",
                got=f"{shape[0]} x {shape[1]}.",
            )
        if num_wanted == 1:
            return cls(devices[0])
        return cls(devices[0], Mesh(np.array(devices[:num_wanted]).reshape(shape), (DATA, TABLE)))

    def everywhere(self, tree: Tree) -> Tree:
        """Puts a copy of each array on each device."""
        return self._put(tree, PartitionSpec())

    def split_rows(self, tree: Tree) -> Tree:
        """Splits the rows of each array over `data`; all processes must have the whole."""
        return self._put(tree, PartitionSpec(DATA))

    def tables(self, tables: EmbeddingTables) -> EmbeddingTables:
        """Splits each table over `table`, after adding rows until they divide evenly."""
        if self.mesh is None:
            return self._put(tables, PartitionSpec())
        shards = self.mesh.shape[TABLE]

        def padded(array: jax.Array) -> np.ndarray:
            """The array with rows of zeros at its end."""
            missing = -len(array) % shards
            return np.pad(np.asarray(array), [(0, missing)] + [(0, 0)] * (array.ndim - 1))

        return self._put(jax.tree.map(padded, tables), PartitionSpec(TABLE))

    def host_tables(self, tables: EmbeddingTables, num_rows: list[int]) -> EmbeddingTables:
        """The whole tables in the memory of this host, with their first `num_rows` each."""
        parts = [
            jax.tree.map(lambda array, n=count: self.host(array)[:n], table)
            for table, count in zip(tables, num_rows, strict=True)
        ]
        return EmbeddingTables(*parts)

    def host(self, array: jax.Array) -> np.ndarray:
        """The whole array in the memory of this host; every process must ask for it."""
        if array.is_fully_addressable or array.is_fully_replicated:
            return np.asarray(array)
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(array, tiled=True))

    def lookup(self, tables: EmbeddingTables, batch: RecsysBatch) -> RecsysEmbeddings:
        """`embedding.lookup` wherever the rows are; to be compiled."""
        if self.mesh is None:
            return lookup(tables, batch)
        return self._over_mesh(_lookup_part, (PartitionSpec(TABLE), PartitionSpec(DATA)), DATA)(
            tables, batch
        )

    def update(
        self,
        tables: EmbeddingTables,
        batch: RecsysBatch,
        gradients: RecsysEmbeddings,
        *,
        learning_rate: float,
        decay: Decay | None,
        is_applied: jax.Array,
    ) -> EmbeddingTables:
        """`embedding.update` wherever the rows are; to be compiled."""
        if self.mesh is None:
            return update(
                tables,
                batch,
                gradients,
                learning_rate=learning_rate,
                decay=decay,
                is_applied=is_applied,
            )
        part = partial(
            _update_part,
            learning_rate=learning_rate,
            half_life=None if decay is None else decay.half_life,
        )
        step = jnp.zeros((), jnp.int32) if decay is None else jnp.asarray(decay.step)
        specs = (PartitionSpec(TABLE), *[PartitionSpec(DATA)] * 2, *[PartitionSpec()] * 2)
        return self._over_mesh(part, specs, TABLE)(tables, batch, gradients, step, is_applied)

    def _over_mesh(
        self, function: Callable[..., Tree], specs: tuple[PartitionSpec, ...], out: str
    ) -> Callable[..., Tree]:
        return jax.shard_map(
            function,
            mesh=self.mesh,
            in_specs=specs,
            out_specs=PartitionSpec(out),
            check_vma=False,  # Sums over one axis are the same along the other.
        )

    def _put(self, tree: Tree, spec: PartitionSpec) -> Tree:
        if self.mesh is None:
            return jax.device_put(tree, SingleDeviceSharding(self.device))
        sharding = NamedSharding(self.mesh, spec)
        if jax.process_count() == 1:
            return jax.device_put(tree, sharding)

        def put(array: jax.Array) -> jax.Array:
            """The parts of an array that are of this process, put on its devices."""
            whole = np.asarray(array)
            return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

        return jax.tree.map(put, tree)


def _lookup_part(tables: EmbeddingTables, batch: RecsysBatch) -> RecsysEmbeddings:
    """The rows that are here and zeros for the others, summed over the parts of a table."""

    def rows(table: EmbeddingTable, hashes: jax.Array) -> jax.Array:
        """The rows of `hashes`, wherever they are."""
        local = hashes - jax.lax.axis_index(TABLE) * len(table.rows)
        copies = table.rows.at[local].get(mode="fill", fill_value=0, wrap_negative_indices=False)
        return jax.lax.psum(copies, TABLE)

    return RecsysEmbeddings(
        user_embeddings=rows(tables.user, jnp.asarray(batch.user_hashes)),
        history_post_embeddings=rows(tables.post, jnp.asarray(batch.history_post_hashes)),
        candidate_post_embeddings=rows(tables.post, jnp.asarray(batch.candidate_post_hashes)),
        history_author_embeddings=rows(tables.author, jnp.asarray(batch.history_author_hashes)),
        candidate_author_embeddings=rows(tables.author, jnp.asarray(batch.candidate_author_hashes)),
    )


def _update_part(  # noqa: PLR0913 - one per sharded argument
    tables: EmbeddingTables,
    batch: RecsysBatch,
    gradients: RecsysEmbeddings,
    step: jax.Array,
    is_applied: jax.Array,
    *,
    learning_rate: float,
    half_life: float | None,
) -> EmbeddingTables:
    """Changes the rows that are here by the gradients of the whole batch."""
    decay = None if half_life is None else Decay(half_life, step)
    new_tables = []
    for table, (index, gradient) in zip(tables, row_gradients(batch, gradients), strict=True):
        index = jax.lax.all_gather(index, DATA, tiled=True)
        gradient = jax.lax.all_gather(gradient, DATA, tiled=True)
        local = index - jax.lax.axis_index(TABLE) * len(table.rows)
        is_here = (local >= 0) & (local < len(table.rows)) & (index != 0)
        new_tables.append(
            updated_table(
                table,
                local,
                gradient,
                learning_rate=learning_rate,
                decay=decay,
                is_own=is_here & is_applied,
            )
        )
    return EmbeddingTables(*new_tables)
