"""What a user may choose about the two transformers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.settings.section import Section


class ModelConfig(Section):
    """Sizes and options of one transformer; what is `auto` follows the log."""

    emb_size: Annotated[int, Field(ge=8, le=65_536)] | Literal["auto"] = Field(
        default="auto", description="D: width of the residual stream."
    )
    num_layers: Annotated[int, Field(ge=1, le=1_000)] | Literal["auto"] = Field(
        default="auto", description="Blocks of attention and feed-forward."
    )
    num_heads: int = Field(default=2, ge=1, le=1_000, description="Heads of attention.")
    num_kv_heads: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Heads of keys and values, a divisor of `num_heads`, by default as many: fewer "
        "make users cheaper to keep while their candidates are scored.",
    )
    key_size: Annotated[int, Field(ge=2, multiple_of=2, le=65_536)] | Literal["auto"] = Field(
        default="auto", description="Width of one head."
    )
    widening_factor: float = Field(default=2.0, gt=0, description="Feed-forward width over D.")
    compute_dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Of the computation; parameters are float32."
    )
    history_attention: Literal["causal", "full"] = Field(
        default="causal",
        description="`full` lets older events see newer ones: for short histories without order.",
    )
    reads_dwell: bool = Field(
        default=False,
        description="Read how long the user stayed on each post of the history, where the log "
        "says so.",
    )
    reads_post_age: bool = Field(
        default=False,
        description="Read how old each post was when it was shown, and how old a candidate is at "
        "the time of the feed: where posts age fast and the source says when they were written.",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.num_heads % (self.num_kv_heads or 1):
            raise ValueError(
                f"`num_kv_heads` must divide `num_heads` ({self.num_heads}), "
                f"got {self.num_kv_heads}"
            )
        return self


class RankerModelConfig(ModelConfig):
    """Sizes and options of the ranking transformer."""

    factorization: bool | Literal["auto"] = Field(
        default="auto",
        description="Add what products of the user's rows with those of the post and its author "
        "say, as a matrix factorisation does: where users see much, and come back.",
    )
    reads_counts: bool = Field(
        default=False,
        description="Read how often each post, its author and its surface were shown before the "
        "day and what followed, and start from these rates: what is learned of taste comes on top.",
    )
    taste: float = Field(
        default=1.0,
        ge=0,
        description="With `reads_counts`, by how much all else counts beside these rates: less "
        "where users come rarely and what a model learns of their taste is noise.",
    )
    variational_dropout: float = Field(
        default=0.0,
        ge=0,
        description="Lambda of the penalty with which the ranker learns a dropout rate for each "
        "group of input features; the curve shows how much of each is kept. 0: no such dropout.",
    )


class RetrievalModelConfig(ModelConfig):
    """Sizes and options of the two towers."""

    candidate_tower: Literal["mlp", "mean"] = Field(
        default="mlp",
        description="How rows of a post and its author become its vector; `mean` has no weights, "
        "for many posts and little data.",
    )
    user_pooling: Literal["mean", "last"] = Field(
        default="mean",
        description="`last` describes a user by the newest event, `mean` by all of them.",
    )
    similarity: Literal["cosine", "product"] = Field(
        default="cosine",
        description="`product` lets the length of a post's vector say how popular it is.",
    )
    history_posts: Literal["projected", "shared"] = Field(
        default="projected",
        description="`shared` reads posts of the history by the same rows as candidates, without a "
        "projection, for little data and `candidate_tower: mean`.",
    )
    reads_counts: bool = Field(
        default=True,
        description="Read how often each post and its author were shown before the day and what "
        "followed, as a dimension beside the angle: what is popular is recommended at first, and "
        "taste is learned on top. False by default with `objective: next_item`, which cannot.",
    )
    candidate_facts: bool = Field(
        default=True,
        description="Let the vector of a post say what is known of it beside its ids: its "
        "attributes, and its age where `reads_post_age` is true. A new post has a place then. "
        "Not with `objective: next_item`.",
    )
    taste_size: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = Field(
        default="auto",
        description="Factors of authors in which a user has what the history says of them, shrunk "
        "to nothing where it says little: a taste that small logs can teach. 0 has none. Not with "
        "`objective: next_item`.",
    )
    dropout_rate: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"] = Field(
        default="auto", description="Features dropped by `objective: next_item`."
    )
