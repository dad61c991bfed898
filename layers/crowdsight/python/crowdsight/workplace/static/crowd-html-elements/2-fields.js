// Fields: elements around one native input, in the page's own tree so that labels, focus and validation are native.

/** `answer`: what the field adds to the answers; undefined = nothing. */
class CrowdField extends CrowdElement {
  static observedAttributes = ["value", "checked", "disabled"];

  attributeChangedCallback(name, _before, value) {
    if (!this.input) return;
    if (name === "disabled") this.input.disabled = this.is("disabled");
    else if (name === "checked") this.input.checked = this.is("checked");
    else if (value !== null && this.input.type !== "checkbox" && this.input.type !== "radio") this.input.value = value;
  }

  get value() {
    return this.input ? this.input.value : (this.getAttribute("value") ?? "");
  }

  set value(value) {
    if (this.input) this.input.value = value;
    else this.setAttribute("value", value);
  }

  get disabled() {
    return this.is("disabled");
  }

  set disabled(disabled) {
    this.toggleAttribute("disabled", disabled);
  }

  focus(options) {
    this.input.focus(options);
  }

  checkValidity() {
    return this.input.checkValidity();
  }

  reportValidity() {
    return this.input.reportValidity();
  }

  validate() {
    return this.input.reportValidity();
  }

  shownName() {
    return this.getAttribute("label") || this.getAttribute("placeholder") || this.getAttribute("title") || this.name;
  }

  textOptions() {
    const number = (name) => (this.hasAttribute(name) ? Number(this.getAttribute(name)) : undefined);
    return {
      id: newId("field"),
      required: this.is("required"),
      disabled: this.is("disabled"),
      placeholder: this.getAttribute("placeholder") ?? "",
      maxLength: number("max-length") ?? number("maxlength"),
      minLength: number("min-length") ?? number("minlength"),
      autofocus: this.is("auto-focus"),
    };
  }

  /** The label, the input, and room for what is wrong with it. */
  buildAround(input) {
    this.input = input;
    const label = this.getAttribute("label");
    if (label) this.append(make("label", { className: "crowd-label", htmlFor: input.id }, label));
    else input.setAttribute("aria-label", this.shownName());
    this.append(input);
    const message = this.getAttribute("error-message");
    if (message) {
      const shown = make("p", { className: "crowd-problem", hidden: true, id: newId("message") }, message);
      input.setAttribute("aria-describedby", shown.id);
      input.addEventListener("invalid", () => (shown.hidden = false));
      input.addEventListener("input", () => (shown.hidden = input.validity.valid));
      this.append(shown);
    }
  }

  get answer() {
    return this.input.value === "" ? undefined : this.input.value;
  }
}

class CrowdInput extends CrowdField {
  build() {
    this.replaceChildren();
    const type = this.getAttribute("type") ?? "text";
    const input = make("input", {
      ...this.textOptions(),
      type: type === "file" ? "text" : type,
      pattern: this.is("auto-validate") ? this.getAttribute("allowed-pattern") : undefined,
      min: this.getAttribute("min"),
      max: this.getAttribute("max"),
      step: this.getAttribute("step"),
    });
    input.value = this.getAttribute("value") ?? "";
    this.buildAround(input);
    if (type === "file") {
      input.disabled = true;
      input.placeholder = "This workplace takes no files.";
    }
  }
}

class CrowdTextArea extends CrowdField {
  build() {
    this.replaceChildren();
    const area = make("textarea", { ...this.textOptions(), rows: Number(this.getAttribute("rows")) || 3 });
    area.value = this.getAttribute("value") ?? "";
    this.buildAround(area);
    if (this.is("char-counter")) {
      const counted = make("p", { className: "crowd-count" });
      const count = () => (counted.textContent = `${area.value.length} characters`);
      area.addEventListener("input", count);
      count();
      this.append(counted);
    }
  }
}

