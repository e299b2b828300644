"""The book on paper: what is folded stays out, links stay within, no folder of a computer."""

import re
import shutil
from types import SimpleNamespace

import pytest

from tools.book import pdf
from tools.book.course import ROOT


def test_what_is_folded_stays_out_and_links_stay_within(browser, tmp_path):
    shutil.copy(ROOT / "_static" / "course.css", tmp_path)
    chapter = '<span id="c{0}"></span><section><h2>Chapter {0}</h2><p>Text {0}</p>{1}</section>'
    hidden = '<div class="tag_solution">x</div><details><summary>Hint</summary>x</details>'
    body = chapter.format(1, '<a href="#c2">on</a><a href="large.png">x</a>')
    body += chapter.format(2, '<section id="exam-bank"><h3>Exam bank</h3></section>' + hidden)
    style = '<link rel="stylesheet" href="course.css">'
    html = tmp_path / "book.html"
    html.write_text(f'{style}<h1>Book</h1><div class="toctree-wrapper">{body}</div>')
    printed = pdf.print_page(html, browser)
    titles = re.findall(rb"/Title \(([^)]*)\)", printed)
    assert {b"Book", b"Chapter 1", b"Chapter 2"} == {*titles} - {b"book.html"}
    assert len(re.findall(rb"/Type /Page\b", printed)) == 3  # a chapter begins on a new page
    assert len(re.findall(rb"/Dest /?\w*c2\b", printed)) == 1 and b"file:" not in printed


def test_without_chromium_it_says_what_to_do(browser, monkeypatch):
    monkeypatch.setattr(pdf, "CHROMIUM", ("false",))  # a program that is no browser
    with pytest.raises(pdf.ChapterError, match="install chromium"):
        pdf.start_chromium(SimpleNamespace(chromium=browser.browser_type))
