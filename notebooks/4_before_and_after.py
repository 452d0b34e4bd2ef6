# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Before and after
#
# What balancing did: to the whole distribution, and to the entries that you name.
#
# The one parameter is the folder of a run that has `curated` in it. Pairs are not needed.

# %%
import os

from IPython.display import display

from curation.report.charts import balancing, entries, populations, theme
from curation.report.notebook import listing, optional
from curation.report.tables import Run, languages_of, of_language

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %% [markdown]
# The entries to look at. They are compared letter by letter: `Paris` is not `paris`, and what is no
# entry of the vocabulary is not found.

# %%
NAMES = ["cat", "dog", "bird", "sunset", "image", "photo", "free", "tiger", "zebra", "poodle"]

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
run = Run.open(WORK)
balanced = run.need("curated")
language = languages_of(run.counts())[0]
counts = of_language(run.counts(), language)
t = run.t()[language]
print(f"list: {language}; t = {t:,.6g}; {balanced.rows['out']:,} of {balanced.rows['in']:,} pairs kept")
if balanced.config["online"]:
    print("This set was written uncut: the loader draws. After is what it was, and nothing is cut here.")

# %% [markdown]
# ## The entries that you name
#
# Each line runs from where an entry was to where it is. To the right of t there is something to cut; the
# cut goes *towards* t and ends above it. That is as it should be: a picture of a cat and a poodle
# is kept for the poodle, and the cat comes along.

# %%
named = entries.named_table(run.counts(), NAMES)
found = set(run.counts()["entry"].to_pylist()) & set(NAMES)
print("no entries of the vocabulary:", ", ".join(name for name in NAMES if name not in found) or "none")
says = f"{len(named)} entries, in the order in which you named them."
display(entries.before_after(named, title="The entries that you named", says=says, t=t))
display(listing(named))

# %% [markdown]
# `probability` is min(1, t / count): how likely a pair is to be kept for this entry alone. A pair is kept
# if it is kept for any of its entries, so its own probability is larger: 1 - ∏(1 - probability).
#
# ## The whole distribution
#
# Before balancing the line falls all the way. After it, the head is flat, a little above t, and the
# tail is what it was: below t the two lines are one. Each is in an order of its own, so the same place
# on the two need not be the same entry.

# %%
display(balancing.rank_counts(counts, t))
display(entries.octaves(counts))

# %% [markdown]
# ## The heaviest, and some of the rarest

# %%
display(entries.heaviest(counts, t, rows=25))
display(listing(entries.heaviest_table(counts, rows=25)))
display(entries.rarest(counts, t, rows=10))

# %% [markdown]
# ## What became of the texts
#
# Long texts hold more entries, and with each the chance grows that one of them is rare. So balanced
# texts are longer, and match more entries, than those they were drawn from.

# %%
with optional():
    display(populations.entries_per_text(run.profiles()))
with optional():
    display(populations.text_lengths(run.profiles()))

# %% [markdown]
# How likely were the pairs that are there? What is at 1 holds an entry of the tail. What is at the left
# end are pairs of head entries alone, and stands for many that were not drawn.

# %%
with optional():
    display(populations.keep_probabilities(run.profile("curated")))

# %% [markdown]
# ## What this assumes
#
# - "After" is after balancing and before the download.
# - One draw decides for a pair, by a hash of its uid: with the same seed the same pairs are kept,
#   everywhere. `python jobs/explain.py --curated CURATED --text "a text"` says what a text matches and
#   how likely it is.
# - With several lists, t is marked where it is that of the first list; the others have their own.
