"""A PyTorch training that is stopped goes on bit for bit; what does not fit is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from audiostyle_utils import InputError
from audiostyle_utils.training import TorchCheckpoint

SETTINGS = {"seed": 3, "name": "pair"}


def parts(width=6):
    torch.manual_seed(0)
    network = nn.Sequential(
        spectral_norm(nn.Linear(4, width)), nn.BatchNorm1d(width), nn.Linear(width, 1)
    )
    adam = torch.optim.Adam(network.parameters(), 0.01, betas=(0.5, 0.999))
    average = torch.optim.swa_utils.AveragedModel(network)
    return {"network": network, "adam": adam, "average": average}


def step(made, number):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
    loss = (made["network"](x) - x.sum(1, keepdim=True)).square().mean()
    made["adam"].zero_grad()
    loss.backward()
    made["adam"].step()
    made["average"].update_parameters(made["network"])
    return {"loss": float(loss.detach())}


def train(made, history, steps):
    for number in range(len(history), steps):
        history.append(step(made, number))
    return history


def everything(made):
    states = {name: part.state_dict() for name, part in made.items()}
    return {
        (name, key): value
        for name, state in states.items()
        for key, value in (state["state"][0] if name == "adam" else state).items()
    }


def test_a_resumed_training_ends_bit_for_bit_as_an_unbroken_one(tmp_path):
    unbroken = parts()
    wanted = train(unbroken, [], 7)
    first, checkpoint = parts(), TorchCheckpoint(tmp_path, SETTINGS)
    assert checkpoint.restore(first) == []
    checkpoint.save(first, train(first, [], 4))
    second = parts()
    history = TorchCheckpoint(tmp_path, SETTINGS).restore(second)
    assert len(history) == 4
    assert train(second, history, 7) == wanted
    found, expected = everything(second), everything(unbroken)
    assert found.keys() == expected.keys() and len(found) > 20
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_what_was_kept_does_not_follow_the_training(tmp_path):
    made, checkpoint = parts(), TorchCheckpoint(tmp_path, SETTINGS)
    checkpoint.save(made, train(made, [], 2))
    before = {key: value.clone() for key, value in everything(made).items()}
    train(made, [{}] * 2, 5)
    checkpoint.restore(made)
    assert all(torch.equal(everything(made)[key], value) for key, value in before.items())


def test_a_network_of_another_shape_is_refused_and_left_alone(tmp_path):
    checkpoint, made = TorchCheckpoint(tmp_path, SETTINGS), parts()
    checkpoint.save(made, [])
    other = parts(width=5)
    before = {key: value.clone() for key, value in other["network"].state_dict().items()}
    with pytest.raises(InputError, match="belongs to another model: .*shape"):
        checkpoint.restore(other)
    after = other["network"].state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_a_missing_part_is_named(tmp_path):
    checkpoint, made = TorchCheckpoint(tmp_path, SETTINGS), parts()
    checkpoint.save(made, [])
    with pytest.raises(InputError, match="another model: average has"):
        checkpoint.restore({name: made[name] for name in ("network", "adam")})


def test_other_settings_are_refused(tmp_path):
    TorchCheckpoint(tmp_path, SETTINGS).save(parts(), [])
    with pytest.raises(InputError, match="seed was 3 and is 4"):
        TorchCheckpoint(tmp_path, SETTINGS | {"seed": 4}).restore(parts())


def test_a_write_that_fails_leaves_the_former_checkpoint(tmp_path, monkeypatch):
    checkpoint, made = TorchCheckpoint(tmp_path, SETTINGS), parts()
    checkpoint.save(made, train(made, [], 2))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        checkpoint.save(made, train(made, [{"loss": 0.0}] * 2, 3))
    assert len(checkpoint.restore(parts())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_a_damaged_file_is_named(tmp_path):
    checkpoint = TorchCheckpoint(tmp_path, SETTINGS)
    checkpoint.save(parts(), [])
    content = bytearray(checkpoint.file.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.file.write_bytes(content)
    with pytest.raises(InputError, match="damaged.*Remove it"):
        checkpoint.restore(parts())


def test_nothing_is_pickled(tmp_path):
    from safetensors.numpy import load_file

    checkpoint = TorchCheckpoint(tmp_path, SETTINGS)
    checkpoint.save(parts(), [])
    arrays = load_file(checkpoint.file)
    assert np.isfinite(np.concatenate([array.ravel() for array in arrays.values()])).all()
