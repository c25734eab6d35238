"""Reading StyleGAN2 ``.pkl`` files as data: nothing that a file holds or names is ever run.

A pickle is a small program. Python's own `pickle.load` runs it, and with it any function that the
file names; the ``.pkl`` files of StyleGAN2-ADA even carry the source code of their networks, to be
executed. Here the instructions are only parsed (`pickletools.genops`) and followed by a machine of
our own that can build lists, tuples, dictionaries, text and numbers, and nothing else. It
has no instruction that imports or calls: a name in the file selects one of the few functions of
this module in `_NAMES`, and any other name ends the reading. What a tensor claims to be (type,
shape, strides) is checked against the bytes that are there before it becomes an array.

A file may also try to be expensive. It cannot claim more bytes than it has, repeat itself by
references, nest without end or hold endless instructions: each has a limit, far above what a
generator of 1024 x 1024 pixels needs.

The layout is that of the PyTorch edition of StyleGAN2-ADA (Karras et al. 2020, arXiv:2006.06676):
a dictionary whose ``G_ema`` is the generator, each of its modules with a state as PyTorch keeps it.
"""

import io
import itertools
import math
import os
import pickletools
import reprlib
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from .stylegan2 import Generator

_MOST_STEPS = 1_000_000  # instructions; a generator of 1024 x 1024 pixels takes about 60,000
_MOST_STEPS_OF_A_TENSOR = 200  # in each of its pickles
_MOST_MODULES = 2_000  # it has about 100
_MOST_TENSORS = 10_000  # it has about 180
_LONGEST_NAME = 1_000  # characters
_LONGEST_WORD = 20  # characters of a setting
_LARGEST = 1 << 20  # of any number among the settings
_MOST_LAYERS = 100  # of the mapping network
_MOST_AXES = 4  # of a tensor
_MOST_ARGUMENTS = 10  # of a name; a tensor has six
_GROWTH = 4  # times the file's size: numbers of 16 bits become such of 32

# What the parser, the machine and its recipes raise where a file breaks the format; the parser
# warns of odd escapes in text, which is an error where warnings are errors.
_BREACHES = (ValueError, TypeError, LookupError, AttributeError, struct.error, Warning)

_ANOTHER_FORMAT = "Give a .pkl file as the PyTorch edition of StyleGAN2-ADA writes it."
_TENSORFLOW = (
    "was written by the TensorFlow edition of StyleGAN, whose networks are code and cannot be read "
    "here. If you trust its source, convert it with legacy.py of NVIDIA's stylegan2-ada-pytorch "
    "(--source=old.pkl --dest=new.pkl), in an environment of its own, and give the new file."
)


