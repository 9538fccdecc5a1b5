"""Hash functions and fixed shapes of a deployment's features."""

from components.settings.attributes import AttributesConfig
from components.settings.steps import FeaturesConfig, HashingConfig
from phoenix.data import attributes
from phoenix.data.hashing import HashSpec


def hash_spec(config: HashingConfig) -> HashSpec:
    """Returns the hash functions of a deployment."""

    def documented(num_hashes: int) -> HashSpec:
        return HashSpec.documented(
            user_rows=config.user_rows,
            post_rows=config.post_rows,
            author_rows=config.author_rows,
            num_hashes=num_hashes,
        )

    return HashSpec(
        user=documented(config.num_user_hashes).user,
        post=documented(config.num_post_hashes).post,
        author=documented(config.num_author_hashes).author,
    )


def shape_metadata(
    config: FeaturesConfig, chosen: AttributesConfig | None = None
) -> dict[str, str]:
    """Returns the fixed shapes of windows, as their files carry them.

    Args:
      config: Of the windows.
      chosen: The attributes in them; none by default.
    """
    chosen = chosen or AttributesConfig()
    return {
        "history_length": str(config.history_length),
        "num_candidates": str(config.num_candidates),
        "user_width": str(attributes.width(chosen.user_attributes)),
        "post_width": str(attributes.width(chosen.post_attributes)),
        "attributes": attributes.digest(chosen.attributes),
    }
