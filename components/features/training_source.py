"""Partitions of features as one source of training windows: verified once, read block by block."""

import threading
from collections.abc import Sequence

from components.errors import BadDataError
from components.features import day_counts, log_actions, shapes
from components.features.later_labels import LaterLabels
from components.features.windows_files import WindowsFiles
from components.run.context import Context
from components.store.artifacts import Ref
from phoenix.data.windows import Windows


class FeatureWindows:
    """The windows of an explicit list of partitions, in order, as a `WindowSource`.

    The list is in the recipe of the artifact that is trained, by digest: what was read is frozen
    there. A chunk is a block of users of one partition.
    """

    def __init__(self, partitions: Sequence[WindowsFiles], refs: Sequence[Ref] = ()) -> None:
        """Takes the opened files of each partition, and the features to which they belong."""
        self.refs = tuple(refs)
        sizes = [files.chunk_sizes for files in partitions]
        self._places = [
            (files, number)
            for files, own in zip(partitions, sizes, strict=True)
            for number in range(len(own))
        ]
        self._sizes = [size for own in sizes for size in own]
        # Batches are made of several days: a field that came and went would be compiled twice.
        self._fields = frozenset[str]().union(*(each.optional_fields for each in partitions))
        # Batches are made in one thread while another validates; a file has one position.
        self._lock = threading.Lock()

    @property
    def chunk_sizes(self) -> Sequence[int]:
        """The number of windows of each block."""
        return self._sizes

    @property
    def num_windows(self) -> int:
        """Windows of all partitions."""
        return sum(self._sizes)

    def read(self, chunk: int) -> Windows:
        """Returns the windows of one block."""
        files, number = self._places[chunk]
        with self._lock:
            return files.read(number).with_fields(self._fields)


def feature_windows(
    context: Context,
    refs: Sequence[Ref],
    labels: LaterLabels | None = None,
    *,
    has_evidence: bool = False,
) -> FeatureWindows:
    """Opens the features of some partitions, in order; no window is read yet.

    Args:
      context: The run.
      refs: Of the features.
      labels: What arrived for them later; by default nothing, and all that they hold counts.
      has_evidence: Whether windows say what was known of their candidates before their day.

    Raises:
      BadDataError: If one is damaged, was built with other shapes than configured, or when an
        action had another meaning.
    """
    spec = shapes.hash_spec(context.config.hashing)
    attribute_config = context.config.attributes
    expected_shape = shapes.shape_metadata(context.config.build_features, attribute_config)
    artifacts = [context.store.read(ref) for ref in refs]
    for ref, artifact in zip(refs, artifacts, strict=True):
        shape = artifact.facts["shape"]
        # First, because another declaration changes the widths in the shape, too.
        digest = shape.get("attributes")
        if digest != expected_shape["attributes"]:
            names = [each.name for each in attribute_config.declared]
            raise BadDataError(
                f"{ref}: expected the attributes {names} with the digest "
                f"{expected_shape['attributes'][:12]}, got the digest {str(digest)[:12]}: run "
                "the data steps of this day again."
            )
        if shape != expected_shape:
            raise BadDataError(
                f"{ref}: expected windows of {expected_shape['history_length']} history posts and "
                f"{expected_shape['num_candidates']} candidates, got {shape['history_length']} and "
                f"{shape['num_candidates']}: build these features again."
            )
    manifests = {each.ref.partition: each.manifest for each in artifacts}
    actions = log_actions.of_partitions(manifests, context)
    return FeatureWindows(
        [
            WindowsFiles(
                each.folder,
                spec=spec,
                known=None if labels is None else labels.known(each.ref, each.facts),
                actions=actions[each.ref.partition],
                rates=day_counts.rates_before(each.folder, each.manifest, context.config)
                if has_evidence
                else None,
            )
            for each in artifacts
        ],
        refs,
    )
