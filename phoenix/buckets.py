"""Sizes that arrays are padded to, so that an odd size runs what was compiled for another."""


def power_of_two(size: int, *, at_least: int = 1) -> int:
    """The smallest power of two that is not below `size` or `at_least`.

    >>> [power_of_two(size, at_least=4) for size in (0, 3, 4, 5, 1000)]
    [4, 4, 4, 8, 1024]
    """
    return 1 << (max(size, at_least, 1) - 1).bit_length()


def eighths(size: int) -> int:
    """The smallest size of at least `size` with only four leading binary digits.

    For what is too large to double: at most an eighth is added.

    >>> [eighths(size) for size in (0, 7, 17, 1000, 1_000_000)]
    [0, 7, 18, 1024, 1048576]
    """
    unit = 1 << max(0, size.bit_length() - 4)
    return -(-size // unit) * unit
