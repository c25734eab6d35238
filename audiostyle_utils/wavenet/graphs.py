"""The same streams on a GPU: one sample is recorded as a graph of kernels, and played again."""

import math
from typing import TYPE_CHECKING

import numpy as np

from audiostyle_utils import spectra
from audiostyle_utils.errors import InputError

from . import _checks
from .decoder import Decoder
from .drawing import OVERFLOW, plan

if TYPE_CHECKING:
    import torch

_FIRST_STEPS = 3  # before recording, since libraries set themselves up when they are first used


def on_torch(
    decoder: Decoder,
    codes: np.ndarray,
    hop_length: int,
    uniforms: np.ndarray,
    *,
    given: np.ndarray | None = None,
    temperature: float = 1.0,
    device: "str | torch.device | None" = None,
    dtype: "torch.dtype | None" = None,
) -> np.ndarray:
    """Draw streams of sound as `draw` does, with PyTorch.

    A GPU is done with each of the small products of a sample before Python has asked for the next
    one. So one sample is recorded as a CUDA graph, and the whole graph is started at once. On other
    devices the same steps run one by one; there `draw` is faster.

    Rounding differs from that of `draw`. Where a uniform number lies within rounding of a border
    between two samples, the stream goes another way from there on.

    Parameters
    ----------
    decoder, codes, hop_length, uniforms, given, temperature
        As for `draw`.
    device : str, torch.device or None
        None means a CUDA device if there is one, or else the processor.
    dtype : torch.dtype or None
        Type of the weights and of the layers' numbers; None means float32. Probabilities are
        always summed in double precision, or in single where the device has no other.

    Returns
    -------
    np.ndarray, uint8, shape (time, streams)
        Mu-law codes.

    Raises
    ------
    InputError
        As for `draw`, or `dtype` is no floating-point type, or there is no such device.

    Chapter
    -------
    07_music_translation
    """
    import torch

    codes, index, uniforms, given = plan(decoder, codes, hop_length, uniforms, given)
    temperature = _checks.positive(temperature, "temperature")
    device, dtype = _device(device), torch.float32 if dtype is None else dtype
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise InputError(f"dtype is {dtype!r}. Give torch.float32, torch.bfloat16 or another.")
    with torch.inference_mode():
        stepper = _Stepper(decoder, codes, index, uniforms, given, temperature, device, dtype)
        (_replay if device.type == "cuda" else _run)(stepper, len(index))
        samples, finite = stepper.samples.cpu().numpy(), bool(stepper.finite)
    if not finite:
        raise InputError(OVERFLOW)
    return samples.astype(np.uint8)


