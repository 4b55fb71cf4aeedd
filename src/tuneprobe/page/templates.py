"""The page templates: Jinja with escaping, strict names and the filters of `wording`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tuneprobe.page.files import csv_address
from tuneprobe.wording import number, plain, unbroken

HERE = Path(__file__).parent


@cache
def chart_templates() -> dict[str, dict[str, Any]]:
    """The Vega-Lite templates by stem; .dvc/plots, where DVC looks for them, is a link to them."""
    files = sorted((HERE / "plots").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def render(template: str, **values: Any) -> str:
    """A filled template, which also gets ``css`` and ``script``, those of all pages."""
    environment = Environment(
        loader=PackageLoader("tuneprobe.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "number": number, "unbroken": unbroken}
    environment.filters["csv_address"] = csv_address
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template(template).render(css=style, script=script, **values)
