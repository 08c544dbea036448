"""Regenerate the committed tables: ``python -m results.tables``."""

from results.tables.files import write

if __name__ == "__main__":
    for path in write():
        print(path)
