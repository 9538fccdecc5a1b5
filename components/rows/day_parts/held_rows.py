"""Rows of users that wait, by bucket, until all rows of their users have come."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from components.tables import bucket_files
from schemas.buckets import NUM_SLOTS

_HELD_BYTES = 1 << 26  # of rows of several buckets in memory


class HeldRows:
    """Takes rows in any order of users and gives those of a bucket back, in their order.

    Those of several buckets wait in files, since only one bucket is needed at a time. Those of a
    single one would all have to come back at once, so they stay in memory.
    """

    def __init__(self, folder: Path, num_buckets: int, schema: pa.Schema) -> None:
        """Begins without rows.

        Args:
          folder: For files, which `take` removes.
          num_buckets: Files in which the rows will lie.
          schema: Of no rows; any rows have the same columns, perhaps others than these.
        """
        self._folder, self._schema = folder, schema
        self._parts: list[list[pa.Table]] = [[] for _ in range(num_buckets)]
        self._files: dict[int, pa.RecordBatchStreamWriter] = {}
        self._held_bytes = 0
        self.num_rows = 0  # so far

    def add(self, rows: pa.Table) -> None:
        """Takes the next rows."""
        self._schema = rows.schema
        self.num_rows += len(rows)
        if len(self._parts) == 1:
            self._parts[0].append(rows)
            return
        slots = bucket_files.slots_of(rows[bucket_files.KEY].to_numpy())
        buckets = slots // (NUM_SLOTS // len(self._parts))
        order = np.argsort(buckets, kind="stable")
        ends = np.cumsum(np.bincount(buckets, minlength=len(self._parts)))
        rows = rows.take(pa.array(order))
        for bucket, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if end > start:
                self._parts[bucket].append(rows.slice(start, end - start))
        self._held_bytes += rows.nbytes
        if self._held_bytes > _HELD_BYTES:
            self._write()

    def _write(self) -> None:
        for bucket, parts in enumerate(self._parts):
            if parts:
                if bucket not in self._files:
                    self._files[bucket] = pa.ipc.new_stream(
                        str(self._path(bucket)),
                        parts[0].schema,
                        options=pa.ipc.IpcWriteOptions(compression="lz4"),
                    )
                rows = pa.concat_tables(parts).combine_chunks()
                self._files[bucket].write_table(rows)
                parts.clear()
        self._held_bytes = 0

    def take(self, bucket: int) -> pa.Table:
        """Returns the rows of a bucket, which are held no longer."""
        parts, self._parts[bucket] = self._parts[bucket], []
        if bucket in self._files:
            self._files.pop(bucket).close()
            with pa.ipc.open_stream(str(self._path(bucket))) as file:
                parts.insert(0, file.read_all())
            self._path(bucket).unlink()
        return pa.concat_tables([self._schema.empty_table(), *parts])

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket}.arrows"
