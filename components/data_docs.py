"""The Data Docs page of a day: one HTML file that needs nothing from the web.

It shows the row account, the quarantine by rule and the rendered expectations. It is published at
`docs/<day>/index.html` of the store, beside the artifacts, also when the day fails. Values of rows
are never shown, places are.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from components.artifacts import Store

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Data of {{ day }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #18794e; --bad: #c62a2f; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1.5rem; }
h1 { margin: 0; } h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; }
h5 { margin: 0; font-size: 1rem; } h6 { margin: 0; }
.lead { margin-top: .25rem; opacity: .8; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; } td.number, th.number { text-align: right; }
th.number, .name { white-space: nowrap; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.alert { background: var(--soft); border-radius: .4rem; padding: .4rem .6rem; margin-top: 1rem; }
.badge { background: var(--soft); border: 1px solid var(--line); border-radius: .3rem;
  padding: 0 .3rem; }
.verdict { font-weight: 600; } .passed, .text-success { color: var(--good); }
.failed, .text-danger { color: var(--bad); }
i.fas { font-style: normal; font-weight: 700; }
i.fa-check-circle::before { content: "\\2713  holds"; }
i.fa-times::before { content: "\\2717  fails"; }
i.fa-exclamation-triangle::before { content: "!  error"; }
td i.fas { white-space: nowrap; }
</style>
</head>
<body>
<h1>Data of {{ day }}</h1>
<p class="lead">
{% if reasons %}<span class="verdict failed">Refused.</span>
{% else %}<span class="verdict passed">Accepted.</span>{% endif %}
{{ "{:,}".format(account.rows_in) }} rows in, {{ "{:,}".format(account.accepted) }} accepted.</p>
{% if reasons %}<ul>{% for reason in reasons %}<li>{{ reason }}</li>{% endfor %}</ul>{% endif %}
<h2>Where every row went</h2>
<table>
<tr><th>rows</th><th class="number">number</th><th class="number">share</th></tr>
{% for name, label in labels %}
<tr><td>{{ label }}</td><td class="number">{{ "{:,}".format(account[name]) }}</td>
<td class="number">{{ "{:.2%}".format(account[name] / account.rows_in if account.rows_in else 0) }}
</td></tr>
{% endfor %}
</table>
<h2>Quarantine</h2>
{% if rules %}
<table>
<tr><th>rule</th><th class="number">rows</th><th>expected</th><th>for example</th></tr>
{% for rule in rules %}
<tr><td class="name">{{ rule.name }}</td><td class="number">{{ "{:,}".format(rule.count) }}</td>
<td>{{ rule.expected }}</td><td>{{ rule.places | join(", ") }}</td></tr>
{% endfor %}
</table>
{% else %}<p>No row broke a rule.</p>{% endif %}
<h2>Expectations</h2>
{% if sections %}
<p>{{ num_met }} of {{ num_expectations }} expectations of the accepted rows hold.</p>
{% for section in sections %}{{ section | safe }}{% endfor %}
{% else %}<p>Not checked: no row was accepted.</p>{% endif %}
</body>
</html>
"""

_LABELS = (
    ("rows_in", "in"),
    ("accepted", "accepted"),
    ("duplicate", "duplicate: removed, or merged into the row that they contradict"),
    ("quarantined", "quarantined: broke a rule"),
    ("late", "late: belong to an earlier day"),
)


@dataclass(frozen=True, kw_only=True)
class RuleReport:
    """One broken rule, without any value of a row."""

    name: str
    count: int
    expected: str
    places: Sequence[str]  # a few, as file:line


def path(day: datetime.date) -> str:
    """Returns where the page of a day lies below the root of the store."""
    return f"docs/{day}/index.html"


def publish(
    store: Store,
    day: datetime.date,
    *,
    account: Mapping[str, Any],
    rules: Sequence[RuleReport],
    checks: tuple[Sequence[Mapping[str, Any]], Sequence[str]],
    reasons: Sequence[str],
) -> str:
    """Writes the page of a day, replacing an earlier one, and returns its address.

    Args:
      store: Where to.
      day: The UTC day.
      account: rows_in, accepted, duplicate, quarantined, late.
      rules: The broken ones.
      checks: Results and HTML sections of `suites.check`.
      reasons: Why the day is refused; empty if it is not.
    """
    results, sections = checks
    environment = jinja2.Environment(autoescape=True)
    page = environment.from_string(_PAGE).render(
        day=day,
        account=account,
        labels=_LABELS,
        rules=rules,
        sections=sections,
        num_met=sum(result["success"] for result in results),
        num_expectations=len(results),
        reasons=reasons,
    )
    store.storage.replace(path(day), page.encode())
    return store.storage.uri(path(day))
