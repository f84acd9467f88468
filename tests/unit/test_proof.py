"""The model of the protocol and its page name what is there."""

import ast
import re
from pathlib import Path

import pytest

import sqsjkr_gevent

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(sqsjkr_gevent.__file__).parent
PROOF = REPOSITORY / "docs" / "proof"
PAGE = (PROOF / "README.md").read_text("utf-8")
MODEL = (PROOF / "Kickers.tla").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([a-z_/]+\.py)::([\w.]+)`", PAGE)))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below that heading of the page."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def functions(module: str) -> set[str]:
    """The functions and methods of a module of the package."""
    found = set()
    for node in ast.parse((PACKAGE / module).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if is_function(part)}
        elif is_function(node):
            found.add(node.name)
    return found


def is_function(node: ast.AST) -> bool:
    """Whether the node defines a function."""
    return isinstance(node, ast.FunctionDef)


@pytest.mark.parametrize(("module", "function"), NAMED, ids="::".join)
def test_a_function_that_stands_for_an_action_is_there(module, function):
    """A reader goes from the model to the code by its name."""
    assert function in functions(module)


def test_every_step_of_the_model_has_its_code_named():
    """What Move and Chance are made of, and nothing else: an action without code proves nothing."""
    parts = MODEL.split("Step(o) ==")[1].split("Spec ==")[0]
    steps = set(re.findall(r"\b([A-Z][A-Za-z]+)\([a-z][a-z, ]*\)", parts)) | {"Tick"}
    faults = {"Crash", "Pause", "CutOff", "Recover", "PauseBeforeStart", "SlowAnswer"}
    named = {
        name
        for actions, _ in rows("Which action is which function")
        for name in re.findall(r"`(\w+)`", actions)
    }
    assert steps - faults - {"Step"} == named - {"HasLapsed", "NextToken", "IsSafe"}
    assert faults <= steps


def test_the_page_lists_the_rules_that_the_mutants_take_out():
    """Each rule, and what fails without it."""
    lines = (PROOF / "mutants").read_text("utf-8").splitlines()[1:]
    taken_out: dict[str, set[str]] = {}
    for line in lines:
        rule, fails = re.split(" {2,}", line)[:2]
        taken_out.setdefault(rule, set()).add(fails)
    listed = {
        rule: set(re.findall(r"`(\w+)`", fails)) for rule, _, fails in rows("Each rule is needed")
    }
    assert taken_out == listed


def test_every_rule_of_the_model_is_taken_out_by_a_mutant():
    """A rule that nothing needs is not a rule."""
    rules = set(re.findall(r'Rule\("([a-z ]+)"\)', MODEL))
    lines = (PROOF / "mutants").read_text("utf-8").splitlines()[1:]
    # The clocks are a constant of the model.
    assert rules | {"clocks agree"} == {re.split(" {2,}", line)[0] for line in lines}


def test_the_page_says_in_words_what_the_model_shows():
    """The invariants of the configurations and the rows of the page are the same."""
    checked = set()
    for config in PROOF.glob("*.cfg"):
        for line in re.findall(
            r"^(?:INVARIANT|PROPERTY|INVARIANTS) (.+)$", config.read_text(), re.MULTILINE
        ):
            checked |= set(line.split())
    assert checked == {name.strip("`") for name, _ in rows("What holds")}
