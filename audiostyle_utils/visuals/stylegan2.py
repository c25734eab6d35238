"""The generator of StyleGAN2, with the names and the arithmetic of its PyTorch edition.

A *mapping network* turns a random vector ``z`` and a class ``c`` into a style ``w``, and a
*synthesis network* grows a picture from a learned 4 x 4 block, doubling its sides from block to
block, while the style scales the channels of every convolution. The names of all weights are those
of the PyTorch edition of StyleGAN2-ADA, so that weights trained there fit a `Generator` here.

Everything is plain PyTorch in float32. The paper scales the *weights* of a convolution by the
style, which gives each picture of a batch weights of its own; a convolution is linear, so that
scaling its *inputs* by the style and its *outputs* by the demodulation gives the same numbers with
one set of weights for all. On a CPU this is several times faster.

References
----------
Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, arXiv:1912.04958.
Karras et al. (2020), Training generative adversarial networks with limited data, arXiv:2006.06676.
"""

import math
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional

from .._checks import whole
from ..errors import InputError

ARCHITECTURES = ("orig", "skip", "resnet")
NOISE_MODES = ("const", "random", "none")

_SLOPE = 0.2  # of the leaky rectifier
_GAIN = math.sqrt(2)  # keeps the variance that the rectifier takes away
_FILTER = (1.0, 3.0, 3.0, 1.0)  # the low-pass filter of all resampling


