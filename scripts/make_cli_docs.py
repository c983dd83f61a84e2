"""Write the flags of every command into docs/cli.md, between its two marks, from the program's own help.

python scripts/make_cli_docs.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from sonant.cli.main import build

PAGE = Path(__file__).parent.parent / "docs/cli.md"
BEGIN, END = "<!-- flags: begin (scripts/make_cli_docs.py writes them) -->", "<!-- flags: end -->"


def page(text: str) -> str:
    """The page with its flags as the program has them."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{rest.partition(END)[2]}"


def reference() -> str:
    """A heading and a table for each command."""
    top: Any = typer.main.get_command(build("*"))
    parts = []
    for name, command in top.commands.items():
        parts.append(_section(f"sonant {name}", command))
        parts += [_section(f"sonant {name} {inner}", sub) for inner, sub in getattr(command, "commands", {}).items()]
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    rows = []
    for parameter in command.params:
        if "--help" in parameter.opts:
            continue
        if parameter.param_type_name == "argument":
            rows.append((f"`{parameter.metavar or parameter.name.upper()}`", parameter.help or ""))
        else:
            flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
            value = f" `{parameter.metavar}`" if parameter.metavar else ""
            rows.append((flags + value, parameter.help + _default(parameter)))
    table = "".join(f"| {_cell(left)} | {_cell(right)} |\n" for left, right in rows)
    head = "| | |\n| --- | --- |\n" if rows else ""
    return f"### {name}\n\n{command.help}\n\n{head}{table}"


def _default(parameter: Any) -> str:
    shown = parameter.default not in (None, False, 0, "") and parameter.show_default
    return f" [default: {parameter.default}]" if shown else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
