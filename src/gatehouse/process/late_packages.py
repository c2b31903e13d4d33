"""Packages of libraries whose own code a start does without: a tenth of its CPU.

LangChain and LangGraph import one module of each, and Python runs the package's code before it: 160 modules
of types that LangSmith's next API has, a client of LangGraph's platform. Here it runs when a name is asked
for.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

PACKAGES = frozenset({"langsmith.types", "langgraph_sdk"})


def put_off(packages: frozenset[str] = PACKAGES) -> None:
    """Run the code of these packages when a name of theirs is asked for, where they are not imported yet."""
    if not any(isinstance(finder, LateFinder) and finder.packages == packages for finder in sys.meta_path):
        sys.meta_path.insert(0, LateFinder(packages))


class LateFinder(MetaPathFinder):
    """Finds the packages as Python does, and gives them a loader that runs nothing yet."""

    def __init__(self, packages: frozenset[str]) -> None:
        self.packages = packages

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self.packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LateLoader(spec.loader)
        return spec


class LateLoader(Loader):
    """Makes a package that has its path, so that its modules can be imported, and none of its names."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> "LatePackage":
        return LatePackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if isinstance(module, LatePackage):
            module.late_loader = self._loader  # not before: importlib asks for what it will set


class LatePackage(ModuleType):
    """A package whose code runs when it is asked for a name that it has not."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.late_loader: Loader | None = None
        self.late_lock = RLock()  # another thread may ask meanwhile; the code itself may ask, too

    def __getattr__(self, name: str) -> Any:
        with self.late_lock:
            if (loader := self.late_loader) is not None:
                self.late_loader = None
                loader.exec_module(self)
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None
