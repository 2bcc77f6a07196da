"""Rows that a spreadsheet has, but does not mean to be sent."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, SourceError, make_plan
from marketingblocks_async.bulk.sheets.recipes.recipe import Recipe, load_recipe, parse_recipe
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.support.workbooks import FIELDS, failure, post, posts, workbook, written

NOW = {"publish_mode": "now"}


def recipe(name: str | Recipe = "calendar", **more: Any) -> Recipe:
    more.setdefault("fixed", NOW)
    return load_recipe(name).with_options(words=COMMAND_LINE, channels=["facebook:11"], **more)


def planned(source: Any, how: Recipe, columns: Mapping[str, str | None] | None = None) -> tuple[list[str], Plan]:
    """Return the captions of the posts that would be sent, and the plan."""
    found: list[str] = []
    plan = make_plan(source, recipe=how, columns=columns, on_row=lambda row: found.append(row.post.caption_text))
    return found, plan


def sheet(file: Path, column: str, *cells: str) -> Path:
    """Write a file whose captions are what the column says."""
    return written(file, "\n".join([f"Copy,{column}", *(f"post {cell},{cell}" for cell in cells)]))


def advice(plan: Plan) -> tuple[str, str]:
    """Return the condition and the mapping that every fault of a plan names."""
    said = {tuple(re.findall(r'--(?:where|map) "[^"]*"', fault.message)) for fault in plan.faults}
    [(where, leave_out)] = said
    return shlex.split(where)[1], shlex.split(leave_out)[1].removesuffix("=")


@pytest.mark.parametrize(
    ("column", "cells", "sent"),
    [
        ("Approved", ["no", "FALSE", "yes", "x", ""], ["yes", "x"]),
        ("Publish?", ["nein", "ja"], ["ja"]),
        ("Freigabe", ["ok", "offen", ""], ["ok"]),
        ("Status", ["Approved", "Draft", "Ready to post", "Idea", "Posted"], ["Approved", "Ready to post"]),
        ("State", ["In review", "scheduled"], ["scheduled"]),
        ("Draft", ["TRUE", "no", ""], ["no", ""]),
        ("Entwurf", ["FALSCH", "WAHR"], ["FALSCH"]),
        ("Approved", ["checked", ""], ["checked"]),
        ("Approved", ["✅", "❌", "-", "🟡"], ["✅"]),
        ("Status", ["✅", "TBD", "Approved ✅"], ["✅", "Approved ✅"]),
        ("Status", ["Bereit", "Fertig", "Approved by client"], ["Bereit", "Approved by client"]),
        ("Statut", ["Programmée", "Publiée", "Prêt"], ["Programmée", "Prêt"]),
        ("Estado", ["Listo", "Publicado", "Aprobada"], ["Listo", "Aprobada"]),
        # Signs, brackets and numbers around a name.
        ("Status:", ["Approved", "Draft"], ["Approved"]),
        ("📌 Status", ["Approved", "1. Draft"], ["Approved"]),
        ("Status (internal)", ["Approved", "Draft"], ["Approved"]),
        ("Status 1", ["Approved", "Draft"], ["Approved"]),
        ("Approval (Y/N)", ["Y", "N"], ["Y"]),
        # Yes and no.
        ("Client approved?", ["yes", "no", ""], ["yes"]),
        ("Approved by client?", ["yes", "pending"], ["yes"]),
        ("Freigabe (Chef)", ["ja", "nein"], ["ja"]),
        ("Freigabe Kunde", ["ok", "offen"], ["ok"]),
        ("Zatwierdzone", ["tak", "nie"], ["tak"]),
        ("Client OK", ["ok", ""], ["ok"]),
        ("OK?", ["ok", "no"], ["ok"]),
        ("Send?", ["yes", "no"], ["yes"]),
        ("Post?", ["yes", "no"], ["yes"]),
        ("Include", ["yes", "no"], ["yes"]),
        ("Posten?", ["ja", "nee", ""], ["ja"]),
        ("Publicar", ["sí", "no", ""], ["sí"]),
        ("Publier ?", ["oui", "non", "peut-être"], ["oui"]),
        ("Veröffentlichen (J/N)", ["J", "N"], ["J"]),
        ("Pubblicare?", ["sì", "no"], ["sì"]),
        ("Publish now?", ["yes", "no", "ask Anna"], ["yes"]),
        ("Client sign-off", ["yes", "no", ""], ["yes"]),
        ("Freigabestatus", ["Freigegeben", "offen"], ["Freigegeben"]),
        ("Kunde OK?", ["ja", "nein", "vielleicht"], ["ja"]),
        ("Publiceren", ["👍🏽", "👎", "❌"], ["👍🏽"]),
        ("Schváleno", ["ano", "ne"], ["ano"]),
        ("Approved", ["evet", "hayır", "いいえ", "はい", "否", "是", "لا", "нет"], ["evet", "はい", "是"]),
        # One no beside a yes is enough.
        ("Client approved?", ["yes", "no", "ask", "hm", "later", "Anna"], ["yes"]),
        ("Approved by client?", ["yes", "no", "ask", "hm", "later", "Anna"], ["yes"]),
        ("Client approval (y/n)", ["Y", "N", "ask"], ["Y"]),
        ("Approved by", ["x", "no", "ask"], ["x"]),
        ("Approved by", ["Y", "N"], ["Y"]),
        ("Aprobado por el cliente", ["sí", "no", "luego", "hm", "Ana"], ["sí"]),
        ("Aprobación", ["Si", "No", "luego", "hm", "Ana"], ["Si"]),
        ("Approval", ["Y", "N", "ask", "hm", "later"], ["Y"]),
        ("OK to publish (client)", ["yes", "no", "ask"], ["yes"]),
        ("OK vom Chef", ["ja", "nein", ""], ["ja"]),
        ("Kunden-OK", ["ja", "nein", ""], ["ja"]),
        ("OK (y/n)", ["y", "n", ""], ["y"]),
        # What was sent already, or is not to be sent.
        ("Posted", ["yes", "no", "not yet"], ["no", "not yet"]),
        ("Posted?", ["✓", ""], [""]),
        ("Published", ["TRUE", "FALSE", "2020-01-03"], ["FALSE"]),
        ("Posted", ["yes", "n/a", "no"], ["n/a", "no"]),
        ("Draft", ["yes", "–", "no"], ["–", "no"]),
        ("Go live?", ["yes", "no", ""], ["yes"]),
        ("Go-live (Y/N)", ["yes", "no"], ["yes"]),
        ("Live?", ["yes", "no"], ["no"]),
        ("Done", ["yes", ""], [""]),
        ("Hold", ["x", ""], [""]),
        ("Do not post", ["x", "no"], ["no"]),
        ("Archived", ["true", "false"], ["false"]),
        # The cells tell what the column is.
        ("Internal status", ["Approved", "Draft"], ["Approved"]),
        ("Stage", ["Approved", "Draft", "Mother"], ["Approved"]),
        ("Label", ["Approved", "Idea"], ["Approved"]),
        ("List Name", ["Ready", "Done"], ["Ready"]),
        ("Situação", ["Aprovado", "Rascunho"], ["Aprovado"]),
        ("Situation", ["OK", "Brouillon"], ["OK"]),
        ("Statut de validation", ["Validé", "À revoir"], ["Validé"]),
        ("状態", ["承認", "下書き"], ["承認"]),
        ("ステータス", ["承認済み", "下書き", "作成中", "公開済み", "なぞ"], ["承認済み"]),
        ("Situação", ["Aprovado", "Pronto?", "Talvez", "Sei lá"], ["Aprovado"]),
        ("Статус", ["Одобрено", "Черновик", "На проверке", "Опубликовано", "Кот"], ["Одобрено"]),
        ("状态", ["已批准", "草稿", "待审核", "已发布", "猫"], ["已批准"]),
        ("Durum", ["Onaylandı", "Taslak", "Yayınlandı"], ["Onaylandı"]),
        ("Stan", ["Zatwierdzone", "Szkic", "Opublikowane"], ["Zatwierdzone"]),
        ("סטטוס", ["מאושר", "טיוטה"], ["מאושר"]),
        ("الحالة", ["معتمد", "مسودة"], ["معتمد"]),
        ("स्थिति", ["स्वीकृत", "अस्वीकृत", "मसौदा"], ["स्वीकृत"]),
        ("Beitragsstatus", ["Genehmigt", "Entwurf"], ["Genehmigt"]),
        ("Beitragsstatus", ["fertig", "in Arbeit"], []),
        ("Veröffentlichungsstatus", ["fertig", "in Arbeit"], []),
        ("Projektstatus", ["Freigegeben", "in Arbeit", "fertig"], ["Freigegeben"]),
        ("Where it is", ["Backlog", "Ready"], ["Ready"]),
        ("Notes", ["to be nice", "CANCELLED", ""], ["to be nice", ""]),
        ("To do", ["picture", "Draft"], ["picture"]),
        ("Bemerkungen", ["Abgesagt", "schön"], ["schön"]),
        ("Stage", ["Live", "Draft", "Approved"], ["Approved"]),
    ],
)  # fmt: skip
def test_what_is_not_approved_is_refused_and_left_out_as_advised(
    file: Path, column: str, cells: list[str], sent: list[str]
) -> None:
    sheet(file, column, *cells)
    wanted, every = [f"post {cell}".strip() for cell in sent], [f"post {cell}".strip() for cell in cells]
    found, plan = planned(file, recipe())
    assert [caption.strip() for caption in found] == wanted
    assert plan.invalid == len(cells) - len(sent)
    where, left_out = advice(plan)
    found, plan = planned(file, recipe(where=[where]))
    assert [caption.strip() for caption in found] == wanted
    assert (plan.invalid, plan.source.filtered_rows) == (0, len(cells) - len(sent))
    for how, columns in ((recipe(), {left_out: None}), (recipe(columns={left_out: None}), None)):
        found, plan = planned(file, how, columns)
        assert [caption.strip() for caption in found] == every
        assert plan.source.left_out


def test_words_that_are_not_known_have_to_be_chosen(file: Path) -> None:
    _, plan = planned(sheet(file, "Status", "planned", "posted"), recipe())
    assert advice(plan) == ("Status=VALUE", "Status")
    assert planned(file, recipe(where=["Status=planned"]))[0] == ["post planned"]
    assert planned(file, recipe(where=["Status!=posted"]))[0] == ["post planned"]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("Approved", ["", ""]),
        ("Status", ["", "Approved"]),
        ("Approved by", ["Anna", "no"]),
        ("Status", ["-", "n/a"]),
        ("Draft", ["–", "N/A"]),
        ("_state", ["failed", "failed"]),
        ("_Status", ["Draft", "Approved"]),
        ("Approval needed", ["no", "yes"]),
        ("Approval date", ["2027-01-03", "no"]),
        ("Freigabedatum", ["2027-01-03", "2027-01-04"]),
        ("Send newsletter?", ["no", "yes"]),
        ("Post #", ["0", "1"]),
        ("Post no.", ["0", "2"]),
        ("Publicar", ["2027-01-03", "2027-01-04"]),
        ("Posted", ["no", "–"]),
        ("Status (client)", ["Approved", "Ready"]),
        ("Stage", ["Awareness", "Live"]),
        ("Topic", ["Idea", "Tip"]),
        ("Series", ["Live", "Live"]),
        ("Boosted", ["yes", "no"]),
        ("Draft #", ["1", "2"]),
        # Words that may be said of something else.
        ("Design", ["done", "in progress"]),
        ("Translation", ["done", "pending"]),
        ("Kitchen", ["open", "closed"]),
        ("Campaign", ["Draft", "Autumn"]),
        ("Product", ["Draft", "Draft"]),
        ("Mood", ["Paused", "Happy"]),
        ("Stage", ["Live", "Live"]),
        ("Label", ["Live", "LIVE"]),
        ("Projektstatus", ["fertig", "in Arbeit"]),
        ("Bildstatus", ["fertig", "fertig"]),
        ("OK to boost?", ["yes", "no"]),
        ("OK for stories", ["x", ""]),
        ("Rechte ok", ["ja", "nein"]),
        # Dates and texts.
        ("Published", ["2999-01-03", "3 Jan 2999"]),
        ("Live", ["31/12/2999", "no"]),
        ("Draft 1", ["Spring is here", "Summer is here"]),
        ("Draft", ["2027-01-03", "03/04/2027"]),
        ("Entwurf", ["Ein ganzer Satz. " * 6, "Noch ein ganzer Satz. " * 6]),
    ],
)
def test_a_column_that_says_nothing_against_a_row_refuses_none(file: Path, column: str, cells: list[str]) -> None:
    found, plan = planned(sheet(file, column, *cells), recipe())
    assert (len(found), plan.invalid) == (2, 0)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("Approved by", ["J", "N", "K"]), ("Freigabe durch", ["JA", "NE", "KW"]), ("Validé par", ["j", "n", "k", "JA"]),
    ],
)  # fmt: skip
def test_initials_are_no_yes_and_no(file: Path, column: str, cells: list[str]) -> None:
    found, plan = planned(sheet(file, column, *cells), recipe())
    assert (len(found), plan.invalid) == (len(cells), 0)


def test_dates_and_texts_are_not_left_out_as_advised(file: Path) -> None:
    _, plan = planned(sheet(file, "Live", "2999-01-03", "yes", "no"), recipe())
    assert (plan.invalid, advice(plan)) == (1, ("Live!=yes", "Live"))
    assert planned(file, recipe(where=["Live!=yes"]))[0] == ["post 2999-01-03", "post no"]


@pytest.mark.parametrize(("column", "cells"), [("Signed off", ["AB", "CD"]), ("Send", ["09:00", "10:00"])])
def test_a_column_that_says_yes_in_no_row_has_no_yes_to_choose(file: Path, column: str, cells: list[str]) -> None:
    _, plan = planned(sheet(file, column, *cells), recipe())
    assert (plan.invalid, advice(plan)) == (2, (f"{column}=VALUE", column))


def test_a_file_without_names_has_columns_of_notes(file: Path) -> None:
    written(file, "first,CANCELLED\nsecond,to be nice\n")
    how = recipe(header=0, columns={"A": "caption_text"})
    assert planned(file, how)[0] == ["second"]


def test_the_end_of_a_file_tells_what_its_columns_are(file: Path) -> None:
    assert planned(sheet(file, "Column", "Idea", "Tip", "Offer", "Event"), recipe())[1].invalid == 0
    assert planned(sheet(file, "Column", "Idea", "Ready", "Done", "Ready"), recipe())[0] == ["post Ready", "post Ready"]


def test_a_no_in_a_column_that_is_not_known_is_told(file: Path) -> None:
    _, plan = planned(sheet(file, "Boost", "no", "yes"), recipe())
    assert plan.source.left_out == {"Boost": 2}


@pytest.mark.parametrize("name", ["later", "contentstudio", "planable", "loomly", "zoho-social"])
def test_the_recipes_of_programs(file: Path, name: str) -> None:
    written(file, "Content,Caption,Copy,Message,Status\na,a,a,a,Scheduled\nb,b,b,b,Draft\nc,c,c,c,Published\n")
    keep = {"planable": "Content", "later": "Caption", "loomly": "Copy"}.get(name, "Message")
    columns: dict[str, str | None] = {
        each: "caption_text" if each == keep else None for each in ("Content", "Caption", "Copy", "Message")
    }
    found, plan = planned(file, recipe(name, columns=columns))
    assert found == ["a"]
    where, left_out = advice(plan)
    assert planned(file, recipe(name, columns=columns, where=[where]))[0] == ["a"]
    assert planned(file, recipe(name, columns=columns), {left_out: None})[0] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("yes", "no"),
    [("VERDADERO", "FALSO"), ("WAAR", "ONWAAR"), ("PRAWDA", "FAŁSZ"), ("SANT", "FALSKT"), ("ИСТИНА", "ЛОЖЬ")],
)
def test_a_draft_of_metricool_in_the_words_of_excel(file: Path, yes: str, no: str) -> None:
    head = "Text;Date;Time;Draft;Facebook;Picture Url 1"
    written(file, f"{head}\nDraft;2027-03-15;09:05:00;{yes};{yes};\nPost;2027-03-15;09:06:00;{no};{yes};\n")
    found, plan = planned(file, recipe("metricool", fixed={"time_zone": "Europe/Berlin"}))
    assert (found, plan.source.filtered_rows, plan.invalid) == (["Post"], 1, 0)
    written(file, f"{head}\nDraft;2027-03-15;09:05:00;Borrador;{yes};\n")
    assert planned(file, recipe("metricool", fixed={"time_zone": "Europe/Berlin"}))[0] == []


def test_a_recipe_of_ones_own_means_what_it_leaves_out(file: Path, tmp_path: Path) -> None:
    sheet(file, "Status", "Draft")
    own = parse_recipe('[columns]\n"Stat*" = ""\n[default]\npost_type = "post"\n', str(tmp_path / "own.toml"))
    assert planned(file, recipe(own))[0] == ["post Draft"]


def test_rows_that_are_read_once(tmp_path: Path) -> None:
    rows = [{"Copy": "A", "Approved": True}, {"Copy": "B", "Approved": False}, {"Copy": "C", "Approved": None}]
    found, plan = planned(rows, recipe())
    assert (found, plan.invalid) == (["A"], 2)
    path = tmp_path / "posts.json"
    path.write_text(json.dumps(list(reversed(rows))), encoding="utf-8")
    assert planned(path, recipe())[0] == ["A"]
    book = workbook(tmp_path / "posts.xlsx", ["Copy", "Approved"], ["C", None], ["B", False], ["A", True])
    assert planned(book, recipe())[0] == ["A"]


def test_a_file_without_a_recipe(file: Path) -> None:
    written(
        file, "\n".join([",".join([*FIELDS, "Status"]), *(",".join([*FIELDS.values(), s]) for s in ("Ready", "Draft"))])
    )
    message = failure(file, recipe=Recipe(words=COMMAND_LINE)).message
    assert '--where "Status=VALUE", or leave the column out to send all rows: --map "Status="' in message
    assert post(file, recipe=Recipe().with_options(where=["Status=Ready"])).caption_text == "Hello"
    assert len(posts(file, columns={"Status": None})) == 2
    with pytest.raises(SourceError, match=r"Recipe\(\)\.with_options\(where=\['Status=VALUE'\]\)"):
        make_plan(file)


def test_dates_of_a_workbook(tmp_path: Path) -> None:
    days = (datetime(2999, 1, 3), datetime(2020, 1, 3))
    path = workbook(tmp_path / "posts.xlsx", ["Copy", "Published"], ["A", days[0]], ["B", days[1]], ["C", None])
    assert planned(path, recipe())[0] == ["A", "C"]


def test_hidden_rows_that_are_left_out_approve_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "posts.xlsx", ["Copy", "Approved"], ["A", "yes"], ["B", None])
    book = importlib.import_module("openpyxl").load_workbook(path)
    book.active.row_dimensions[2].hidden = True
    book.save(path)
    plan = make_plan(path, recipe=recipe(), hidden="skip")
    assert (plan.valid, plan.invalid) == (1, 0)


def test_to_leave_out_some_rows_does_not_choose_those_that_another_word_stops(file: Path) -> None:
    sheet(file, "Notes", "Cancelled", "use logo", "no post", "on hold", "blue")
    found, plan = planned(file, recipe())
    assert found == ["post use logo", "post blue"]
    assert {advice(plan)[0]} == {"Notes!=Cancelled|no post|on hold"}
    assert planned(file, recipe(where=[advice(plan)[0]]))[0] == ["post use logo", "post blue"]
    found, plan = planned(file, recipe(where=["Notes!=Cancelled"]))
    assert (found, plan.invalid) == (["post use logo", "post blue"], 2)
    assert advice(plan)[0] == "Notes!=Cancelled|no post|on hold"
    sheet(file, "Status", "posted", "planned", "rejected")
    found, plan = planned(file, recipe(where=["Status!=posted"]))
    assert (found, advice(plan)[0]) == (["post planned"], "Status!=posted|rejected")


@pytest.mark.parametrize(
    ("column", "word"), [("Status", "Approved"), ("Approved", "yes"), ("Posted", "pending"), ("Stage", "Approved")]
)
def test_an_approval_that_is_struck_through_is_none(tmp_path: Path, column: str, word: str) -> None:
    file = tmp_path / "posts.xlsx"
    workbook(file, ["Copy", column], ["a", word], ["b", word], ["c", word])
    openpyxl: Any = importlib.import_module("openpyxl")
    styles: Any = importlib.import_module("openpyxl.styles")
    book = openpyxl.load_workbook(file)
    book.active["B3"].font = styles.Font(strike=True)
    book.save(file)
    found, plan = planned(file, recipe())
    assert found == ["a", "c"]
    assert "it is struck through" in plan.errors[0].message
    assert planned(file, recipe(where=[f"{column}={word}"]))[0] == ["a", "c"]
    assert planned(file, recipe(where=[f"{column}!=no"]))[0] == ["a", "c"]
    assert planned(file, recipe(), {column: None})[0] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("column", "condition"), [("Status (1=ok)", "Status (1*ok)=Approved"), ("Status!", "Status!*=Approved")]
)
def test_the_advice_for_a_name_with_signs_of_conditions_means_its_column(
    file: Path, column: str, condition: str
) -> None:
    _, plan = planned(sheet(file, column, "Approved", "Draft"), recipe())
    [fault] = plan.faults
    assert f'--where "{condition}"' in fault.message
    assert f'--map "{column}="' in fault.message
    assert planned(file, recipe(where=[condition]))[0] == ["post Approved"]


def test_a_condition_that_may_mean_either_of_two_columns_is_refused(file: Path) -> None:
    written(file, "Copy,Status!,Status\na,Approved,\nb,Draft,Approved")
    with pytest.raises(SourceError, match='for the former, write "Status!\\*="'):
        planned(file, recipe(where=["Status!=Approved"]))
    with pytest.raises(SourceError, match='which may be "Status!" or "Status"'):
        planned(file, recipe(where=["Status*=Approved"]))
    assert planned(file, recipe(where=["Status!*=Approved"]), {"Status": None})[0] == ["a"]


@pytest.mark.parametrize("column", ["Story?", "Instagram Story", "Also a story (y/n)", "Post to stories?"])
def test_a_yes_below_story_is_no_feed_post(file: Path, column: str) -> None:
    sheet(file, column, "yes", "no", "")
    found, plan = planned(file, recipe())
    assert [caption.strip() for caption in found] == ["post no", "post"]
    [fault] = plan.faults
    where, left_out = shlex.split(fault.message)[-3:], f"{column}="
    assert left_out in where
    assert len(planned(file, recipe(), {column: None})[0]) == 3
    assert planned(file, recipe(where=[f"{column.replace('=', '*')}=yes"]))[1].invalid == 1
    posts: list[str] = []
    how = recipe(fixed={**NOW, "post_type": "story"}, where=[f"{column}=yes"])
    make_plan(file, recipe=how, on_row=lambda row: posts.append(row.post.post_type.value))
    assert posts == ["story"]


@pytest.mark.parametrize("column", ["Story idea", "Reel cover done", "Story by"])
def test_other_columns_about_stories_refuse_nothing(file: Path, column: str) -> None:
    assert planned(sheet(file, column, "yes", "x"), recipe())[1].invalid == 0


def test_a_kind_below_a_platform_is_understood(file: Path) -> None:
    written(file, "Copy,FB\na,Story\nb,yes\nc,Reels\nd,Story + Reel\n")
    kinds: list[str] = []
    plan = make_plan(file, recipe=recipe(), on_row=lambda row: kinds.append(row.post.post_type.value))
    assert kinds == ["story", "post", "reel"]
    assert "one row for each" in plan.faults[0].message
