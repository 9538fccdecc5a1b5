"""Vectors of attributes are the rows and projections of their declarations."""

import jax
import numpy as np
import pytest

from phoenix.data.attributes import Attribute
from phoenix.nn.attribute_vectors import summed_vectors
from tests.phoenix.model_inputs import ATTRIBUTES, transformed

HEIGHT = Attribute(name="height", side="post", kind="raw", scale=2)


def test_elements_of_a_sequence_are_averaged_and_padding_counts_nothing() -> None:
    tags = ATTRIBUTES[:1]
    model = transformed(lambda values: summed_vectors(tags, values, 2))
    values = np.array([[2, 3, 0], [3, 0, 2], [0, 0, 0], [2, 2, 3]], np.float32)
    table = np.arange(10.0, dtype=np.float32).reshape(5, 2) ** 2
    vectors = model.apply({"~": {"attribute_tags_table": table}}, values)
    mean = (table[2] + table[3]) / 2
    thirds = (2 * table[2] + table[3]) / 3
    np.testing.assert_allclose(vectors, [mean, mean, [0, 0], thirds], rtol=1e-6)


def test_a_missing_number_adds_nothing_and_stops_no_gradient() -> None:
    model = transformed(lambda values: summed_vectors((HEIGHT,), values, 2))
    params = {"~": {"attribute_height_projection": np.array([[1, 2], [3, 4]], np.float32)}}
    values = np.array([[np.nan], [0.0], [2.0]], np.float32)
    np.testing.assert_array_equal(model.apply(params, values), [[0, 0], [3, 4], [5, 8]])
    gradient = jax.grad(lambda p: model.apply(p, values).sum())(params)
    assert gradient["~"]["attribute_height_projection"].tolist() == [[2, 2], [2, 2]]


def test_values_of_another_width_are_refused() -> None:
    model = transformed(lambda values: summed_vectors(ATTRIBUTES, values, 2))
    with pytest.raises(ValueError, match=r"expected the 7 numbers of .*'tags'.*got 6"):
        model.init(jax.random.key(0), np.zeros((1, 6), np.float32))


def test_a_vector_is_projected_and_a_missing_one_adds_nothing_and_stops_no_gradient() -> None:
    text = (Attribute(name="text", side="post", kind="vector", length=3),)
    model = transformed(lambda values: summed_vectors(text, values, 2))
    projection = np.arange(6, dtype=np.float32).reshape(3, 2)
    params = {"~": {"attribute_text_projection": projection}}
    values = np.array([[0.6, 0.0, 0.8], [np.nan] * 3], np.float32)
    expected = [values[0] @ projection, [0, 0]]
    np.testing.assert_allclose(model.apply(params, values), expected, rtol=1e-6)
    gradient = jax.grad(lambda p: model.apply(p, values).sum())(params)
    expected = np.tile(values[0][:, None], 2)
    np.testing.assert_allclose(gradient["~"]["attribute_text_projection"], expected)
