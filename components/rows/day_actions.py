"""The actions of the rows of a day, read by name from whatever list they were ingested with."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from components.rows.late_rows import Holder
from components.settings.config import Config
from components.store.artifacts import Artifact, Store
from components.tables.action_lists import ActionList


def lists(store: Store, ingested: Artifact, holders: Sequence[Holder]) -> dict[str, ActionList]:
    """Returns the lists of the artifacts that hold rows of a day, by the day of their arrival."""
    of_holders = {
        each.ref.partition: ActionList.of_manifest(store.manifest(each.ref)) for each in holders
    }
    return {ingested.ref.partition: ActionList.of_manifest(ingested.manifest), **of_holders}


def unknown(lists: Mapping[str, ActionList], config: Config) -> list[str]:
    """Returns the configured actions that some of the rows could not know, in their order.

    A day has one answer for all its rows: a late row that knows more is no reason to call a "not
    known" of the others a "no".
    """
    names = {name for each in lists.values() for name in each.unknown_in(config)}
    return [name for name in config.action_names if name in names]


def by_name(rows: pa.Table, actions: ActionList, config: Config) -> pa.Table:
    """Returns rows with their actions in the bits of the configuration.

    Args:
      rows: With a column `actions`.
      actions: The list of their bits.
      config: The configured actions.
    """
    bit_map = actions.bit_map(config)
    if bit_map.is_identity:
        return rows
    bits = pa.array(bit_map.bits(rows["actions"].to_numpy()))
    index = rows.schema.get_field_index("actions")
    return rows.set_column(index, rows.schema.field(index), bits)
