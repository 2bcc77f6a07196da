"""``bulk plan`` and ``bulk run`` of files of other programs, and ``bulk recipe``."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest
import typer

from marketingblocks_async.bulk import load_recipe
from marketingblocks_async.cli.commands import bulk_recipes
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command

SPROUT = """date,time_24hr,message_text,link_url,tags,image_url
14/03/2099,09:05,"Fresh tulips, come by",https://x.example,spring,https://x.example/a.jpg
15/03/2099,14:20,Balcony ideas,,,
"""
LIFTED = ("--rate", "0", "--timeout", "5")
BERLIN = ("--set", "time_zone=Europe/Berlin")


@pytest.fixture
def sprout(tmp_path: Path) -> Path:
    path = tmp_path / "sprout.csv"
    path.write_text(SPROUT, encoding="utf-8")
    return path


def test_what_was_understood_of_the_file_is_shown(command: Command, sprout: Path) -> None:
    ran = command(
        "bulk", "plan", sprout, "--recipe", "sprout", "--channel", "facebook:11", "--channel", "X:12", *BERLIN
    )
    assert ran.code == 0
    for words in (
        "rows 2, which make 4 posts: 4 valid, 0 not valid",
        "recipe sprout",
        "dates DD/MM/YYYY: `14/03/2099 09:05` in line 2 only fits day first",
        "columns not sent tags (filled in 1 row)",
    ):
        assert words in ran.words, words


def test_faults_are_told_once_and_sorted_by_the_rows_that_they_stop(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    rows = [f"Text {number},{'facebok' if number == 3 else 'facebook'}" for number in range(350)]
    path.write_text("\n".join(["Caption,Platform", *rows, ""]), encoding="utf-8")
    ran = command("bulk", "plan", path, "--json")
    assert ran.code == 2
    assert [(fault["column"], fault["rows"]) for fault in ran.json["faults"]] == [
        ("channel_id", 350), ("post_type", 350), ("publish_mode", 350), ("Platform", 1),
    ]  # fmt: skip
    assert "--set channel_id=11" in ran.json["faults"][0]["message"]
    assert ran.json["error_count"] == 1051


def test_a_file_of_another_program_names_its_recipe(command: Command, sprout: Path) -> None:
    ran = command("bulk", "plan", sprout)
    assert "this looks like a file for the recipe sprout: recipe sprout" in ran.words
    assert "{" not in ran.words


def test_unknown_columns_are_told_in_the_words_of_the_command_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("channel_type,Notes\nfacebook,x\n", encoding="utf-8")
    ran = command("bulk", "plan", "posts.csv")
    assert 'map "Notes="' in ran.words
    assert "None" not in ran.words
    ran = command("bulk", "plan", "posts.csv", "--map", "Remarks=", "--map", "Notes=")
    assert '"Remarks", which is not in the header' in ran.words
    ran = command("bulk", "plan", "posts.csv", "--map", "Remarks=link", "--map", "Notes=")
    assert '"Remarks", which is not in the header' in ran.words
    (tmp_path / "posts.csv").write_text("channel_type,Notes (a=b)\nfacebook,x\n", encoding="utf-8")
    assert 'map "Notes (a=b)="' in command("bulk", "plan", "posts.csv").words
    assert "Notes" not in command("bulk", "plan", "posts.csv", "--map", "Notes (a=b)=").words


def test_the_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def come_in(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    come_in(SPROUT)
    words = ("--format", "csv", "--recipe", "sprout", "--channel", "facebook:11", *BERLIN)
    ran = command("bulk", "plan", "-", *words, "--json")
    assert (ran.code, ran.json["valid"], ran.json["file"]["file"]) == (0, 2, "standard input")
    come_in(SPROUT)
    assert "format csv" in command("bulk", "plan", "-").words
    come_in('[{"Copy": "A"}]')
    ran = command("bulk", "plan", "-", "--format", "json", "--recipe", "calendar", "--channel", "x:1",
                  "--set", "publish_mode=now", "--json")  # fmt: skip
    assert ran.json["valid"] == 1


def test_a_run_sends_one_post_for_each_channel(command: Command, sandbox: Sandbox, sprout: Path) -> None:
    ran = command("bulk", "run", sprout, "--journal", "posts.journal", "--recipe", "sprout", "--channel", "facebook:11",
                  "--channel", "instagram:12", *BERLIN, "--rate", "0", "--json")  # fmt: skip
    assert ran.code == 0
    assert sandbox.ledger.carried_out_at("create-post") == 4
    sent = {(post.request["channel_type"], post.request["caption_text"]) for post in sandbox.posts}
    assert len(sent) == 4


def test_the_failed_part_of_a_row_comes_back_as_a_row_to_correct(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "posts.csv").write_text(
        "Copy,Networks,Day,Image link\n"
        'Tulips,"Facebook, Pinterest",14/03/2099 09:05,https://x.example/a.jpg\n'
        'Ideas,"Facebook, Instagram",soon,"https://x.example/a.jpg, https://x.example/b.jpg"\n',
        encoding="utf-8",
    )
    channels = ("--recipe", "calendar", "--channel", "facebook:11", "--channel", "instagram:12", *BERLIN)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", *channels, *LIFTED, "--json")
    assert (ran.json["done"], ran.json["failed"]) == (1, 3)
    assert command("bulk", "report", "j", "--failures", "failed.csv").code == 0
    text = (tmp_path / "failed.csv").read_text(encoding="utf-8-sig")
    rows = sorted(csv.DictReader(text.splitlines()), key=lambda row: row["key"])
    assert [(row["key"], row["_row"], row["channel_type"]) for row in rows] == [
        ("1/2", "1", "Pinterest"), ("2/1", "2", "facebook"), ("2/2", "2", "instagram"),
    ]  # fmt: skip
    for row in rows:
        row["channel_type"] = row["channel_type"].replace("Pinterest", "facebook")
        row["channel_id"] = row["channel_id"].replace("#CORRECT!", "13")
        row["schedule_time"] = row["schedule_time"].replace("soon", "2099-03-15 10:00")
    with (tmp_path / "failed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    ran = command("bulk", "run", "failed.csv", "--journal", "j2", *LIFTED, "--json")
    assert (ran.code, ran.json["done"]) == (0, 3)
    posts = [post.request for post in sandbox.posts]
    assert [post["media_urls"] for post in posts if post["caption_text"] == "Ideas"] == [
        ["https://x.example/a.jpg", "https://x.example/b.jpg"]
    ] * 2
    assert {post["schedule_time"] for post in posts} == {"2099-03-14 09:05", "2099-03-15 10:00"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "sproud"), "did you mean sprout?"),
        (("--recipe", "mine.toml"), "cannot be read"),
        (("--set", "channel_id"), "write FIELD=VALUE"),
        (("--set", "channel_id=eleven"), "not a whole number"),
        (("--channel", "pinterest:11"), "not one of: facebook"),
        (("--date-format", "DD/MM"), "not complete"),
        (("--where", "Approved"), "COLUMN=VALUE"),
        (("--where", "Approved=yes", "--recipe", "sprout"), "the rows are chosen by the column"),
        (("--skip-hidden", "--include-hidden"), "contradict each other"),
        (("--no-header", "--header-row", "2"), "contradict each other"),
    ],
)
def test_options_that_cannot_be_meant(command: Command, sprout: Path, words: tuple[str, ...], message: str) -> None:
    ran = command("bulk", "plan", sprout, *words)
    assert ran.code == 1
    assert message in ran.words


class TestRecipes:
    def test_they_are_listed_with_where_their_formats_were_seen(self, command: Command) -> None:
        found = {each["name"]: each["origin"] for each in command("bulk", "recipe", "list", "--json").json}
        assert found["sprout"] == "documentation"
        assert found["buffer"] == "programs"
        assert found["later"] == "memory"
        assert "Sprout Social" in command("bulk", "recipe", "list").words

    def test_one_is_shown_as_it_is_written(self, command: Command, tmp_path: Path) -> None:
        shown = command("bulk", "recipe", "show", "buffer").out
        (tmp_path / "mine.toml").write_text(shown, encoding="utf-8")
        assert load_recipe("./mine.toml").columns == load_recipe("buffer").columns

    def test_a_new_one_refuses_what_it_does_not_know_until_it_is_said(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "calendar.csv").write_text(
            "Copy,Day,Hour,FB,Mood,Visual 1\nHello,14.03.2099,9:05,yes,good,https://x.example/a.jpg\n", encoding="utf-8"
        )
        ran = command("bulk", "recipe", "new", "calendar.csv", "--output", "mine.toml")
        assert ran.code == 0
        assert "(marked TODO): Mood" in ran.words
        options = ("--recipe", "./mine.toml", "--channel", "facebook:11", *BERLIN)
        assert '"Mood" is no field of a post' in command("bulk", "plan", "calendar.csv", *options).words
        path = tmp_path / "mine.toml"
        path.write_text(path.read_text(encoding="utf-8").replace('# "Mood"', '"Mood"'), encoding="utf-8")
        ran = command("bulk", "plan", "calendar.csv", *options, "--json")
        assert (ran.code, ran.json["valid"]) == (0, 1)
        assert "exists already" in command("bulk", "recipe", "new", "calendar.csv", "--output", "mine.toml").words

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            (
                [["Plan", ""], ["Copy", "Day", "Page", "State", "Notes", "Pics", "Mood"],
                 ["A", "03/04/2099", "Shop", "OK", "n", "https://x.example/a.jpg;https://x.example/b.jpg", ""],
                 ["B", "14/04/2099", "X", "ok", "", "", ""], ["C", "14/04/2099", "X", "idea", "", "", ""],
                 ["D", "14/04/2099", "X", "ok", "", "", "off"]],
                ("--header-row", "2", "--where", "State=ok", "--where", "Mood!=off", "--channel", "Shop=facebook:11",
                 "--channel", "Shop=instagram:12", "--channel", "twitter:4", "--map", "Notes=", "--map", "Page=channel",
                 "--map", "Pics=media_urls", "--default", "time=10:00", "--date-format", "DD/MM/YYYY",
                 "--list-separator", ";", "--default", "hash_tags=#a", "--set", "twitter.post_type=tweet"),
            ),
            (
                [["03/04/2099 10:00", "A; \u00e9"]],
                ("--no-header", "--map", "A=schedule_time", "--map", "B=caption_text", "--channel", "facebook:11",
                 "--date-format", "MM/DD/YYYY HH:mm", "--encoding", "cp1252", "--delimiter", "|"),
            ),
            (
                [["date", "time_24hr", "message_text"], ["14/03/2099", "09:05", "A"]],
                ("--recipe", "sprout", "--channel", "facebook:11"),
            ),
            (
                [["Text", "Draft", "Date", "Time"],
                 ["A", "", "2099-03-14", "09:05"], ["B", "yes", "2099-03-14", "09:05"]],
                ("--recipe", "metricool", "--channel", "facebook:11"),
            ),
        ],
    )  # fmt: skip
    def test_a_new_one_makes_the_plan_that_the_options_make(
        self, command: Command, tmp_path: Path, lines: list[list[str]], words: tuple[str, ...]
    ) -> None:
        is_own, sign = "--delimiter" in words, "|" if "--delimiter" in words else ","
        text = io.StringIO()
        csv.writer(text, delimiter=sign).writerows(lines)
        (tmp_path / "plan.csv").write_bytes(text.getvalue().encode("cp1252" if is_own else "utf-8"))
        given = (*BERLIN, "--set", "publish_mode=scheduled", "--default", "post_type=post", *words)
        options = command("bulk", "plan", "plan.csv", *given, "--json")
        made = command("bulk", "recipe", "new", "plan.csv", *given, "--output", "mine.toml", "--json")
        assert (made.code, made.json["unknown_columns"]) == (0, []), made
        recipe = command("bulk", "plan", "plan.csv", "--recipe", "./mine.toml", "--json")
        assert (options.code, recipe.code) == (0, 0), recipe
        by_options, by_recipe = options.json, recipe.json
        assert by_recipe["file"].pop("recipe") == "./mine.toml"
        del by_options["file"]["recipe"]
        assert by_recipe == by_options
        assert by_recipe["valid"] > 0

    def test_what_a_new_one_cannot_hold_is_refused(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "calendar.csv").write_text("Copy,Day\nHello,14.03.2099\n", encoding="utf-8")
        for option in ("--skip-hidden", "--include-hidden"):
            ran = command("bulk", "recipe", "new", "calendar.csv", option, "--json")
            assert ran.code == 1
            assert f"a recipe cannot hold {option}; leave it out here" in ran.json["error"]["message"]
        ran = command("bulk", "recipe", "new", "calendar.csv", "--map", "Nots=", "--json")
        assert ran.code == 1
        assert 'names the column "Nots", which is not in the header' in ran.json["error"]["message"]
        assert "give format csv again" in command("bulk", "recipe", "new", "calendar.csv", "--format", "csv").words

    def test_a_new_one_of_objects_has_the_columns_of_all(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "posts.json").write_text(
            '[{"Copy": "A", "Page": "x"}, {"Copy": "B", "Day": "2099-03-14"}]', "utf-8"
        )
        text = command("bulk", "recipe", "new", "posts.json", "--map", "Page=link", "--json").json["toml"]
        for line in ('"Copy" = "caption_text"  # A', '"Page" = "link"  # x', '"Day" = "date"  # 2099-03-14'):
            assert f"\n{line}\n" in text

    def test_a_new_one_does_not_say_now_while_a_column_may_be_the_time(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "calendar.csv").write_text("14/03/2099 10:00,Hello\n", encoding="utf-8")
        text = command("bulk", "recipe", "new", "calendar.csv", "--no-header", "--json").json["toml"]
        assert '\n# publish_mode = "now"' in text
        assert '\npublish_mode = "now"' not in text

    def test_columns_that_a_package_recipe_leaves_out_still_say_what_is_approved(
        self, command: Command, tmp_path: Path
    ) -> None:
        header = "Message,Date,Status,AM/PM"
        (tmp_path / "plan.csv").write_text(f"{header}\nA,2099-03-14 09:05,draft,PM\n", encoding="utf-8")
        made = command("bulk", "recipe", "new", "plan.csv", "--recipe", "planable", "--json")
        assert '\n"Status" = ""' not in made.json["toml"]
        assert '# "AM/PM" needs no field' in made.json["toml"]

    def test_an_answer_that_is_no_field_is_asked_for_again(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answers = iter(["captoin_text", "caption_text"])

        def answered(*_: object, **_how: object) -> str:
            return next(answers)

        monkeypatch.setattr(typer, "prompt", answered)
        assert bulk_recipes.ask_field("Copy", "Hello") == "caption_text"
        assert "did you mean caption_text?" in capsys.readouterr().err