class _Stepper:
    """Makes one sample of all streams at each call.

    All that a call reads and writes are tensors that stay where they are, the time among them. So a
    recording of one call makes the next sample whenever it is played.
    """

    def __init__(self, decoder, codes, index, uniforms, given, temperature, device, dtype) -> None:
        import torch

        def put(x, kind=dtype):
            return torch.tensor(x, dtype=kind, device=device)

        self.wide = torch.float32 if device.type == "mps" else torch.float64
        names = ("embed", "foretold", "gate", "mix", "mix_bias", "hidden", "out", "out_bias")
        self.weights = {name: put(getattr(decoder, name)) for name in names}
        self.residual, self.layers = decoder.residual, decoder.dilations.size
        self.dilations = put(decoder.dilations, torch.int64)
        self.places = put(np.cumsum(decoder.dilations) - decoder.dilations, torch.int64)
        self.filters = put(codes[:, decoder.latent :], self.wide)
        self.heights = put(spectra.mu_law_decode(np.arange(_checks.LEVELS)), self.wide)
        codes = codes[:, : decoder.latent]
        gates = codes @ decoder.gate_codes + decoder.gate_bias[:, np.newaxis]
        self.gates, self.index = put(gates), put(index, torch.int64)
        self.codes = put(codes @ decoder.hidden_codes + decoder.hidden_bias)
        self.uniforms, self.temperature = put(uniforms, self.wide), temperature
        # -1 stands for a sample that is to be drawn.
        unknown = np.full((len(index) - len(given), index.shape[1]), -1)
        self.given = put(np.concatenate([given, unknown]), torch.int64)
        self._make_state(index.shape, int(decoder.dilations.sum()), put)

    def _make_state(self, shape: tuple[int, int], past: int, put) -> None:
        import torch

        self.time, self.finite = put([0], torch.int64), put(True, torch.bool)
        self.samples = put(np.zeros(shape), torch.int64)
        self.before = put(np.zeros((2, shape[1])), torch.int64)
        self.rings = put(np.zeros((past, shape[1], self.residual)))
        self.recent = put(np.zeros((self.filters.shape[1], shape[1])), self.wide)
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning."""
        self.time.zero_()
        self.rings.zero_()
        self.recent.zero_()
        self.before.fill_(_checks.SILENCE)

    def __call__(self) -> None:
        """Make one sample of each stream."""
        import torch

        code = self.index.index_select(0, self.time)[0]
        score = self._logits(code).to(self.wide)
        self.finite.logical_and_(score.isfinite().all())
        summed = torch.softmax(score / self.temperature, dim=-1).cumsum(-1)
        aim = self.uniforms.index_select(0, self.time)[0] * summed[:, -1]
        drawn = (summed <= aim[:, None]).sum(-1).clamp(max=_checks.LEVELS - 1)
        given = self.given.index_select(0, self.time)[0]
        sample = torch.where(given < 0, drawn, given)
        self.samples.index_copy_(0, self.time, sample[None])
        self.before[0].copy_(self.before[1])
        self.before[1].copy_(sample)
        self.time.add_(1)

    def _logits(self, code: "torch.Tensor") -> "torch.Tensor":
        import torch

        w, places = self.weights, self.places + self.time % self.dilations
        gates = self.gates.index_select(1, code)  # (layers, streams, 2 * residual)
        x = w["embed"][0].index_select(0, self.before[0])
        x = x + w["embed"][1].index_select(0, self.before[1])
        if len(self.recent):
            x = x + w["foretold"].index_select(0, self._foretold(code))
        skips = torch.zeros_like(gates[0, :, :1])
        for layer in range(self.layers):
            place = places[layer : layer + 1]
            past = self.rings.index_select(0, place)[0]
            self.rings.index_copy_(0, place, x[None])
            z = torch.addmm(gates[layer], torch.cat([past, x], dim=-1), w["gate"][layer])
            h = torch.tanh(z[:, : self.residual]) * torch.sigmoid(z[:, self.residual :])
            m = torch.addmm(w["mix_bias"][layer], h, w["mix"][layer])
            x, skips = x + m[:, : self.residual], skips + m[:, self.residual :]
        k = torch.addmm(self.codes.index_select(0, code), skips.relu(), w["hidden"])
        return torch.addmm(w["out_bias"], k.relu(), w["out"])

    def _foretold(self, code: "torch.Tensor") -> "torch.Tensor":
        """Return the mu-law codes that the filters foretell."""
        import torch

        newest = self.heights.index_select(0, self.before[1])
        self.recent.copy_(torch.cat([self.recent[1:], newest[None]]))
        y = (self.recent * self.filters.index_select(0, code).T).sum(dim=0).clamp(-1, 1)
        companded = y.sign() * torch.log1p(255 * y.abs()) / math.log(256)
        return torch.floor(255 * (companded + 1) / 2 + 0.5).long()


def _run(stepper: _Stepper, time: int) -> None:
    for _ in range(time):
        stepper()


def _replay(stepper: _Stepper, time: int) -> None:
    """Record one step as a CUDA graph, and play it for each sample."""
    import torch

    device = stepper.time.device
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            _run(stepper, min(time, _FIRST_STEPS))
            stepper.reset()  # so that there is room for the step that is recorded
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            stepper()
        # Recording runs nothing, so that this is still the beginning.
        for _ in range(time):
            graph.replay()
        torch.cuda.synchronize()


def _device(device: "str | torch.device | None") -> "torch.device":
    import torch

    cuda = torch.cuda.is_available()
    try:
        found = torch.device(("cuda" if cuda else "cpu") if device is None else device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device is {device!r}. Give 'cpu' or 'cuda'.") from error
    if found.type == "cuda" and not (cuda and (found.index or 0) < torch.cuda.device_count()):
        raise InputError(f"device is {device!r}, and PyTorch finds no such GPU. Leave it out.")
    return found
