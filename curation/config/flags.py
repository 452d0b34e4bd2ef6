"""What the fields of all configurations have in common.

A field is `flag`ged with its help. Fields that cannot change which rows come out are listed in
`WITHOUT_EFFECT_ON_ROWS`; all others are part of a run's identity.
"""

from dataclasses import fields
from typing import Any, TypeVar

from cyclopts import Parameter

WITHOUT_EFFECT_ON_ROWS = frozenset(
    {"output", "threads", "crawl_url", "connections", "host_connections", "host_rate", "contact"}
)


Kind = TypeVar("Kind")


def flag(help_text: str, *, name: str | None = None, default: str | bool | None = None) -> Parameter:
    """A field's part in the command line: its help, and its name and default where they need telling."""
    return Parameter(help=help_text, name=name, show_default=default)


def part(kind: type[Kind], config: Any, **others: Any) -> Kind:
    """The settings of a configuration that another class has too, as one of that class.

    Args:
        kind: a dataclass.
        config: has its fields, among more.
        others: what it does not have, or not so.
    """
    names = {field.name for field in fields(kind)} - others.keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(config, name) for name in names}, **others)


def affecting_rows(config: Any) -> dict[str, Any]:
    """The settings of a configuration that decide which rows come out, by name.

    Args:
        config: an instance of one of the classes above.
    """
    return {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in WITHOUT_EFFECT_ON_ROWS
    }
