// What HTML cannot do by itself: the visitor's time zone, a live card, copy, share, and a word when the server is gone.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `timezone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// A visible page has the card sent to it whenever it changes. Where no stream can be kept, it asks by itself, slowly.
const live = document.getElementById("live");
let stream, timer, failures = 0;

function connect() {
  disconnect();
  stream = new EventSource(live.dataset.events);
  // The card comes first of all. If it does not come, something on the way holds the stream back.
  later(askAndConnect, pollPause());
  stream.addEventListener("card", (event) => {
    clearTimeout(timer);
    failures = 0;
    notify("");
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
  htmx.ajax("GET", live.dataset.card, { target: "#card", swap: "outerHTML" });
  connect();
}

function later(action, pause) {
  clearTimeout(timer);
  timer = setTimeout(action, pause);
}

function pollPause() {
  return document.getElementById("card").dataset.poll * 1000;
}

function show(html) {
  const page = document.createElement("template");
  page.innerHTML = html;
  const card = document.getElementById("card");
  // What is shown already stays: a swap could take a press of a button away.
  if (withoutTokens(page.content.firstElementChild).isEqualNode(withoutTokens(card))) return;
  htmx.swap(card, html, { swapStyle: "outerHTML" });
}

function withoutTokens(card) {
  const copy = card.cloneNode(true);
  copy.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((input) => input.remove());
  return copy;
}

if (live) {
  // A browser allows few connections to a host, so a hidden page gives its own up.
  const follow = () => document.hidden ? disconnect() : connect();
  document.addEventListener("visibilitychange", follow);
  follow();
}

// The stylesheet shows a button only where the browser can do what it says.
document.documentElement.classList.toggle("has-clipboard", Boolean(navigator.clipboard));
document.documentElement.classList.toggle("has-share", Boolean(navigator.share));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-share]");
  if (!button) return;
  try {
    if (button.dataset.share) {
      await navigator.share({ title: button.dataset.title, url: button.dataset.share });
    } else {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.dataset.label ??= button.textContent;
      button.textContent = "Copied";
      announce("It is copied.");
      setTimeout(() => { button.textContent = button.dataset.label; }, 2000);
    }
  } catch (error) {
    if (error.name !== "AbortError") notify("That did not work. The address behind “Open in Spotify” is the link.");
  }
});

document.addEventListener("htmx:sendError", () => {
  notify("Syncify cannot be reached at the moment. A sync that runs goes on all the same.");
});
document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  if (status === 429) return notify(responseText);
  notify(status < 500
    ? "This page is out of date. Load it again."
    : "Something broke on our side. Load the page again in a minute.");
});

let lastKey = document.getElementById("sentence")?.dataset.key;
let focusWasInCard = false;
document.addEventListener("htmx:beforeCleanupElement", (event) => {
  // Until that is settled: another card may come before.
  focusWasInCard ||= event.target.id === "card" && event.target.contains(document.activeElement);
});
document.addEventListener("htmx:afterSettle", () => {
  notify("");
  const sentence = document.getElementById("sentence");
  // htmx finds a button again by its id; where it is gone, what became of it is told.
  if (focusWasInCard && document.activeElement === document.body) sentence?.focus();
  focusWasInCard = false;
  // Not at every number: a screen reader would never fall silent.
  if (sentence && sentence.dataset.key !== lastKey) {
    lastKey = sentence.dataset.key;
    announce(sentence.textContent);
  }
});

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