def read_stylegan2(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the generator of a StyleGAN2-ADA ``.pkl`` file without running anything in it.

    Parameters
    ----------
    path : str or path-like
        A snapshot as the PyTorch edition of StyleGAN2-ADA writes it.

    Returns
    -------
    settings : dict
        The parameters of `visuals.stylegan2.Generator`, by name.
    tensors : dict
        The weights and buffers of ``G_ema``, float32, by their names in its state dictionary.

    Raises
    ------
    InputError
        The file cannot be read, is damaged, asks for anything that no such file needs, is a
        TensorFlow file, or holds another network.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    file = _as_path(path)
    try:
        with file.open("rb") as stream:
            return _read(stream)
    except _RefusedError as error:
        raise InputError(f"{file} {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{file} cannot be read: {reason}. {_ANOTHER_FORMAT}") from error
    except _BREACHES as error:
        raise InputError(
            f"{file} is damaged, cut short or no StyleGAN2 file ({error}): nothing of it was run. "
            "Get it again."
        ) from error


def load_generator(path: str | os.PathLike) -> "Generator":
    """Make a generator from a StyleGAN2-ADA ``.pkl`` file without running anything in it.

    Parameters
    ----------
    path : str or path-like
        As for `read_stylegan2`.

    Returns
    -------
    visuals.stylegan2.Generator
        On the CPU, in evaluation mode, with weights that need no gradients.

    Raises
    ------
    InputError
        As `read_stylegan2`; or a weight is missing, left over or of another shape than the
        settings of the file ask for.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    import torch

    from .stylegan2 import Generator

    settings, tensors = read_stylegan2(path)
    try:
        with torch.device("meta"):  # shapes only: settings may claim any size
            generator = Generator(**settings)
    except InputError as error:
        raise InputError(f"{path} holds a generator that is not supported: {error}") from error
    _check_fit(path, generator, tensors)
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    generator.load_state_dict(state, assign=True)
    return generator.eval().requires_grad_(False)


def _check_fit(
    path: str | os.PathLike, generator: "Generator", tensors: Mapping[str, np.ndarray]
) -> None:
    """Compare the file's shapes with those of a generator of the file's settings."""
    wanted = {name: tuple(value.shape) for name, value in generator.state_dict().items()}
    for name in [*wanted, *tensors]:
        ours = wanted.get(name, "nothing")
        theirs = tensors[name].shape if name in tensors else "nothing"
        if ours != theirs:
            raise InputError(
                f"{path} does not hold the weights of the StyleGAN2 generator that it describes: "
                f"{name} is {theirs} in the file and {ours} in such a generator. {_ANOTHER_FORMAT}"
            )


class _RefusedError(Exception):
    """Why a file is not read on: text that follows the file's name."""


def _as_path(path: str | os.PathLike) -> Path:
    try:
        return Path(path).expanduser()
    except (TypeError, RuntimeError) as error:
        raise InputError(f"path is {path!r}: give the path of a .pkl file.") from error


def _read(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    source = _Source(stream)
    _check_beginning(stream)
    snapshot = _Machine(_NAMES).run(source)
    network = snapshot.get("G_ema") if isinstance(snapshot, dict) else None
    if not isinstance(network, _Module):
        raise _RefusedError(f"is no snapshot of StyleGAN2-ADA: G_ema is missing. {_ANOTHER_FORMAT}")
    return _settings(network), _arrays(network, _GROWTH * source.size)


def _check_beginning(stream: BinaryIO) -> None:
    """Say early what is no pickle: an empty file, a web page, a zip archive."""
    beginning = stream.read(2)
    stream.seek(0)
    if not beginning:
        raise _RefusedError("is empty. Get it again.")
    if beginning == b"PK":
        raise _RefusedError(f"is a zip archive (of torch.save?), no pickle. {_ANOTHER_FORMAT}")
    if beginning[0] != 0x80:
        raise _RefusedError(
            "is no pickle. A download that begins with a web page or a text often is an error "
            f"message: look into it. {_ANOTHER_FORMAT}"
        )


class _Source:
    """A file that is never asked for more than it has: the request alone would take memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        stream.seek(0)

    def read(self, count: int) -> bytes:
        if count > self.size - self.tell():
            raise ValueError(f"{count} bytes are announced after byte {self.tell()} and not there")
        return self._stream.read(count)

    def readline(self) -> bytes:
        return self._stream.readline(_LONGEST_NAME)

    def tell(self) -> int:
        return self._stream.tell()


# The machine

_LITERALS = set(
    """BININT BININT1 BININT2 LONG1 BINFLOAT SHORT_BINUNICODE BINUNICODE BINUNICODE8
    SHORT_BINBYTES BINBYTES BINBYTES8""".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, eq=False)
class _Recipe:
    """What a name in a file stands for: a function of this module."""

    build: Callable[..., object]


class _Inert:
    """A value that a file may hold and that nobody looks at, such as a NumPy number."""

    def __init__(self, *_: object) -> None:
        pass


_NAMES_OF_BUFFERS = (
    _Inert()
)  # all sets: an empty one would take 200 bytes, and one byte asks for it


class _Machine:
    """Follow the instructions of a pickle; there is none that imports or calls.

    Parameters
    ----------
    names : mapping
        What the names stand for that a file may use.
    """

    def __init__(self, names: Mapping[tuple[str, str], object]) -> None:
        self._names = names
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below the marks
        self._memo: dict[int, Any] = {}

    def run(self, source: _Source, most_steps: int = _MOST_STEPS) -> Any:
        """Return what a pickle describes; `source` then stands behind its end."""
        steps = pickletools.genops(source)
        for opcode, argument, _ in itertools.islice(steps, most_steps):
            if opcode.name == "STOP":
                return self._stack.pop()
            self._follow(opcode.name, argument)
        raise _RefusedError(f"has more than {most_steps} instructions. {_ANOTHER_FORMAT}")

    def _follow(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name == "EMPTY_SET":
            self._stack.append(_NAMES_OF_BUFFERS)
        elif name in _TUPLES:
            self._stack[-_TUPLES[name] :] = [tuple(self._last(_TUPLES[name]))]
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise _RefusedError(
                f"holds the pickle instruction {name}, which no StyleGAN2 file needs: nothing of "
                "it was run."
            )

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("the stack is too short")
        return self._stack[-count:]

    def mark(self, _: None) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._outer.pop()
        return items

    def make_tuple(self, _: None) -> None:
        items = self._since_mark()
        self._stack.append(tuple(items))

    def memorise(self, place: int | None) -> None:
        place = len(self._memo) if place is None else place
        self._memo[place] = self._stack[-1]

    def recall(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def append(self, _: None) -> None:
        item = self._stack.pop()
        self._top(list).append(item)

    def append_all(self, _: None) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def add_all(self, _: None) -> None:
        self._since_mark()
        self._top(_Inert)

    def set_item(self, _: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._top(dict)[_key(key)] = value

    def set_all(self, _: None) -> None:
        items = self._since_mark()
        pairs = zip(items[::2], items[1::2], strict=True)
        self._top(dict).update((_key(key), value) for key, value in pairs)

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise TypeError(f"a {kind.__name__} was expected")
        return self._stack[-1]

    def name(self, text: str) -> None:
        self._push_name(*text.split(" ", 1))

    def stack_name(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push_name(module, name)

    def _push_name(self, module: Any, name: Any) -> None:
        if (_key(module), _key(name)) not in self._names:
            raise _RefusedError(_refusal(module, name))
        self._stack.append(self._names[module, name])

    def build(self, _: None) -> None:
        """Let the recipe below the top make a value from the arguments on the top."""
        arguments, recipe = self._stack.pop(), self._stack.pop()
        if not isinstance(recipe, _Recipe) or not isinstance(arguments, tuple):
            raise TypeError("an object is to be made of something that is no name")
        if len(arguments) > _MOST_ARGUMENTS:  # to hand on a long list again and again takes long
            raise ValueError(f"{len(arguments)} arguments are given to a name")
        self._stack.append(recipe.build(*arguments))

    def drop_state(self, _: None) -> None:
        """Set no state: the values that come with one are those that nobody looks at."""
        self._stack.pop()
        if not isinstance(self._stack[-1], _Inert):
            raise _RefusedError(
                "sets the state of an object in a way that no StyleGAN2 file needs: nothing of it "
                "was run."
            )

    def refer(self, _: None) -> None:
        """Take the description of a storage for the storage (persistent ids)."""
        self._stack.append(_StoredAs(*self._stack.pop()))


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.make_tuple,
    "MEMOIZE": _Machine.memorise,
    "BINPUT": _Machine.memorise,
    "LONG_BINPUT": _Machine.memorise,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_all,
    "ADDITEMS": _Machine.add_all,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_all,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.stack_name,
    "REDUCE": _Machine.build,
    "NEWOBJ": _Machine.build,
    "BUILD": _Machine.drop_state,
    "BINPERSID": _Machine.refer,
}


def _key(value: Any) -> Any:
    """Let only text and whole numbers be keys: the hash of a nested tuple could take for ever."""
    if type(value) not in (str, int):
        raise TypeError(f"a {type(value).__name__} is used as a key or a name")
    return value


def _refusal(module: Any, name: Any) -> str:
    if str(module).startswith("dnnlib.tflib"):
        return _TENSORFLOW
    asked = repr(f"{module}.{name}"[:100])[1:-1]
    return f"asks for {asked}, which no StyleGAN2 file needs: nothing of it was run."


# What the names in a file stand for


@dataclass(frozen=True, eq=False)
class _Module:
    """A part of a network: what PyTorch keeps of it, without its code."""

    state: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Storage:
    """The numbers of a tensor, still as a file of torch.save."""

    content: bytes


@dataclass(frozen=True, eq=False)
class _Tensor:
    """What a file says of a tensor; nothing of it is checked yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _StoredAs:
    """How torch.save describes a storage."""

    kind: str
    dtype: np.dtype
    name: str
    device: str
    count: int
    view: None


def _module(description: dict[str, Any]) -> _Module:
    """Keep a module's state, and drop the source code that comes with it."""
    state = description["state"]
    if not isinstance(state, dict):
        raise TypeError("the state of a module is no dictionary")
    return _Module(state)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_NAMES: dict[tuple[str, str], _Recipe] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Recipe(_module),
    ("torch._utils", "_rebuild_parameter"): _Recipe(_parameter),
    ("torch._utils", "_rebuild_tensor_v2"): _Recipe(_tensor),
    ("torch.storage", "_load_from_bytes"): _Recipe(_Storage),
    ("collections", "OrderedDict"): _Recipe(lambda: {}),
    ("dnnlib.util", "EasyDict"): _Recipe(lambda: {}),
    ("builtins", "set"): _Recipe(lambda *_: _NAMES_OF_BUFFERS),
    ("numpy", "dtype"): _Recipe(_Inert),
    ("numpy", "ndarray"): _Recipe(_Inert),
    ("numpy.core.multiarray", "scalar"): _Recipe(_Inert),
    ("numpy._core.multiarray", "scalar"): _Recipe(_Inert),
    ("numpy.core.multiarray", "_reconstruct"): _Recipe(_Inert),
    ("numpy._core.multiarray", "_reconstruct"): _Recipe(_Inert),
}

# The only names in the bytes of a tensor.
_TYPES: dict[tuple[str, str], np.dtype] = {
    ("torch", "HalfStorage"): np.dtype("<f2"),
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "DoubleStorage"): np.dtype("<f8"),
}


