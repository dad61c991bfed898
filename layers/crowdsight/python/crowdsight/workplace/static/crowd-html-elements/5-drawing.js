// Drawing on a picture: boxes, polygons, lines and points, each with a label. Coordinates are the picture's own pixels.
// By mouse or finger: press and drag, or press point by point. By keyboard: arrow keys move a cross, Enter presses there.

const COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#e377c2", "#8c564b", "#ff7f0e", "#17becf", "#bcbd22", "#7f7f7f"];
const SVG = "http://www.w3.org/2000/svg";

const makeSvg = (tag, attributes) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

/** The labels as radio buttons; keys 1 to 9 choose them. */
const makePalette = (labels, name) => {
  const group = newId("labels");
  const inputs = labels.map((label, index) => {
    const input = make("input", { type: "radio", name: group, value: label.value });
    input.checked = index === 0;
    return input;
  });
  const choices = inputs.map((input, index) => {
    const swatch = make("span", { className: "crowd-swatch", "aria-hidden": "true" });
    swatch.style.background = COLOURS[index % COLOURS.length];
    const key = index < 9 ? make("kbd", { "aria-hidden": "true" }, String(index + 1)) : null;
    return make("label", { className: "crowd-choice" }, input, make("span", {}, swatch, labels[index].text), key);
  });
  const element = make("fieldset", { className: "crowd-palette" }, make("legend", {}, name), ...choices);
  return {
    element,
    get current() {
      return inputs.find((input) => input.checked)?.value;
    },
    press(key) {
      const input = inputs[Number(key) - 1];
      if (input) input.checked = true;
      return Boolean(input);
    },
    colour: (value) => COLOURS[Math.max(0, labels.findIndex((label) => label.value === value)) % COLOURS.length],
  };
};

/** `least` and `most` points make one shape; `noun` is what it is called. */
class CrowdDrawing extends CrowdTool {
  static noun = "shape";
  static least = 1;
  static most = 1;

  shapes = [];
  draft = null;
  cross = null;

  buildWork() {
    this.labels = this.read("labels", ["Object"]).map((label) => String(label));
    this.palette = makePalette(this.labels.map((value) => ({ value, text: value })), "Label");
    this.image = makePicture(this);
    this.svg = makeSvg("svg", { "aria-hidden": "true" });
    this.stage = make("div", {
      className: "crowd-stage",
      tabIndex: 0,
      role: "application",
      "aria-label": `The image. Arrow keys move a cross, Enter ${this.constructor.most === 1 ? "sets a point" : "sets a corner"} there.`,
    });
    this.stage.append(this.image, this.svg);
    const button = (text, onclick) => make("button", { type: "button", className: "crowd-plain", onclick }, text);
    this.finishButton = button("Finish shape", () => this.finish());
    this.undoButton = button("Undo", () => this.undo());
    const tools = make("div", { className: "crowd-tools" }, this.needsFinish ? this.finishButton : null, this.undoButton);
    this.list = make("ol", { className: "crowd-shapes", "aria-label": `Drawn ${this.constructor.noun}s` });
    this.told = make("p", { className: "crowd-told", role: "status" });
    this.work.append(this.palette.element, this.stage, tools, this.told, this.list);
    this.initial = this.read("initial-value", []);
    this.shapes = this.initial.map((value) => this.shapeFrom(value)).filter((shape) => this.labels.includes(shape.label));
    this.hadInitial = this.hasAttribute("initial-value");
    this.listen();
    if (this.image.complete && this.image.naturalWidth) this.draw();
    this.image.addEventListener("load", () => this.draw());
    this.image.addEventListener("error", () => (this.told.textContent = "The image does not load. Please return the HIT if it stays so."));
  }

  get needsFinish() {
    return this.constructor.most === Infinity;
  }

