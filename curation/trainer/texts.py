"""Texts encoded by length: most of a padded text is padding, and a causal tower need not see it."""

import torch
from open_clip import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer, text_global_pool
from torch.nn.functional import normalize

_LENGTHS = (16, 32)  # texts up to so many tokens are encoded together; longer ones at full length


def groups_apply(module: torch.nn.Module) -> bool:
    """Say whether texts may be cut behind their end-of-text token without changing their features.

    So it is when no token sees a later one and the feature is read at the end of the text. CLIPA's and
    SigLIP's towers look both ways and read the last position, others come from other libraries: never cut.

    Args:
        module: an open_clip model.
    """
    tower = text_tower(module)
    if type(module) not in (CLIP, CustomTextCLIP) or not isinstance(tower, CLIP | TextTransformer):
        return False
    reads_the_end = _pooling(tower)[0] in ("argmax", "eos")
    has_class_token = getattr(tower, "cls_emb", None) is not None
    return reads_the_end and tower.attn_mask is not None and not has_class_token


def encode_texts(module: torch.nn.Module, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Encode texts, each in the company of texts of about its length where `groups_apply`.

    The features are those of `module.encode_text` on the padded texts, up to rounding.

    Args:
        module: an open_clip model.
        tokens: int64 (m, context), padded behind the end-of-text token, on the module's device.
        lengths: int (m), tokens up to and including end-of-text, on the CPU so that no device waits.

    Returns:
        float32 (m, d) of length 1, in the order given.
    """
    if not groups_apply(module):
        return normalize(module.encode_text(tokens).float(), dim=-1)
    groups = _groups(lengths, context=tokens.shape[1])
    features = torch.cat(
        [
            _encode(text_tower(module), tokens[:, :length].index_select(0, _to(members, tokens.device)))
            for length, members in groups
        ]
    )
    places = torch.cat([members for _, members in groups]).argsort()
    return normalize(features.float(), dim=-1).index_select(0, _to(places, tokens.device))


def text_tower(module: torch.nn.Module) -> torch.nn.Module:
    """Find the module whose attributes are the text tower's: open_clip's `CLIP` is its own."""
    return module if isinstance(module, CLIP) else module.text


def _groups(lengths: torch.Tensor, *, context: int) -> list[tuple[int, torch.Tensor]]:
    """Return (length to encode at, indices of the texts) of every group that has texts."""
    group_of = torch.bucketize(lengths, torch.tensor(_LENGTHS))
    groups = [
        (length, (group_of == group).nonzero()[:, 0]) for group, length in enumerate((*_LENGTHS, context))
    ]
    return [(length, members) for length, members in groups if len(members)]


def _encode(tower: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Do as the tower's own forward, which refuses texts shorter than its context."""
    length = tokens.shape[1]
    dtype = tower.transformer.get_cast_dtype()
    embedded = tower.token_embedding(tokens).to(dtype) + tower.positional_embedding[:length].to(dtype)
    seen = tower.ln_final(tower.transformer(embedded, attn_mask=tower.attn_mask[:length, :length]))
    pool_type, end = _pooling(tower)
    pooled = text_global_pool(seen, tokens, pool_type, eos_token_id=end)
    if tower.text_projection is None:
        return pooled
    if isinstance(tower.text_projection, torch.nn.Linear):
        return tower.text_projection(pooled)
    return pooled @ tower.text_projection


def _pooling(tower: torch.nn.Module) -> tuple[str, int]:
    if isinstance(tower, CLIP):
        return tower.text_pool_type, tower.text_eos_id
    return tower.pool_type, tower.eos_id


def _to(indices: torch.Tensor, device: torch.device) -> torch.Tensor:
    return indices.to(device, non_blocking=True)
