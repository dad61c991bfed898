// The work page's conveniences; the page works without them.
// From the question's frame: {type: "crowdsight-height", height: pixels}, {type: "crowdsight-look", top: pixels},
// {type: "crowdsight-submitted"}.
// To it: {type: "crowdsight-key", key: "y"}.
"use strict";

const frame = document.getElementById("question");
const work = document.querySelector("[data-assignment]");
const next = document.querySelector("[data-next]");
const MIN_HEIGHT_PX = 240;
const MAX_HEIGHT_PX = 20000;

if (frame) {
  window.addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== frame.contentWindow || message === null || typeof message !== "object") return;
    if (message.type === "crowdsight-height" && frame.classList.contains("fit") && Number.isFinite(message.height)) {
      const height = Math.min(Math.max(Math.ceil(message.height), MIN_HEIGHT_PX), MAX_HEIGHT_PX);
      frame.style.height = `${height}px`;
    }
    if (message.type === "crowdsight-look" && frame.classList.contains("fit") && Number.isFinite(message.top)) {
      const top = frame.getBoundingClientRect().top + Math.min(Math.max(message.top, 0), MAX_HEIGHT_PX);
      scrollBy({ top: top - 16, behavior: "instant" });
    }
    if (message.type !== "crowdsight-submitted" || !work) return;
    if (next && next.elements.auto.checked) next.submit();
    else location.assign(work.dataset.afterSubmission);
  });
}

if (frame && work) {
  const giveKeys = () => {
    if (document.activeElement === document.body) frame.focus({ preventScroll: true });
  };
  frame.addEventListener("load", giveKeys);
  giveKeys();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !/^[a-z0-9]$/i.test(event.key)) return;
    // The frame's origin is opaque, so no narrower target can be named; a letter typed on a page without fields is no secret.
    frame.contentWindow.postMessage({ type: "crowdsight-key", key: event.key.toLowerCase() }, "*");
  });
}

for (const clock of document.querySelectorAll("[data-left-s]")) {
  const end = performance.now() + Number(clock.dataset.leftS) * 1000;
  const tell = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
    const two = (number) => String(number).padStart(2, "0");
    clock.textContent = hours ? `${hours}:${two(minutes)}:${two(seconds)} left` : `${minutes}:${two(seconds)} left`;
    clock.classList.toggle("short", left <= 60);
    if (!work) return;
    document.querySelector("[data-short]").hidden = left === 0 || left > 60;
    document.querySelector("[data-over]").hidden = left > 0;
    if (left === 0) clearInterval(timer);
  };
  const timer = setInterval(tell, 1000);
  tell();
}