class CrowdSlider extends CrowdField {
  build() {
    this.replaceChildren();
    const limit = (name, otherwise) => this.getAttribute(name) ?? otherwise;
    const slider = make("input", {
      id: newId("field"),
      type: "range",
      min: limit("min", "0"),
      max: limit("max", "100"),
      step: limit("step", "1"),
      disabled: this.is("disabled"),
      "aria-label": this.shownName(),
    });
    slider.value = limit("value", limit("min", "0"));
    const shown = this.is("editable")
      ? make("input", { type: "number", min: slider.min, max: slider.max, step: slider.step, "aria-label": `${this.shownName()}, as a number` })
      : make("output", { htmlFor: slider.id });
    const show = () => (shown.value = slider.value);
    slider.addEventListener("input", show);
    shown.addEventListener("input", () => (slider.value = shown.value));
    show();
    this.input = slider;
    this.append(make("span", { className: "crowd-end" }, slider.min), slider, make("span", { className: "crowd-end" }, slider.max), shown);
  }

  get value() {
    return this.input ? Number(this.input.value) : Number(this.getAttribute("value"));
  }

  set value(value) {
    this.input.value = value;
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  get answer() {
    return this.value;
  }
}

/** Checkboxes, switches and radio buttons; fields of one name are one object: {name: {value: true, …}}. */
class CrowdChoice extends CrowdField {
  get checked() {
    return this.input ? this.input.checked : this.is("checked");
  }

  set checked(checked) {
    if (this.input) this.input.checked = checked;
    else this.toggleAttribute("checked", checked);
  }

  get value() {
    return this.getAttribute("value") ?? "on";
  }

  set value(value) {
    this.setAttribute("value", value);
  }

  buildChoice(options) {
    const content = this.takeChildren();
    const input = make("input", {
      ...options,
      checked: this.is("checked"),
      disabled: this.is("disabled"),
      required: this.is("required"),
    });
    const hasText = content.some((node) => node.textContent.trim());
    if (!hasText) input.setAttribute("aria-label", this.getAttribute("label") || this.getAttribute("title") || this.name);
    this.input = input;
    input.addEventListener("change", () => this.dispatchEvent(new CustomEvent("checked-changed", { bubbles: true })));
    this.append(make("label", { className: "crowd-choice" }, input, make("span", {}, ...content)));
  }

  get answer() {
    return { [this.value]: this.checked };
  }
}

class CrowdCheckbox extends CrowdChoice {
  build() {
    this.buildChoice({ type: "checkbox" });
  }
}

class CrowdToggleButton extends CrowdChoice {
  build() {
    this.buildChoice({ type: "checkbox", role: "switch", "aria-invalid": this.is("invalid") ? "true" : null });
  }
}

class CrowdRadioButton extends CrowdChoice {
  build() {
    const group = this.closest("crowd-radio-group");
    this.buildChoice({ type: "radio", name: group ? group.groupName : newId("radio") });
    if (group?.is("required")) this.input.required = true;
  }
}

class CrowdRadioGroup extends CrowdElement {
  groupName = newId("group");

  build() {
    this.setAttribute("role", "radiogroup");
    if (!this.hasAttribute("aria-label") && !this.hasAttribute("aria-labelledby")) {
      const before = this.previousElementSibling?.textContent.trim();
      this.setAttribute("aria-label", (this.getAttribute("label") || before || this.name || "Choose one").slice(0, 200));
    }
  }

  get selected() {
    return [...this.querySelectorAll("crowd-radio-button")].find((button) => button.checked)?.name;
  }
}

registry.set("crowd-input", CrowdInput).set("crowd-text-area", CrowdTextArea).set("crowd-slider", CrowdSlider);
registry.set("crowd-checkbox", CrowdCheckbox).set("crowd-toggle-button", CrowdToggleButton);
registry.set("crowd-radio-group", CrowdRadioGroup).set("crowd-radio-button", CrowdRadioButton);
