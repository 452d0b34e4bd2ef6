# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Is it better?
#
# All that came before says what the data look like. Whether they are *better* only training tells: the
# same model, with the same budget of samples, on one data set and on another, several times over with
# different seeds.
#
# The one parameter is the folder of a run that has `comparison` in it, the output of `jobs/compare.py`.

# %%
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from IPython.display import display

from curation.report.arms import read_comparison
from curation.report.charts import theme, training
from curation.report.notebook import listing, optional

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %% [markdown]
# If there is no comparison yet, the next cell says so, and what follows is left out. To make one:
#
# ```
# python jobs/compare.py --arms balanced=WORK/shards unbalanced=OTHER/shards --seeds 0 1 2 \
#     --datasets /data/imagenet --counts WORK/curated/counts --output WORK/comparison
# ```
#
# The first arm is what the others are held against. Give both the same number of samples to see, or it
# is the budget that you compare.

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
comparison = None
with optional():
    comparison = read_comparison(Path(WORK).absolute() / "comparison")
    print(f"{len(comparison.arms)} arms, {comparison.seeds} seeds each")
    for arm, samples in comparison.arms.items():
        print(f"  {arm}: {'an unknown number of' if samples is None else f'{samples:,}'} images")

# %% [markdown]
# ## What each arm scores
#
# A dot is the mean over seeds. The line is the 95% interval: where the mean would lie if you did it all
# again, with other seeds and other test images. With one seed there is no such line, and little to say.

# %%
if comparison is not None:
    display(training.scores(comparison))
    display(listing(training.scores_table(comparison)))

# %% [markdown]
# ## What differs
#
# Lines of two arms that overlap above may still differ clearly, for both were tested on the same
# images. So the difference has an interval of its own, and it is the one to read: **where it crosses 0,
# this comparison cannot tell the arms apart.** That is not the same as their being equally good. More
# seeds and more test images make intervals shorter.
#
# With many data sets, one in twenty differences is "clear" by chance alone.

# %%
if comparison is not None:
    display(training.differences(comparison))
    display(listing(training.differences_table(comparison)))

# %% [markdown]
# ## Head and tail
#
# Balancing is meant to help with what is rare. If classes could be told apart by whether their names
# are head or tail entries, this is where that shows: look for gains in the tail, and for what they cost
# in the head.

# %%
if comparison is not None:
    parts = set(training.differences_table(comparison)["part"].to_pylist())
    for part in ("head", "tail"):
        if part in parts:
            display(training.differences(comparison, part))
    if not parts & {"head", "tail"}:
        print("The comparison does not tell head from tail; run it with --counts WORK/curated/counts.")

# %% [markdown]
# ## What others have published
#
# For about the same budget and model. These are other people's data, tests and code: they say whether
# your numbers are of this world, not which of your arms is better.

# %%
if comparison is not None and comparison.reference:
    reference = pa.Table.from_pylist([dict(row) for row in comparison.reference])
    known = [name for name in reference.column_names if pc.count(reference[name]).as_py()]
    display(listing(reference.select(known)))
elif comparison is not None:
    print("Nothing is published for this model that we know of.")

# %% [markdown]
# ## What this assumes
#
# - Arms differ in their data and in nothing else: model, budget, recipe, seeds and test images are the
#   same.
# - The noise of seeds is about the same in all arms; it is pooled, since few seeds tell little of each.
# - Small models on small budgets rank data much as large ones do, but not always. Before a large run
#   depends on it, repeat the comparison at a larger size.
