"""What holds for every test: few threads, no window, no network, a cache of its own, tensors of the promised shape."""

from __future__ import annotations

import functools
import inspect
import ipaddress
import os
import pkgutil
import socket
import sys
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType, ModuleType

import pytest

# Before matplotlib or torch is imported anywhere; processes that tests start inherit them.
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("OMP_NUM_THREADS", "1")

CHECKED_PACKAGES = ("equipoise.objectives", "equipoise.penalties")


def pytest_configure(config: pytest.Config) -> None:
    """Wrap the checked functions before any test module imports them."""
    del config
    import torch

    # The tensors of the tests are small: a second thread costs more than it gains, and sums stay reproducible.
    torch.set_num_threads(1)
    for package in CHECKED_PACKAGES:
        for module in modules_below(package):
            check_axes_of(module)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine: tests need none, and users may have none."""
    patch = pytest.MonkeyPatch()
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address):
            raise OSError(f"a test tried to reach {address}; tests use no network")
        connect(self, address)

    patch.setattr(socket.socket, "connect", connect_locally)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests prepare and measure out of the person's cache, and the processes of tests apart."""
    patch = pytest.MonkeyPatch()
    patch.setenv("EQUIPOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Empty figures, for modules that ask nothing about pictures and leave their drawing to other tests."""
    from undrawn import figures_undrawn

    with figures_undrawn():
        yield


def is_loopback(address: object) -> bool:
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def modules_below(package: str) -> list[ModuleType]:
    root = import_module(package)
    return [root, *(import_module(f"{package}.{info.name}") for info in pkgutil.iter_modules(root.__path__))]


def check_axes_of(module: ModuleType) -> None:
    """Replace the functions and methods that a module defines by ones that check the `Axes` of their arguments."""
    for member in list(vars(module).values()):
        if isinstance(member, FunctionType) and member.__module__ == module.__name__:
            replace_everywhere(member, checking_axes(member))
        elif inspect.isclass(member) and member.__module__ == module.__name__:
            for method_name, method in list(vars(member).items()):
                if isinstance(method, FunctionType) and not method_name.startswith("__"):
                    setattr(member, method_name, checking_axes(method))


def replace_everywhere(original: FunctionType, replacement: Callable) -> None:
    """Modules that imported a function by name hold a reference of their own."""
    if replacement is original:
        return
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("equipoise"):
            for name, member in list(vars(module).items()):
                if member is original:
                    setattr(module, name, replacement)


def checking_axes(function: FunctionType) -> Callable:
    """The same function, which raises TypeError when a tensor has another number of axes than its annotation says."""
    from torch import Tensor
    from torch.compiler import is_compiling

    from equipoise.shapes import Axes

    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:  # a name that is imported for type checkers only
        return function
    expected = {
        name: note.count
        for name, hint in hints.items()
        if typing.get_origin(hint) is typing.Annotated
        for note in hint.__metadata__
        if isinstance(note, Axes)
    }
    if not expected:
        return function
    signature = inspect.signature(function)

    def check(name: str, value: object) -> None:
        if name not in expected or not isinstance(value, Tensor):
            return
        count = expected[name]
        if value.ndim != count if count is not None else value.ndim < 1:
            what = "what it returned" if name == "return" else f"'{name}'"
            wanted = "at least one axis" if count is None else f"{count} axes"
            raise TypeError(f"{function.__qualname__}: {what} has shape {tuple(value.shape)}; expected {wanted}")

    def check_all(arguments: tuple, keywords: dict) -> None:
        for name, value in signature.bind(*arguments, **keywords).arguments.items():
            check(name, value)

    @functools.wraps(function)
    def checked(*arguments: object, **keywords: object) -> object:
        # A compiled step must trace the function itself, and nothing else; what the wrapper refers to directly has to
        # be something that the compiler knows, which a signature is not.
        if is_compiling():
            return function(*arguments, **keywords)
        check_all(arguments, keywords)
        result = function(*arguments, **keywords)
        check("return", result)
        return result

    return checked
