"""The front door: a lake in Python, to be read and kept; what it can be asked is in `questions`. Every
command of `une` is one call of these and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from une_ray.arguments import checked, of_their_kinds
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.lake import layout
from une_ray.questions import Questions, cluster_of, names_of
from une_ray.space import Space

if TYPE_CHECKING:
    import duckdb
    from PIL import Image

    from une_ray.corpora.base import Corpus
    from une_ray.lake.compact import Compacted
    from une_ray.lake.importing import Imported
    from une_ray.lake.status import Status


@checked
def open(url: str | Path, /, *others: str | Path, **named: str | Path) -> Lake:
    """The lake at `url`. Others are read beside it in the same SQL: `others` as schemas b, c, …, `named`
    under their names.

    `une_ray.open("new", old="before").sql("SELECT * FROM best_probes JOIN old.best_probes USING
    (space, attribute, split_seed)")`. Raises UneError where there is no lake.
    """
    lake = Lake(absolute(str(url))).existing()
    beside = {chr(ord("b") + i): other for i, other in enumerate(others)} | named
    for name, other in beside.items():
        from une_ray.lake.session import attach

        lake.beside[name] = layout.Lake(absolute(str(other)))
        attach(lake.session, lake.beside[name], name)
    return lake


@checked
def build(
    corpus: str,
    spaces: str | Sequence[str],
    lake: str | Path,
    *,
    shard_size: int | None = None,
    dtype: str | None = None,
    vae_dtype: str | None = None,
    compile: str | None = None,
    address: str | None = None,
    actors: int | None = None,
    gpus: float | None = None,
    place: Mapping[str, Mapping[str, str]] | None = None,
) -> Lake:
    """Invert and embed a corpus into a lake, and open it. Does only what is missing; kill it and call it
    again as you like.

    `corpus` and `spaces` are named as for `une build`. Raises UneError for whatever the caller can mend.
    """
    from une_ray.run.build import build as run
    from une_ray.spaces.execution import Execution

    names = names_of(spaces)
    if not names:
        raise UneError("spaces is empty; name at least one, as in mini-dino")
    execution = Execution(dtype=dtype, vae_dtype=vae_dtype, compile=compile)
    run(str(lake), corpus, names, shard_size, execution, cluster_of(address, actors, gpus), place or {})
    return open(lake)


@of_their_kinds
class Lake(Questions):
    """A lake and all that can be asked of it. `open` and `build` give one."""

    def sql(self, query: str | duckdb.Statement, parameters: Any = None) -> duckdb.DuckDBPyRelation:
        """What a query gives, as DuckDB's relation: `.df()`, `.pl()`, `.to_arrow_table()`, `.fetchall()`.

        Raises UneError for SQL that DuckDB can't plan, and for an empty text. The relation is DuckDB's own:
        what only its rows show, as a space or an attribute that `nearest` or `direction` does not know, it
        raises as `duckdb.Error` when they are fetched."""
        from une_ray.lake.session import as_une_error

        if query is None or (isinstance(query, str) and not query.strip()):
            raise UneError(f"the query is {query!r}; a first one is 'FROM counts'")
        with as_une_error():
            return self.session.sql(query, params=parameters)

    @property
    def spaces(self) -> dict[str, str]:
        """Every space's name and its role, "model" or "control", in the order of names."""
        return dict(self.rows("SELECT space, role FROM spaces ORDER BY space"))

    def space(self, name: str) -> Space:
        """One space. Raises UneError for one that the lake has not, with those that it has."""
        if name not in self.fingerprints():
            raise unknown("space", name, self.fingerprints())
        return Space(self, name)

    def report(self, out: str | Path | None = None) -> Path:
        """Draw one self-contained page of what the lake holds; returns its path."""
        from une_ray.report.page import write

        return write(self, None if out is None else Path(out))

    def status(self) -> Status:
        """How far the lake is, how fast it came, and who is building."""
        from une_ray.lake.status import status

        return status(self)

    def compact(self, size_mb: int = 256, grace: float = 60.0, address: str | None = None) -> list[Compacted]:
        """Merge the files of shards into ones of about `size_mb`, here or on the nodes of the Ray at
        `address`. See `une_ray.lake.compact.compact`."""
        from une_ray.lake.compact import compact, here
        from une_ray.run.cluster import Cluster
        from une_ray.run.merging import on_cluster

        spread = on_cluster(Cluster(address)) if address else here
        return list(compact(self, size_mb << 20, grace, spread=spread))

    def verify(self, recompute: int = 0) -> list[str]:
        """Every promise of the lake, checked: lines of what holds. With `recompute`, so many items of every
        space are also read again and compared. Raises UneError naming the first promise that does not hold.
        """
        from une_ray.lake.verify import verify

        lines = list(verify(self))
        if recompute:
            from une_ray.run.recompute import recompute as again

            lines += again(self, recompute)
        return lines

    def import_space(
        self,
        name: str,
        source: str | Path,
        model: str,
        ids: str | Path | None = None,
        column: str | None = None,
        id_column: str | None = None,
    ) -> Imported:
        """Make vectors that you have already a space: see `une_ray.lake.importing.import_space`."""
        from une_ray.lake.importing import import_space

        return import_space(self, name, source, model, ids, column, id_column)

    def rename_space(self, name: str, to: str) -> None:
        """Give a space another name, and with it all that was computed from it. Killed, the same call goes
        on."""
        from une_ray.lake.renaming import rename_space

        rename_space(self, name, to)

    def remove_space(self, name: str) -> None:
        """Remove a space and all that was computed from it. Killed, the same call goes on."""
        from une_ray.lake.renaming import remove_space

        remove_space(self, name)

    @cached_property
    def corpus(self) -> Corpus:
        """Where the lake's pictures come from."""
        from une_ray.corpora import open_corpus

        return open_corpus(self.manifest["corpus"])

    def picture(self, image_id: str) -> Image.Image:
        """The picture of an image, from its corpus; accents of its id may be composed or apart. Raises
        UneError for an id that the lake has not, and for a picture that can't be read."""
        from une_ray.pictures.decode import Reject, decode

        query = "SELECT source FROM images WHERE {0}image_id) = {0}?)"
        rows = self.rows(query.format("("), [image_id]) or self.rows(
            query.format("nfc_normalize("), [image_id]
        )
        if len(rows) != 1:
            raise UneError(f"no image {image_id!r} in {self.url}; its ids look like {self._an_id()!r}")
        try:
            return decode(self.corpus.read(rows[0][0]))
        except (OSError, Reject) as error:
            raise UneError(f"the picture of {image_id!r} can't be read: {error}") from error

    def contact_sheet(self, query: str, columns: int = 8) -> Image.Image:
        """The pictures of a query's `image_id`s on one sheet; its other columns are what stands below
        each. Raises UneError for a faulty query, for one whose rows have no `image_id`, and for a picture
        that can't be read: `WHERE status = 'ok'` leaves rejects out."""
        from une_ray.lake.session import as_une_error
        from une_ray.report.pictures import contact_sheet

        with as_une_error():
            found = self.sql(query)
            rows = found.to_arrow_table().to_pylist() if found is not None else []  # a statement without rows
        if not rows or "image_id" not in rows[0]:
            raise UneError(
                f"the query of a contact sheet gives rows with an image_id; {query!r} gives"
                f" {f'{len(rows)} without' if rows else 'no rows'}"
            )
        captions = [
            ", ".join(_caption(name, row[name]) for name in row if name != "image_id") for row in rows
        ]
        return contact_sheet([self.picture(row["image_id"]) for row in rows], captions, columns)

    def _an_id(self) -> str | None:
        rows = self.rows("SELECT image_id FROM images ORDER BY status IS DISTINCT FROM 'ok' LIMIT 1")
        return rows[0][0] if rows else None

    def _repr_html_(self) -> str:
        """What a notebook shows: corpus, items, spaces with their roles, and the studies that were done."""
        from une_ray.report.card import lake_html

        return lake_html(self)


def _caption(name: str, value: object) -> str:
    """A word says itself what it is; a number stands behind its column's name."""
    if isinstance(value, str):
        return value
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
