// What HTML cannot do by itself: the visitor's time zone, copy, share, and a word when the server is gone.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  document.cookie = `timezone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
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
      button.textContent = "Copied";
      announce("The link is copied.");
      setTimeout(() => { button.textContent = "Copy link"; }, 2000);
    }
  } catch (error) {
    if (error.name !== "AbortError") notify("That did not work. The address behind “Open in Spotify” is the link.");
  }
});

document.addEventListener("htmx:sendError", () => {
  notify("Syncify cannot be reached at the moment. A sync that runs goes on all the same.");
});
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  notify(status < 500
    ? "This page is out of date. Load it again."
    : "Something broke on our side. Load the page again in a minute.");
});

let lastKey = document.getElementById("sentence")?.dataset.key;
document.addEventListener("htmx:afterSettle", () => {
  document.getElementById("notice").hidden = true;
  const sentence = document.getElementById("sentence");
  // Not at every number: a screen reader would never fall silent.
  if (sentence && sentence.dataset.key !== lastKey) {
    lastKey = sentence.dataset.key;
    announce(sentence.textContent);
  }
});

function notify(text) {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.hidden = false;
}

function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}

// "3 minutes ago" stays true while the page is open; sync/words.py has the same rule.
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
