"""What is known of prompts, that a bias or a vote is held against: shares of the first of two poles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from une_ray.corpora.avatar_concepts import CONCEPTS, frequencies
from une_ray.corpora.avatar_words import PROMPTS
from une_ray.corpora.labels import read_text_rows
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.spaces.hspace import KIND

AVATARS, VOTE = "avatars", "vote:"
FEWEST = 5  # prompts of known truth that a rank correlation is taken of

VOTERS = (
    "SELECT DISTINCT judge, space FROM prompt_votes WHERE pole_first = ? AND pole_second = ? ORDER BY ALL"
)
VOTES = """SELECT prompt, vote, steps, guidance_scale FROM prompt_votes
    WHERE judge = ? AND space = ? AND pole_first = ? AND pole_second = ?
    QUALIFY config = first(config) OVER (ORDER BY pictures DESC, steps DESC, guidance_scale,
        computed DESC NULLS LAST, config)"""


@dataclass(frozen=True)
class Truth:
    """`shares`: prompt → how often what it names goes with the first pole; `name` says where that is from."""

    name: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def hash(self) -> str | None:
        """None where nothing is known."""
        return results.config_hash([self.name, dict(self.shares)]) if self.shares else None


def known_truth(lake: Lake, truth: str | None, poles: tuple[str, str], space: str) -> Truth:
    """What `truth` says of prompts, to hold `space` against. Raises UneError for poles of which that is not
    known, votes that nobody has cast or several generators have, and a file that has no such columns."""
    if truth is None:
        return Truth()
    if truth.startswith(VOTE):
        return _votes(lake, truth.removeprefix(VOTE), poles, space)
    if truth == AVATARS:
        said = {pair: attribute for attribute, pair in PROMPTS.items()}
        if poles not in said:
            raise UneError(
                f"of the poles {' and '.join(map(repr, poles))} no avatar's attribute is known; take two such"
                " as 'a man|a woman' or 'a young person|an old person'"
            )
        return Truth(truth, frequencies(said[poles]))
    return Truth(truth, _read_shares(truth))


def _read_shares(path: str) -> dict[str, float]:
    """Prompt → frequency of a CSV or Parquet file. Raises UneError for what is no share, a prompt that comes
    again, and a file of none."""
    shares: dict[str, float] = {}
    for prompt, told in read_text_rows(path, ("prompt", "frequency")):
        try:
            share = float(told or "")
        except ValueError as error:
            raise UneError(f"{path}: the frequency of {prompt!r} is no number: {told!r}") from error
        if not 0 <= share <= 1:
            raise UneError(f"{path}: the frequency of {prompt!r} is {told}; it is a share, from 0 to 1")
        if (text := (prompt or "").strip()) in shares:
            raise UneError(f"{path} has {text!r} twice; a prompt has one frequency")
        shares[text] = share
    if not shares:
        raise UneError(f"{path} has no rows; a truth is rows of prompt and frequency")
    return shares


def too_few(truth: Truth, asked: Collection[str]) -> str | None:
    """Why no rank correlation is taken, where the truth is known of too few of the prompts; else None."""
    known = sum(text in truth.shares for text in asked)
    if known >= FEWEST:
        return None
    return (
        f"the truth is known of {known} of {len(asked)} prompts, too few for a rank correlation, which takes"
        f" {FEWEST}; avatars' are such as {next(iter(CONCEPTS))!r}"
    )


def _votes(lake: Lake, given: str, poles: Sequence[str], space: str) -> Truth:
    """Of `given`, JUDGE or JUDGE@SPACE. Without a space an h-space is held against its own generator's
    pictures, and a text tower against those of the one generator that drew any."""
    voters = lake.rows(VOTERS, list(poles))
    found = [(judge, of) for judge, of in voters if given in (judge, f"{judge}@{of}")]
    is_generator = (lake.fingerprint(space) or {}).get("method") == KIND.method
    if is_generator and any(given == judge for judge, _ in found):
        found = [(judge, of) for judge, of in found if of == space]
    if not found:
        cast = ", ".join(f"{VOTE}{judge}@{of}" for judge, of in voters)
        raise UneError(
            f"{lake.url} has no votes of {given!r} between {' and '.join(poles)} to hold {space} against; une"
            f" prompts vote {lake.url} --space MODEL/hspace --judge {given} casts them"
            + (f", or name --spaces, or one that was cast: {cast}" if cast else "")
        )
    if len(found) > 1:
        raise UneError(
            f"{given!r} has voted on pictures of {len(found)} generators, and {space} is none of them; say"
            f" which: {', '.join(f'{VOTE}{judge}@{of}' for judge, of in found)}"
        )
    judge, of = found[0]
    rows = lake.rows(VOTES, [judge, of, *poles])
    steps, guidance = rows[0][2:]
    name = f"{VOTE}{judge}@{of}, {steps} steps, guidance {guidance:g}"
    return Truth(name, {prompt: vote for prompt, vote, *_ in rows})
