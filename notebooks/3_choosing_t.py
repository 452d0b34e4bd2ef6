# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Choosing t
#
# t is the one number that decides what the data set looks like. An entry with up to t pairs keeps them
# all; from one with more, pairs are drawn so that about t remain, and more where a rarer entry brings
# them along. A small t gives a small and even set, a large t one that is large and looks like the web.
#
# The one parameter is the folder of a run in which `balance` ran once, with whatever t: it writes the
# size curve for a whole grid of t beside its output, so no second pass over the pairs is needed. Pairs
# are not needed either.

# %%
import os
import shlex

from IPython.display import display

from curation.report.charts import balancing, choosing, theme
from curation.report.notebook import listing, optional
from curation.report.tables import Run, languages_of, of_language

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
run = Run.open(WORK)
language = languages_of(run.counts())[0]
counts = of_language(run.counts(), language)
t_before = run.t().get(language)
print(f"list: {language}; t so far: {'none' if t_before is None else f'{t_before:,.6g}'}")

# %% [markdown]
# With several lists, t is that of the first one, and the other lists follow: each gets the t that gives
# it the same tail share (MetaCLIP 2).
#
# ## What lies below t
#
# Read upwards from a t: the lower line is the share of matches that no cut touches, the *tail share*.
# MetaCLIP found 6% a good value, at t = 20,000 for 1.6 billion pairs, and for a pool of 10.7 billion
# matched pairs kept the 6% and raised t to 170,000. So for a pool of another size the tail share is a
# better guide than their t.

# %%
display(balancing.cumulative_share(counts, t_before))
display(listing(choosing.tails_table(counts, [0.03, 0.06, 0.12, 0.25, 0.5])))

# %% [markdown]
# On a small pool the tail share need not be near the one that was wanted: counts are few, and each is a
# step.
#
# ## What each t keeps
#
# The expected number of pairs is exact, not simulated: the sum of the keep probabilities of all pairs.
# What a draw really keeps differs from it by chance, about as much as the band is wide.

# %%
with optional():
    matched = run.need("curated").rows["in"]
    display(choosing.size_curve(run.size_curve(), matched, t_before))
    display(choosing.tail_curve(run.size_curve(), matched, t_before))

# %% [markdown]
# ## What each t costs
#
# A pair has to be downloaded, and some are gone. If this run has shards, their share of pairs that came
# and their bytes an image are used; if not, 75% and 100 kB, which is nothing but a guess. Change them
# here.

# %%
came, bytes_per_image, where = 0.75, 100_000.0, "guessed"
if run.shards is not None and run.shards.rows["in"] and run.shards.facts["images_by_status"].get("success"):
    came = run.shards.rows["out"] / run.shards.rows["in"]
    bytes_per_image = run.shards.facts["size_bytes"] / run.shards.facts["images_by_status"]["success"]
    where = "of this run's shards"
print(f"{came:.0%} of the pairs come, {bytes_per_image / 1000:,.1f} kB an image ({where})")

# %%
with optional():
    choices = choosing.choices_table(
        run.size_curve(), counts, matched, bytes_per_image=bytes_per_image, came=came
    )
    display(listing(choices))

# %% [markdown]
# `entries_cut` are the entries with more than t pairs. `gigabytes` is what comes over the line and
# counts an image once for each of its texts; what the shards take depends on the size to which images
# are brought.
#
# ## Choose
#
# Put the t here that you want. As it stands, it is the one of this run, or that of a tail share of 6%.

# %%
T = t_before or choosing.tails_table(counts, [0.06])["t"][0].as_py()
print(choosing.in_words(counts, T))

# %% [markdown]
# ## The command
#
# `--target` takes a number of pairs instead, and finds the t; give it with `--yield`, the share that
# you expect to download. `--online` cuts nothing and leaves the draw to the loader, anew in every epoch.

# %%
matches = run.curated.facts["matches"] if run.curated is not None else [str(run.folder / "matches")]
output = run.folder / f"curated-t{T:g}"
print("python jobs/balance.py", "--matches", *map(shlex.quote, matches), f"--t {T:.12g}",
      "--output", shlex.quote(str(output)))  # fmt: skip

# %% [markdown]
# If this folder was copied from elsewhere, the paths are of that place.
#
# ## What this assumes
#
# - Counts are fixed: that of an entry does not change with t. So a larger t keeps all that a smaller
#   one keeps, with the same seed.
# - The download comes after balancing. Links that are gone make the set smaller than the curve says,
#   and not evenly: where more links are dead, less is left.
# - No t is best for everything. What a t is worth, only training tells: see notebook 6.
