"""The one exception for input that a person can mend."""


class InputError(ValueError):
    """A file or a parameter is not usable.

    The message says what was wrong, with which file or parameter, and what to do about it. Every
    function of the package that takes a reader's input raises this class and no other for it.

    Chapter
    -------
    01_style_transfer
    """
