import json
from pathlib import Path
from typing import Any

import pytest

from client.commands import WrongUsage
from client.gold import read_questions

URL = "https://www.example.com/a,b.jpg"
INPUT = {"image": {"url": URL}, "target": {"label": 'a "dog"'}}
TRUTH = {"containsTarget": True}
JSONL = json.dumps({"input": INPUT, "truth": TRUTH})
HEADER = "input.image.url,input.target.label,truth.containsTarget"
CSV = f'{HEADER}\n"{URL}","a ""dog""",true\n'


def read(folder: Path, name: str, content: str) -> list[tuple[int, Any, Any]]:
    path = folder / name
    path.write_bytes(content.encode())
    return list(read_questions(path))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("q.jsonl", JSONL + "\n", 1),
        ("q.jsonl", f"\n\n{JSONL}", 3),
        ("q.csv", CSV, 2),
        ("q.csv", "\ufeff" + CSV.replace("\n", "\r\n"), 2),
    ],
)
def test_both_formats_say_the_same(tmp_path: Path, name: str, content: str, line: int) -> None:
    assert read(tmp_path, name, content) == [(line, INPUT, TRUTH)]


def test_a_truth_in_a_csv_file_is_json_and_an_input_is_text(tmp_path: Path) -> None:
    content = "input.image1.url,input.image2.url,truth.similarityScore\n1,true,0.25\n"
    assert read(tmp_path, "q.csv", content) == [
        (2, {"image1": {"url": "1"}, "image2": {"url": "true"}}, {"similarityScore": 0.25})
    ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("q.txt", JSONL, "neither"),
        ("q.jsonl", "{", "line 1: is not JSON"),
        ("q.jsonl", f'{JSONL}\n{{"input": {{}}}}', "line 2: must be a JSON object"),
        ("q.jsonl", "[" * 100_000, "line 1: is not JSON"),
        ("q.csv", "url,truth\na,true\n", "column 'url'"),
        ("q.csv", "input.a,input.a.b,truth.c\n1,2,3\n", "below another column"),
        ("q.csv", CSV + "https://a\n", "line 3: has not as many cells"),
        ("q.csv", CSV + "a,b,true,c\n", "line 3: has not as many cells"),
        ("q.csv", CSV + "a,b,yes\n", "line 3: is not JSON"),
        ("q.csv", '"a', "cannot be read"),
        ("q.jsonl", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") * 2, "is not JSON"),
    ],
)
def test_what_is_not_in_a_format_is_said_so(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    with pytest.raises(WrongUsage, match=complaint):
        read(tmp_path, name, content)


def test_a_file_that_is_not_there_or_no_text_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot be read"):
        list(read_questions(tmp_path / "none.csv"))
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongUsage, match="cannot be read"):
        list(read_questions(tmp_path / "bytes.jsonl"))
