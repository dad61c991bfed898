// Inside the question's frame: tells the page around it how high the content is, where to look, and that an answer has
// been taken. That page may have any address of this site, so no narrower target is named; it learns nothing that it
// did not serve.
"use strict";

(() => {
  const MAX_TOLD = 60; // content as high as its window and a bit more would grow for ever
  const tell = (message) => parent.postMessage(message, "*");

  let told = 0;
  let toldHeight = 0;
  const tellHeight = () => {
    const height = Math.ceil(Math.max(document.documentElement.offsetHeight, document.body.scrollHeight));
    if (Math.abs(height - toldHeight) < 2 || told >= MAX_TOLD) return;
    told += 1;
    toldHeight = height;
    tell({ type: "crowdsight-height", height });
  };

  const look = () => {
    const target = document.getElementById(document.querySelector("[data-look]")?.dataset.look ?? "");
    if (!target) return;
    target.querySelector("input, select, textarea")?.focus({ preventScroll: true });
    tell({ type: "crowdsight-look", top: target.getBoundingClientRect().top + scrollY });
  };

  if (parent !== window) {
    if (document.body.hasAttribute("data-submitted")) tell({ type: "crowdsight-submitted" });
    new ResizeObserver(tellHeight).observe(document.documentElement);
    window.addEventListener("load", () => {
      tellHeight();
      look();
    });
  }
})();
