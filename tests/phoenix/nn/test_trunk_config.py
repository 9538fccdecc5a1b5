"""The sizes of the trunk are checked alone and against each other."""

import pytest

from phoenix.config import ConfigError
from tests.phoenix.model_inputs import trunk


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("key_size", 3, "an even size"),
        ("num_layers", 0, "an integer >= 1"),
        ("num_layers", True, "an integer >= 1"),
        ("num_q_heads", 3, "a multiple of `num_kv_heads`"),
        ("init", "ones", "one of 'trainable', 'public'"),
        ("history_attention", "both", "one of 'causal', 'full'"),
        ("candidate_positions", "none", "one of 'shared', 'slot'"),
        ("widening_factor", -1.0, "a number > 0"),
        ("widening_factor", "2", "a number > 0"),
        ("widening_factor", float("inf"), "a number > 0"),
        ("attn_output_multiplier", True, "a number > 0"),
        ("dropout_rate", None, "a number in [0, 1)"),
    ],
)
def test_a_wrong_trunk_names_field_expectation_and_value(
    field: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        trunk(**{field: value})
    for part in (f"TransformerConfig.{field}", expected, repr(value)):
        assert part in str(refusal.value)
