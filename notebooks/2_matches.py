# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Matches
#
# How a pool is distributed over the vocabulary. On the web a few words are everywhere and most things are
# rare; this is what balancing is for, and the pictures here say how much of it there is to do.
#
# The one parameter is the folder of a run. Pairs are not needed: counts, records and profiles are enough.

# %%
import os

from IPython.display import display

from curation.report.charts import balancing, entries, funnel, populations, theme
from curation.report.notebook import listing, optional
from curation.report.tables import Run, languages_of, of_language

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
run = Run.open(WORK)
language = languages_of(run.counts())[0]
counts = of_language(run.counts(), language)
before = counts.select(["language", "entry_id", "entry", "count"])

# %% [markdown]
# With several lists, the pictures of entries are of the first one: English where it is there, else that
# with the most matches. Set `language` above to see another.
#
# ## What came through
#
# Everything that was dropped has a reason. A pair that matches nothing is dropped by `match`: MetaCLIP
# loses about half of its pairs here. Far more than that says that the vocabulary is in another
# language, or in another spelling, than the texts.

# %%
display(funnel.funnel(run.records()))
display(funnel.reasons(run.records()))
display(listing(funnel.funnel_table(run.records())))

# %% [markdown]
# ## Counts by rank
#
# Entries stand in the order of their counts, the heaviest first, and both axes are logarithmic. A
# straight line is Zipf's law. What matters is how steep it is: the steeper, the more of the matches
# belong to a few entries.

# %%
display(balancing.rank_counts(before))

# %% [markdown]
# ## Who holds the matches
#
# Both lines say what lies *below* a count: the upper one how many of the entries that match, the lower
# one what share of the matches. Where they are furthest apart, nearly all entries hold next to nothing
# together. In MetaCLIP's pool 3% of the entries hold 94.5% of the matches.

# %%
display(balancing.cumulative_share(before))
display(entries.octaves(before))

# %% [markdown]
# ## The heaviest entries
#
# Look for words that say nothing about a picture ("image", "photo", "free download", the name of one
# shop). They are no mistake of matching. They are why there is a t.

# %%
display(entries.heaviest(before, rows=30))

# %% [markdown]
# ## The rarest
#
# These are what a larger pool finds more of. Where many have the same count, the first in the
# vocabulary are shown.

# %%
display(listing(entries.rarest_table(before, rows=30)))

# %% [markdown]
# ## What texts are like
#
# The lines compare steps. Matching prefers longer texts, for they have more chances to hold an entry, and
# drops the languages that the vocabulary does not speak.

# %%
with optional():
    display(populations.text_lengths(run.profiles()))
with optional():
    display(populations.entries_per_text(run.profiles()))
with optional():
    display(populations.text_sources(run.profiles()))
with optional():
    display(populations.languages(run.profiles()))

# %% [markdown]
# ## Whose pictures they are
#
# If a handful of hosts hold most of the pool, the data set is a picture of these hosts. Balancing is by
# words, and evens this out only by chance.

# %%
with optional():
    display(populations.hosts(run.profiles()))
with optional():
    display(populations.host_concentration(run.profiles()))

# %% [markdown]
# ## What owners say
#
# There is something to see only where `extract` ran with `--opt-outs record`. Otherwise pages that object
# were left out, and are counted among the reasons above as `opted_out`.

# %%
with optional():
    display(populations.opt_outs(run.profiles()))

# %% [markdown]
# ## What this assumes
#
# - An entry is counted once for each text, however often it occurs there.
# - The line of the ranks is drawn through some of them: the hundred heaviest and four hundred others.
#   Those that are drawn are exact.
# - Profiles name the thousand heaviest hosts; of the others only their sum is known.
