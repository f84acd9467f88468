"""The names of the config: which sections and keys there are, and what else they are called.

In a file a key is [section] key. Config.new takes `key`, where only one section has it, and
`section_key` always. Overrides are written section__key.
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
    RetrySection,
    SqsSection,
    ThrottlerSection,
)

#: Section and key.
Name = tuple[str, str]
#: What was given, and where (a file, the command line), for errors.
Given = dict[Name, tuple[object, str]]

SECTIONS: Mapping[str, type] = {
    "account": AccountSection,
    "sqs": SqsSection,
    "kicker": KickerSection,
    "locker": LockerSection,
    "throttler": ThrottlerSection,
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

#: The keywords of Config.new. `id` alone would not say whose.
KEYWORDS: Mapping[str, Name] = {f"{section}_{key}": (section, key) for section, key in CHECKS} | {
    key: (section, key) for section, key in CHECKS if _TIMES[key] == 1 and key != "id"
}


def from_tables(tables: Mapping[str, object], origin: str) -> Given:
    """What a TOML file gives, names in any case, as sqsjkr takes them.

    ConfigError for a name that is none, and for one that is there in two spellings.
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
    """Each name in lower case, and as it is written. form: how an error shows a name."""
    written: dict[str, str] = {}
    for name in table:
        other = written.setdefault(name.lower(), name)
        if other != name:
            both = f"{form.format(other)} and {form.format(name)}"
            raise ConfigError(f"{origin}: {both} are the same: write one of them")
    return written


def from_keywords(keywords: Mapping[str, object], origin: str) -> Given:
    """What Config.new is given; None is not given. ConfigError for a keyword that is none."""
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
    """What section__key=value gives; None is not given. ConfigError for a name that is none."""
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
    """The parsed value; ConfigError with the key and the origin where it does not fit."""
    try:
        return CHECKS[name](value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {'.'.join(name)}: {error}") from None


def _unknown_section(section: str, table: object, origin: str) -> ConfigError:
    if isinstance(table, Mapping):
        return ConfigError(f"{origin}: unknown section [{section}]{nearest(section, SECTIONS)}")
    return ConfigError(f"{origin}: the key {section} is in no section{_near('', section.lower())}")


def _near(section: str, key: str) -> str:
    """The nearest key: of the same section, else the same key of another one."""
    own = [name for where, name in CHECKS if where == section]
    elsewhere = [f"{where}.{name}" for where, name in CHECKS if name == key]
    if elsewhere:
        return f"; did you mean {' or '.join(elsewhere)}?"
    if own:
        near = nearest(key, own)
        return near.replace("did you mean ", f"did you mean {section}.")
    return nearest(key, sorted(_TIMES))
