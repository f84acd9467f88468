"""The names of sections and keys in their three spellings.

In a file, a key is [section] key. Config.new accepts `section_key`, and `key` if only one section
has it. Overrides are written section__key.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping

from ..errors import ConfigError
from .checks import Check, nearest
from .sections import (
    AccountSection,
    HistorySection,
    KickerSection,
    LockerSection,
    LogSection,
    RedisSection,
    RetrySection,
    SqsSection,
    ThrottlerSection,
)

#: Section and key.
Name = tuple[str, str]
#: The given values, each with its origin (a file, the command line) for errors.
Given = dict[Name, tuple[object, str]]

SECTIONS: Mapping[str, type] = {
    "account": AccountSection,
    "sqs": SqsSection,
    "kicker": KickerSection,
    "locker": LockerSection,
    "throttler": ThrottlerSection,
    "redis": RedisSection,
    "retry": RetrySection,
    "history": HistorySection,
    "log": LogSection,
}

CHECKS: Mapping[Name, Check] = {
    (section, key.name): key.metadata["check"]
    for section, kind in SECTIONS.items()
    for key in dataclasses.fields(kind)
}

_TIMES = Counter(key for _, key in CHECKS)

#: The keywords of Config.new. `id` alone would be ambiguous.
KEYWORDS: Mapping[str, Name] = {f"{section}_{key}": (section, key) for section, key in CHECKS} | {
    key: (section, key) for section, key in CHECKS if _TIMES[key] == 1 and key != "id"
}


def from_tables(tables: Mapping[str, object], origin: str) -> Given:
    """The values of a TOML file. As in sqsjkr, the case of names does not matter.

    Raises ConfigError for an unknown name, and for one that appears in two spellings.
    """
    given: Given = {}
    for section, written in _spellings(tables, "[{}]", origin).items():
        table = tables[written]
        if section not in SECTIONS:
            raise _unknown_section(written, table, origin)
        if not isinstance(table, Mapping):
            raise ConfigError(f"{origin}: {section}: expected a section, written [{section}]")
        for key, spelt in _spellings(table, f"{section}.{{}}", origin).items():
            if (section, key) not in CHECKS:
                raise ConfigError(f"{origin}: unknown key {section}.{spelt}{_near(section, key)}")
            given[section, key] = table[spelt], origin
    return given


def _spellings(table: Mapping[str, object], form: str, origin: str) -> dict[str, str]:
    """Map each name in lower case to its spelling. form: how an error shows a name."""
    written: dict[str, str] = {}
    for name in table:
        other = written.setdefault(name.lower(), name)
        if other != name:
            both = f"{form.format(other)} and {form.format(name)}"
            raise ConfigError(f"{origin}: {both} are the same: write only one of them")
    return written


def from_keywords(keywords: Mapping[str, object], origin: str) -> Given:
    """The values given to Config.new; None: not given. Raises ConfigError for unknown keywords."""
    given: Given = {}
    for keyword, value in keywords.items():
        name = KEYWORDS.get(keyword)
        if name is None:
            raise ConfigError(f"{origin}: unknown keyword {keyword}{nearest(keyword, KEYWORDS)}")
        if value is None:
            continue
        if name in given:
            raise ConfigError(f"{origin}: {keyword} is given twice, under two names")
        given[name] = value, origin
    return given


def from_overrides(overrides: Mapping[str, object], origin: str) -> Given:
    """The values of section__key=value; None: not given. Raises ConfigError for unknown names."""
    names = {f"{section}__{key}": (section, key) for section, key in CHECKS}
    for override in overrides:
        if override not in names:
            raise ConfigError(f"{origin}: unknown key {override}{nearest(override, names)}")
    return {
        names[override]: (value, origin)
        for override, value in overrides.items()
        if value is not None
    }


def check(name: Name, value: object, origin: str) -> object:
    """Parse the value. Raises ConfigError, which names the key and the origin."""
    try:
        return CHECKS[name](value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {'.'.join(name)}: {error}") from None


def _unknown_section(section: str, table: object, origin: str) -> ConfigError:
    if isinstance(table, Mapping):
        return ConfigError(f"{origin}: unknown section [{section}]{nearest(section, SECTIONS)}")
    near = _near("", section.lower())
    return ConfigError(f"{origin}: the key {section} is outside any section{near}")


def _near(section: str, key: str) -> str:
    """Suggest the same key in another section, else the closest key in this one."""
    own = [name for where, name in CHECKS if where == section]
    elsewhere = [f"{where}.{name}" for where, name in CHECKS if name == key]
    if elsewhere:
        return f"; did you mean {' or '.join(elsewhere)}?"
    if own:
        near = nearest(key, own)
        return near.replace("did you mean ", f"did you mean {section}.")
    return nearest(key, sorted(_TIMES))