  listen() {
    let from = null;
    const point = (event) => {
      const box = this.image.getBoundingClientRect();
      const scale = this.image.naturalWidth / box.width;
      return this.inside({ x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale });
    };
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.image.naturalWidth) return;
      event.preventDefault();
      this.stage.focus({ preventScroll: true });
      this.stage.setPointerCapture(event.pointerId);
      from = point(event);
      this.cross = null;
      this.press(from);
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!this.draft) return;
      this.draft.next = point(event);
      this.draw();
    });
    this.stage.addEventListener("pointerup", (event) => {
      if (!from) return;
      const to = point(event);
      const far = Math.hypot(to.x - from.x, to.y - from.y) * (this.image.clientWidth / this.image.naturalWidth) > 5;
      from = null;
      if (far && this.draft && this.constructor.most === 2) this.press(to); // dragged from corner to corner
    });
    this.stage.addEventListener("pointercancel", () => (from = null));
    this.stage.addEventListener("dblclick", () => this.finish());
    this.addEventListener("keydown", (event) => this.pressKey(event));
  }

  pressKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(event.key)) {
      if (this.palette.press(event.key)) event.preventDefault();
      return;
    }
    if (event.target !== this.stage || !this.image.naturalWidth) return;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    const middle = this.inside({ x: width / 2, y: height / 2 });
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(width / 50));
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (move) {
      const at = this.cross ?? middle;
      this.cross = this.inside({ x: at.x + move[0], y: at.y + move[1] });
      if (this.draft) this.draft.next = this.cross;
      this.told.textContent = `${Math.round(this.cross.x)}, ${Math.round(this.cross.y)}`;
    } else if (event.key === "Enter" || event.key === " ") {
      this.cross ??= middle;
      this.press(this.cross);
    } else if (event.key === "Escape") this.draft = null;
    else if (event.key === "Backspace" || event.key === "Delete") this.undo();
    else if (event.key.toLowerCase() === "f") this.finish();
    else return;
    event.preventDefault();
    this.draw();
  }

  inside(point) {
    const clamp = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    return { x: clamp(point.x, this.image.naturalWidth), y: clamp(point.y, this.image.naturalHeight) };
  }

  press(point) {
    this.showProblem("");
    if (!this.draft) this.draft = { label: this.palette.current, points: [] };
    const { points } = this.draft;
    const near = (other) => Math.hypot(point.x - other.x, point.y - other.y) < this.image.naturalWidth / 80;
    if (this.needsFinish && points.length >= this.constructor.least && near(points[0])) return this.finish();
    if (!points.length || !(points.at(-1).x === point.x && points.at(-1).y === point.y)) points.push(point);
    if (points.length >= this.constructor.most) this.finish();
    else this.draw();
  }

  finish() {
    if (!this.draft || this.draft.points.length < this.constructor.least) return;
    const { label, points } = this.draft;
    this.draft = null;
    this.shapes.push({ label, points });
    this.told.textContent = `${label}: ${this.constructor.noun} ${this.shapes.length} added.`;
    this.isModified = true;
    this.draw();
  }

  undo() {
    if (this.draft) {
      this.draft.points.pop();
      if (!this.draft.points.length) this.draft = null;
    } else if (this.shapes.length) return this.remove(this.shapes.length - 1);
    this.draw();
  }

  remove(index) {
    const [{ label }] = this.shapes.splice(index, 1);
    this.told.textContent = `${label}: ${this.constructor.noun} removed.`;
    this.isModified = true;
    this.draw();
    this.stage.focus({ preventScroll: true });
  }

  draw() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const unit = width / Math.max(this.image.clientWidth, 1);
    const draft = this.draft ? [{ ...this.draft, points: [...this.draft.points, ...(this.draft.next ? [this.draft.next] : [])] }] : [];
    this.svg.replaceChildren(...[...this.shapes, ...draft].flatMap((shape) => this.drawShape(shape, unit)));
    if (this.cross) {
      const { x, y } = this.cross;
      for (const [tone, wide] of [["#fff", 4], ["#000", 1.5]]) {
        const lines = `M${x - 14 * unit},${y}H${x + 14 * unit}M${x},${y - 14 * unit}V${y + 14 * unit}`;
        this.svg.append(makeSvg("path", { d: lines, stroke: tone, "stroke-width": wide * unit }));
      }
    }
    this.finishButton.disabled = !this.draft || this.draft.points.length < this.constructor.least;
    this.undoButton.disabled = !this.draft && !this.shapes.length;
    this.list.replaceChildren(...this.shapes.map((shape, index) => this.listed(shape, index)));
  }

  drawShape({ label, points }, unit) {
    const colour = this.palette.colour(label);
    const style = { fill: "none", stroke: colour, "stroke-width": 3 * unit, "stroke-linejoin": "round" };
    const below = { ...style, stroke: "#fff", "stroke-width": 6 * unit };
    const drawn = [below, style].map((one) => this.outline(points, one)).filter(Boolean);
    const dots = this.constructor.most === 2 && this.constructor.noun === "box" ? [] : points;
    for (const { x, y } of dots) {
      drawn.push(makeSvg("circle", { cx: x, cy: y, r: 5 * unit, fill: colour, stroke: "#fff", "stroke-width": 2 * unit }));
    }
    if (points.length) {
      const x = Math.min(...points.map((point) => point.x));
      const y = Math.min(...points.map((point) => point.y));
      const text = makeSvg("text", { x: x + 6 * unit, y: Math.max(y - 7 * unit, 16 * unit), "font-size": 14 * unit, class: "crowd-tag", "stroke-width": 4 * unit });
      text.textContent = label;
      drawn.push(text);
    }
    return drawn;
  }

  outline(points, style) {
    return makeSvg("polyline", { ...style, points: points.map(({ x, y }) => `${x},${y}`).join(" ") });
  }

  listed(shape, index) {
    const name = `${shape.label}, ${this.describe(shape)}`;
    const remove = make("button", { type: "button", className: "crowd-link", "aria-label": `Remove ${name}`, onclick: () => this.remove(index) }, "Remove");
    const swatch = make("span", { className: "crowd-swatch", "aria-hidden": "true" });
    swatch.style.background = this.palette.colour(shape.label);
    return make("li", {}, make("span", {}, swatch, name), remove);
  }

  describe({ points }) {
    return points.length === 1 ? `at ${points[0].x}, ${points[0].y}` : `${points.length} points`;
  }

  shapeFrom({ label, vertices }) {
    return { label, points: vertices ?? [] };
  }

  valueOf({ label, points }) {
    return { label, vertices: points.map(({ x, y }) => ({ x, y })) };
  }

  get problem() {
    return this.draft ? `Please finish the ${this.constructor.noun} or undo it.` : "";
  }

  get answer() {
    return {
      ...(this.hadInitial ? { initialValueModified: Boolean(this.isModified) } : {}),
      inputImageProperties: { height: this.image.naturalHeight, width: this.image.naturalWidth },
      [this.constructor.key]: this.shapes.map((shape) => this.valueOf(shape)),
    };
  }
}

