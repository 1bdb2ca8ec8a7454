# SPDX-License-Identifier: Apache-2.0
"""The style of the page of an archive's health: on screens, phones and paper, light and dark. Pure."""

from __future__ import annotations

import hashlib
from base64 import b64encode

#: A mark and a word for each status of a night, the worst first: no status is shown by its colour alone.
NIGHT_STATUSES = {
    "unreadable": ("!", "manifest can't be read"),
    "failed": ("!", "failed"),
    "gap": ("∅", "gap"),
    "not_attempted": ("?", "not attempted"),
    "given_up": ("×", "given up"),
    "pending": ("…", "pending"),
    "archived": ("✓", "archived"),
    "not_eligible": ("–", "not eligible"),
    "erased": ("e", "erased"),
    "none": ("·", "no sessions"),
}

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --box: #f6f8fa; --link: #0550ae;
  --good: #116329; --good-box: #dafbe1; --wait: #7a4100; --wait-box: #fff3d6; --bad: #a40e26; --bad-box: #ffe1e4;
  --archived: #a6dfb4; --pending: #ffd980; --given_up: #d9c2f0; --failed: #ffb3ab; --not_eligible: #dfe3e8;
  --stripe: rgba(0, 0, 0, .14);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #10151b; --text: #e6edf3; --quiet: #9da7b3; --line: #3a434e; --box: #19202a; --link: #79b8ff;
    --good: #6fdd8b; --good-box: #10301c; --wait: #f2c260; --wait-box: #35270b; --bad: #ff9d94; --bad-box: #43181b;
    --archived: #1c5c31; --pending: #6b4e0a; --given_up: #53367a; --failed: #822a27; --not_eligible: #333c47;
    --stripe: rgba(255, 255, 255, .16);
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem clamp(.75rem, 3vw, 2rem) 3rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
.place { overflow-wrap: anywhere; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip:not(:focus) { position: absolute; left: -99rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: .5rem 0; padding: 0; }
[aria-current="page"] { font-weight: 600; color: var(--text); text-decoration: none; }
.verdict { margin: 1rem 0; padding: .75rem 1rem; border-left: .4rem solid; border-radius: .25rem; }
.verdict h2 { margin: 0; font-size: 1.4rem; }
.verdict ul { margin: .5rem 0 0; padding-left: 1.25rem; }
.verdict li { margin: .35rem 0; overflow-wrap: anywhere; color: var(--text); }
.verdict p { color: var(--text); }
.good { background: var(--good-box); color: var(--good); }
.wait { background: var(--wait-box); color: var(--wait); }
.bad { background: var(--bad-box); color: var(--bad); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2.5rem; }
.bar { display: block; width: 100%; height: 2rem; border: 1px solid var(--line); border-radius: .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; min-width: 3.8rem; }
th[scope="row"] { font-weight: normal; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; padding-right: .75rem; }
.key { display: inline-block; width: 1.5rem; margin-right: .5rem; text-align: center; border-radius: .2rem; }
.months { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1.25rem; }
.month { table-layout: fixed; align-self: start; border-collapse: separate; border-spacing: 2px; }
.month caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
.month th, .month td { padding: 0; min-width: 0; border: 0; text-align: center; font-size: .8rem; }
.month th { color: var(--quiet); font-weight: normal; }
.day { border-radius: .2rem; }
.day > * { display: block; padding: .15rem 0; color: var(--text); text-decoration: none; line-height: 1.2; }
.day a { text-decoration: underline; }
.day b { display: block; font-weight: 700; }
.day[aria-current], .day:target { outline: 3px solid var(--link); }
.s-archived { background-color: var(--archived); }
.s-not_eligible, .s-none, .s-erased { background-color: var(--not_eligible); }
.s-pending { background-color: var(--pending); }
.s-given_up { background-color: var(--given_up); }
.s-failed, .s-not_attempted, .s-unreadable { background-color: var(--failed); }
.s-gap { background-color: var(--paper); box-shadow: inset 0 0 0 2px var(--bad); }
.s-pending { background-image: repeating-linear-gradient(90deg, var(--stripe) 0 1px, transparent 1px 6px); }
.s-given_up { background-image: repeating-linear-gradient(0deg, var(--stripe) 0 1px, transparent 1px 5px); }
.s-failed, .s-not_attempted, .s-unreadable, .s-gap {
  background-image: repeating-linear-gradient(45deg, var(--stripe) 0 3px, transparent 3px 8px); }
rect.s-archived { fill: var(--archived); }
rect.s-not_eligible, rect.s-erased { fill: var(--not_eligible); }
rect.s-pending { fill: var(--pending); }
rect.s-given_up { fill: var(--given_up); }
rect.s-failed, rect.s-not_attempted { fill: var(--failed); }
.pattern { stroke: var(--text); stroke-opacity: .45; }
summary { cursor: pointer; font-weight: 600; margin-top: 2rem; }
@media (max-width: 40rem) {
  td, th { font-size: .8rem; }
  .items .id { display: inline-block; max-width: 9rem; }
}
@media print {
  :root {
    --paper: #fff; --text: #000; --quiet: #333; --line: #999; --link: #000;
    --good: #000; --wait: #000; --bad: #000; --good-box: #fff; --wait-box: #fff; --bad-box: #fff;
    --archived: #d9f0df; --pending: #ffeab8; --given_up: #e8dcf5; --failed: #ffd0cc; --not_eligible: #eee;
    --stripe: rgba(0, 0, 0, .25); color-scheme: light;
  }
  body { font-size: 10pt; }
  main { padding: 0; max-width: none; }
  nav, .skip { display: none; }
  .day, .key, .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .month, tr, .verdict { break-inside: avoid; }
  .months { grid-template-columns: repeat(4, 1fr); }
}
"""

#: What a browser may load for the page: its own style, and nothing else.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
