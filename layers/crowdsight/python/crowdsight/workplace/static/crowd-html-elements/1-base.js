// What all elements share: making them, reading templates' attributes, windows.

const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";
const asked = new URLSearchParams(location.search);
const isPreview = (asked.get("assignmentId") ?? PREVIEW) === PREVIEW;
let counter = 0;
const newId = (name) => `crowd-${name}-${(counter += 1)}`;

/** A new element; `properties` are set as properties where there are such, otherwise as attributes. */
const make = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** A value written as JSON, or more loosely as templates do: 'single quotes', bare names, a comma too many. */
const readLoosely = (text) => {
  let at = 0;
  const skip = () => {
    while (/\s/.test(text[at] ?? "")) at += 1;
    return text[at];
  };
  const fail = () => {
    throw new SyntaxError(`not a list or object at ${at}: ${text}`);
  };
  const readString = (quote) => {
    let value = "";
    for (at += 1; text[at] !== quote; at += 1) {
      if (at >= text.length) fail();
      if (text[at] === "\\") {
        at += 1;
        if (text[at] === "u") {
          value += String.fromCharCode(Number.parseInt(text.slice(at + 1, at + 5), 16));
          at += 4;
        } else value += { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }[text[at]] ?? text[at];
      } else value += text[at];
    }
    at += 1;
    return value;
  };
  const readWord = () => {
    const [word] = /^[\w.+-]+/.exec(text.slice(at)) ?? fail();
    at += word.length;
    return word;
  };
  const readMembers = (end, readOne) => {
    for (at += 1; skip() !== end; ) {
      readOne();
      if (skip() === ",") at += 1;
      else if (skip() !== end) fail();
    }
    at += 1;
  };
  const read = () => {
    const first = skip();
    if (first === "[") {
      const list = [];
      readMembers("]", () => list.push(read()));
      return list;
    }
    if (first === "{") {
      const members = [];
      readMembers("}", () => {
        const quote = skip();
        const name = quote === "'" || quote === '"' ? readString(quote) : readWord();
        if (skip() !== ":") fail();
        at += 1;
        members.push([name, read()]);
      });
      return Object.fromEntries(members);
    }
    if (first === "'" || first === '"') return readString(first);
    const word = readWord();
    const known = { true: true, false: false, null: null };
    if (word in known) return known[word];
    return Number.isNaN(Number(word)) ? word : Number(word);
  };
  const value = read();
  if (skip() !== undefined) fail();
  return value;
};

/** All elements' parent: built once, when its children are there. */
class CrowdElement extends HTMLElement {
  #isBuilt = false;

  connectedCallback() {
    if (this.#isBuilt) return;
    this.#isBuilt = true;
    this.build();
  }

  build() {}

  is(name) {
    return this.hasAttribute(name) && this.getAttribute(name) !== "false";
  }

  /** An attribute's list or object; `otherwise` if it is missing or cannot be read. */
  read(name, otherwise) {
    const text = this.getAttribute(name);
    if (text === null || !text.trim()) return otherwise;
    try {
      return readLoosely(text);
    } catch (error) {
      console.error(`${this.localName} ${name}: ${error.message}`);
      return otherwise;
    }
  }

  /** Takes a child such as short-instructions out; its nodes, or null if there is none. */
  takeRegion(name) {
    const region = this.querySelector(`:scope > ${name}`);
    if (!region) return null;
    region.remove();
    return { header: region.getAttribute("header"), nodes: [...region.childNodes] };
  }

  takeChildren() {
    const nodes = [...this.childNodes];
    this.replaceChildren();
    return nodes;
  }

  get name() {
    return this.getAttribute("name") ?? "";
  }

  set name(name) {
    this.setAttribute("name", name);
  }
}

/** A window over the page. In a frame as high as its content it opens where it is asked for, not in the middle. */
const makeDialog = (title, nodes, kind = "") => {
  const heading = make("h2", { id: newId("title") }, title);
  const close = make("button", { type: "button", className: "crowd-close", onclick: () => dialog.close() }, "Close");
  const content = make("div", { className: "crowd-dialog-content", tabIndex: 0 }, ...nodes);
  const dialog = make("dialog", { className: `crowd-dialog ${kind}`, "aria-labelledby": heading.id });
  dialog.append(make("div", { className: "crowd-dialog-top" }, heading, close), content);
  dialog.openAt = (opener) => {
    const top = opener ? opener.getBoundingClientRect().top : 0;
    dialog.style.top = `${Math.max(8, Math.min(top, innerHeight - 480))}px`;
    if (!dialog.open) dialog.showModal();
  };
  return dialog;
};

/** The button or link that opens a dialog. */
const makeOpener = (text, isButton, dialog) =>
  make(
    "button",
    { type: "button", className: isButton ? "crowd-plain" : "crowd-link", onclick: (event) => dialog.openAt(event.target) },
    text,
  );

const registry = new Map();
