"""The place of a row in words."""

from components.tables.places import place


def test_a_row_of_a_list_is_told_from_the_others_of_its_line() -> None:
    places = {place("log.tsv", 2), place("log.tsv", 2, 1), place("log.tsv", 2, 11)}
    assert places == {"log.tsv:2", "log.tsv:2[1]", "log.tsv:2[11]"}
