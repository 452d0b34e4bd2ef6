# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. The vocabulary
#
# A vocabulary is the list of entries that texts are held against. What is not in it is invisible: a text
# that holds no entry is dropped, however good it is. So it pays to know what is in there, where it comes
# from, and what of it can never match anything.
#
# The one parameter is the folder of a run: the one that has `matches` in it. Only small tables are
# read, so a folder that was copied from a cluster without its pairs will do (`matches/vocabulary`,
# `matches/counts` and `matches/_run.json`).

# %%
import os

from IPython.display import display

from curation.report.charts import theme, vocabulary
from curation.report.notebook import listing, optional
from curation.report.tables import Run

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
run = Run.open(WORK)
entries, counts = run.vocabulary(), run.counts()

# %% [markdown]
# ## Where entries come from
#
# Each source is asked in turn and adds what those before it did not have. An entry that several sources
# know is counted once, for the first. MetaCLIP's own vocabulary has four sources: WordNet's synsets
# (86,654), the unigrams (251,465), the bigrams (100,646) and the titles (61,235) of the English
# Wikipedia.

# %%
display(vocabulary.sources(entries))
display(listing(vocabulary.sources_table(entries, counts)))

# %% [markdown]
# `entries` counts all that a source knows, `added` what it knew first, `shared` what others know too.
# The rest says what came of them in this run's pool: `matched` at least one pair, `unmatched` none
# although some text could hold it, `impossible` see below.
#
# ## What sources share
#
# A row says: of the entries of this source, so many are also known to that one. Dark squares off the
# diagonal are sources that say the same thing twice.

# %%
display(vocabulary.overlaps(entries))

# %% [markdown]
# ## What is in it
#
# Long entries are rare in texts. A vocabulary of long titles matches little; one of single common words
# matches everything, and balancing then has to undo that.

# %%
display(vocabulary.words(entries))
display(listing(vocabulary.examples_table(entries, counts)))

# %% [markdown]
# The examples are evenly spread over the order of the vocabulary, without any choice of ours. Entries
# stand between bars.
#
# ## What never matches
#
# Two things are easily confused. An entry that *did not* match is missing from this pool, and a larger
# pool may have it: MetaCLIP reports 114,000 of its 500,000 entries without a match in 1.6 billion
# pairs. An entry that *cannot* match is lost for good: matching puts spaces round `, . ; : ? !` in
# texts, so `St. Louis`, which has none round its full stop, is nowhere to be found. If many are lost
# this way, build the vocabulary with `jobs/build_vocabulary.py --space-entries`.

# %%
display(vocabulary.never_matched(entries, counts))

# %% [markdown]
# ## By language
#
# With several lists, each text is held against the list of its own language.

# %%
with optional():
    by_language = counts.group_by("language").aggregate([("entry_id", "count"), ("count", "sum")])
    display(listing(by_language.rename_columns(["language", "entries", "matches"])))

# %% [markdown]
# ## What this assumes
#
# - The counts are of this pool. "Never matched" says something about the pool as much as about the
#   vocabulary.
# - An entry counts for every source that names it. Vocabularies from a plain text file name none.
# - "Can never match" is told from the rules of word boundaries. Lists in languages without spaces are
#   matched otherwise, and all their entries can.
