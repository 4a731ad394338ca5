"""The report: one HTML page that needs nothing else, with the front, the history and the table."""

from collections.abc import Sequence
from html import escape

from plotly.graph_objects import Figure

from nas_kd.intervals import not_told_apart
from nas_kd.report.card import html, html_table
from nas_kd.report.cards import cards
from nas_kd.report.figures import history_figure
from nas_kd.report.softened import softened, softened_figure
from nas_kd.report.summary import student_in_words
from nas_kd.report.terminal import percent
from nas_kd.spec.settings import as_text, heading
from nas_kd.study.view import StudyView, remark

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 1200px; margin: 2rem auto;
       padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.state { font-size: .8rem; font-weight: 400; padding: .1rem .5rem; border-radius: .6rem }
.good { background: #dcfce7 } .look-here { background: #fef9c3 } .bad { background: #fee2e2 }
.not-yet { background: #f3f4f6 }
table { border-collapse: collapse; width: 100%; font-size: 13px } th, td { padding: 3px 6px;
        text-align: right; border-bottom: 1px solid #e5e7eb; vertical-align: top }
th { overflow-wrap: normal } td.word, th.word, td.note { text-align: left }
td.number { white-space: nowrap }
tr.front { background: #f0fdf4 } tr.best { background: #dbeafe; font-weight: 600 }
code { background: #f3f4f6; padding: 1px 4px } small { color: #6b7280 }
pre { white-space: pre-wrap }
@media (max-width: 1000px) {
  thead { display: none } tr { display: grid; padding: .4rem 0; border-bottom: 1px solid #e5e7eb;
    grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)) }
  td { text-align: left; border: 0 } td.number { white-space: normal }
  td::before { content: attr(data-name) " "; color: #6b7280; font-weight: 400 }
}
"""

KL = "T^2 * KL(softmax(teacher / T) || softmax(student / T))"


def loss_of(knowledge: Sequence[str]) -> str:
    """The loss of a study with these knowledge terms, as a formula."""
    terms = " or ".join(map(terms_of, knowledge))
    soft = terms if len(knowledge) == 1 and " + " not in knowledge[0] else f"({terms})"
    return f"(1 - alpha) * CE(student, label) + alpha * {soft}, for each example, then the mean"


def terms_of(text: str) -> str:
    """A mixture as a formula, whose terms need not be registered here."""
    parts = []
    for part in text.split(" + "):
        factor, _, name = part.rpartition(" ")
        term = KL if name == "kl" else f"weight * {name}(student, teacher)"
        parts.append(f"{factor} * {term}" if factor else term)
    return " + ".join(parts)


def softened_teacher(view: StudyView) -> str:
    """The section of the teacher's answers, softened; empty where there are none."""
    examples = softened(view)
    if not examples:
        return ""
    return f"""<h2>What the teacher says, softened</h2>
<p><small>Its stored answers to {len(examples)} examples of the train split, from the least sure to
the surest: softmax(logits / T); what it said is noted where that is not the label.
{imitated(view)}</small></p>{drawn(softened_figure(examples))}"""


def imitated(view: StudyView) -> str:
    """What students do with the softened answers."""
    terms = {term.rpartition(" ")[2] for text in view.spec.knowledge for term in text.split(" + ")}
    layers = view.facts.get("layer_terms", [])
    some = f" {', '.join(layers)} compare layers, and not these answers." if layers else ""
    if len(layers) == len(terms):
        return some.strip()
    return f"A student imitates these at the temperature of its trial.{some}"


def trials(view: StudyView) -> str:
    """Every trial, the best first, the front marked."""
    on = {row.number for row in view.front}
    equal = not_told_apart(view.points, view.examples)
    best = view.pick("best").number
    costs = [view.cost] + [cost for cost in ("parameters", "macs") if cost != view.cost]
    settings = view.shown_settings
    head = ["trial", "student", f"{view.metric} %", *costs, *map(heading, settings), "fill",
            "seconds", "state"]  # fmt: skip
    rows = []
    for row in sorted(view.rows, key=lambda r: (-(r.accuracy or 0), r.costs[view.cost], r.number)):
        kind = "best" if row.number == best else "front" if row.number in on else ""
        apart = "not told apart from the best" if row.number in equal - {best} else ""
        note = "; ".join(filter(None, (row.state, remark(row), apart)))
        rows.append((kind, (
            str(row.number), row.config.name(),
            "" if row.accuracy is None else percent(row.accuracy),
            *(f"{row.costs[cost]:,}" for cost in costs),
            *(as_text(name, row.settings[name]) for name in settings), f"{row.fill:.1%}",
            "" if row.seconds is None else f"{row.seconds:.1f}",
            note,
        )))  # fmt: skip
    return html_table(head, rows)


def drawn(figure: Figure, plotly: bool = False) -> str:
    """A figure as HTML that follows the page's width, with plotly's own code if it is the first."""
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=plotly, config={"responsive": True}
    )
    return text


def looks(view: StudyView) -> str:
    """What was seen of the test split."""
    if not view.looks:
        return "No student was scored on the test split."
    times = "once" if view.looks == 1 else f"{view.looks} times, each seed counted"
    return f"Students were scored on the test split {times}."


def page(view: StudyView) -> str:
    """The whole page. Raises UnusableStudy before the first completed trial."""
    best = view.pick("best")
    said = cards(view)
    first = next(card.name for card in said if card.figure)
    drawn_cards = "".join(
        html(card) + (drawn(card.figure, plotly=card.name == first) if card.figure else "")
        for card in said
    )
    bounds = " and ".join(f"{bound:,.0f} {cost}" for cost, bound in view.facts["budgets"])
    name = escape(view.folder.root.name)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head><body>
<h1>{name}</h1>
<small>{escape(view.facts["data"]["name"])}, at most {escape(bounds)}, {len(view.rows)} trials of
{view.epochs} epochs, seed {escape(str(view.spec.seed))}</small>
<p>Best student: trial {best.number}, {escape(student_in_words(best))}. It was chosen on the
validation examples, so its accuracy there leans upward. {looks(view)}</p>
<p>{escape(str(view.facts.get("teaching") or ""))}</p>
{drawn_cards}
<h2>History</h2>{drawn(history_figure(view))}
<h2>Trials</h2><p><small>Blue: the best. Green: on the front.</small></p>{trials(view)}
{softened_teacher(view)}
<h2>The loss</h2><p><code>{escape(loss_of(view.spec.knowledge))}</code></p>
<h2>The spec</h2><pre>{escape(view.spec.to_toml())}</pre>
</body></html>
"""
