// Keeps the page that is looked at up to date. It is told only that something has changed, and has
// the whole page fetched again; it never takes the focus, nor what somebody is typing.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  const sign = document.getElementById("live");
  if (!main || !window.EventSource || !window.fetch || !window.DOMParser) return;

  let shown = main.innerHTML;
  let fetching = false;
  let missed = false;

  // Whether somebody is at work here whom a change would disturb.
  const isBusy = () => {
    const at = document.activeElement;
    if (at && main.contains(at) && at.matches("input, select, textarea")) return true;
    for (const field of main.querySelectorAll("input:not([type=hidden]), textarea")) {
      if (field.value !== field.defaultValue) return true;
    }
    for (const option of main.querySelectorAll("option")) {
      if (option.selected !== option.defaultSelected && option.parentElement.querySelector("[selected]")) return true;
    }
    const marked = window.getSelection();
    return Boolean(marked && !marked.isCollapsed && main.contains(marked.anchorNode));
  };

  const swap = (fresh) => {
    const at = document.activeElement;
    const twin = at && at !== main && main.contains(at)
      ? [...fresh.querySelectorAll("a, button, summary, [tabindex]")].find((one) => one.outerHTML === at.outerHTML)
      : null;
    if (at && at !== main && main.contains(at) && !twin) return false;
    for (const detail of main.querySelectorAll("details[id]")) {
      const same = fresh.querySelector("#" + CSS.escape(detail.id));
      if (same) same.open = detail.open;
    }
    const places = [...main.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
    main.replaceChildren(...fresh.childNodes);
    main.querySelectorAll(".scroll").forEach((box, nth) => {
      if (places[nth]) [box.scrollLeft, box.scrollTop] = places[nth];
    });
    if (twin) twin.focus({ preventScroll: true });
    return true;
  };

  const refresh = async () => {
    if (document.hidden || fetching || isBusy()) { missed = true; return; }
    fetching = true;
    missed = false;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main[data-live]");
      if (!fresh || fresh.innerHTML === shown) return;
      const next = fresh.innerHTML;
      if (isBusy() || !swap(document.importNode(fresh, true))) { missed = true; return; }
      shown = next;
      const foot = page.querySelector("footer");
      if (foot) document.querySelector("footer").replaceWith(document.importNode(foot, true));
    } catch {
      // The next hint comes, or the stream tells that we are alone.
    } finally {
      fetching = false;
    }
  };

  const again = () => { if (missed) refresh(); };
  const hints = new EventSource(main.dataset.live);
  hints.addEventListener("open", () => { sign.hidden = false; });
  hints.addEventListener("error", () => { sign.hidden = true; });
  hints.addEventListener("changed", refresh);
  document.addEventListener("visibilitychange", again);
  main.addEventListener("focusout", () => setTimeout(again, 200));
})();
