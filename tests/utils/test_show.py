"""Tables and figures: what a reader would see in them."""

import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from small_dataset import small_dataset

from utils import classes, plots, report
from utils.data import PHANTOM


def test_class_codings_are_the_published_ones():
    assert classes.DX == ("akiec", "bcc", "bkl", "df", "nv", "vasc", "mel")
    dermamnist = {c.dx: c.dermamnist_label for c in classes.CLASSES}
    assert dermamnist == dict(akiec=0, bcc=1, bkl=2, df=3, nv=5, vasc=6, mel=4)
    assert [c.kaggle_label for c in classes.CLASSES] == list(range(7))
    assert len(set(classes.COLOURS.values())) == len(set(classes.CLASSES)) == 7
    with pytest.raises(KeyError, match="akiec, bcc"):
        classes.by_dx("mole")


def test_class_table_counts_images_and_lesions():
    dataset = small_dataset(lesions_per_class=20)
    dataset.metadata.loc[dataset.labels == 3, "dx"] = "nv"  # of one class there is none
    lines = report.class_table(dataset).get_string().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert ["mel", "melanoma", "27", "20", "14.3 %"] in rows
    assert ["df", "dermatofibroma", "0", "0", "0.0 %"] in rows
    assert ["all", "", "189", "140", "100.0 %"] in rows


def test_table_writes_numbers_for_people():
    rows = [("a", 12345, 0.12345, None), ("b", True, float("nan"), 1)]
    text = report.table(rows, ["x", "count", "share", "n"], title="all").get_string()
    assert "|          all           |" in text
    assert "| a | 12,345 | 0.123 | – |" in text and "| b |   True |     – | 1 |" in text
    html = report.table([("a < b\nc", 1)], ["x", "n"], title="T & t")._repr_html_()
    assert 'class="dataframe"' in html and "<caption>T &amp; t</caption>" in html
    assert re.search(r"(?s)align: left[^>]*>a &lt; b<br>c<.*align: right[^>]*>1<", html)


@pytest.mark.parametrize("source, word", [(None, "HAM10000"), (PHANTOM, "phantom")])
def test_phantom_figures_carry_the_word(source, word):
    dataset = small_dataset(**({"source": source} if source else {}))
    figure = plots.lesion_grid(dataset.images[:3], ["a", "b", "c"], columns=2)
    plots.label_source(figure, dataset, part="3 images")
    assert any(word in t.get_text() and "3 images" in t.get_text() for t in figure.texts)
    assert sum(bool(axis.images) for axis in figure.axes) == 3
    plt.close(figure)
