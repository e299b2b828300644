"""Self-checks of the exercises: one module per chapter, on the base of ``exercises.base``.

What a check is given beside the answer bears the same name in all chapters. `truth`, `labels`,
`lesion`, `mended` (melanoma bars put right), `melanoma`, `scores`, `foreign` and `label_by` have
one value for each image; `probabilities` have one row for each and seven columns. `counts` is the
confusion matrix, true classes in rows. `train`, `test`, `trained_on` and `tested_on` are row
numbers; `own`, `strange`, `spots` and `validation` say how strange images are. `images` have the
shape (n, height, width, 3), and `masks` (n, height, width) are True inside the lesion.
"""
