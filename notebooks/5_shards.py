# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. Shards
#
# The data set as a trainer gets it: images with their texts, why they were kept, how large they are, what
# could not be had, and what is there twice.
#
# The one parameter is the folder of a run that has `shards` in it. Of these, a few are enough to look at
# (`NNNNN.tar`, `NNNNN.parquet` and `NNNNN_stats.json`), with `_run.json`, `profile` and `duplicates`
# beside them, and `curated/counts` to say why a pair was kept.
#
# **What you will see comes from the web.** Texts are shown as text, whatever markup they hold, and images
# are decoded apart with the downloader's bounds, made small and drawn anew. What is *in* them nobody has
# looked at: there may be things among them that you do not want to see.

# %%
import os

from IPython.display import display

from curation.report.card.gallery import choose_samples
from curation.report.charts import images, populations, theme
from curation.report.looking import look_alikes
from curation.report.notebook import gallery, listing, optional, side_by_side
from curation.report.tables import Run

# %% tags=["parameters"]
WORK = os.environ.get("WORK", "../demo/work")

# %%
SAMPLES = 12  # images to look at
PAIRS = 4  # of images that look alike

# %%
theme.use_in_notebook()  # pictures without a network; renderer="html" gives some that answer the mouse
run = Run.open(WORK)
shards = run.need("shards")
folder = shards.folder
print(f"{shards.facts['images']:,} images in {shards.facts['shards']:,} shards, {shards.rows['out']:,} pairs")

# %% [markdown]
# ## What could be had
#
# Links die, and they do not die evenly: what is missing here is missing from some sites and subjects more
# than from others. `opted_out` are images whose server objects, `failed_to_resize` what came but is no
# picture or not one to keep.

# %%
display(images.statuses(shards))
display(images.errors(shards))
with optional():
    display(listing(images.failing_hosts_table(run.profile("shards"))))

# %% [markdown]
# If many failed with `timeout` or `dns_error`, it may be your line and not the web:
# `jobs/download.py --retry-failed` fetches those again.
#
# ## Sizes and shapes
#
# These are of the images as they came, those that were no good included where their size was known.

# %%
with optional():
    display(images.sizes(run.profile("shards")))
with optional():
    display(images.aspect_ratios(run.profile("shards")))
with optional():
    display(images.sizes_in_bytes(run.profile("shards")))

# %% [markdown]
# ## Texts of an image
#
# One image may be linked with many texts. The first is the caption of the sample; all of them are in
# its JSON.

# %%
with optional():
    display(images.texts_per_image(run.profile("shards")))

# %% [markdown]
# ## Images, their texts, and why they were kept
#
# Half are of the head and half of the tail, spread over their entries, without any choice of ours.
# Beneath each text are the entries in it, the rarest first, with the probability that each gives. The
# text is kept with probability 1 - ∏(1 - those). A single 1 is enough: then the text holds an entry of
# the tail.
#
# Ask yourself: does the text say what is in the picture? Is it written by a person? Would a model learn
# something from the two together?

# %%
with optional():
    run.need("curated")
    display(gallery(folder, choose_samples(folder, run.counts(), SAMPLES)))

# %% [markdown]
# ## Images that are there twice
#
# Images of the same bytes, and images whose perceptual hashes differ in few bits. They are marked in
# `shards/duplicates`, not removed: different texts of one picture can both be worth having. But what is
# there a thousand times (a logo, a placeholder) the model learns by heart.

# %%
display(images.duplicates(shards))
with optional():
    duplicates = run.duplicates()
    display(listing(images.distances_table(duplicates)))
    pairs = look_alikes(folder, duplicates, PAIRS, shard_size=shards.config["shard_size"])
    display(side_by_side(folder, pairs))

# %% [markdown]
# From the nearest to the furthest. The furthest tell whether the bound is well chosen: if they are
# different pictures, what is called a look-alike here is often chance.
#
# ## What servers say
#
# There is something to see only where `download` ran with `--opt-outs record`.

# %%
with optional():
    display(populations.opt_outs({"shards": run.profile("shards")}))

# %% [markdown]
# ## What this assumes
#
# - Samples come from at most four of the shards that are in the folder, evenly spread over them.
# - Entries are found anew in the texts, since shards do not hold them. With several lists, the language
#   of a text is told anew as well, and may differ from what it was.
# - A perceptual hash sees shapes in grey, not subjects: drawings, logos and flat pictures look alike
#   sooner than photographs.