class Generator(nn.Module):
    """A StyleGAN2 generator: latent vectors and classes in, pictures out.

    Parameters
    ----------
    z_dim : int
        Length of the random vector `z`, at least 1.
    c_dim : int
        Number of classes; 0 for a generator without classes.
    w_dim : int
        Length of a style vector, at least 1.
    img_resolution : int
        Side of the pictures in pixels: a power of two, at least 4.
    img_channels : int
        Colours of a pixel, at least 1.
    num_layers : int
        Layers of the mapping network, at least 1.
    channel_base, channel_max : int
        A block of resolution ``r`` has ``min(channel_base // r, channel_max)`` channels.
    conv_clamp : float, optional
        Limit on the size of each layer's outputs; none by default.
    architecture : {'skip', 'orig', 'resnet'}
        How the blocks are tied together: each adds to the picture ('skip', the paper's choice),
        only the last one draws it ('orig'), or the same with residual blocks ('resnet').
    use_noise : bool
        Whether layers add noise of a learned strength.
    lr_multiplier : float
        Factor by which the mapping network learns more slowly, above 0.

    Attributes
    ----------
    num_ws : int
        Number of style vectors that a picture takes, one a convolution.
    mapping : MappingNetwork
        ``mapping(z, c, truncation_psi)`` gives styles of shape (batch, num_ws, w_dim).
    synthesis : SynthesisNetwork
        ``synthesis(ws, noise_mode)`` gives pictures.

    Raises
    ------
    InputError
        A number is out of its range, or the architecture is unknown.

    Notes
    -----
    The architecture is that of Karras et al. (2020), arXiv:1912.04958, with the settings of
    arXiv:2006.06676.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        num_layers: int = 8,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_clamp: float | None = None,
        architecture: str = "skip",
        use_noise: bool = True,
        lr_multiplier: float = 0.01,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(
            w_dim,
            img_resolution,
            img_channels,
            channel_base=channel_base,
            channel_max=channel_max,
            conv_clamp=conv_clamp,
            architecture=architecture,
            use_noise=use_noise,
        )
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, num_layers, lr_multiplier)

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        truncation_psi: float = 1.0,
        noise_mode: str = "const",
        truncation_cutoff: int | None = None,
    ) -> torch.Tensor:
        """Draw pictures.

        Parameters
        ----------
        z : torch.Tensor
            Random vectors, shape (batch, z_dim). Only their direction matters.
        c : torch.Tensor, optional
            Class vectors, shape (batch, c_dim): one-hot in training, any mixture later. Not used
            by a generator without classes.
        truncation_psi : float
            1 for all the variety that was learned, 0 for the average picture.
        noise_mode : {'const', 'random', 'none'}
            The noise kept with the weights, fresh noise, or none.
        truncation_cutoff : int, optional
            Truncate only that many of the first styles; all by default.

        Returns
        -------
        torch.Tensor
            Pictures of shape (batch, img_channels, img_resolution, img_resolution), about -1 to 1;
            values beyond are to be clipped.

        Raises
        ------
        InputError
            A shape does not fit, or `noise_mode` is unknown.
        """
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode)


class MappingNetwork(nn.Module):
    """Turn random vectors and classes into styles (part of `Generator`).

    Parameters
    ----------
    z_dim, c_dim, w_dim : int
        As in `Generator`.
    num_ws : int
        How many times each style is repeated.
    num_layers : int
        Fully connected layers, at least 1.
    lr_multiplier : float
        Weights are kept divided by it, which makes them learn more slowly.
    w_avg_beta : float
        Decay of the running average of styles, which only training mode updates.

    Raises
    ------
    InputError
        A number is out of its range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        num_layers: int = 8,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
    ) -> None:
        super().__init__()
        for name, value in (("z_dim", z_dim), ("w_dim", w_dim), ("num_layers", num_layers)):
            whole(value, name, 1)
        whole(c_dim, "c_dim", 0)
        if not lr_multiplier > 0:
            raise InputError(f"lr_multiplier is {lr_multiplier!r}: give a number above 0.")
        self.z_dim, self.c_dim, self.num_ws = z_dim, c_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        if c_dim:
            self.embed = _FullyConnected(c_dim, w_dim)
        sizes = [z_dim + (w_dim if c_dim else 0)] + [w_dim] * num_layers
        for i in range(num_layers):
            layer = _FullyConnected(sizes[i], sizes[i + 1], lr_multiplier, activate=True)
            self.add_module(f"fc{i}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> torch.Tensor:
        """Map to styles.

        Parameters
        ----------
        z, c, truncation_psi, truncation_cutoff
            As in `Generator.forward`.

        Returns
        -------
        torch.Tensor
            Styles of shape (batch, num_ws, w_dim).

        Raises
        ------
        InputError
            A shape does not fit.
        """
        w = self._inputs(z, c)
        for i in range(self.num_layers):
            w = getattr(self, f"fc{i}")(w)
        if self.training:
            new = w.detach().mean(dim=0).to(self.w_avg.dtype)
            self.w_avg.lerp_(new, 1 - self.w_avg_beta)
        ws = w[:, None].repeat(1, self.num_ws, 1)  # (batch, num_ws, w_dim)
        if truncation_psi == 1:
            return ws
        cut = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.w_avg.lerp(ws[:, :cut], truncation_psi), ws[:, cut:]], dim=1)

    def _inputs(self, z: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
        """Normalise the random vector and the embedded class, and join them."""
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise InputError(f"z has shape {tuple(z.shape)}: give (batch, {self.z_dim}).")
        x = normalize_2nd_moment(z.to(torch.float32))
        if not self.c_dim:
            return x
        if c is None or tuple(c.shape) != (len(z), self.c_dim):
            found = "missing" if c is None else f"of shape {tuple(c.shape)}"
            raise InputError(f"c is {found}: give class vectors, ({len(z)}, {self.c_dim}).")
        return torch.cat([x, normalize_2nd_moment(self.embed(c.to(torch.float32)))], dim=1)


class SynthesisNetwork(nn.Module):
    """Grow pictures from styles (part of `Generator`).

    Parameters
    ----------
    w_dim, img_resolution, img_channels, channel_base, channel_max
        As in `Generator`.
    conv_clamp, architecture, use_noise
        As in `Generator`.

    Raises
    ------
    InputError
        A number is out of its range, or the architecture is unknown.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_clamp: float | None = None,
        architecture: str = "skip",
        use_noise: bool = True,
    ) -> None:
        super().__init__()
        whole(w_dim, "w_dim", 1)
        _check_synthesis(img_resolution, img_channels, channel_base, channel_max)
        _check_choice("architecture", architecture, ARCHITECTURES)
        if conv_clamp is not None and not conv_clamp > 0:
            raise InputError(f"conv_clamp is {conv_clamp!r}: give a number above 0, or None.")
        self.w_dim = w_dim
        self.block_resolutions = [2**i for i in range(2, img_resolution.bit_length())]
        channels = {r: min(channel_base // r, channel_max) for r in self.block_resolutions}
        layer = {"conv_clamp": conv_clamp, "use_noise": use_noise}
        for r in self.block_resolutions:
            draws = architecture == "skip" or r == img_resolution
            shape = (channels.get(r // 2, 0), channels[r], w_dim, r, img_channels if draws else 0)
            self.add_module(f"b{r}", _Block(*shape, residual=architecture == "resnet", **layer))
        # Each convolution takes a style, and the last colours take one more.
        self.num_ws = 1 + sum(block.num_conv for block in self._blocks())

    def _blocks(self) -> Iterator["_Block"]:
        return (getattr(self, f"b{r}") for r in self.block_resolutions)

    def forward(self, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        """Draw pictures.

        Parameters
        ----------
        ws : torch.Tensor
            Styles of shape (batch, num_ws, w_dim), from the coarse to the fine layers.
        noise_mode : {'const', 'random', 'none'}
            The noise kept with the weights, fresh noise, or none.

        Returns
        -------
        torch.Tensor
            Pictures of shape (batch, img_channels, img_resolution, img_resolution).

        Raises
        ------
        InputError
            The shape does not fit, or `noise_mode` is unknown.
        """
        _check_choice("noise_mode", noise_mode, NOISE_MODES)
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            wanted = f"(batch, {self.num_ws}, {self.w_dim})"
            raise InputError(f"ws has shape {tuple(ws.shape)}: give {wanted}.")
        ws, start, x, image = ws.to(torch.float32), 0, None, None
        for block in self._blocks():
            # The colours of a block share their style with the first layer of the next block.
            x, image = block(x, image, ws[:, start:].unbind(dim=1), noise_mode)
            start += block.num_conv
        return image


class _Block(nn.Module):
    """One resolution: (double,) convolve, and add to the picture."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        residual: bool,
        conv_clamp: float | None,
        use_noise: bool,
    ) -> None:
        super().__init__()
        self.num_conv = 2 if in_channels else 1
        self.register_buffer("resample_filter", _resample_filter())
        rest = (w_dim, resolution, conv_clamp, use_noise)
        if in_channels:
            self.conv0 = _StyledConv(in_channels, out_channels, *rest, up=True)
        else:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        self.conv1 = _StyledConv(out_channels, out_channels, *rest)
        self.torgb = _ToRGB(out_channels, img_channels, w_dim, conv_clamp) if img_channels else None
        self.skip = _Shortcut(in_channels, out_channels) if residual and in_channels else None

    def forward(self, x, image, ws: tuple[torch.Tensor, ...], noise_mode: str):
        if x is None:
            x = self.const.expand(len(ws[0]), *self.const.shape)
            x = self.conv1(x, ws[0], noise_mode)
        elif self.skip is None:
            x = self.conv1(self.conv0(x, ws[0], noise_mode), ws[1], noise_mode)
        else:  # both branches are halved in power, so that their sum keeps it
            y = self.skip(x) * math.sqrt(0.5)
            x = self.conv0(x, ws[0], noise_mode)
            x = y + self.conv1(x, ws[1], noise_mode, gain=math.sqrt(0.5))
        if image is not None:
            image = upsample2d(image, self.resample_filter)
        if self.torgb is not None:
            colours = self.torgb(x, ws[self.num_conv])
            image = colours if image is None else image + colours
        return x, image


