"""Writes docs/protocol.md and docs/schemas/*.json from the tables of messages and errors.

`python -m saliscope.protocol.schema --write docs`; a test compares what lies there with what this makes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from saliscope.protocol import documents, edits, evaluations, explanation, jobs, parameters, results
from saliscope.protocol.codec import FLOATS_EXT
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.frames import CLIENT_LIMITS, SERVER_LIMITS
from saliscope.protocol.messages import METHODS, NOTIFICATIONS
from saliscope.protocol.terms import PROTOCOL_VERSION

#: Where messages are declared, in the order of the page.
_MODULES: Final = (parameters, explanation, results, edits, documents, evaluations, jobs)

_HEAD: Final = f"""# The protocol

<!-- Written by `python -m saliscope.protocol.schema --write docs`; edit protocol/, not this page. -->

Version {PROTOCOL_VERSION}. Clients and daemon speak [MessagePack-RPC](https://github.com/msgpack-rpc/msgpack-rpc)
over a Unix socket: `$SALISCOPE_RUNTIME_DIR/daemon.sock`, `$XDG_RUNTIME_DIR/saliscope/daemon.sock`, or
`~/.cache/saliscope/run/daemon.sock`. `saliscope status --json` tells the path. The folder has mode 0700, the socket
0600, and the daemon serves its own user only. Started with `--tcp` it listens on TCP too
([operations](operations.md)): there `initialize` with the `token` comes first, anything else ends the connection, and
paths lie in the folders that were allowed.

## Frames

| frame | shape |
|---|---|
| request | `[0, id, method, [params]]` |
| response | `[1, id, error, result]` |
| notification | `[2, method, [params]]` |

* `params` is one map; `[]` and `[[]]` (Lua's empty table) count as an empty one. `id` is the client's choice,
  0 to 2^32 - 1, unique among its requests in flight. Answers come in any order.
* Values are nil, booleans, integers, floats, strings, binary, arrays, and maps with string keys. The one ext type is
  {FLOATS_EXT}: an array of little-endian float32. Anything else closes the connection, and no other one.
* The daemon reads frames of at most {SERVER_LIMITS.frame >> 20} MiB, strings of {SERVER_LIMITS.string >> 20} MiB,
  {SERVER_LIMITS.array:,} entries an array, {SERVER_LIMITS.map:,} a map, nested {SERVER_LIMITS.depth} deep; a frame
  must be complete after 30 s. It answers with at most {CLIENT_LIMITS.frame >> 20} MiB.
* A client has at most 64 requests in flight. Of `explain/partial` and progress that it has not read yet it gets the
  newest for each request; `generate/partial` and answers are never dropped, but more than 64 MiB unread ends the
  connection.
* Unknown fields of a request are ignored and listed in the `warnings` of its answer.
* Closing the connection cancels its requests. A cancelled request is answered with `cancelled`.

## Without `initialize`

`initialize` is optional. A client that leaves it out gets errors as strings (`"code: message"`, all that Neovim can
show), floats as lists, and no notifications. After `initialize` the defaults are errors as `[code, message, data]`
and notifications on. `notify: {{method, head}}` has each notification `name, params` sent as
`[2, method, [*head, [name, params]]]`, for clients that only dispatch method names of their own.
With `floats: "f32"` the lists `scores` and `stderr` of explanations come as ext type {FLOATS_EXT}.
"""


def pages() -> dict[str, str]:
    """Path below the docs folder -> content, for every generated page."""
    made = {"protocol.md": _protocol()}
    for name, method in METHODS.items():
        made[_schema_path(name)] = _schema(name, method.summary, {"params": method.params, "result": method.result})
    for name, params in NOTIFICATIONS.items():
        made[_schema_path(name)] = _schema(name, _summary(params), {"params": params})
    return made


def write(folder: Path) -> None:
    """Write all pages below `folder`."""
    for name, content in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _schema_path(name: str) -> str:
    return f"schemas/{name.replace('$/', '').replace('/', '-')}.json"


def _schema(name: str, summary: str, types: dict[str, Any]) -> str:
    schemas, definitions = _components(list(types.values()), "#/$defs/{name}")
    page = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": summary,
        "type": "object",
        "properties": dict(zip(types, schemas, strict=True)),
        "$defs": definitions,
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _protocol() -> str:
    parts = [_HEAD, "## Methods\n", "| method | params | result | what |\n|---|---|---|---|"]
    for name, method in METHODS.items():
        (params, result), _ = _described([method.params, method.result])
        parts.append(f"| [`{name}`]({_schema_path(name)}) | {params} | {result} | {method.summary} |")
    parts += ["\n## Notifications\n", "| notification | params | what |\n|---|---|---|"]
    for name, type_ in NOTIFICATIONS.items():
        (params,), _ = _described([type_])
        parts.append(f"| [`{name}`]({_schema_path(name)}) | {params} | {_summary(type_)} |")
    parts += ["\n## Errors\n", "| code | exit status of `saliscope` | what to do |\n|---|---|---|"]
    parts += [f"| `{code}` | {status} | {advice} |" for code, (status, advice) in ERRORS.items()]
    parts.append("\n## Messages\n")
    everything: list[Any] = [type_ for method in METHODS.values() for type_ in (method.params, method.result)]
    _, definitions = _described([*everything, *NOTIFICATIONS.values()])
    parts += [_message(name, definition) for name, definition in definitions.items()]
    return "\n".join(parts).rstrip() + "\n"


def _described(types: list[Any]) -> tuple[list[str], dict[str, Any]]:
    """The types in words, and the definitions that they refer to in the order of declaration."""
    schemas, definitions = _components(types, "{name}")
    order = [name for module in _MODULES for name in vars(module)]
    ordered = dict(sorted(definitions.items(), key=lambda item: order.index(item[0])))
    return [_words(schema) for schema in schemas], ordered


def _components(types: list[Any], template: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schemas of `types` and what they refer to; msgspec itself takes no union of two structs."""
    groups = [get_args(type_) if isinstance(type_, UnionType) else (type_,) for type_ in types]
    flat = [member for group in groups for member in group]
    made, definitions = msgspec.json.schema_components(flat, ref_template=template)
    rest = iter(made)
    choices = [[next(rest) for _ in group] for group in groups]
    return [{"anyOf": some} if len(some) > 1 else some[0] for some in choices], definitions


def _message(name: str, definition: dict[str, Any]) -> str:
    text = definition.get("description", "").replace("\n\n", "\n").strip()
    lines = [f"### {name}\n", " ".join(line.strip() for line in text.splitlines()), ""]
    if definition["properties"]:
        lines += ["| field | type | default |", "|---|---|---|"]
    required = definition.get("required", ())
    for field, schema in definition["properties"].items():
        default = "required" if field in required else f"`{json.dumps(schema.get('default'))}`"
        lines.append(f"| `{field}` | {_words(schema)} | {default} |")
    return "\n".join([*lines, ""]) if definition["properties"] else "\n".join(lines)


def _words(schema: dict[str, Any]) -> str:
    """A JSON Schema as a reader of any language would say it."""
    match schema:
        case {"$ref": name}:
            return f"[{name}](#{name.lower()})"
        case {"anyOf": choices}:
            return " or ".join(_words(choice) for choice in choices)
        case {"enum": values}:
            return " or ".join(f'`"{value}"`' for value in values if value is not None)
        case {"type": "array", "prefixItems": items}:
            return f"[{', '.join(_words(item) for item in items)}]"
        case {"type": "array", "items": items}:
            return f"list of ({_words(items)})" if "anyOf" in items else f"list of {_words(items)}"
        case {"type": "object", "additionalProperties": dict(values)} if values:
            return f"map to {_words(values)}"
        case {"type": "object"}:
            return "map"
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"integer {low} to {high}"
        case {"type": "integer", "minimum": low}:
            return f"integer from {low}"
        case {"type": str(name)}:
            return "list" if name == "array" else name
    return "anything"


def _summary(type_: type[Struct]) -> str:
    return (type_.__doc__ or "").partition("\n")[0]


def main() -> None:
    """Write the pages where `--write` says."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.protocol.schema")
    parser.add_argument("--write", type=Path, required=True, metavar="FOLDER", help="the docs folder")
    write(parser.parse_args().write)


if __name__ == "__main__":
    main()
