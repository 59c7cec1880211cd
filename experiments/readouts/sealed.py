"""A document that is sealed as canonical JSON: what every kind of readout has in common."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from experiments.forms.documents import canonical_json, sha256_of
from experiments.readouts.readout import Part


class Sealed(Part):
    """Values with a schema and a seal: ``sha256`` is over the canonical JSON of everything else."""

    SCHEMA: ClassVar[str]
    schema_: str

    def body(self) -> dict[str, Any]:
        """Everything as JSON values, without the seal."""
        values = self.model_dump(mode="json")
        values["schema"] = values.pop("schema_")
        return values

    @property
    def sha256(self) -> str:
        return sha256_of(self.body())

    def document(self) -> dict[str, Any]:
        """The machine form: the body and its SHA-256."""
        return {**self.body(), "sha256": self.sha256}

    def canonical(self) -> str:
        return canonical_json(self.document())

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        """The values from their machine form.

        Raises:
            ValueError: the seal does not match the content, or the schema is not this one.
        """
        values = dict(document)
        sealed = values.pop("sha256", None)
        if values.get("schema") != cls.SCHEMA:
            raise ValueError(
                f"schema: {values.get('schema')!r} is not allowed; this version reads {cls.SCHEMA}"
            )
        values["schema_"] = values.pop("schema")
        readout = cls.model_validate(values)
        if readout.sha256 != sealed:
            raise ValueError(
                "sha256: the seal does not match the content; the document was changed after sealing"
            )
        return readout
