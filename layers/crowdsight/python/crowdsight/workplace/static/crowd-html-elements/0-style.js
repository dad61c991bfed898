// Crowd HTML Elements, as AWS documents them for MTurk and Ground Truth templates: same names, attributes and answers.
// https://docs.aws.amazon.com/sagemaker/latest/dg/sms-ui-template-reference.html
// The numbered files of this folder are served as one script, in which they share one scope.

// Pages of templates are written for white paper, so the colours do not follow the device's.
const STYLE = `
:root { --crowd-ink: #14201d; --crowd-quiet: #51605c; --crowd-line: #d5dedb; --crowd-field: #7a8a85; --crowd-accent: #0f6b5c;
  --crowd-accent-strong: #0a5246; --crowd-tint: #e3f2ee; --crowd-ground: #f5f7f6; --crowd-warn: #9a3412; --crowd-warn-tint: #fdf0e7; }
:where(body:has(crowd-form, crowd-entity-annotation)) { margin: 0; padding: 1.1rem; background: #fff; color: var(--crowd-ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: anywhere; }
:where(crowd-form) { display: block; max-width: 62rem; margin: 0 auto; }
:where(crowd-form img) { max-width: 100%; }
:where(crowd-form) *, .crowd-dialog * { box-sizing: border-box; }
[hidden] { display: none !important; }
:root:has(dialog.crowd-dialog[open]) { min-height: 32rem; }
:where(crowd-input, crowd-text-area, crowd-card, crowd-alert, crowd-tabs, crowd-radio-group) { display: block; margin: .7rem 0; }
:where(crowd-checkbox, crowd-radio-button, crowd-toggle-button) { display: block; margin: .35rem 0; }
:where(crowd-classifier, crowd-classifier-multi-select, crowd-image-classifier, crowd-image-classifier-multi-select,
  crowd-bounding-box, crowd-polygon, crowd-polyline, crowd-line, crowd-keypoint, crowd-entity-annotation,
  crowd-semantic-segmentation, crowd-instance-segmentation) { display: block; margin: 0 0 1.1rem; }
crowd-form :is(button, input, textarea, select):focus-visible, .crowd-dialog :focus-visible, .crowd-stage:focus-visible,
  .crowd-text:focus-visible { outline: 3px solid var(--crowd-accent); outline-offset: 2px; }
.crowd-label { display: block; margin-bottom: .25rem; font-weight: 600; }
crowd-input > input, crowd-text-area > textarea { width: 100%; min-height: 46px; padding: .5rem .8rem; border: 1px solid var(--crowd-field);
  border-radius: 10px; background: #fff; color: inherit; font: inherit; }
crowd-text-area > textarea { resize: vertical; }
.crowd-count, .crowd-note, .crowd-told { margin: .3rem 0 0; color: var(--crowd-quiet); font-size: .9rem; }
.crowd-problem { margin: .5rem 0 0; color: var(--crowd-warn); font-weight: 600; }
crowd-slider { display: grid; grid-template-columns: auto minmax(0, 1fr) auto auto; align-items: center; gap: .6rem; max-width: 34rem; min-height: 46px; margin: .4rem 0; }
crowd-slider > input[type="range"] { width: 100%; min-height: 44px; margin: 0; accent-color: var(--crowd-accent); }
crowd-slider > input[type="number"] { width: 6rem; min-height: 44px; padding: .3rem .5rem; border: 1px solid var(--crowd-field); border-radius: 10px; font: inherit; }
crowd-slider > output { min-width: 3rem; padding: .15rem .5rem; border-radius: 8px; background: var(--crowd-tint); color: var(--crowd-accent-strong); font-weight: 700; text-align: center; font-variant-numeric: tabular-nums; }
.crowd-end { color: var(--crowd-quiet); font-size: .9rem; font-variant-numeric: tabular-nums; }
.crowd-choice { display: flex; align-items: center; gap: .65rem; min-height: 46px; padding: .35rem .8rem; border: 1px solid var(--crowd-line);
  border-radius: 10px; background: #fff; cursor: pointer; }
.crowd-choice:hover { border-color: var(--crowd-accent); }
.crowd-choice:has(:checked) { border-color: var(--crowd-accent); background: var(--crowd-tint); }
.crowd-choice:has(:focus-visible) { outline: 3px solid var(--crowd-accent); outline-offset: 2px; }
.crowd-choice:has(:disabled) { opacity: .6; cursor: not-allowed; }
crowd-form .crowd-choice > input { flex: none; width: 1.2rem; height: 1.2rem; margin: 0; accent-color: var(--crowd-accent); outline: none; }
.crowd-choice > span { display: inline-flex; align-items: center; flex-wrap: wrap; gap: .45rem; min-width: 0; }
.crowd-choice kbd { margin-left: auto; padding: 0 .4rem; border: 1px solid var(--crowd-line); border-radius: 5px; color: var(--crowd-quiet); font: .8rem/1.5 ui-monospace, monospace; }
crowd-toggle-button .crowd-choice { display: inline-flex; border: 0; padding: .35rem 0; background: none; }
crowd-form crowd-toggle-button .crowd-choice > input { appearance: none; width: 3rem; height: 1.7rem; border-radius: 1rem; background: var(--crowd-field); position: relative; cursor: pointer; }
crowd-toggle-button input::after { content: ""; position: absolute; left: .2rem; top: .2rem; width: 1.3rem; height: 1.3rem; border-radius: 50%; background: #fff; }
crowd-toggle-button input:checked { background: var(--crowd-accent) !important; }
crowd-toggle-button input:checked::after { left: 1.5rem; }
crowd-toggle-button input[aria-invalid]:not(:checked) { background: var(--crowd-warn) !important; }
.crowd-primary, .crowd-plain { display: inline-flex; align-items: center; justify-content: center; gap: .4rem; min-height: 46px; padding: .5rem 1.15rem;
  border: 1px solid var(--crowd-field); border-radius: 12px; background: #fff; color: var(--crowd-ink); font: inherit; font-weight: 650; text-decoration: none; cursor: pointer; }
.crowd-plain:hover:enabled { border-color: var(--crowd-accent); color: var(--crowd-accent); }
.crowd-primary { min-width: 9rem; border-color: var(--crowd-accent); background: var(--crowd-accent); color: #fff; }
.crowd-primary:hover { background: var(--crowd-accent-strong); }
:is(.crowd-primary, .crowd-plain):disabled { opacity: .55; cursor: not-allowed; }
.crowd-link, .crowd-close { min-height: 32px; padding: .1rem .3rem; border: 0; background: none; color: var(--crowd-accent); font: inherit; font-weight: 600; text-decoration: underline; text-underline-offset: .18em; cursor: pointer; }
.crowd-short > .crowd-link, crowd-modal > .crowd-link, crowd-instructions > .crowd-link { margin-left: -.3rem; }
.crowd-send { margin: 1.1rem 0 0; }
crowd-fab { position: fixed; right: 1.1rem; bottom: 1.1rem; z-index: 2; }
crowd-fab > button { min-width: 56px; min-height: 56px; padding: 0 1rem; border: 0; border-radius: 28px; background: var(--crowd-accent); color: #fff; font: inherit; font-size: 1.2rem; font-weight: 650; box-shadow: 0 4px 14px rgb(10 40 33 / .3); cursor: pointer; }
crowd-alert { display: flex; align-items: flex-start; justify-content: space-between; gap: 1rem; padding: .8rem 1rem; border-left: 4px solid var(--crowd-accent); border-radius: 0 12px 12px 0; background: var(--crowd-tint); }
crowd-alert:is(.crowd-warning, .crowd-error) { border-color: var(--crowd-warn); background: var(--crowd-warn-tint); }
crowd-badge { display: inline-grid; place-items: center; min-width: 1.5rem; min-height: 1.5rem; padding: 0 .4rem; border-radius: 1rem; background: var(--crowd-accent); color: #fff; font-size: .8rem; font-weight: 700; }
crowd-card { padding: 1.05rem 1.1rem; border: 1px solid var(--crowd-line); border-radius: 14px; background: #fff; box-shadow: 0 1px 2px rgb(10 40 33 / .06); }
crowd-card > h2, .crowd-top > h2 { margin: 0 0 .4rem; font-size: 1.2rem; line-height: 1.3; }
crowd-toast { position: fixed; left: 50%; bottom: 1.1rem; z-index: 3; max-width: calc(100% - 2rem); padding: .8rem 1.1rem; border-radius: 12px; background: var(--crowd-ink); color: #fff; transform: translateX(-50%); }
.crowd-tablist { display: flex; flex-wrap: wrap; gap: .25rem; margin-bottom: .8rem; border-bottom: 1px solid var(--crowd-line); }
.crowd-tablist > button { min-height: 44px; padding: .4rem .8rem; border: 0; background: none; color: var(--crowd-quiet); font: inherit; font-weight: 600; cursor: pointer; }
.crowd-tablist > [aria-selected="true"] { color: var(--crowd-accent); box-shadow: inset 0 -3px 0 var(--crowd-accent); }
crowd-tab { display: block; }
.crowd-dialog { position: fixed; margin: 0 auto; width: min(44rem, calc(100% - 1rem)); max-height: min(30rem, calc(100vh - 1rem)); padding: 0; border: 1px solid var(--crowd-line);
  border-radius: 14px; color: var(--crowd-ink); background: #fff; box-shadow: 0 10px 40px rgb(10 40 33 / .3); overflow: auto; }
.crowd-dialog::backdrop { background: rgb(10 30 25 / .45); }
.crowd-dialog-top { position: sticky; top: 0; display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: .6rem 1.1rem; border-bottom: 1px solid var(--crowd-line); background: #fff; }
.crowd-dialog-top h2 { margin: 0; font-size: 1.1rem; }
.crowd-dialog-content { padding: .9rem 1.1rem 1.2rem; }
.crowd-dialog img { max-width: 100%; }
.crowd-good { color: var(--crowd-accent); } .crowd-bad { color: var(--crowd-warn); }
.crowd-top { margin-bottom: .8rem; }
.crowd-short { padding: .7rem 1rem; border-radius: 12px; background: var(--crowd-tint); }
.crowd-short > div > :is(p:first-child, ul:first-child) { margin-top: 0; } .crowd-short > div > :last-child { margin-bottom: .2rem; }
.crowd-work { display: grid; gap: .8rem; }
.crowd-target { padding: .9rem 1.1rem; border: 1px solid var(--crowd-line); border-radius: 14px; background: var(--crowd-ground); min-width: 0; overflow-x: auto; }
.crowd-target > .crowd-picture { display: block; max-width: 100%; max-height: 28rem; margin: 0 auto; border-radius: 8px; }
.crowd-categories, .crowd-palette { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .45rem; min-width: 0; margin: 0; padding: 0; border: 0; }
.crowd-categories > legend, .crowd-palette > legend { padding: 0; margin-bottom: .3rem; color: var(--crowd-quiet); font-size: .9rem; }
.crowd-stage { position: relative; width: fit-content; max-width: 100%; margin: 0 auto; line-height: 0; cursor: crosshair; touch-action: none; user-select: none; border-radius: 8px; }
.crowd-stage > .crowd-picture { display: block; max-width: 100%; max-height: 36rem; border-radius: 8px; pointer-events: none; }
.crowd-stage > svg { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; overflow: visible; }
.crowd-tag { fill: #14201d; stroke: #fff; paint-order: stroke; stroke-linejoin: round; font-family: system-ui, sans-serif; font-weight: 650; }
.crowd-tools { display: flex; flex-wrap: wrap; gap: .5rem; }
.crowd-told:empty { display: none; }
.crowd-shapes { display: grid; gap: .3rem; margin: 0; padding: 0; list-style: none; }
.crowd-shapes > li { display: flex; align-items: center; justify-content: space-between; gap: 1rem; min-height: 44px; padding: .2rem .8rem; border: 1px solid var(--crowd-line); border-radius: 10px; }
.crowd-shapes > li > button { flex: none; white-space: nowrap; }
.crowd-shapes > li > span { display: inline-flex; align-items: center; gap: .5rem; min-width: 0; }
.crowd-swatch { flex: none; display: inline-block; width: 1rem; height: 1rem; border-radius: 4px; }
.crowd-text { padding: 1rem 1.1rem; border: 1px solid var(--crowd-line); border-radius: 14px; font-size: 1.1rem; line-height: 2; white-space: pre-wrap; cursor: text; }
.crowd-text mark { padding: .1rem .15rem; border-bottom: 3px solid; border-radius: 4px; background: var(--crowd-tint); color: inherit; }
.crowd-entity { margin-left: .3rem; padding: 0 .3rem; border-radius: 4px; background: #fff; color: var(--crowd-quiet); font-size: .75rem; font-weight: 700; user-select: none; }
.crowd-marked { background: #cfe3ff !important; }
`;
