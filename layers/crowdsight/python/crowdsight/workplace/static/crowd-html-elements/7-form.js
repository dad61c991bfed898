// The form around everything: collects the answers and sends them to the workplace.

const FIELDS = "crowd-input, crowd-text-area, crowd-slider, crowd-checkbox, crowd-toggle-button, crowd-radio-button";
const isTool = (element) => element instanceof CrowdTool;

class CrowdForm extends CrowdElement {
  build() {
    this.form = this.querySelector(":scope > form") ?? make("form");
    if (!this.form.parentNode) {
      this.form.append(...this.childNodes);
      this.append(this.form);
    }
    this.form.method = "post";
    this.form.addEventListener("reset", () => this.showSent(""));
    if (!this.querySelector('crowd-button[form-action="submit"], button[type="submit"], input[type="submit"]')) {
      this.form.append(make("p", { className: "crowd-send" }, make("button", { type: "submit", className: "crowd-primary" }, "Submit")));
    }
    this.note = make("p", { className: "crowd-note", role: "status", hidden: true });
    this.form.append(this.note);
    if (isPreview) {
      for (const button of this.querySelectorAll('[type="submit"]')) button.disabled = true;
      this.showSent("This is a preview. Accept the HIT to answer it.");
    }
  }

  showSent(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  submit() {
    this.form.requestSubmit();
  }

  reset() {
    this.form.reset();
  }

  /** What all elements and native fields with a name answer, as one object. */
  get answers() {
    const answers = {};
    const add = (name, value) => {
      if (!name || value === undefined) return;
      const isObject = (one) => typeof one === "object" && one !== null && !Array.isArray(one);
      if (isObject(answers[name]) && isObject(value)) Object.assign(answers[name], value);
      else answers[name] = value;
    };
    for (const element of this.querySelectorAll("*")) {
      if (isTool(element) || element.matches(FIELDS)) add(element.name || element.localName, element.answer);
      else if (element.matches("input, select, textarea") && !isInside(element)) add(element.name, nativeAnswer(element));
    }
    return answers;
  }

  send() {
    const answers = this.answers;
    const isFlat = this.getAttribute("answer-format") === "flatten-objects";
    const fields = isFlat ? flatten(answers) : [["taskAnswers", JSON.stringify([answers])]];
    const base = (asked.get("turkSubmitTo") ?? "").replace(/\/+$/, "");
    const form = make("form", { method: "post", action: `${base}/mturk/externalSubmit`, hidden: true });
    for (const [name, value] of [["assignmentId", asked.get("assignmentId")], ...fields]) {
      form.append(make("input", { type: "hidden", name, value }));
    }
    document.body.append(form);
    this.showSent("Sending…");
    form.submit();
  }
}

/** Whether a native field belongs to one of our elements, which answers for it. */
const isInside = (element) => {
  const owner = element.parentElement?.closest(`${FIELDS}, dialog`);
  return Boolean(owner) || Boolean(element.closest(".crowd-categories, .crowd-palette"));
};

const nativeAnswer = (element) => {
  if (element.disabled || ["submit", "button", "reset", "image", "file"].includes(element.type)) return undefined;
  if (element.type === "checkbox" || element.type === "radio") return { [element.value]: element.checked };
  if (element.multiple && element.options) {
    return Object.fromEntries([...element.options].map((option) => [option.value, option.selected]));
  }
  return element.value === "" ? undefined : element.value;
};

/** Objects as fields with dots in their names; lists as JSON. */
const flatten = (value, name = "") => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [[name, typeof value === "object" ? JSON.stringify(value) : String(value)]];
  }
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, name ? `${name}.${key}` : key));
};

registry.set("crowd-form", CrowdForm);

// After all of the template's own listeners, which may prevent it.
window.addEventListener("submit", (event) => {
  const form = event.target.closest?.("crowd-form");
  if (!form || event.defaultPrevented) return;
  event.preventDefault();
  if (isPreview) return;
  const tools = [...form.querySelectorAll("*")].filter(isTool);
  for (const tool of tools) tool.showProblem("");
  const missing = tools.find((tool) => tool.problem);
  if (missing) missing.showProblem(missing.problem);
  else form.send();
});

const start = () => {
  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.prepend(style);
  for (const [name, element] of registry) customElements.define(name, element);
  document.dispatchEvent(new CustomEvent("all-crowd-elements-ready", { bubbles: true }));
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
