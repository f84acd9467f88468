"""The house is as docs/architecture.md and CONTRIBUTING.md say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import toml

import sqsjkr_gevent

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(sqsjkr_gevent.__file__).parent
RELIABILITY = "docs/reliability.md"
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def text(name: str) -> str:
    """A file of the repository."""
    return (REPOSITORY / name).read_text("utf-8")


def floors() -> list[set[str]]:
    """Of the import rules, top first."""
    rules = toml.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    [layers] = [rule["layers"] for rule in rules if rule["type"] == "layers"]
    return [set(layer.split(" : ")) for layer in layers]


def exported(room: Path) -> set[str]:
    """The names that a room's __init__ imports for others."""
    tree = ast.parse((room / "__init__.py").read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {name.asname or name.name for node in imports for name in node.names}


def imports(file: Path) -> Iterator[tuple[str, str, str]]:
    """Its relative imports from modules of rooms: room, module, name."""
    here = file.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = here[: len(here) - (node.level - 1)]
            target = (*above, *(node.module or "").split("."))
            if len(target) == 2 and target[0] != (here or ("",))[0]:
                yield from ((*target, name.name) for name in node.names)


def test_the_table_of_floors_is_the_import_rules():
    """A newcomer reads the table, the linter the list."""
    table = text("docs/architecture.md").split("| floor |")[1].split("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert floors() == [set(re.findall("`(.+?)`", row)) for row in rows]


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_module_that_it_names_is_there(document):
    """A map with streets that are gone is worse than none."""
    named = set(re.findall(r"`(?:sqsjkr_gevent/)?([a-z_]+/[a-z_/]+\.(?:py|toml))`", text(document)))
    roots = [PACKAGE, REPOSITORY, REPOSITORY / "tests"]
    assert named
    assert [] == sorted(name for name in named if not any((root / name).exists() for root in roots))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_is_for(room):
    """The first line that a newcomer reads of it."""
    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))


def test_what_a_room_exports_is_imported_from_the_room():
    """So that a module of a room can be renamed without the others' knowledge."""
    faces = {room.name: exported(room) for room in ROOMS}
    around = [
        f"{file.relative_to(PACKAGE)}: {name} of {room}.{module}"
        for file in PACKAGE.rglob("*.py")
        for room, module, name in imports(file)
        if name in faces.get(room, ())
    ]
    assert [] == around


def test_every_test_that_a_guarantee_names_is_there():
    """A guarantee whose test has another name by now is one that nobody can check."""
    files = {path.name: path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("*.py")}
    cited = re.findall(r"`(?:tests/\w+/)?(?:(test_\w+\.py)(?:::)?)?(test_\w+)?`", text(RELIABILITY))
    file, missing = "", []
    for name, test in cited:
        file = name or file
        if file not in files or (test and f"def {test}(" not in files[file]):
            missing.append(f"{file}::{test}")
    assert len(cited) > 50
    assert [] == missing
