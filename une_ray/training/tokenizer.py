"""A small CLIP tokenizer: byte-level BPE of the corpus' captions, `!` at id 0, start and end tokens last."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from transformers import CLIPTokenizer

MERGES = 1200
END_OF_TEXT = "<|endoftext|>"


def bytes_to_unicode() -> list[str]:
    """CLIP's printable stand-ins for the 256 bytes (Radford et al. 2019), in its order: `!` comes first."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    rest = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(rest))]


def merges_of(captions: list[str], limit: int) -> list[tuple[str, str]]:
    """Byte-pair merges by frequency (Sennrich et al. 2016), words ended by `</w>` as CLIP does."""
    words = Counter(
        word
        for caption in captions
        for word in caption.lower().replace(",", " , ").replace(":", " : ").split()
    )
    pieces = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < limit:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(pieces[word], pieces[word][1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, parts in pieces.items():
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == best:
                    joined[-1] += part
                else:
                    joined.append(part)
            pieces[word] = joined
    return merges


def build(
    captions: list[str], folder: Path, limit: int = MERGES, pad_token: str = END_OF_TEXT
) -> CLIPTokenizer:
    """Write `vocab.json` and `merges.txt` into `folder` and return the tokenizer.

    It pads with end-of-text, as Stable Diffusion 1.x does, or with "!" (id 0), as open_clip and Stable
    Diffusion 2.x do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = bytes_to_unicode()
    merges = merges_of(captions, limit)
    tokens = [
        *alphabet,
        *(c + "</w>" for c in alphabet),
        *("".join(m) for m in merges),
        "<|startoftext|>",
        END_OF_TEXT,
    ]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77, pad_token=pad_token)