# From the file's words to arrays


def _arrays(network: _Module, most_bytes: int) -> dict[str, np.ndarray]:
    """Return all tensors of a network by their names in its state dictionary."""
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in _tensors(network):
        arrays[name] = _array(name, tensor)
        most_bytes -= arrays[name].nbytes
        if most_bytes < 0 or len(arrays) > _MOST_TENSORS:
            raise _RefusedError("repeats its tensors until they outgrow the file by far.")
    return arrays


def _tensors(network: _Module) -> Iterator[tuple[str, Any]]:
    for prefix, module in _modules(network):
        for kind in ("_parameters", "_buffers"):
            for name, tensor in module.state[kind].items():
                if tensor is not None:  # such as the bias of a layer without one
                    yield prefix + name, tensor


def _modules(network: _Module) -> Iterator[tuple[str, _Module]]:
    """Yield a network and all its parts, each with its dotted name."""
    waiting, seen = [("", network)], 0
    while waiting:
        prefix, module = waiting.pop(0)
        yield prefix, module
        seen += 1
        parts = module.state["_modules"]
        if seen + len(waiting) + len(parts) > _MOST_MODULES or len(prefix) > _LONGEST_NAME:
            raise _RefusedError(
                f"has a network of more than {_MOST_MODULES} modules, or endlessly nested ones."
            )
        waiting += [(f"{prefix}{name}.", part) for name, part in parts.items() if part is not None]


