"""StyleGAN2 files are read as data: right to the last number, and nothing in them ever runs."""

import copyreg
import io
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from audiostyle_utils.errors import InputError
from audiostyle_utils.visuals import pickles
from audiostyle_utils.visuals.pickles import load_generator, read_stylegan2

SETTINGS = {
    "z_dim": 4,
    "c_dim": 3,
    "w_dim": 6,
    "img_resolution": 16,
    "img_channels": 3,
    "num_layers": 2,
    "channel_base": 64,
    "channel_max": 8,
    "conv_clamp": 256.0,
    "architecture": "skip",
    "use_noise": True,
    "lr_multiplier": 0.01,
}
EXTENSION = 0xF1  # a code of copyreg's registry that is free for private use


# Files in the official layout, made with small stand-ins for the official classes


def _reconstruct_persistent_obj(meta):
    """Run the source code, as the official function of this name does."""
    exec(meta["module_src"], {})


class EasyDict(dict):
    pass


class Persistent:
    """What a module of the official code looks like to pickle."""

    def __init__(self, name, source, **state):
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": name}
        self.meta["state"] = state

    def __reduce__(self):
        return _reconstruct_persistent_obj, (self.meta,)


class Lie:
    """A tensor that claims what it likes of the bytes that come with it."""

    def __init__(self, content, offset=0, shape=(6,), strides=(1,)):
        self.arguments = (Bytes(content), offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


class Bytes:
    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


@contextmanager
def official_names():
    """Let pickle find the stand-ins under the names of the official code."""
    with pytest.MonkeyPatch.context() as patch:
        for thing, module in (
            (_reconstruct_persistent_obj, "torch_utils.persistence"),
            (EasyDict, "dnnlib.util"),
        ):
            for name in (module.split(".")[0], module):
                patch.setitem(sys.modules, name, ModuleType(name))
            patch.setattr(thing, "__module__", module)
            setattr(sys.modules[module], thing.__name__, thing)
        yield


def shapes(
    z_dim,
    c_dim,
    w_dim,
    img_resolution,
    img_channels,
    num_layers,
    channel_base,
    channel_max,
    architecture,
    **_,
):
    """Name the tensors of a StyleGAN2 generator, in the order of its state dictionary."""
    found = {}
    blocks = [4 << i for i in range(img_resolution.bit_length() - 2)]
    width = {r: min(channel_base // r, channel_max) for r in blocks}
    for r in blocks:
        before = width.get(r // 2)
        block = {} if before else {"const": (width[r], r, r)}
        block["resample_filter"] = (4, 4)
        if before:
            block |= styled("conv0", before, width[r], w_dim, r)
        block |= styled("conv1", width[r], width[r], w_dim, r)
        if architecture == "skip" or r == img_resolution:
            block |= {
                "torgb.weight": (img_channels, width[r], 1, 1),
                "torgb.bias": (img_channels,),
                "torgb.affine.weight": (width[r], w_dim),
                "torgb.affine.bias": (width[r],),
            }
        if architecture == "resnet" and before:
            block |= {"skip.weight": (width[r], before, 1, 1), "skip.resample_filter": (4, 4)}
        found |= {f"synthesis.b{r}.{name}": shape for name, shape in block.items()}
    found["mapping.w_avg"] = (w_dim,)
    if c_dim:
        found |= {"mapping.embed.weight": (w_dim, c_dim), "mapping.embed.bias": (w_dim,)}
    for i in range(num_layers):
        wide = (z_dim + (w_dim if c_dim else 0)) if i == 0 else w_dim
        found |= {f"mapping.fc{i}.weight": (w_dim, wide), f"mapping.fc{i}.bias": (w_dim,)}
    return found


def styled(name, before, after, w_dim, resolution):
    layer = {
        "weight": (after, before, 3, 3),
        "noise_strength": (),
        "bias": (after,),
        "resample_filter": (4, 4),
        "noise_const": (resolution, resolution),
        "affine.weight": (before, w_dim),
        "affine.bias": (before,),
    }
    return {f"{name}.{key}": shape for key, shape in layer.items()}


def waves(settings=SETTINGS):
    """Give the tensors values that anyone can make again."""
    named = sorted(shapes(**settings).items())
    return {name: wave(place, name, shape) for place, (name, shape) in enumerate(named)}


def wave(place, name, shape):
    if name.endswith("resample_filter"):
        return np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
    values = np.sin(place + 0.9 * np.arange(np.prod(shape, dtype=int)))
    if name.endswith("noise_strength"):
        values = np.array([0.3])
    elif name.endswith("affine.bias"):
        values = 1 + values / 2
    elif ".fc" in name:
        values = values * 100  # a learning rate of 0.01 keeps the weights divided by it
    return values.reshape(shape).astype(np.float32)


def network(settings, tensors, source):
    """Put tensors into nested modules, with the attributes that the official ones keep."""
    tree = {"": []}
    for name, value in tensors.items():
        parts = name.split(".")
        for i in range(len(parts)):
            tree.setdefault(".".join(parts[:i]), [])
        tree[".".join(parts[:-1])].append((parts[-1], value))
    return module("", tree, settings, source)


def module(path, tree, settings, source):
    buffers = ("w_avg", "resample_filter", "noise_const")
    children = [name for name in tree if name and name.rpartition(".")[0] == path]
    own = [(name, as_tensor(value)) for name, value in tree[path]]
    return Persistent(
        "Module",
        source,
        training=False,
        _parameters=OrderedDict((n, as_parameter(v)) for n, v in own if n not in buffers),
        _buffers=OrderedDict((n, v) for n, v in own if n in buffers),
        _non_persistent_buffers_set=set(),
        _backward_hooks=OrderedDict(),
        _modules=OrderedDict(
            (name.rpartition(".")[2], module(name, tree, settings, source)) for name in children
        ),
        **attributes(path, settings),
    )


def as_tensor(value):
    return value if isinstance(value, Lie) else torch.from_numpy(np.array(value))


def as_parameter(value):
    return torch.nn.Parameter(value, requires_grad=False) if torch.is_tensor(value) else value


def attributes(path, settings):
    last = path.rpartition(".")[2]
    names = {"": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
             "mapping": ("num_layers",)}.get(path, ())  # fmt: skip
    found = {name: settings[name] for name in names}
    if last.startswith("conv"):
        found = {key: settings[key] for key in ("conv_clamp", "use_noise")}
        found |= {"activation": "lrelu", "act_gain": np.sqrt(2)}
    elif last.startswith("fc"):
        found = {"activation": "lrelu", "bias_gain": settings["lr_multiplier"]}
    elif last.startswith("b"):
        found = {"architecture": settings["architecture"]}
    elif last == "synthesis":
        channels = {key: settings[key] for key in ("channel_base", "channel_max")}
        found = {"_init_args": (), "_init_kwargs": EasyDict(num_fp16_res=0, **channels)}
    return found


def snapshot(settings=SETTINGS, tensors=None, source="", protocol=4, **more):
    """Return the bytes of a file as the official training loop writes it."""
    generator = network(settings, tensors or waves(settings), source)
    other = Persistent("Discriminator", source, _parameters={"weight": torch.full((2, 2), 5.0)})
    content = {"training_set_kwargs": EasyDict(path="/data.zip", xflip=False, max_size=None)}
    content |= {"G": other, "D": other, "G_ema": generator, "augment_pipe": None, **more}
    with official_names():
        return pickle.dumps(content, protocol=protocol)


def write(folder, content, name="style.pkl"):
    (folder / name).write_bytes(content)
    return folder / name


# What a good file gives


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_settings_and_tensors_come_back(tmp_path, protocol):
    settings, tensors = read_stylegan2(write(tmp_path, snapshot(protocol=protocol)))
    expected = waves()
    assert settings == SETTINGS
    assert set(tensors) == set(expected)
    for name, values in expected.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


# Pixels (3, 3), (3, 11), (11, 3) and (11, 11) of each colour of two pictures, without truncation
# and with a truncation of 0.5: computed once with NVIDIA's code (noise_mode "const", float32) from
# the weights of `waves` and the vectors of `vectors`.
OFFICIAL = {
    (1.0, "skip"): """
        0.94687 -1.93719 -0.75449 -1.88853 2.18472 0.17174
        0.58957 2.96492 2.97458 2.80764 1.65842 3.77037
        -0.43469 -2.93002 -2.34613 -3.07160 0.04196 0.10254
        -0.80884 2.99744 4.72177 3.19688 1.69316 5.79608
    """,
    (1.0, "resnet"): """
        2.28777 1.73635 1.17000 2.08412 -0.66937 -0.09432
        0.43418 -0.53189 1.89107 1.41113 1.02961 1.84816
        2.24735 1.50185 1.17819 1.86257 -0.51373 0.13800
        0.65180 -0.38519 1.65235 1.22897 0.63112 1.80659
    """,
    (0.5, "skip"): """
        -2.47001 -4.17624 -4.69797 -4.40073 -3.82944 0.31028
        -2.37991 2.61247 8.30663 4.47356 2.61623 8.13555
        -5.59921 -5.33931 -6.84556 -5.27704 -3.16225 0.56073
        -2.97315 3.26473 6.78218 5.70526 3.13587 10.08031
    """,
    (0.5, "resnet"): """
        2.26572 1.30258 0.88510 1.23339 -0.39766 0.15971
        1.12500 -0.00141 1.42582 1.38930 0.07552 1.74745
        2.15624 1.16541 0.84517 1.14394 -0.26729 0.22555
        1.17857 0.05610 1.30148 1.40839 0.01936 1.73377
    """,
}


def vectors():
    z = np.cos(np.arange(8)).reshape(2, 4).astype(np.float32)
    c = np.array([[1, 0, 0], [0.2, 0.3, 0.5]], dtype=np.float32)
    return torch.from_numpy(z), torch.from_numpy(c)


@pytest.mark.parametrize(("truncation", "architecture"), OFFICIAL)
def test_pictures_are_those_of_the_official_code(tmp_path, truncation, architecture):
    content = snapshot({**SETTINGS, "architecture": architecture})
    generator = load_generator(write(tmp_path, content))
    with torch.inference_mode():
        pictures = generator(*vectors(), truncation_psi=truncation, noise_mode="const")
    found = pictures[:, :, 3::8, 3::8].numpy().reshape(2, 3, 4)
    numbers = np.array(OFFICIAL[truncation, architecture].split(), float).reshape(2, 3, 4)
    np.testing.assert_allclose(found, numbers, atol=1e-4)


def test_a_loaded_generator_is_ready_to_draw(tmp_path):
    generator = load_generator(write(tmp_path, snapshot()))
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    assert {tensor.device.type for tensor in generator.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize(
    "change",
    [
        {"c_dim": 0, "num_layers": 8},
        {"architecture": "orig", "conv_clamp": None},
        {"img_resolution": 4, "img_channels": 1, "lr_multiplier": 1.0},
    ],
)
def test_other_settings_are_read(tmp_path, change):
    settings = {**SETTINGS, **change}
    generator = load_generator(write(tmp_path, snapshot(settings)))
    z, c = vectors()
    shape = (2, settings["img_channels"], *[settings["img_resolution"]] * 2)
    assert generator(z, c if settings["c_dim"] else None).shape == shape


def test_channels_that_the_file_does_not_name_are_the_defaults(tmp_path):
    content = snapshot()
    for name in (b"channel_base", b"channel_max"):
        content = content.replace(name, b"x" * len(name))
    settings, _ = read_stylegan2(write(tmp_path, content))
    assert (settings["channel_base"], settings["channel_max"]) == (32768, 512)


def test_strides_and_offsets_of_a_tensor_are_followed(tmp_path):
    tensors = waves()
    whole = torch.arange(40, dtype=torch.float32).reshape(5, 8)
    tensors["mapping.w_avg"] = Lie(saved(whole), offset=9, shape=(2, 3), strides=(1, 8))
    _, found = read_stylegan2(write(tmp_path, snapshot(tensors=tensors)))
    np.testing.assert_array_equal(found["mapping.w_avg"], [[9, 17, 25], [10, 18, 26]])


def test_channels_last_and_half_precision_become_plain_float32(tmp_path):
    tensors, name = waves(), "synthesis.b16.conv0.weight"
    half = torch.from_numpy(tensors[name]).half()
    tensors[name] = half.contiguous(memory_format=torch.channels_last)
    content = snapshot(tensors={**tensors, name: Kept(tensors[name])})
    _, found = read_stylegan2(write(tmp_path, content))
    assert found[name].dtype == np.float32 and found[name].flags.c_contiguous
    np.testing.assert_array_equal(found[name], half.float().numpy())


class Kept(Lie):
    """A tensor as it lies in memory."""

    def __init__(self, tensor):
        super().__init__(saved(tensor), 0, tuple(tensor.shape), tensor.stride())


def saved(tensor):
    """Return the bytes that PyTorch pickles for a tensor's storage."""
    storage = tensor.__reduce_ex__(4)[1][0]
    return storage.__reduce__()[1][0]


def test_reading_needs_no_pytorch(tmp_path):
    path = write(tmp_path, snapshot())
    code = (
        "import sys; from audiostyle_utils.visuals.pickles import read_stylegan2\n"
        f"read_stylegan2({str(path)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Hostile files. Each of them makes the file `marker` if Python's own pickle loads it.


class WithState:
    def __init__(self, marker):
        self.marker = marker

    def __setstate__(self, state):
        Path(state["marker"]).touch()


class WithReduce:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (Path(self.marker),)


def word(value):
    content = value.encode()
    return b"\x8c" + bytes([len(content)]) + content


def named(module, name):
    return word(module) + word(name) + b"\x93"


def called(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def program(*steps):
    return b"\x80\x04" + b"".join(steps) + b"."


def touch(marker):
    return word(f"touch '{marker}'")


def touch_in_python(marker):
    return word(f"__import__('pathlib').Path({str(marker)!r}).touch()")


def system_by_reduce(marker):
    return program(called(b"cos\nsystem\n", touch(marker)))


def system_in_a_good_file(marker):
    return snapshot(augment_pipe=WithReduce(str(marker)))


def system_by_inst(marker):
    return program(b"(", touch(marker), b"ios\nsystem\n")


def class_by_obj(marker):
    return program(b"(", named("subprocess", "check_call"), shell_list(marker), b"o")


def shell_list(marker):
    return b"](" + word("touch") + word(str(marker)) + b"e"


def exec_by_stack_global(marker):
    return program(called(named("builtins", "exec"), touch_in_python(marker)))


def eval_by_global(marker):
    return program(called(b"cbuiltins\neval\n", touch_in_python(marker)))


def exec_by_dotted_name(marker):
    return program(called(named("os", "path.genericpath.os.system"), touch(marker)))


def exec_through_a_known_name(marker):
    method = named("torch_utils.persistence", "_reconstruct_persistent_obj.__globals__.get")
    default = called(method, word("no such name"), named("builtins", "exec"))
    return program(called(default, touch_in_python(marker)))


def method_by_getattr(marker):
    method = called(named("builtins", "getattr"), named("pathlib", "Path"), word("touch"))
    return program(called(method, called(named("pathlib", "Path"), word(str(marker)))))


def state_of_a_class(marker):
    return snapshot(augment_pipe=WithState(str(marker)))


def pickled_in_a_tensor(marker):
    tensors = waves()
    tensors["mapping.w_avg"] = Lie(system_by_reduce(marker))
    return snapshot(tensors=tensors)


def pickled_behind_the_head_of_a_tensor(marker):
    head = saved(torch.zeros(6)).partition(b"X\x10\x00\x00\x00protocol_version")[0]
    tensors = waves()
    tensors["mapping.w_avg"] = Lie(head[: head.rindex(b"\x80")] + system_by_reduce(marker))
    return snapshot(tensors=tensors)


def extension_code(marker):
    return program(called(b"\x82" + bytes([EXTENSION]), touch(marker)))


HOSTILE = [
    system_by_reduce,
    system_in_a_good_file,
    system_by_inst,
    class_by_obj,
    exec_by_stack_global,
    eval_by_global,
    exec_by_dotted_name,
    exec_through_a_known_name,
    method_by_getattr,
    state_of_a_class,
    pickled_in_a_tensor,
    pickled_behind_the_head_of_a_tensor,
    extension_code,
]


@pytest.fixture
def extension():
    copyreg.add_extension("os", "system", EXTENSION)
    yield
    copyreg.remove_extension("os", "system", EXTENSION)
    copyreg.clear_extension_cache()


def is_run_by_pickle(content, marker):
    with official_names():
        try:
            pickle.loads(content)
        except Exception:  # it may fail after the harm is done
            pass
    ran = marker.exists()
    marker.unlink(missing_ok=True)
    return ran


@pytest.mark.parametrize("make", HOSTILE)
def test_nothing_in_a_hostile_file_runs(tmp_path, extension, make):
    marker = tmp_path / "marker"
    path = write(tmp_path, make(marker))
    assert is_run_by_pickle(path.read_bytes(), marker), "this file would not do any harm"
    with pytest.raises(InputError, match="nothing of it was run"):
        read_stylegan2(path)
    with pytest.raises(InputError, match="nothing of it was run"):
        load_generator(path)
    assert not marker.exists()


def test_the_source_code_in_a_good_file_does_not_run(tmp_path):
    marker = tmp_path / "marker"
    source = f"from pathlib import Path\nPath({str(marker)!r}).touch()"
    path = write(tmp_path, snapshot(source=source))
    assert is_run_by_pickle(path.read_bytes(), marker)
    generator = load_generator(path)
    assert generator(*vectors()).shape == (2, 3, 16, 16)
    assert not marker.exists()


def test_python_itself_sees_nothing_run_while_files_are_read(tmp_path):
    """Python reports to an audit hook whatever is imported, compiled, executed or started."""
    files = [write(tmp_path, make(tmp_path / "m"), f"{make.__name__}.pkl") for make in HOSTILE]
    files.append(write(tmp_path, snapshot(source="raise SystemExit"), "good.pkl"))
    code = """
import sys
from audiostyle_utils.visuals.pickles import read_stylegan2
from audiostyle_utils.errors import InputError
events, results = set(), []
def note(event, details):
    events.add(f"{event}:{details[1]}" if event == "open" else event)
sys.addaudithook(note)
for path in sys.argv[1:]:
    try:
        results.append(len(read_stylegan2(path)[1]))
    except InputError as error:
        results.append(0)
print(*sorted(events))
print(*results)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True
    )
    events, results = done.stdout.split("\n")[:2]
    assert set(events.split()) <= {"open:r", "open:rb"}  # nothing but opened for reading
    assert results.split() == ["0"] * len(HOSTILE) + [str(len(waves()))]


def test_the_message_names_what_was_asked_for(tmp_path):
    path = write(tmp_path, program(called(named("os", "system"), word("true"))))
    with pytest.raises(InputError) as caught:
        read_stylegan2(path)
    expected = "asks for os.system, which no StyleGAN2 file needs: nothing of it was run."
    assert str(caught.value) == f"{path} {expected}"


# Other instructions that no such file needs


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (b"\x82\x01", "EXT1"),
        (b"\x83\x01\x00", "EXT2"),
        (b"\x84\x01\x00\x00\x00", "EXT4"),
        (b"Pidentity\n", "PERSID"),
        (named("dnnlib.util", "EasyDict") + b")}\x92", "NEWOBJ_EX"),
        (named("dnnlib.util", "EasyDict") + b")\x81}" + word("get") + b"Nsb", "sets the state"),
        (named("dnnlib.util", "EasyDict") + b"}b", "sets the state"),
        (word("x") + b"Q", "no StyleGAN2 file"),
        (b"S'\\?'\n", "no StyleGAN2 file"),
        (named("dnnlib.util", "EasyDict.fromkeys"), "asks for dnnlib.util.EasyDict.fromkeys"),
        (named("collections", "namedtuple"), "asks for collections.namedtuple"),
        (named("torch", "load"), "asks for torch.load"),
        (named("torch.storage", "_load_from_bytes") + b"(NNtR", "no StyleGAN2 file"),
        (b"]" + b")R", "made of something that is no name"),
        (named("x" * 250, "y"), "asks for " + "x" * 100 + ","),
        (named("\n", "\x1b[2J"), r"asks for \\n\.\\x1b\[2J,"),
    ],
)
def test_other_instructions_are_refused(tmp_path, steps, message):
    with pytest.raises(InputError, match=message):
        read_stylegan2(write(tmp_path, program(steps)))


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensorflow_files_are_recognised(tmp_path, protocol):
    name = (
        b"cdnnlib.tflib.network\nNetwork\n"
        if protocol == 2
        else named("dnnlib.tflib.network", "Network")
    )
    content = program(name, b")\x81}b", name, b")\x81}b", name, b")\x81}b\x87")
    with pytest.raises(InputError, match=r"TensorFlow.*legacy\.py"):
        read_stylegan2(write(tmp_path, content))


# Files that claim to be large


def modules_that_share(parts):
    """Return a network in which each of seven modules has the same `parts` parts: parts ** 7."""
    inner = Persistent("Module", "", _parameters={}, _buffers={}, _modules={})
    for _ in range(7):
        shared = {str(i): inner for i in range(parts)}
        inner = Persistent("Module", "", _parameters={}, _buffers={}, _modules=shared)
    made = network(SETTINGS, waves(), "")
    made.meta["state"]["_modules"]["more"] = inner
    return packed(made)


def packed(generator):
    with official_names():
        return pickle.dumps({"G_ema": generator}, protocol=4)


def module_in_itself():
    """Return a network that is its own mapping network, its own first layer, and so on."""
    attributes = {"activation": word("lrelu"), "architecture": word("skip"), "bias_gain": b"K\x01"}
    attributes |= {name: b"K\x04" for name in ("z_dim", "c_dim", "w_dim", "num_layers")}
    attributes |= {"img_resolution": b"K\x04", "img_channels": b"K\x03", "_init_kwargs": b"}"}
    attributes |= {"_parameters": b"}", "_buffers": b"}", "_modules": b"h\x00"}
    state = b"}" + b"".join(word(name) + value + b"s" for name, value in attributes.items())
    made = called(named("torch_utils.persistence", "_reconstruct_persistent_obj"),
                  b"}" + word("state") + state + b"s")  # fmt: skip
    names = ("mapping", "synthesis", "fc0", "b4", "conv1")
    links = b"".join(word(name) + b"h\x01s" for name in names)
    return program(b"}\x94", made, b"\x94h\x00", links, b"}", word("G_ema"), b"h\x01s")


def nested_keys(depth):
    """Return a dictionary whose key would take 2 ** depth steps to hash."""
    pairs = b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(depth))
    return program(b"}N", pairs, b"Ns")


BOMBS = {
    "bytes": program(b"\x8e" + struct.pack("<Q", 1 << 40)),
    "bytes of 4 GB": program(b"B" + struct.pack("<I", 0xFFFFFFFF)),
    "text": program(b"\x8d" + struct.pack("<Q", 1 << 50)),
    "bytearray": program(b"\x96" + struct.pack("<Q", 1 << 40)),
    "place in the memo": program(b"Nr" + struct.pack("<I", 0xFFFFFFFF)),
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
    "number": program(b"\x8b" + struct.pack("<I", 0x7FFFFFFF)),
    "hash": nested_keys(200),
    "marks": b"\x80\x04" + b"(" * 50_000 + b".",
    "nested tuples": b"\x80\x04)" + b"\x85" * 100_000 + b".",
    "nested lists": b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + b".",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_small_file_that_claims_to_be_large_is_refused(tmp_path, content):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=f"{path.name} (is|has|holds)"):
        within_memory(read_stylegan2, path)


def within_memory(function, *arguments, most=50_000_000):
    """Call a function, and check that it did not ask for more than `most` bytes."""
    import tracemalloc

    tracemalloc.start()
    try:
        return function(*arguments)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most


NUMBERS = b"".join(b"M" + struct.pack("<H", number) for number in range(2_000))
LONG_LIST, LONG_TUPLE = b"](" + NUMBERS + b"e", b"(" + NUMBERS + b"t"


@pytest.mark.parametrize("name", [("builtins", "set"), ("collections", "OrderedDict"),
                                  ("numpy", "dtype")], ids=str)  # fmt: skip
@pytest.mark.parametrize("arguments", [LONG_LIST + b"\x85", LONG_TUPLE + b"\x85", LONG_TUPLE])
def test_a_long_value_that_is_used_again_and_again_is_not_copied(tmp_path, name, arguments):
    start = named(*name) + b"\x94" + arguments + b"\x94"
    path = write(tmp_path, program(b"](", start, b"h\x00h\x01R" * 1_000, b"e"))
    with pytest.raises(InputError):
        within_memory(read_stylegan2, path, most=10_000_000)


def test_empty_sets_take_no_room(tmp_path):
    path = write(tmp_path, program(b"](", b"\x8f" * 200_000, b"e"))
    with pytest.raises(InputError, match="G_ema is missing"):
        within_memory(read_stylegan2, path, most=10_000_000)
    made = named("builtins", "set") + b"\x94" + b"h\x00)R" * 60_000
    path = write(tmp_path, program(b"](", made, b"e"))
    with pytest.raises(InputError, match="G_ema is missing"):
        within_memory(read_stylegan2, path, most=10_000_000)


def test_endless_instructions_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "_MOST_STEPS", 50_000)
    path = write(tmp_path, b"\x80\x04" + b"N0" * 100_000 + b".")
    with pytest.raises(InputError, match="instruction POP"):
        read_stylegan2(path)
    path = write(tmp_path, b"\x80\x04" + b"N" * 100_000 + b".")
    with pytest.raises(InputError, match="instructions"):
        within_memory(read_stylegan2, path)


def test_a_network_that_multiplies_itself_is_refused(tmp_path):
    with pytest.raises(InputError, match="more than 2000 modules"):
        read_stylegan2(write(tmp_path, modules_that_share(parts=100)))


def test_a_network_that_contains_itself_is_refused(tmp_path):
    with pytest.raises(InputError, match="more than 2000 modules"):
        read_stylegan2(write(tmp_path, module_in_itself()))


def test_names_that_grow_are_refused(tmp_path):
    tensors = waves()
    tensors["synthesis." + ("x" * 150 + ".") * 10 + "weight"] = np.ones(1, np.float32)
    with pytest.raises(InputError, match="endlessly nested"):
        read_stylegan2(write(tmp_path, snapshot(tensors=tensors)))


def test_tensors_that_multiply_themselves_are_refused(tmp_path):
    one = Lie(saved(torch.zeros(100_000)), shape=(100_000,))
    tensors = waves() | {f"synthesis.b4.copy{i}": one for i in range(1_000)}
    content = snapshot(tensors=tensors)
    assert len(content) < 800_000 < 1_000 * 4 * 100_000
    with pytest.raises(InputError, match="outgrow the file"):
        within_memory(read_stylegan2, write(tmp_path, content))


# What does not fit


@pytest.mark.parametrize(
    "layout",
    [
        {"offset": 1},
        {"offset": -1},
        {"offset": 1.0},
        {"strides": (2,)},
        {"strides": (-1,)},
        {"strides": (0,), "shape": (7,)},
        {"strides": (0, 1), "shape": (1 << 40, 6)},
        {"strides": (1, 1)},
        {"shape": (0,)},
        {"shape": (True,)},
        {"shape": (1 << 70,)},
        {"shape": (1, 1, 1, 1, 6), "strides": (1, 1, 1, 1, 1)},
    ],
)
def test_a_tensor_beyond_its_bytes_is_refused(tmp_path, layout):
    tensors = {**waves(), "mapping.w_avg": Lie(saved(torch.zeros(6)), **layout)}
    path = write(tmp_path, snapshot(tensors=tensors))
    with pytest.raises(InputError, match=r"mapping\.w_avg .* cannot be"):
        within_memory(read_stylegan2, path)


def zip_file():
    with io.BytesIO() as file:
        torch.save(torch.zeros(6), file)
        return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(torch.zeros(6))[:-1], "6 numbers in 23 bytes"),
        (saved(torch.zeros(6)) + b"\0", "6 numbers in 25 bytes"),
        (saved(torch.zeros(6)).replace(b"K\x06", b"K\x05"), "6 numbers in 24 bytes"),
        (saved(torch.zeros(6)).replace(b"M\xe9\x03", b"M\xea\x03", 1), "format"),
        (saved(torch.zeros(6)).replace(b"little_endian", b"little_indian"), "no StyleGAN2 file"),
        (saved(torch.zeros(6, dtype=torch.int64)), "asks for torch.LongStorage"),
        (saved(torch.zeros(6, dtype=torch.bfloat16)), "asks for torch.BFloat16Storage"),
        (saved(torch.full((6,), torch.nan)), "NaN"),
        (zip_file(), "no StyleGAN2 file"),
        (b"", "no StyleGAN2 file"),
    ],
)
def test_the_bytes_of_a_tensor_must_be_as_pytorch_writes_them(tmp_path, content, message):
    tensors = {**waves(), "mapping.w_avg": Lie(content)}
    with pytest.raises(InputError, match=message):
        read_stylegan2(write(tmp_path, snapshot(tensors=tensors)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z_dim": 5}, r"mapping\.fc0\.weight"),
        ({"z_dim": 1 << 20}, r"mapping\.fc0\.weight"),
        ({"z_dim": 1 << 21}, "z_dim is 2097152"),
        ({"z_dim": True}, "z_dim is True"),
        ({"z_dim": [[[1] * 100] * 100] * 100}, "z_dim is"),
        ({"num_layers": 3}, r"mapping\.fc2\.weight is nothing in the file"),
        ({"num_layers": 1}, r"mapping\.fc1\.\w+ is .* and nothing in such a generator"),
        ({"num_layers": 10**6}, "num_layers is 1000000"),
        ({"img_resolution": 48}, "power of two"),
        ({"img_resolution": 32}, r"synthesis\.b16\.torgb|synthesis\.b32"),
        ({"channel_max": 4}, "synthesis"),
        ({"architecture": "x" * 1000}, "architecture is"),
        ({"architecture": "round"}, "architecture is 'round'"),
        ({"use_noise": False}, "noise"),
        ({"conv_clamp": -1.0}, "conv_clamp is -1.0"),
        ({"conv_clamp": float("inf")}, "conv_clamp is inf"),
        ({"lr_multiplier": "slow"}, "lr_multiplier is 'slow'"),
    ],
)
def test_settings_that_do_not_fit_the_tensors_are_refused(tmp_path, change, message):
    path = write(tmp_path, snapshot({**SETTINGS, **change}, waves()))
    with pytest.raises(InputError, match=message):
        within_memory(load_generator, path)


@pytest.mark.parametrize("name", ["mapping.w_avg", "synthesis.b8.conv0.noise_const"])
def test_a_missing_a_further_and_a_misshapen_tensor_are_refused(tmp_path, name):
    tensors = waves()
    for changed in (
        {key: value for key, value in tensors.items() if key != name},
        {**tensors, f"{name}_2": tensors[name]},
        {**tensors, name: tensors[name][:-1]},
    ):
        path = write(tmp_path, snapshot(tensors=changed))
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            load_generator(path)


def test_another_activation_is_refused(tmp_path):
    content = snapshot().replace(b"\x05lrelu", b"\x05swish")
    with pytest.raises(InputError, match="activation"):
        read_stylegan2(write(tmp_path, content))


def test_another_network_is_refused(tmp_path):
    content = snapshot().replace(b"\x02b4", b"\x02L0")
    with pytest.raises(InputError, match="without b4: it is no generator of StyleGAN2"):
        read_stylegan2(write(tmp_path, content))


def an_archive():
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data.txt", "text")
        return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x80", "cut short"),
        (b"<!DOCTYPE html><title>Virus scan warning</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "is no pickle"),
        (np.random.default_rng(0).bytes(5000), "is no pickle"),
        (an_archive(), "zip archive"),
        (pickle.dumps([1, 2]), "G_ema is missing"),
        (pickle.dumps({"G_ema": 1}), "G_ema is missing"),
        (pickle.dumps({"G_ema": 1}, protocol=0), "is no pickle"),
    ],
)
def test_what_is_no_snapshot_is_refused(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_stylegan2(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("load", [read_stylegan2, load_generator])
def test_paths_that_are_no_files_are_refused(tmp_path, load):
    for path in (tmp_path, tmp_path / "nothing.pkl", tmp_path / "nowhere" / "style.pkl"):
        with pytest.raises(InputError, match="cannot be read"):
            load(path)
    with pytest.raises(InputError, match="path is 3"):
        load(3)


# Damage


def test_a_file_that_is_cut_short_is_refused_wherever_it_ends(tmp_path):
    content = snapshot()
    for end in [*range(1, 200), *range(200, len(content), 97), len(content) - 1]:
        with pytest.raises(InputError):
            read_stylegan2(write(tmp_path, content[:end]))


def test_a_damaged_file_gives_an_input_error_or_other_numbers(tmp_path):
    content, generator = snapshot(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 8):
            damaged[place] = generator.integers(256)
        try:
            read_stylegan2(write(tmp_path, bytes(damaged)))
        except InputError:
            refused += 1
    assert refused > 100