class _StyledConv(nn.Module):
    """A 3 x 3 convolution modulated by a style; noise, bias and leaky rectifier after it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        conv_clamp: float | None,
        use_noise: bool,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.up, self.use_noise, self.conv_clamp = up, use_noise, conv_clamp
        self.register_buffer("resample_filter", _resample_filter())
        self.affine = _FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise_mode: str, gain: float = 1.0):
        resample = self.resample_filter if self.up else None
        x = modulated_conv2d(x, self.weight, self.affine(w), resample_filter=resample)
        if self.use_noise and noise_mode != "none":
            fresh = noise_mode == "random"
            noise = torch.randn_like(x[:, :1]) if fresh else self.noise_const
            x = x + noise * self.noise_strength
        x = functional.leaky_relu(x + self.bias[:, None, None], _SLOPE) * (_GAIN * gain)
        return _clamp(x, self.conv_clamp, gain)


class _ToRGB(nn.Module):
    """A 1 x 1 convolution to colours, modulated but not demodulated."""

    def __init__(
        self, in_channels: int, img_channels: int, w_dim: int, conv_clamp: float | None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = _FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        styles = self.affine(w) / math.sqrt(x.shape[1])
        x = modulated_conv2d(x, self.weight, styles, demodulate=False)
        return _clamp(x + self.bias[:, None, None], self.conv_clamp)


class _Shortcut(nn.Module):
    """The other branch of a residual block: a 1 x 1 convolution, then doubling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.register_buffer("resample_filter", _resample_filter())
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(x, self.weight / math.sqrt(x.shape[1]))
        return upsample2d(x, self.resample_filter)


