"""The configuration that both models share: the fields that shape their tokens, checked.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax.numpy as jnp

from phoenix.config import JsonConfig, check, check_counts, check_type, float_dtype
from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from phoenix.grok import TransformerConfig

GATED_FEATURES = (
    "user",
    "history_post",
    "history_author",
    "history_actions",
    "history_surface",
    "candidate_post",
    "candidate_author",
    "candidate_surface",
)


@dataclasses.dataclass(frozen=True)
class HashConfig(JsonConfig):
    """The numbers of hash functions, hence of table rows, that stand for one id of each kind."""

    num_user_hashes: int = 2
    num_item_hashes: int = 2
    num_author_hashes: int = 2

    def __post_init__(self) -> None:
        """Checks that each count is at least 1."""
        check_counts(self, ("num_user_hashes", "num_item_hashes", "num_author_hashes"))


@dataclasses.dataclass(frozen=True)
class WidthConfig(JsonConfig):
    """The trunk and its width: the first two fields of both configurations.

    Apart from the others, because the public order has the ranker's number of actions in between.
    """

    model: TransformerConfig
    emb_size: int


@dataclasses.dataclass(frozen=True)
class InputConfig(WidthConfig):
    """The fields of both models. Those up to the vocabulary size are the public ones.

    Attributes:
      model: The trunk; its options choose initial weights, history attention and positions.
      emb_size: D, the width of the table rows and of the trunk.
      history_seq_len: S of dummy and example data; a model takes S from the batch.
      candidate_seq_len: C of dummy and example data; a model takes C from the batch.
      name: Kept for the public signature; a model is always called after its class.
      fprop_dtype: Dtype of the trunk. float32 on CPU; bfloat16 on accelerators and for the public
        values. Parameters are float32 either way.
      hash_config: Hashes per id; None means 2 each.
      product_surface_vocab_size: Surfaces; one outside the vocabulary counts as none.
      has_post_age: Reads the age of the posts of histories, and the ranker that of candidates. Use
        it when posts age fast.
      has_dwell: Reads how long the user stayed on each history post. Use it where the log has it.
      attributes: Of users, posts and impressions, read beside the ids; none as in the public
        models.
    """

    history_seq_len: int = 128
    candidate_seq_len: int = 32
    name: str | None = None
    fprop_dtype: Any = jnp.float32
    hash_config: HashConfig | None = None
    product_surface_vocab_size: int = 16
    # Public, and read by callers alone: there is nothing to prepare.
    _initialized: bool = dataclasses.field(default=False, repr=False, compare=False)
    has_post_age: bool = False
    has_dwell: bool = False
    attributes: tuple[Attribute, ...] = ()

    _nested: ClassVar[Mapping[str, type[JsonConfig]]] = {
        "model": TransformerConfig,
        "hash_config": HashConfig,
        "attributes": Attribute,
    }

    def __post_init__(self) -> None:
        """Fills in the hash configuration, settles the dtype and checks the fields."""
        # Frozen, so what is settled here is set past the guard, once.
        if self.hash_config is None:
            object.__setattr__(self, "hash_config", HashConfig())
        check_type(self, "model", TransformerConfig)
        check_type(self, "hash_config", HashConfig)
        check_type(self, "has_post_age", bool)
        check_type(self, "has_dwell", bool)
        check_type(self, "attributes", tuple)
        object.__setattr__(self, "fprop_dtype", float_dtype(self, "fprop_dtype"))
        self._check_attributes()
        check_counts(self, ("emb_size", "product_surface_vocab_size"))
        check_counts(self, ("history_seq_len", "candidate_seq_len"), minimum=0)
        # Tokens enter the residual stream as they are.
        check(
            self.model.emb_size == self.emb_size,
            f"{type(self).__name__}.emb_size",
            expected=f"the width of the trunk, {self.model.emb_size}",
            got=self.emb_size,
        )

    def _check_attributes(self) -> None:
        """Refuses what is no attribute, and two of one name: their parameters would be shared."""
        field = f"{type(self).__name__}.attributes"
        are_attributes = all(isinstance(each, Attribute) for each in self.attributes)
        check(are_attributes, field, expected="a tuple of `Attribute`", got=self.attributes)
        names = [attribute.name for attribute in self.attributes]
        check(len(set(names)) == len(names), field, expected="names that differ", got=names)

    @property
    def user_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the token of the user."""
        return attributes.of_side(self.attributes, "user")

    @property
    def post_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the tokens of posts."""
        return attributes.of_side(self.attributes, "post", "context")

    @property
    def attributes_of_posts(self) -> tuple[Attribute, ...]:
        """Those of the posts themselves, which come first among `post_attributes`."""
        return attributes.of_side(self.attributes, "post")

    @property
    def gated_features(self) -> tuple[str, ...]:
        """The groups of features with a gate, see `phoenix.nn.feature_gates`; here none."""
        return ()

    @property
    def reads_evidence(self) -> bool:
        """Whether counts of what followed candidates are read, see `phoenix.inputs.evidence`."""
        return False

    @property
    def reads_popularity(self) -> bool:
        """Whether counts of candidates are read, see `phoenix.inputs.popularity`."""
        return False

    @property
    def reads_candidate_facts(self) -> bool:
        """Whether facts of candidates are read, see `phoenix.inputs.candidate_facts`."""
        return False

    @property
    def hashes(self) -> HashConfig:
        """The hash configuration, never None."""
        return self.hash_config or HashConfig()

    def initialize(self) -> Self:
        """Notes that it was called, as the public interface does, and returns the same object."""
        object.__setattr__(self, "_initialized", True)
        return self
