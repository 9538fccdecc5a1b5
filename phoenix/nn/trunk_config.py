"""The sizes and options of the transformer trunk; `phoenix.grok` makes a trunk of them."""

import dataclasses
from typing import ClassVar, Literal

from phoenix.config import JsonConfig, check, check_choice, check_counts, is_number
from phoenix.nn.layers import Init

HistoryAttention = Literal["causal", "full"]
CandidatePositions = Literal["shared", "slot"]


@dataclasses.dataclass(frozen=True)
class TrunkConfig(JsonConfig):
    """Sizes and options of the trunk. The first eight fields are the public ones.

    Attributes:
      emb_size: D; must equal the `emb_size` of the model.
      key_size: K, the width of a query and key head; even.
      num_q_heads: Query heads, a multiple of `num_kv_heads`.
      num_kv_heads: Key/value heads; fewer of them make a smaller context to keep per user.
      num_layers: Decoder layers.
      widening_factor: Width of the feed-forward block before the two thirds of the gate.
      attn_output_multiplier: Factor of the attention logits. `1 / sqrt(key_size)` is the usual
        choice; the public default of 1 makes attention peaky from the start.
      name: Kept for the public signature; the trunk is always called `transformer`.
      init: "trainable" (norm scales 1, linear maps of variance 1 / fan-in) to train; "public"
        (both 0) only to compare with the public models: at that point all trunk gradients are 0.
      history_attention: "causal" as in the public models; "full" lets older events see newer ones.
        Neither lets context see candidates. Choose "full" when histories are short and the order
        in them matters little.
      dropout_rate: Share of the features of every token, and of what every block adds to it, that
        is set to 0 in training. Up to 0.5 when data is little; only next-item training uses it.
      candidate_positions: "shared" puts every candidate right after the last valid history
        position, so that a score does not depend on the slot; "slot" numbers the slots on from
        the history, as the public models do.
    """

    emb_size: int
    key_size: int
    num_q_heads: int
    num_kv_heads: int
    num_layers: int
    widening_factor: float = 4.0
    attn_output_multiplier: float = 1.0
    name: str | None = None
    init: Init = "trainable"
    history_attention: HistoryAttention = "causal"
    candidate_positions: CandidatePositions = "shared"
    dropout_rate: float = 0.0

    _choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "init": ("trainable", "public"),
        "history_attention": ("causal", "full"),
        "candidate_positions": ("shared", "slot"),
    }

    def __post_init__(self) -> None:
        """Checks the fields, alone and against each other."""
        check_counts(self, ("emb_size", "key_size", "num_q_heads", "num_kv_heads", "num_layers"))
        for field, choices in self._choices.items():
            check_choice(self, field, choices)
        check(
            self.key_size % 2 == 0,
            "TransformerConfig.key_size",
            expected="an even size (rotary positions turn pairs)",
            got=self.key_size,
        )
        check(
            self.num_q_heads % self.num_kv_heads == 0,
            "TransformerConfig.num_q_heads",
            expected=f"a multiple of `num_kv_heads` ({self.num_kv_heads})",
            got=self.num_q_heads,
        )
        check(
            is_number(self.dropout_rate) and 0 <= self.dropout_rate < 1,
            "TransformerConfig.dropout_rate",
            expected="a number in [0, 1)",
            got=self.dropout_rate,
        )
        for field in ("widening_factor", "attn_output_multiplier"):
            value = getattr(self, field)
            is_positive = is_number(value) and value > 0
            check(is_positive, f"TransformerConfig.{field}", expected="a number > 0", got=value)
