// Labels on parts of a text. By mouse: choose a label, then mark the text. By keyboard: arrow keys go from word to word,
// with Shift they mark more words, Enter puts the label there. Offsets count Unicode characters, as Python does.

class CrowdEntityAnnotation extends CrowdTool {
  build() {
    if (!this.closest("crowd-form")) {
      // It brings its own form and button, as AWS's does; templates look for them in its shadow root.
      const form = make("crowd-form");
      this.before(form);
      form.append(this);
      const root = this.attachShadow({ mode: "open" });
      root.append(make("slot"));
      root.querySelector = () => form;
    }
    super.build();
  }

  buildWork(rest) {
    this.text = (this.getAttribute("text") ?? "").replaceAll("\r\n", "\n");
    const labels = this.read("labels", []).map((label) => (typeof label === "string" ? { label } : label));
    this.short = new Map(labels.map(({ label, shortDisplayName }) => [label, shortDisplayName ?? label]));
    this.palette = makePalette(labels.map(({ label, fullDisplayName }) => ({ value: label, text: fullDisplayName ?? label })), "Label");
    this.words = [...this.text.matchAll(/[\p{L}\p{N}\p{M}_'’-]+|[^\s]/gu)].map(({ index, 0: word }) => [index, index + word.length]);
    this.mark = [-1, -1];
    this.entities = this.read("initial-value", []).map(({ label, startOffset, endOffset }) => ({
      label,
      start: this.fromOffset(startOffset),
      end: this.fromOffset(endOffset),
    }));
    this.shown = make("div", {
      className: "crowd-text",
      tabIndex: 0,
      role: "application",
      "aria-label": "The text. Arrow keys go from word to word, with Shift they mark more, Enter labels what is marked.",
    });
    this.told = make("p", { className: "crowd-told", role: "status" });
    this.list = make("ol", { className: "crowd-shapes", "aria-label": "Labelled text" });
    this.work.append(this.palette.element, this.shown, this.told, this.list, ...rest);
    this.shown.addEventListener("pointerup", () => setTimeout(() => this.takeSelection()));
    this.addEventListener("keydown", (event) => this.pressKey(event));
    this.draw();
  }

  fromOffset(offset) {
    return [...this.text].slice(0, offset).join("").length;
  }

  toOffset(index) {
    return [...this.text.slice(0, index)].length;
  }

  /** Where a boundary of the browser's selection lies in the text; the labels' tags do not count. */
  indexOf(node, offset) {
    const range = document.createRange();
    range.setStart(this.shown, 0);
    range.setEnd(node, offset);
    const part = range.cloneContents();
    for (const tag of part.querySelectorAll("[data-tag]")) tag.remove();
    return part.textContent.length;
  }

  takeSelection() {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return;
    const range = selection.getRangeAt(0);
    if (!this.shown.contains(range.startContainer) || !this.shown.contains(range.endContainer)) return;
    let start = this.indexOf(range.startContainer, range.startOffset);
    let end = this.indexOf(range.endContainer, range.endOffset);
    while (start < end && /\s/.test(this.text[start])) start += 1;
    while (end > start && /\s/.test(this.text[end - 1])) end -= 1;
    selection.removeAllRanges();
    this.add(start, end);
  }

  pressKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(event.key) && event.target.type !== "text") {
      if (this.palette.press(event.key)) event.preventDefault();
      return;
    }
    if (event.target !== this.shown || !this.words.length) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -8, ArrowDown: 8 }[event.key];
    const last = this.words.length - 1;
    if (step) {
      const next = Math.min(Math.max(this.mark[1] + step, 0), last);
      this.mark = [event.shiftKey && this.mark[0] >= 0 ? this.mark[0] : next, next];
    } else if ((event.key === "Enter" || event.key === " ") && this.mark[0] >= 0) {
      const [first, second] = [...this.mark].sort((one, other) => one - other);
      this.add(this.words[first][0], this.words[second][1]);
    } else return;
    event.preventDefault();
    this.draw();
    const [start, end] = this.marked();
    this.told.textContent = `Marked: ${this.text.slice(start, end)}`;
  }

  marked() {
    if (this.mark[0] < 0) return [0, 0];
    const [first, second] = [...this.mark].sort((one, other) => one - other);
    return [this.words[first][0], this.words[second][1]];
  }

  add(start, end) {
    if (start >= end) return;
    this.isModified = true;
    this.entities = this.entities.filter((entity) => entity.end <= start || entity.start >= end);
    this.entities.push({ label: this.palette.current, start, end });
    this.entities.sort((one, other) => one.start - other.start);
    this.draw();
  }

  draw() {
    const [from, to] = this.marked();
    const cuts = new Set([0, this.text.length, from, to, ...this.entities.flatMap(({ start, end }) => [start, end])]);
    const ends = [...cuts].sort((one, other) => one - other);
    const parts = [];
    for (let index = 0; index + 1 < ends.length; index += 1) {
      const [start, end] = [ends[index], ends[index + 1]];
      const entity = this.entities.find((one) => one.start <= start && end <= one.end);
      const part = make(entity ? "mark" : "span", {}, this.text.slice(start, end));
      if (from <= start && end <= to && from < to) part.classList.add("crowd-marked");
      if (entity) {
        part.style.borderColor = this.palette.colour(entity.label);
        if (entity.end === end) part.append(make("span", { className: "crowd-entity", "data-tag": "" }, this.short.get(entity.label) ?? entity.label));
      }
      parts.push(part);
    }
    this.shown.replaceChildren(...parts);
    this.list.replaceChildren(...this.entities.map((entity) => this.listed(entity)));
  }

  listed(entity) {
    const text = this.text.slice(entity.start, entity.end);
    const remove = () => {
      this.isModified = true;
      this.entities = this.entities.filter((other) => other !== entity);
      this.draw();
      this.shown.focus();
    };
    const swatch = make("span", { className: "crowd-swatch", "aria-hidden": "true" });
    swatch.style.background = this.palette.colour(entity.label);
    const name = `${entity.label}: ${text}`;
    return make(
      "li",
      {},
      make("span", {}, swatch, name),
      make("button", { type: "button", className: "crowd-link", "aria-label": `Remove ${name}`, onclick: remove }, "Remove"),
    );
  }

  get answer() {
    return {
      ...(this.hasAttribute("initial-value") ? { initialValueModified: Boolean(this.isModified) } : {}),
      entities: this.entities.map(({ label, start, end }) => ({
        endOffset: this.toOffset(end),
        label,
        startOffset: this.toOffset(start),
      })),
    };
  }
}

registry.set("crowd-entity-annotation", CrowdEntityAnnotation);
