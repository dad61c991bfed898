// Elements that show something and answer nothing.

const ICONS = {
  add: "＋", check: "✓", clear: "✕", close: "✕", delete: "🗑", done: "✓", edit: "✎", help: "?", info: "ⓘ", search: "🔍",
  send: "➤", star: "★", warning: "⚠", error: "⚠", "thumb-up": "👍", "thumb-down": "👎", "question-answer": "💬",
  "arrow-back": "←", "arrow-forward": "→", "play-arrow": "▶", pause: "⏸", refresh: "↻", undo: "↶", redo: "↷",
};
const iconText = (name) => ICONS[(name ?? "").split(":").pop()] ?? "•";
const shownIcon = (name) => make("span", { className: "crowd-icon", "aria-hidden": "true" }, iconText(name));

class CrowdButton extends CrowdElement {
  static observedAttributes = ["disabled"];

  build() {
    const inner = this.querySelector("iron-icon")?.getAttribute("icon");
    this.querySelector("iron-icon")?.remove();
    const icon = this.getAttribute("icon") ?? inner;
    const content = this.takeChildren();
    const text = content.some((node) => node.textContent.trim());
    const action = this.getAttribute("form-action");
    const variant = this.getAttribute("variant") ?? "normal";
    const href = this.getAttribute("href");
    const isLink = /^(https?:|mailto:|\/|#)/.test(href ?? "");
    this.button = isLink
      ? make("a", { href, target: this.getAttribute("target") ?? "_blank", rel: "noopener noreferrer" })
      : make("button", { type: action === "submit" || action === "reset" ? action : "button", disabled: this.isOff() });
    this.button.className = variant === "primary" ? "crowd-primary" : variant === "link" ? "crowd-link" : "crowd-plain";
    if (icon) content[this.getAttribute("icon-align") === "right" ? "push" : "unshift"](shownIcon(icon));
    if (!text) this.button.setAttribute("aria-label", this.getAttribute("title") ?? (icon ?? "button").replaceAll("-", " "));
    this.button.append(...content);
    this.append(this.button);
  }

  isOff() {
    return this.is("disabled") || this.is("loading");
  }

  attributeChangedCallback() {
    if (this.button) this.button.disabled = this.isOff();
  }

  get disabled() {
    return this.is("disabled");
  }

  set disabled(disabled) {
    this.toggleAttribute("disabled", disabled);
  }

  click() {
    this.button.click();
  }
}

class CrowdIconButton extends CrowdButton {}

class CrowdFab extends CrowdElement {
  build() {
    const label = this.getAttribute("label");
    const title = this.getAttribute("title") || label || this.getAttribute("icon") || "button";
    const text = label || iconText(this.getAttribute("icon"));
    this.replaceChildren(make("button", { type: "button", disabled: this.is("disabled"), "aria-label": title }, text));
  }
}

class CrowdAlert extends CrowdElement {
  build() {
    const type = this.getAttribute("type") ?? "info";
    this.setAttribute("role", type === "error" || type === "warning" ? "alert" : "status");
    this.classList.add(`crowd-${["success", "warning", "error"].includes(type) ? type : "info"}`);
    const content = make("div", {}, ...this.takeChildren());
    this.append(content);
    if (this.is("dismissible")) {
      this.append(make("button", { type: "button", className: "crowd-link", onclick: () => this.remove() }, "Dismiss"));
    }
  }
}

class CrowdBadge extends CrowdElement {
  build() {
    const icon = this.getAttribute("icon");
    this.textContent = icon ? iconText(icon) : (this.getAttribute("label") ?? this.textContent);
  }
}

class CrowdCard extends CrowdElement {
  build() {
    const content = this.takeChildren();
    const image = this.getAttribute("image");
    const heading = this.getAttribute("heading");
    if (image) this.append(make("img", { src: image, alt: heading ?? "" }));
    if (heading) this.append(make("h2", {}, heading));
    this.append(...content);
  }
}

class CrowdModal extends CrowdElement {
  build() {
    const text = this.getAttribute("link-text") ?? "Click to open modal";
    this.dialog = makeDialog(this.getAttribute("header") ?? text, this.takeChildren());
    this.append(makeOpener(text, this.getAttribute("link-type") === "button", this.dialog), this.dialog);
    if (this.is("opened")) this.dialog.openAt(null);
  }

