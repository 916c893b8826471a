"""What the pages of docs promise: their Python runs as printed, and every page can be found from the README."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_python_of_a_page_prints_what_stands_below_it(page, tmp_path):
    """A text block right after Python is what that prints."""
    text = page.read_text()
    blocks = re.findall(r"^```python\n(.+?)^```$(?:\n\n```text\n(.+?)^```$)?", text, re.DOTALL | re.MULTILINE)
    for code, printed in blocks:
        result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert result.stdout == printed or not printed


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_readme_links_every_page(page):
    assert f"(docs/{page.name})" in (ROOT / "README.md").read_text()
