"""Counts rooms, arrows and circles of the Python package: folders, imports between them, files that import each other.

    python tools/structure.py [FOLDER_OF_PACKAGES]      # default: python; needs grimp, which import-linter brings

A room is a folder of modules; a loose module in the root of the package is a room of its own. An arrow leads from one
room to another if any module of the first imports one of the second, late imports included. The first line counts each
folder of the root as one room, the second one each folder inside them, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import grimp


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Sets of modules that reach each other by imports (Tarjan's algorithm), those of more than one module."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph.find_modules_directly_imported_by(module):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            place = stack.index(module)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    return found


def main() -> None:
    """Prints the counts."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "python").resolve()
    sys.path.insert(0, str(root))
    graph = grimp.build_graph("vitrify", cache_dir=None)
    packages = {module for module in graph.modules if (root / Path(*module.split(".")) / "__init__.py").is_file()}

    def count(room: Callable[[str], str]) -> tuple[int, int]:
        """The rooms, and the arrows between them."""
        arrows = {
            (room(module), room(other))
            for module in graph.modules
            for other in graph.find_modules_directly_imported_by(module)
            if room(module) != room(other)
        }
        return len({room(module) for module in graph.modules}), len(arrows)

    def folder(module: str) -> str:
        parent = module if module in packages else module.rpartition(".")[0]
        return module if parent == "vitrify" else parent

    loose = [module for module in graph.modules - packages if module.count(".") == 1]
    found = circles(graph)
    print(f"modules {len(graph.modules)}, loose {len(loose)}")
    for what, room in (("root", lambda module: ".".join(module.split(".")[:2])), ("folders", folder)):
        rooms, arrows = count(room)
        print(f"{what}: rooms {rooms}, arrows {arrows}")
    print(f"circles {len(found)}")
    for circle in found:
        print("   ", " <-> ".join(circle))


if __name__ == "__main__":
    main()
