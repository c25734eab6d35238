"""What several modules ask of a parameter."""

from numbers import Integral

from audiostyle_utils.errors import InputError


def is_whole(value: object) -> bool:
    """Tell whether something is a whole number. True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def whole(value: int, name: str, low: int, high: int | None = None) -> int:
    """Return a whole number as an int, or refuse it by its name."""
    if is_whole(value) and low <= value and (high is None or value <= high):
        return int(value)
    wanted = f", {low} or more" if high is None else f" from {low} to {high}"
    raise InputError(f"{name} is {value!r}: give a whole number{wanted}.")
