"""Seeds, and a progress bar that knows when nobody is watching."""

import numbers
import os
import random
import sys
from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from audiostyle_utils.errors import InputError

T = TypeVar("T")


def seed_everything(seed: int) -> None:
    """Seed every random number generator that a chapter may draw from.

    These are Python's ``random``, NumPy's global generator, and those of TensorFlow, Keras and
    PyTorch where they are imported: call it after the imports. It imports no framework. Generators
    that a chapter makes itself, such as ``np.random.default_rng(seed)``, take their own seed.

    Parameters
    ----------
    seed : int
        From 0 to 4294967295 (2**32 - 1), the range that all of them accept.

    Raises
    ------
    InputError
        If the seed is not a whole number in this range.

    Chapter
    -------
    01_style_transfer
    """
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}: give a whole number from 0 to {2**32 - 1}.")
    seed = int(seed)
    # Keras also seeds Python, NumPy and its backend, and forgets the generator it had begun.
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def progress(iterable: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Show a progress bar while iterating, if a person is there to see it.

    The bar appears in a terminal, and in a notebook that is open in Jupyter, VS Code or Colab. It
    is silent where the book is built or tested, so that no half-drawn bar ends on a page.

    Parameters
    ----------
    iterable : iterable
        What to go through.
    description : str
        Short text that stands before the bar.
    total : int, optional
        Number of items, where ``len(iterable)`` is not known.

    Returns
    -------
    tqdm.tqdm
        Yields the items of `iterable`, unchanged. Its ``set_postfix(loss=...)`` adds values to the
        bar.

    Chapter
    -------
    01_style_transfer
    """
    from tqdm import tqdm

    return tqdm(iterable, desc=description, total=total, disable=not _watched())


def _watched() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return sys.stderr is not None and sys.stderr.isatty()
    # A kernel that Jupyter's server started knows its notebook by this variable, VS Code leaves a
    # name in the notebook, and Colab has its own module. A kernel that builds the book has none.
    return (
        "JPY_SESSION_NAME" in os.environ
        or "__vsc_ipynb_file__" in shell.user_ns
        or "google.colab" in sys.modules
    )
