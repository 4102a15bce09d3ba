/** The report's look: one column, light or dark as the reader's system is, readable on a phone and on paper. */
export const STYLE = /* css */ `
:root {
  color-scheme: light dark;
  --page: #fcfcfb; --card: #ffffff; --ink: #0b0b0b; --muted: #5c5b57; --grid: #e4e3df;
  --line-1: #2a78d6; --line-2: #eb6834; --line-3: #1baf7a; --line-4: #eda100;
  --line-5: #e87ba4; --line-6: #008300; --line-7: #4a3aa7; --line-8: #e34948;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #1a1a19; --card: #232322; --ink: #ffffff; --muted: #b4b2aa; --grid: #3a3a37;
    --line-1: #3987e5; --line-2: #d95926; --line-3: #199e70; --line-4: #c98500;
    --line-5: #d55181; --line-6: #2c9a2c; --line-7: #9085e9; --line-8: #e66767;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 16px; }
p { margin: 4px 0 0; color: var(--muted); overflow-wrap: anywhere; }
.status { display: inline-block; padding: 1px 10px; border: 1px solid currentColor; border-radius: 999px; font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px; margin: 20px 0; }
.tile, section { background: var(--card); border: 1px solid var(--grid); border-radius: 10px; }
.tile { padding: 12px 14px; }
.tile b { display: block; font-size: 22px; font-weight: 600; line-height: 1.3; }
.tile span { color: var(--muted); font-size: 13px; }
section { padding: 16px 18px; margin: 12px 0; min-width: 0; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; margin: 12px 0; }
.row section { margin: 0; }
.scroll { overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; margin-top: 8px; overflow: visible; }
.scroll svg { max-width: none; }
.wide svg { max-width: 100%; min-width: 560px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--muted); }
.legend i { display: inline-block; width: 18px; height: 0; margin-right: 6px; vertical-align: middle; border-top: 3px solid var(--c); }
.legend i.dashed { border-top-style: dashed; }
.ramp { display: inline-block; width: 120px; height: 10px; margin: 0 8px; border: 1px solid var(--grid); background: linear-gradient(to right, transparent, var(--line-1)); }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--muted); font-weight: 500; }
tbody th { white-space: nowrap; }
td.number { text-align: right; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { margin: 10px 0 0; overflow-x: auto; white-space: pre; }
.sample { white-space: pre-wrap; }
summary { cursor: pointer; font-weight: 600; }
footer { margin-top: 24px; color: var(--muted); font-size: 13px; }
@media print { main { max-width: none; padding: 0; } section, .tile { break-inside: avoid; } }
`
