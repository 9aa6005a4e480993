"""The SQL of the product, as files: in the checkout, or inside the installed package."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlparse

ROLLBACK_SUFFIX = ".rollback"

MIGRATION_NAME = re.compile(r"(\d{4})_[a-z0-9_]+")
FUNCTION_NAME = re.compile(r"[a-z_][a-z0-9_]*")
CREATED_FUNCTION = re.compile(
    r"^create\s+(?:or\s+replace\s+)?(?:function|procedure|aggregate)\s+([^\s(]+)",
    re.IGNORECASE | re.MULTILINE,
)
BLANKS_AND_COMMENTS = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
TRANSACTION_CONTROL = re.compile(
    r"(?:abort|begin|commit|end|prepare\s+transaction|release|rollback|savepoint"
    r"|start\s+transaction)\b",
    re.IGNORECASE,
)


class SqlFilesError(Exception):
    """A file below db/ is missing, misplaced, or not what its name says."""


@dataclass(frozen=True)
class Statement:
    text: str
    start: int  # its offset in the file


@dataclass(frozen=True)
class SqlFile:
    """One file. Messages name it by its `label`, the path from `db` on."""

    name: str
    label: str
    path: Path
    text: str

    def statements(self) -> Iterator[Statement]:
        """The statements, each from its first word on."""
        offset = 0
        for text in sqlparse.split(self.text):
            offset = self.text.index(text, offset)
            comment = BLANKS_AND_COMMENTS.match(text)
            start = comment.end() if comment else 0
            if start < len(text):
                yield Statement(text[start:], offset + start)
            offset += len(text)

    def line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1


@dataclass(frozen=True)
class MigrationFile(SqlFile):
    rollback: SqlFile | None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class SqlFiles:
    """The tree `db/`: `migrations/NNNN_verb_noun.sql` and `functions/<area>/<function>.sql`."""

    root: Path

    @classmethod
    def find(cls) -> SqlFiles:
        package = Path(__file__).resolve().parents[1]
        for root in (package / "db", package.parent / "db"):
            if (root / "migrations").is_dir():
                return cls(root)
        raise SqlFilesError(f"pgwallet's SQL files are missing: expected them in {root}.")

    def migrations(self) -> list[MigrationFile]:
        """Every migration, in the order of the numbers."""
        files = {path.stem: self._read(path) for path in (self.root / "migrations").glob("*.sql")}
        numbers: dict[str, SqlFile] = {}
        migrations = []
        for name, file in sorted(files.items()):
            if name.endswith(ROLLBACK_SUFFIX):
                if name.removesuffix(ROLLBACK_SUFFIX) not in files:
                    raise SqlFilesError(f"{file.label} rolls back no migration.")
                continue
            if not (match := MIGRATION_NAME.fullmatch(name)):
                raise SqlFilesError(f"{file.label} must be named NNNN_verb_noun.sql.")
            if other := numbers.get(match[1]):
                raise SqlFilesError(f"{file.label} and {other.label} have the same number.")
            numbers[match[1]] = file
            rollback = files.get(name + ROLLBACK_SUFFIX)
            migrations.append(MigrationFile(name, file.label, file.path, file.text, rollback))
        return migrations

    def functions(self) -> list[SqlFile]:
        """Every function, by area and name. A file is named after the one function it holds."""
        functions: dict[str, SqlFile] = {}
        for path in sorted((self.root / "functions").glob("**/*.sql")):
            file = self._read(path)
            if len(path.relative_to(self.root).parts) != 3:
                raise SqlFilesError(f"{file.label} must be in functions/<area>/.")
            if not FUNCTION_NAME.fullmatch(file.name):
                raise SqlFilesError(f"{file.label} must be named like an SQL function.")
            created = CREATED_FUNCTION.findall(file.text)
            if created != [f"wallet.{file.name}"]:
                raise SqlFilesError(
                    f"{file.label} must create wallet.{file.name} and nothing else;"
                    f" it creates {', '.join(created) or 'no function'}."
                )
            if other := functions.get(file.name):
                raise SqlFilesError(f"{file.label} and {other.label} hold the same function.")
            functions[file.name] = file
        return list(functions.values())

    def _read(self, path: Path) -> SqlFile:
        label = f"{self.root.name}/{path.relative_to(self.root).as_posix()}"
        try:
            # Line ends are git's business: read as \n, they don't change a checksum.
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise SqlFilesError(f"{label} is not UTF-8 text.") from None
        file = SqlFile(path.stem, label, path, text)
        for statement in file.statements():
            if match := TRANSACTION_CONTROL.match(statement.text):
                line = file.line(statement.start)
                raise SqlFilesError(
                    f"{label}, line {line}: {match[0].lower()} is not allowed in a file:"
                    " they all run in one transaction."
                )
        return file
