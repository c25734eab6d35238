"""The weights of a WaveNet decoder, and what they are made from."""

from dataclasses import dataclass, fields

import numpy as np

from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError

from . import _checks
from ._checks import LEVELS


@dataclass(frozen=True, eq=False)
class Decoder:
    """The weights of a WaveNet, folded for generation.

    The network that they mean, for the sample q at time t and the code c that holds there::

        x = embed[0, q[t - 2]] + embed[1, q[t - 1]]
        x = x + foretold[level of y[t - order:t] @ filter], if order is not 0
        for each layer, with x[t - dilation] of that layer, or 0 before the beginning:
            z = [x[t - dilation] | x] @ gate + c @ gate_codes + gate_bias
            m = (tanh(z[:residual]) * sigmoid(z[residual:])) @ mix + mix_bias
            x, skips = x + m[:residual], skips + m[residual:]
        k = relu(relu(skips) @ hidden + c @ hidden_codes + hidden_bias)
        logits = k @ out + out_bias

    A first convolution over two samples in any form becomes the table `embed`: each of its two taps
    sees one of 256 values. One over a single sample leaves ``embed[0]`` at zero.

    With an `order`, the last `order` numbers of what stands for a code are a filter, oldest sample
    first. It foretells the next sample from the heights y of those before it, as in LPCNet. Its
    mu-law code is one more input, so that the network need not learn what a filter can do.

    Attributes
    ----------
    embed : np.ndarray, shape (2, 256, residual)
        What the sample before the last one, and the last one, give to the first layer.
    gate : np.ndarray, shape (layers, 2 * residual, 2 * residual)
        From [past | present] to the [tanh | sigmoid] halves of the gate.
    gate_codes : np.ndarray, shape (layers, latent, 2 * residual)
        From a code to the gate.
    gate_bias : np.ndarray, shape (layers, 2 * residual)
        Bias of the gate.
    mix : np.ndarray, shape (layers, residual, residual + skip)
        From the gate to [what the layer adds | what it hands to the end].
    mix_bias : np.ndarray, shape (layers, residual + skip)
        Bias of both.
    hidden : np.ndarray, shape (skip, skip)
        The hidden layer behind the sum of all layers.
    hidden_codes : np.ndarray, shape (latent, skip)
        From a code to the hidden layer.
    hidden_bias : np.ndarray, shape (skip,)
        Bias of the hidden layer.
    out : np.ndarray, shape (skip, 256)
        From the hidden layer to the logits of the 256 mu-law codes.
    out_bias : np.ndarray, shape (256,)
        Bias of the logits.
    dilations : np.ndarray of whole numbers, shape (layers,)
        How far back each layer looks, in samples.
    foretold : np.ndarray, shape (256, residual), or None
        What the sample that a filter foretells gives to the first layer. None only if `order` is 0.
    order : int
        Samples that a filter looks back; 0 if there are no filters.

    Raises
    ------
    InputError
        An array has a shape that does not fit the others, or is not finite or not of that type.

    Chapter
    -------
    07_music_translation

    References
    ----------
    A. van den Oord et al. (2016). WaveNet: A generative model for raw audio. arXiv:1609.03499.

    J.-M. Valin, J. Skoglund (2019). LPCNet: Improving neural speech synthesis through linear
    prediction. ICASSP.
    """

    embed: np.ndarray
    gate: np.ndarray
    gate_codes: np.ndarray
    gate_bias: np.ndarray
    mix: np.ndarray
    mix_bias: np.ndarray
    hidden: np.ndarray
    hidden_codes: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray
    dilations: np.ndarray
    foretold: np.ndarray | None = None
    order: int = 0

    def __post_init__(self) -> None:
        """Turn the arrays into float32 in one piece each, and check that they fit together."""
        if whole(self.order, "order", 0) and self.foretold is None:
            raise InputError(
                f"order is {self.order} and there is no foretold. Give the table of what a sample "
                "that a filter foretells is worth to the first layer."
            )
        if self.foretold is None:
            object.__setattr__(self, "foretold", np.zeros(np.shape(self.embed)[1:], np.float32))
        for name in [field.name for field in fields(self) if field.name != "order"]:
            make = _checks.dilations if name == "dilations" else _checks.floats
            object.__setattr__(self, name, make(getattr(self, name), name))
        for name, wanted in self._shapes().items():
            found = getattr(self, name).shape
            if found != wanted or 0 in found:
                raise InputError(
                    f"{name} has shape {found}. With {self._sizes()} it must have {wanted}, none "
                    "of them 0."
                )

    @property
    def residual(self) -> int:
        """Channels that pass from layer to layer."""
        return self.embed.shape[-1]

    @property
    def skip(self) -> int:
        """Channels that all layers hand to the end."""
        return self.hidden.shape[-1]

    @property
    def latent(self) -> int:
        """Numbers in a code."""
        return self.hidden_codes.shape[0]

    @property
    def width(self) -> int:
        """Numbers in a code, and in the filter that stands behind it."""
        return self.latent + self.order

    @property
    def past(self) -> int:
        """Number of earlier samples that the prediction of one sample depends on.

        It is the sum of the dilations, and 2 for the two samples that `embed` reads, or as many as
        a filter reads. Four blocks of dilations 1, 2, 4 ... 512 give 4,092 + 2 = 4,094, or 256 ms
        at 16 kHz.
        """
        return int(self.dilations.sum()) + max(2, self.order)

    def _sizes(self) -> str:
        return (
            f"{self.dilations.size} dilations, embed's {self.residual} channels, hidden's "
            f"{self.skip} and hidden_codes' {self.latent} rows"
        )

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape that each array must have, by its name."""
        layers, residual, latent, skip = self._counts()
        return {
            "dilations": (layers,),
            "embed": (2, LEVELS, residual),
            "foretold": (LEVELS, residual),
            "hidden": (skip, skip),
            "hidden_codes": (latent, skip),
            "hidden_bias": (skip,),
            "gate": (layers, 2 * residual, 2 * residual),
            "gate_codes": (layers, latent, 2 * residual),
            "gate_bias": (layers, 2 * residual),
            "mix": (layers, residual, residual + skip),
            "mix_bias": (layers, residual + skip),
            "out": (skip, LEVELS),
            "out_bias": (LEVELS,),
        }

    def _counts(self) -> tuple[int, int, int, int]:
        for name in ("embed", "hidden", "hidden_codes"):
            if not getattr(self, name).ndim:
                raise InputError(f"{name} is a single number. Give an array.")
        return self.dilations.size, self.residual, self.latent, self.skip
