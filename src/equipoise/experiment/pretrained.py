"""A trained pair as a folder to give away: weights, what is needed to use them, and a card that says how good it is.

::

    model.safetensors   the averaged generator and the discriminator
    config.json         networks, encoding, classes; a stranger's folder is checked like a run folder
    README.md           the model card, with the verdict

It holds no data, no path of this machine and no code. Of tables, config.json holds what the encoding needs: names of
columns, categories, quantiles.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from equipoise.documents import read_json
from equipoise.errors import ConfigError, InputError, MissingExtra, RunFolderError
from equipoise.experiment.model_card import model_card
from equipoise.experiment.trained import Trained
from equipoise.files import replacing, write_bytes, write_json, write_text
from equipoise.migrations import FORMAT_VERSION, upgraded

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.experiment.config.schema import RunConfig

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
MAY_BE_RELATIVE = (("training", "init_from"), ("evaluations", "features"))
"""Settings that may be paths which do not begin at the root."""
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def save_pretrained(gan: Trained, path: Path | str) -> Path:
    """Write the folder.

    Raises:
        InputError: something is at `path` already, or the networks are code of the person's own, which no folder holds.
        StorageError: the file system refused.
    """
    from safetensors.torch import save

    from equipoise import __version__

    target = Path(path)
    if target.exists():
        raise InputError(str(target), "something is there already.", "Expected a new folder.", "Choose another name.")
    if gan.discriminator is None or gan.config.python or ":" in gan.config.networks.family:
        raise InputError(
            "save_pretrained",
            "the networks are Python objects or code of your own.",
            "Expected networks of a family that equipoise has.",
            "Give your code beside gan.save(path), or a file that needs no code: equipoise export --onnx or --torch.",
        )
    config = without_paths(gan.config)
    content = {
        "format": FORMAT_VERSION,
        "equipoise": __version__,
        "step": gan.step,
        "config": config,
        "encoder": gan.encoder.state(),
        "names": list(gan.names),
        "labels": None
        if gan.class_shares is None
        else {"names": list(gan.label_names), "shares": gan.class_shares.tolist()},
    }
    networks = {"generator": gan.generator, "discriminator": gan.discriminator}
    tensors = {
        f"{role}.{name}": tensor.detach().cpu().contiguous().clone()
        for role, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    with replacing(target, is_folder=True) as temporary:
        write_bytes(temporary / WEIGHTS, save(tensors, metadata={"format": "pt"}))
        write_json(temporary / CONFIG, content)
        write_text(temporary / CARD, model_card(gan))
    return target


def without_paths(config: RunConfig) -> dict[str, Any]:
    """The configuration as plain values with the last name of every path in place of it.

    Of the data only the source and the weights can be files; their other texts name columns, and those stay.
    """
    plain = config.to_dict()
    found = {name: section if name == "data" else _shortened(section) for name, section in plain.items()}
    found["data"] = {**plain["data"], "source": Path(config.data.source).name, "sample_weight": None}
    for section, name in MAY_BE_RELATIVE:
        value = found[section][name]
        found[section][name] = None if value is None else _name(value)
    return found


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shortened(entry) for entry in value]
    is_path = isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute())
    return _name(value) if is_path else value


def _name(path: str) -> str:
    return (PureWindowsPath(path) if PureWindowsPath(path).is_absolute() else Path(path)).name


def read_pretrained(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and description of such a folder.

    Raises:
        RunFolderError: one of the two files is missing or cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        content = read_json(folder / CONFIG)
        content = upgraded("pretrained", content, where=str(folder / CONFIG))
        tensors = load_file(folder / WEIGHTS)
        if not isinstance(content.get("config"), dict):
            raise ValueError("config.json holds no configuration")
        return tensors, content
    except (OSError, ValueError, SafetensorError) as error:
        raise RunFolderError(
            str(folder),
            f"it cannot be read ({str(error)[:200]}).",
            f"Expected {WEIGHTS} and {CONFIG}, as 'equipoise export --folder' writes them.",
            "Restore them, or export the run again.",
        ) from error


def of_player(role: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of one player by the network's own names."""
    return {name.removeprefix(f"{role}."): tensor for name, tensor in tensors.items() if name.startswith(f"{role}.")}


def push_to_hub(gan: Trained, repository: str, *, private: bool = True, token: str | None = None) -> str:
    """Write the folder and upload it to a repository of the Hugging Face hub, which is made if need be.

    A thin call of `huggingface_hub`; not tested against the network.

    Args:
        gan: what is given away.
        repository: `owner/name`.
        private: whether a repository that is made is private.
        token: the person's; by default the one that `huggingface_hub` knows.

    Returns:
        Where it can be seen.

    Raises:
        ConfigError: `repository` is no such name.
        MissingExtra: `huggingface_hub` is not installed.
    """
    import tempfile

    if not REPOSITORY.fullmatch(repository):
        raise ConfigError(
            "push_to_hub", f"'{repository}' is no name of a repository.", "Expected 'owner/name'.", "Correct it."
        )
    package = hub()
    with tempfile.TemporaryDirectory() as folder:
        written = save_pretrained(gan, Path(folder) / "model")
        api = package.HfApi(token=token)
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(folder_path=str(written), repo_id=repository)
    return str(address)


def hub() -> Any:
    """The package `huggingface_hub`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtra("the Hugging Face hub", package="huggingface_hub", extra="hub") from error
    return huggingface_hub
