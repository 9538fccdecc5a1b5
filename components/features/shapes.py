"""Hash functions and fixed shapes of a deployment's features."""

from components.settings.attributes import AttributesConfig
from components.settings.steps import FeaturesConfig, HashingConfig
from phoenix.data import attributes
from phoenix.data.hashing import HashSpec


def hash_spec(config: HashingConfig) -> HashSpec:
    """Returns the hash functions of a deployment, each kind of id with its own number of them."""
    return HashSpec(
        user=_documented_spec(config, config.num_user_hashes).user,
        post=_documented_spec(config, config.num_post_hashes).post,
        author=_documented_spec(config, config.num_author_hashes).author,
    )


def _documented_spec(config: HashingConfig, num_hashes: int) -> HashSpec:
    return HashSpec.documented(
        user_rows=config.user_rows,
        post_rows=config.post_rows,
        author_rows=config.author_rows,
        num_hashes=num_hashes,
    )


def shape_metadata(
    config: FeaturesConfig, attribute_config: AttributesConfig | None = None
) -> dict[str, str]:
    """Returns the fixed shapes of windows, as the metadata of their files carry them.

    Args:
      config: Of the windows.
      attribute_config: The attributes in them; none by default.

    >>> shape_metadata(FeaturesConfig(history_length=8, num_candidates=4))["history_length"]
    '8'
    """
    attribute_config = attribute_config or AttributesConfig()
    return {
        "history_length": str(config.history_length),
        "num_candidates": str(config.num_candidates),
        "user_width": str(attributes.width(attribute_config.user_attributes)),
        "post_width": str(attributes.width(attribute_config.post_attributes)),
        "attributes": attributes.digest(attribute_config.attributes),
    }
