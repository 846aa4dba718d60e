// What HTML cannot do by itself: the visitor's time zone, a live card, copy, share, and a word when the server is gone.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `timezone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// A visible page is sent each card that changes. Where no stream can be kept, it asks by itself, slowly.
const live = document.getElementById("live");
let stream, timer, failures = 0;

function connect() {
  disconnect();
  stream = new EventSource(live.dataset.events);
  // The cards come first of all. If they do not come, something on the way holds the stream back.
  later(askAndConnect, pollPause());
  stream.addEventListener("card", (event) => {
    clearTimeout(timer);
    failures = 0;
    clearNotice();
    show(event.data);
  });
  stream.addEventListener("gone", () => location.reload());
  stream.addEventListener("error", () => {
    // Else the browser comes back by itself.
    if (stream.readyState === EventSource.CLOSED) {
      failures += 1;
      later(askAndConnect, failures > 1 ? pollPause() : 1500 + 2500 * Math.random());
    }
  });
}

function disconnect() {
  stream?.close();
  clearTimeout(timer);
}

function askAndConnect() {
  for (const card of cards()) {
    htmx.ajax("GET", card.dataset.card, { target: `#${card.id}`, swap: "outerHTML" });
  }
  connect();
}

function later(action, pause) {
  clearTimeout(timer);
  timer = setTimeout(action, pause);
}

function cards() {
  return [...document.querySelectorAll(".mirror")];
}

function pollPause() {
  return Math.min(60, ...cards().map((card) => card.dataset.poll)) * 1000;
}

function show(html) {
  const page = document.createElement("template");
  page.innerHTML = html;
  const fresh = page.content.firstElementChild;
  const card = document.getElementById(fresh.id);
  // What is shown already stays: a swap could take a press of a button away.
  if (!card || comparable(fresh).isEqualNode(comparable(card))) return;
  htmx.swap(card, html, { swapStyle: "outerHTML" });
}

function comparable(card) {
  const copy = card.cloneNode(true);
  copy.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((input) => input.remove());
  copy.querySelectorAll("details").forEach((details) => details.removeAttribute("open"));
  copy.classList.remove("celebrates");
  return copy;
}

if (live) {
  // A browser allows few connections to a host, so a hidden page gives its own up.
  const follow = () => document.hidden ? disconnect() : connect();
  document.addEventListener("visibilitychange", follow);
  follow();
}

// The stylesheet shows a button only where the browser can do what it says.
document.documentElement.classList.add("has-script");
document.documentElement.classList.toggle("has-share", Boolean(navigator.share));

document.addEventListener("click", async (event) => {
  const target = event.target.closest("[data-copy], [data-send], [data-share], [data-select]");
  if (!target) return;
  const { copy, send, share, title } = target.dataset;
  if (copy) return tellCopied(target, await copied(copy));
  if (send) return sendTo(send, title);
  if (share) {
    // On a phone one press opens the system's own sheet; elsewhere ours has more to offer.
    const isPhone = navigator.share && matchMedia("(pointer: coarse)").matches;
    if (!isPhone) return;
    event.preventDefault();
    if (!await sendTo(share, title)) target.parentElement.open = true;
    return;
  }
  target.select();
});

// True unless the browser could not do it; a person who changes their mind is no failure.
async function sendTo(url, title) {
  try {
    await navigator.share({ title, url });
    return true;
  } catch (error) {
    return error.name === "AbortError";
  }
}

// Browsers keep the clipboard from pages that did not come over https, but let them copy a selection.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    field.readOnly = true;
    document.body.append(field);
    const focused = document.activeElement;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}

function tellCopied(button, done) {
  if (!done) {
    button.closest(".address")?.querySelector("[data-select]")?.select();
    return notify("Your browser does not let this page copy. The address is selected: copy it by hand.");
  }
  button.dataset.label ??= button.innerHTML;
  button.textContent = "Copied";
  announce("Copied.");
  setTimeout(() => { button.innerHTML = button.dataset.label; }, 2000);
}

// A refusal stays until the next press: a live card may come in a moment later.
let wasRefused = false;
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const { xhr, requestConfig } = detail;
  if (requestConfig.verb !== "get") wasRefused = false;
  // Not by events of htmx: a live card may replace the form that they are for before the response comes.
  xhr.addEventListener("error", () => {
    notify("Syncify cannot be reached at the moment. Running syncs continue.");
  });
  xhr.addEventListener("load", () => {
    if (!detail.failed) return;
    wasRefused = xhr.status === 429;
    if (wasRefused) return notify(xhr.responseText);
    notify(xhr.status < 500
      ? "This page is out of date. Load it again."
      : "Something broke on our side. Load the page again in a minute.");
  });
});

function clearNotice() {
  if (!wasRefused) notify("");
}

// Of each card, the state that was last told.
const lastKeys = new Map(cards().map((card) => [card.id, keyOf(card)]));
let focused = "", opened = [];
document.addEventListener("htmx:beforeCleanupElement", (event) => {
  const card = event.target;
  if (!card.classList?.contains("mirror")) return;
  // Until that is settled: another card may come before.
  if (card.contains(document.activeElement)) focused = card.id;
  opened.push(...[...card.querySelectorAll("details[open]")].map((details) => details.id));
});
document.addEventListener("htmx:afterSettle", () => {
  clearNotice();
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  opened = [];
  // htmx finds a button again by its id; where it is gone, what became of it is told.
  if (focused && document.activeElement === document.body) {
    document.querySelector(`#${focused} .sentence`)?.focus();
  }
  focused = "";
  for (const card of cards()) {
    const key = keyOf(card);
    const before = lastKeys.get(card.id);
    if (key === before) continue;
    lastKeys.set(card.id, key);
    // Not at every number: a screen reader would never fall silent.
    announce(card.querySelector(".sentence").textContent);
    if (key === "ready" && before) celebrate(card);
  }
});

function keyOf(card) {
  return card.querySelector(".sentence")?.dataset.key;
}

// The first copy is complete while somebody watches; the stylesheet says what moves, and whether.
function celebrate(card) {
  card.classList.add("celebrates");
  setTimeout(() => card.classList.remove("celebrates"), 2500);
}

function notify(text) {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.hidden = !text;
}

function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}

// "3 minutes ago" stays true while the page is open; sync/pages/words.py has the same rule.
const NEAR = 12 * 3600;
const distance = new Intl.RelativeTimeFormat("en");
function tellTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    const size = Math.abs(seconds);
    if (size >= NEAR) continue;
    if (size < 60) time.textContent = seconds <= 0 ? "just now" : "in a moment";
    else if (size < 3600) time.textContent = distance.format(Math.trunc(seconds / 60), "minute");
    else time.textContent = distance.format(Math.trunc(seconds / 3600), "hour");
  }
}
setInterval(tellTimes, 20_000);
