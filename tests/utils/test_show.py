"""Tables and figures: what a reader would see in them."""

import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small_dataset import small_dataset

from utils import classes, plots, report
from utils.data import PHANTOM


def test_class_codings_are_the_published_ones():
    assert classes.DX == ("akiec", "bcc", "bkl", "df", "nv", "vasc", "mel")
    dermamnist = {c.dx: c.dermamnist_label for c in classes.CLASSES}
    assert dermamnist == dict(akiec=0, bcc=1, bkl=2, df=3, nv=5, vasc=6, mel=4)
    assert [c.kaggle_label for c in classes.CLASSES] == list(range(7))
    assert [c.dx for c in classes.CLASSES if c.malignant] == ["akiec", "bcc", "mel"]
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
    rows = [("a", np.int64(12345), np.float32(0.12345), None), ("b", True, np.float32("nan"), 1)]
    text = report.table(rows, ["x", "count", "share", "n"], title="all").get_string()
    assert "|          all           |" in text
    assert "| a | 12,345 | 0.123 | – |" in text and "| b |   True |     – | 1 |" in text
    html = report.table([("a < b\nc", 1)], ["x", "n"], title="T & t")._repr_html_()
    assert 'class="dataframe"' in html and "<caption>T &amp; t</caption>" in html
    assert re.search(r"(?s)align: left[^>]*>a &lt; b<br>c<.*align: right[^>]*>1<", html)


@pytest.mark.parametrize("source, words", [
    ("test noise", "HAM10000, © ViDIR Group"), (PHANTOM, "Synthetic lesions (phantom)"),
    ("ISIC 2018 test images (the open half)", "ISIC 2018 test images, © ViDIR Group"),
])  # fmt: skip
def test_figures_say_what_they_show_and_each_image_has_its_own_title(source, words):
    dataset, colours = small_dataset(source=source), list(classes.COLOURS.values())
    figure = plots.lesion_grid(dataset.images[:3], ["a", "b", "c"], columns=5, colours=colours)
    plots.label_source(figure, dataset, part="3 images")
    assert [text.get_text() for text in figure.texts] == [f"{words}, 3 images"]
    assert sum(bool(axis.images) for axis in figure.axes) == 3
    for k, axis in enumerate(figure.axes[:3]):
        assert np.array_equal(axis.images[0].get_array(), dataset.images[k])
        assert (axis.get_title(), axis.lines[0].get_color()) == ("abc"[k], colours[k])
        assert list(axis.lines[0].get_ydata()) == [1, 1]  # between the title and the image
    plt.close(figure)