class _FullyConnected(nn.Module):
    """A linear layer whose weights are kept at unit variance and scaled when they are used."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        lr_multiplier: float = 1.0,
        bias: float = 0.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.lr_multiplier, self.activate = lr_multiplier, activate
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight * (self.lr_multiplier / math.sqrt(x.shape[1]))
        x = functional.linear(x, weight, self.bias * self.lr_multiplier)
        return functional.leaky_relu(x, _SLOPE) * _GAIN if self.activate else x


def normalize_2nd_moment(x: torch.Tensor) -> torch.Tensor:
    """Scale vectors so that the mean of their squares is 1.

    This is why the length of a random vector does not change a picture.

    Parameters
    ----------
    x : torch.Tensor
        Vectors of shape (batch, features).

    Returns
    -------
    torch.Tensor
        The same shape. Zeros stay zeros.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def modulated_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    demodulate: bool = True,
    resample_filter: torch.Tensor | None = None,
) -> torch.Tensor:
    """Convolve with weights that are scaled by a style, and then brought back to unit size.

    With ``w'[n, o, i] = styles[n, i] * weight[o, i]``, picture ``n`` is convolved with
    ``w'[n, o] / ||w'[n, o]||`` (Karras et al. 2020, arXiv:1912.04958, equations 1 and 3). The
    scaling is done on the inputs and outputs instead, with the same result.

    Parameters
    ----------
    x : torch.Tensor
        Shape (batch, in_channels, height, width).
    weight : torch.Tensor
        Shape (out_channels, in_channels, k, k), where k is odd.
    styles : torch.Tensor
        Shape (batch, in_channels).
    demodulate : bool
        Whether to divide by the norm.
    resample_filter : torch.Tensor, optional
        A normalised 4 x 4 low-pass filter. If it is given, height and width are doubled; k is 3.

    Returns
    -------
    torch.Tensor
        Shape (batch, out_channels, height, width), or twice that height and width.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    x = x * styles[:, :, None, None]
    if resample_filter is None:
        x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
    else:
        x = functional.conv_transpose2d(
            x, weight.transpose(0, 1), stride=2
        )  # (..., 2 height + 1, ...)
        x = _filter2d(x, resample_filter * 4)  # three of four inputs were zeros
    if not demodulate:
        return x
    norm2 = styles.square() @ weight.square().sum(dim=(2, 3)).T  # (batch, out_channels)
    return x * (norm2 + 1e-8).rsqrt()[:, :, None, None]


def upsample2d(x: torch.Tensor, resample_filter: torch.Tensor) -> torch.Tensor:
    """Double height and width: put zeros between the pixels, then low-pass.

    Parameters
    ----------
    x : torch.Tensor
        Shape (batch, channels, height, width).
    resample_filter : torch.Tensor
        Shape (4, 4), with sum 1.

    Returns
    -------
    torch.Tensor
        Shape (batch, channels, 2 height, 2 width).

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    weight = (resample_filter * 4).expand(x.shape[1], 1, 4, 4)
    return functional.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])


def _filter2d(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Convolve each channel with the same 4 x 4 kernel; both sides become 1 shorter."""
    weight = kernel.flip((0, 1)).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(x, weight, padding=1, groups=x.shape[1])


def _resample_filter() -> torch.Tensor:
    """Return the two-dimensional low-pass filter, with sum 1."""
    taps = torch.tensor(_FILTER)
    return torch.outer(taps, taps) / taps.sum() ** 2


def _clamp(x: torch.Tensor, limit: float | None, gain: float = 1.0) -> torch.Tensor:
    return x if limit is None else x.clamp(-limit * gain, limit * gain)


def _check_synthesis(
    img_resolution: int, img_channels: int, channel_base: int, channel_max: int
) -> None:
    whole(img_resolution, "img_resolution", 4)
    if img_resolution & (img_resolution - 1):
        raise InputError(f"img_resolution is {img_resolution}: give a power of two, such as 256.")
    whole(img_channels, "img_channels", 1)
    whole(channel_max, "channel_max", 1)
    whole(channel_base, "channel_base", img_resolution)  # one channel at the least


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {value!r}: give one of {', '.join(choices)}.")