def _array(name: str, tensor: _Tensor) -> np.ndarray:
    """Return a tensor as float32, if the bytes that came with it are those of such a tensor."""
    if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, _Storage):
        raise _RefusedError(f"holds a {name} that is no tensor of numbers. {_ANOTHER_FORMAT}")
    values = _values(tensor.storage.content)
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    _check_layout(name, (offset, shape, strides), values.size)
    steps = [step * values.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(values[offset:], shape, steps, writeable=False)
    array = np.array(view, dtype=np.float32, order="C")
    if not np.isfinite(array).all():
        raise _RefusedError(f"holds NaN or infinite numbers in {name}: its training has failed.")
    return array


def _check_layout(name: str, layout: tuple[Any, Any, Any], size: int) -> None:
    """Check that a tensor lies within the `size` numbers of its storage, and is no larger."""
    offset, shape, strides = layout
    numbers = (offset, *shape, *strides)
    whole = all(type(number) is int and 0 <= number <= size for number in numbers)
    if whole and len(shape) == len(strides) <= _MOST_AXES and 0 not in shape:
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if last < size and math.prod(shape) <= size - offset:
            return
    raise _RefusedError(
        f"holds a tensor {name} of shape {reprlib.repr(shape)}, strides {reprlib.repr(strides)} "
        f"and offset {reprlib.repr(offset)} in a storage of {size} numbers, which cannot be."
    )


def _values(content: bytes) -> np.ndarray:
    """Return the numbers of a storage that PyTorch saved: four short pickles, then raw bytes.

    This is the older format of torch.save, which PyTorch uses to this day when a tensor is pickled.
    """
    source = _Source(io.BytesIO(content))
    parts = [_Machine(_TYPES).run(source, _MOST_STEPS_OF_A_TENSOR) for _ in range(5)]
    magic, version, system, storage, names = parts
    if (magic, version) != (0x1950A86A20F9469CFC6C, 1001):
        raise _RefusedError("holds tensors in a format that is not known here.")
    if system["little_endian"] is not True or storage.view is not None or len(names) != 1:
        raise _RefusedError("holds tensors in a form that no StyleGAN2 file needs.")
    (count,) = struct.unpack("<q", source.read(8))
    left = len(content) - source.tell()
    if not 0 < count == storage.count or count * storage.dtype.itemsize != left:
        raise _RefusedError(f"holds a tensor of {count} numbers in {left} bytes, which cannot be.")
    return np.frombuffer(content, storage.dtype, count, source.tell())


# What the generator is


def _settings(network: _Module) -> dict[str, Any]:
    """Return the parameters of `Generator` for a network."""
    mapping, synthesis = _part(network, "mapping"), _part(network, "synthesis")
    layer, block = _part(mapping, "fc0"), _part(synthesis, "b4")
    conv = _part(block, "conv1")
    for part in (layer, conv):
        if part.state.get("activation") != "lrelu":
            raise _RefusedError("holds a network with another activation function than lrelu.")
    sizes = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
    # The numbers of channels are kept nowhere else; what was not given is the edition's default.
    channels = {"channel_base": 32768, "channel_max": 512, **synthesis.state["_init_kwargs"]}
    return {
        **{name: _whole(name, network.state.get(name)) for name in sizes},
        "num_layers": _whole("num_layers", mapping.state.get("num_layers"), _MOST_LAYERS),
        "channel_base": _whole("channel_base", channels["channel_base"]),
        "channel_max": _whole("channel_max", channels["channel_max"]),
        "conv_clamp": _clamp(conv.state.get("conv_clamp")),
        "architecture": _word("architecture", block.state.get("architecture")),
        "use_noise": conv.state.get("use_noise") is True,
        "lr_multiplier": _positive("lr_multiplier", layer.state.get("bias_gain")),
    }


def _part(module: _Module, name: str) -> _Module:
    part = module.state["_modules"].get(name)
    if not isinstance(part, _Module):
        raise _RefusedError(
            f"holds a network without {name}: it is no generator of StyleGAN2 (StyleGAN3 and "
            f"others have the same file format). {_ANOTHER_FORMAT}"
        )
    return part


def _word(name: str, value: Any) -> str:
    if type(value) is not str or len(value) > _LONGEST_WORD:
        raise _RefusedError(f"says that {name} is {reprlib.repr(value)}, which cannot be.")
    return value


def _whole(name: str, value: Any, most: int = _LARGEST) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise _RefusedError(f"says that {name} is {reprlib.repr(value)}, which cannot be.")
    return value


def _positive(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= _LARGEST:
        raise _RefusedError(f"says that {name} is {reprlib.repr(value)}, which cannot be.")
    return float(value)


def _clamp(value: Any) -> float | None:
    return None if value is None else _positive("conv_clamp", value)
