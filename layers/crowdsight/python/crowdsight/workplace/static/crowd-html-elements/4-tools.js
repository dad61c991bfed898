// Tools: elements that put one whole question, with a header, what is asked about, and instructions.

/** `answer`: what the tool adds to the answers; `problem`: what is missing in it, "" if nothing is. */
class CrowdTool extends CrowdElement {
  build() {
    const short = this.takeRegion("short-instructions");
    const full = this.takeRegion("full-instructions");
    const header = this.getAttribute("header");
    const heading = header ? make("h2", { id: newId("header") }, header) : null;
    this.labelledBy = heading?.id;
    this.work = make("div", { className: "crowd-work" });
    this.message = make("p", { className: "crowd-problem", role: "alert", hidden: true });
    const rest = this.takeChildren();
    this.append(make("div", { className: "crowd-top" }, heading, this.buildInstructions(short, full)), this.work, this.message);
    this.buildWork(rest);
  }

  buildInstructions(short, full) {
    if (!short && !full) return null;
    const dialog = full ? makeDialog(full.header ?? "Instructions", full.nodes) : null;
    return make(
      "div",
      { className: "crowd-short" },
      ...(short ? [make("div", {}, ...short.nodes)] : []),
      dialog ? makeOpener("View full instructions", false, dialog) : null,
      dialog,
    );
  }

  /** A reason why it cannot be submitted is shown, and focus goes there. */
  showProblem(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
    if (text) this.querySelector(".crowd-work :is(input, button, [tabindex])")?.focus();
  }

  get problem() {
    return "";
  }
}

/** Categories to choose one or more of. */
class CrowdClassifying extends CrowdTool {
  buildChoices(isMany) {
    const group = newId("categories");
    const exclusive = this.read("exclusion-category", null)?.text;
    const categories = [...this.read("categories", []), ...(exclusive ? [exclusive] : [])].map(String);
    this.inputs = categories.map((category) =>
      make("input", { type: isMany ? "checkbox" : "radio", name: group, value: category, defaultChecked: false }),
    );
    for (const input of this.inputs) {
      input.addEventListener("change", () => {
        this.showProblem("");
        if (!exclusive || !input.checked || !isMany) return;
        const isAlone = input.value === exclusive;
        for (const other of this.inputs) if ((other.value === exclusive) !== isAlone) other.checked = false;
      });
    }
    const choices = this.inputs.map((input) =>
      make("label", { className: "crowd-choice" }, input, make("span", {}, input.value)),
    );
    const title = isMany ? "Choose all that fit" : "Choose one";
    this.work.append(
      make("fieldset", { className: "crowd-categories" }, make("legend", {}, title), ...choices),
    );
  }

  get problem() {
    return this.inputs.some((input) => input.checked) ? "" : "Please choose a category.";
  }

  get chosen() {
    return this.inputs.filter((input) => input.checked).map((input) => input.value);
  }
}

class CrowdClassifier extends CrowdClassifying {
  buildWork(rest) {
    this.work.append(make("div", { className: "crowd-target" }, ...rest));
    this.buildChoices(false);
  }

  get answer() {
    return { label: this.chosen[0] };
  }
}

class CrowdClassifierMultiSelect extends CrowdClassifying {
  buildWork(rest) {
    this.work.append(make("div", { className: "crowd-target" }, ...rest));
    this.buildChoices(true);
  }

  get answer() {
    return { labels: this.chosen };
  }
}

const makePicture = (tool) =>
  make("img", { className: "crowd-picture", src: tool.getAttribute("src") ?? "", alt: tool.getAttribute("alt") ?? "The image to look at" });

class CrowdImageClassifier extends CrowdClassifying {
  buildWork() {
    this.work.append(make("div", { className: "crowd-target" }, makePicture(this)));
    this.buildChoices(false);
  }

  get answer() {
    return { label: this.chosen[0] };
  }
}

class CrowdImageClassifierMultiSelect extends CrowdClassifying {
  buildWork() {
    this.work.append(make("div", { className: "crowd-target" }, makePicture(this)));
    this.buildChoices(true);
  }

  get answer() {
    return { labels: this.chosen };
  }
}

/** In place of what cannot be shown here. */
class CrowdNotHere extends CrowdTool {
  buildWork() {
    this.work.append(
      make("p", { className: "crowd-problem" }, "This workplace cannot show the tool that this question needs. Please return the HIT."),
    );
  }

  get problem() {
    return "This question cannot be answered here.";
  }
}

registry.set("crowd-classifier", CrowdClassifier).set("crowd-classifier-multi-select", CrowdClassifierMultiSelect);
registry.set("crowd-image-classifier", CrowdImageClassifier);
registry.set("crowd-image-classifier-multi-select", CrowdImageClassifierMultiSelect);
registry.set("crowd-semantic-segmentation", class CrowdSemanticSegmentation extends CrowdNotHere {});
registry.set("crowd-instance-segmentation", class CrowdInstanceSegmentation extends CrowdNotHere {});