class CrowdBoundingBox extends CrowdDrawing {
  static noun = "box";
  static key = "boundingBoxes";
  static least = 2;
  static most = 2;

  corners([first, second]) {
    const left = Math.min(first.x, second.x);
    const top = Math.min(first.y, second.y);
    return { left, top, width: Math.abs(first.x - second.x), height: Math.abs(first.y - second.y) };
  }

  finish() {
    const points = this.draft?.points;
    if (points?.length === 2 && (points[0].x === points[1].x || points[0].y === points[1].y)) points.pop(); // no area
    super.finish();
  }

  outline(points, style) {
    if (points.length < 2) return null;
    const { left, top, width, height } = this.corners(points);
    return makeSvg("rect", { ...style, x: left, y: top, width, height });
  }

  describe({ points }) {
    const { width, height } = this.corners(points);
    return `${width} × ${height} pixels`;
  }

  shapeFrom({ label, left, top, width, height }) {
    return { label, points: [{ x: left, y: top }, { x: left + width, y: top + height }] };
  }

  valueOf({ label, points }) {
    const { left, top, width, height } = this.corners(points);
    return { height, label, left, top, width };
  }
}

class CrowdPolygon extends CrowdDrawing {
  static noun = "polygon";
  static key = "polygons";
  static least = 3;
  static most = Infinity;

  outline(points, style) {
    return makeSvg("polygon", { ...style, points: points.map(({ x, y }) => `${x},${y}`).join(" ") });
  }
}

class CrowdPolyline extends CrowdDrawing {
  static noun = "line";
  static key = "polylines";
  static least = 2;
  static most = Infinity;
}

class CrowdLine extends CrowdDrawing {
  static noun = "line";
  static key = "lines";
  static least = 2;
  static most = 2;
}

class CrowdKeypoint extends CrowdDrawing {
  static noun = "point";
  static key = "keypoints";

  shapeFrom({ label, x, y }) {
    return { label, points: [{ x, y }] };
  }

  valueOf({ label, points: [{ x, y }] }) {
    return { label, x, y };
  }
}

registry.set("crowd-bounding-box", CrowdBoundingBox).set("crowd-polygon", CrowdPolygon).set("crowd-keypoint", CrowdKeypoint);
registry.set("crowd-polyline", CrowdPolyline).set("crowd-line", CrowdLine);