  open() {
    this.dialog.openAt(this);
  }

  close() {
    this.dialog.close();
  }
}

/** Tabs as the ARIA patterns have them: arrow keys change the tab. */
const makeTabs = (pages) => {
  const tabs = pages.map(({ title, panel }) => {
    panel.id ||= newId("panel");
    panel.setAttribute("role", "tabpanel");
    panel.tabIndex = 0;
    const tab = make("button", { type: "button", role: "tab", id: newId("tab"), "aria-controls": panel.id }, title);
    panel.setAttribute("aria-labelledby", tab.id);
    return tab;
  });
  const select = (index, withFocus) => {
    tabs.forEach((tab, number) => {
      tab.setAttribute("aria-selected", String(number === index));
      tab.tabIndex = number === index ? 0 : -1;
      pages[number].panel.hidden = number !== index;
    });
    if (withFocus) tabs[index].focus();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(index, false));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select((index + step + tabs.length) % tabs.length, true);
    });
  });
  const list = make("div", { className: "crowd-tablist", role: "tablist" }, ...tabs);
  if (tabs.length) select(0, false);
  return { list, select };
};

class CrowdTabs extends CrowdElement {
  build() {
    const panels = [...this.querySelectorAll(":scope > crowd-tab")];
    const tabs = makeTabs(panels.map((panel, index) => ({ title: panel.getAttribute("header") ?? `Tab ${index + 1}`, panel })));
    this.prepend(tabs.list);
  }
}

class CrowdToast extends CrowdElement {
  build() {
    this.setAttribute("role", "status");
    const text = this.getAttribute("text");
    if (text) this.textContent = text;
    this.hidden = true;
    if (this.is("opened")) this.show();
  }

  show() {
    for (const toast of document.querySelectorAll("crowd-toast")) toast.hidden = true;
    this.hidden = false;
    clearTimeout(this.timer);
    const duration = Number(this.getAttribute("duration") ?? 3000);
    if (duration > 0) this.timer = setTimeout(() => (this.hidden = true), duration);
  }

  open() {
    this.show();
  }
}

class CrowdInstructions extends CrowdElement {
  build() {
    const nodesOf = (name) => [...this.querySelectorAll(`:scope > ${name}`)];
    const panel = (...nodes) => make("div", {}, ...nodes.flatMap((node) => (node instanceof Element ? [node] : [])));
    const examples = [
      ...nodesOf("positive-example").flatMap((node) => [make("h3", { className: "crowd-good" }, "Good example"), node]),
      ...nodesOf("negative-example").flatMap((node) => [make("h3", { className: "crowd-bad" }, "Bad example"), node]),
    ];
    const pages = [
      { title: "Summary", nodes: nodesOf("short-summary") },
      { title: "Detailed Instructions", nodes: nodesOf("detailed-instructions") },
      { title: "Examples", nodes: examples },
    ].filter(({ nodes }) => nodes.length);
    const built = pages.map(({ title, nodes }) => ({ title, panel: panel(...nodes) }));
    this.replaceChildren();
    const tabs = makeTabs(built);
    const dialog = makeDialog("Instructions", [tabs.list, ...built.map((page) => page.panel)]);
    const text = this.getAttribute("link-text") ?? "Click for instructions";
    this.append(makeOpener(text, this.getAttribute("link-type") === "button", dialog), dialog);
  }
}

registry.set("crowd-button", CrowdButton).set("crowd-icon-button", CrowdIconButton).set("crowd-fab", CrowdFab);
registry.set("crowd-alert", CrowdAlert).set("crowd-badge", CrowdBadge).set("crowd-card", CrowdCard);
registry.set("crowd-modal", CrowdModal).set("crowd-tab", class CrowdTab extends CrowdElement {}).set("crowd-tabs", CrowdTabs);
registry.set("crowd-toast", CrowdToast).set("crowd-instructions", CrowdInstructions);
