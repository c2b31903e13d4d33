"""The list of what is served, found by its name."""

import importlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from gatehouse.registry.checked import BadRegistry, Registry, checked
from gatehouse.registry.default import with_one_default
from gatehouse.registry.entry import Entry
from gatehouse.settings.modules import see_working_folder

# A name as in GATEHOUSE_REGISTRY, the entries themselves, or a function that returns them
RegistrySource = str | Sequence[Entry] | Callable[[], Sequence[Entry]]


def load_registry(source: RegistrySource) -> Registry:
    """Return the registry, checked.

    A module is looked for in the working folder first, then where Python looks. Raises BadRegistry, whose
    message names the module, the entry and the cause.
    """
    if isinstance(source, str):
        return entries_of(source, named(source))
    return entries_of("registry", source)


def entries_of(name: str, found: Any) -> Registry:
    if callable(found):
        try:
            found = found()
        except Exception as error:
            raise BadRegistry(f"{name}: the function failed: {type(error).__name__}: {error}") from error
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise BadRegistry(
            f"{name}: it is {type(found).__name__}, neither a list of entries nor a function that returns one"
        )
    return with_one_default(checked(name, found))


def named(name: str) -> Any:
    """Return what `package.module:NAME` names. Raises BadRegistry."""
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute.isidentifier() and all(map(str.isidentifier, module.split(".")))):
        raise BadRegistry(f"{name!r} is no registry: write package.module:NAME, as chains.registry:REGISTRY")
    try:
        return getattr(imported(name, module), attribute)
    except AttributeError:
        raise BadRegistry(f"{name}: {module} has no {attribute}") from None


def imported(name: str, module: str) -> ModuleType:
    """Return the module, which may be in the working folder. Raises BadRegistry."""
    folder = see_working_folder()
    try:
        if not is_there(module):
            raise BadRegistry(
                f"{name}: there is no module {module} in {folder} or on PYTHONPATH; "
                "gatehouse new DIR writes a project with one"
            )
        return importlib.import_module(module)
    except BadRegistry:
        raise
    except Exception as error:
        raise BadRegistry(f"{name}: importing it failed: {type(error).__name__}: {error}") from error


def is_there(module: str) -> bool:
    """Tell whether a module can be found; its packages are imported for it."""
    package, _, _ = module.rpartition(".")
    return (not package or is_there(package)) and find_spec(module) is not None
