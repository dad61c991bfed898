// Inside the question's frame: tells the page around it how high the content is, and that an answer has been taken.
// That page may have any address of this site, so no narrower target is named; it learns nothing that it did not serve.
"use strict";

const MAX_TOLD = 12; // content as high as its window and a bit more would grow for ever

let told = 0;
let toldHeight = 0;
const tellHeight = () => {
  const height = Math.ceil(Math.max(document.documentElement.offsetHeight, document.body.scrollHeight));
  if (height === toldHeight || told >= MAX_TOLD) return;
  told += 1;
  toldHeight = height;
  parent.postMessage({ type: "crowdsight-height", height }, "*");
};

if (parent !== window) {
  if (document.body.hasAttribute("data-submitted")) parent.postMessage({ type: "crowdsight-submitted" }, "*");
  new ResizeObserver(tellHeight).observe(document.documentElement);
  window.addEventListener("load", tellHeight);
}
