"""One LaTeX document with every table and figure, to look at them. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.tables.table import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.tables.table import Table

HEAD = r"""\documentclass[10pt]{article}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{array}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage{siunitx}
\sisetup{group-minimum-digits=4, detect-all}
\newsavebox\fittedbox
\newcommand\fitted[1]{% nothing is broken: what is too large for a page is shrunk
  \sbox\fittedbox{#1}%
  \ifdim\wd\fittedbox>\linewidth
    \sbox\fittedbox{\resizebox{\linewidth}{!}{\usebox\fittedbox}}%
  \fi
  \ifdim\dimexpr\ht\fittedbox+\dp\fittedbox\relax>0.8\textheight
    \resizebox*{!}{0.8\textheight}{\usebox\fittedbox}%
  \else
    \usebox\fittedbox
  \fi}
\begin{document}
"""
TABLE = r"""\subsection*{{{0}}}
{1}\par\nopagebreak\medskip
{{\centering\scriptsize\setlength{{\tabcolsep}}{{3pt}}\fitted{{\input{{{0}}}}}\par}}
{{\scriptsize
{2}}}
"""
FIGURE = r"""\subsection*{{{0}}}
{1}\par\nopagebreak\medskip
{{\centering\fitted{{\includegraphics{{{0}.pdf}}}}\par}}
"""


def document(tables: Mapping[str, Table], figures: Mapping[str, str]) -> str:
    """Return a document that inputs all tables and figures, with their captions.

    Parameters
    ----------
    figures
        Name → caption.
    """
    parts = [HEAD]
    for name, table in tables.items():
        notes = "".join(rf"\par {escaped(note)}" + "\n" for note in table.notes)
        parts.append(TABLE.format(name, escaped(table.caption), notes))
    for name, caption in figures.items():
        parts.append(FIGURE.format(name, escaped(caption)))
    return "\n".join([*parts, "\\end{document}\n"])
