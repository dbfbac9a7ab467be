// Follows what goes on while a page is open. Without it the page loads itself again.
"use strict";

const MOST_LINES = 500;
const status = document.getElementById("status");
const log = document.getElementById("log");

// The service has escaped every value; a template runs nothing.
function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function say(text) {
  if (text && status.textContent !== text) status.textContent = text;
}

function stepOf(host, step) {
  const same = (known) => known.dataset.host === host && known.dataset.step === step;
  return [...log.querySelectorAll("details")].reverse().find(same);
}

function add(change) {
  document.getElementById("empty")?.remove();
  if (change.html) log.append(parsed(change.html));
  const step = change.step && stepOf(change.host, change.step);
  if (!step) return;
  if (change.line !== undefined) {
    const output = step.querySelector("pre");
    output.append(change.line + "\n");
    while (output.childNodes.length > MOST_LINES) output.firstChild.remove();
  }
  if (change.summary) step.querySelector("summary").replaceChildren(parsed(change.summary));
}

// Who reads the end stays at the end; who reads elsewhere is left there.
function keepingTheEnd(change) {
  const page = document.documentElement;
  const atEnd = window.scrollY + window.innerHeight > page.scrollHeight - 80;
  change();
  if (atEnd && page.scrollHeight > window.innerHeight) window.scrollTo({ top: page.scrollHeight });
}

function follow(address) {
  const stream = new EventSource(address);
  const on = (name, take) =>
    stream.addEventListener(name, (event) => {
      const change = JSON.parse(event.data);
      keepingTheEnd(() => take(change));
      say(change.said);
    });
  const head = (change) => {
    document.getElementById("head").replaceChildren(parsed(change.html));
    const word = document.querySelector("#head .badge");
    document.title = document.title.replace(/^[^·]*/, `${word.textContent} `);
  };
  on("log", add);
  on("head", head);
  on("end", (change) => {
    stream.close();
    head(change);
  });
  stream.addEventListener("error", () => {
    say(stream.readyState === EventSource.CLOSED ? "Not following any more: load the page again" : "The line is cut, trying again");
  });
}

// A list looks again by itself, and leaves the focus where it is.
function lookAgain() {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    // Whoever is logged out meanwhile must not go on reading what was true then.
    if (answer?.status === 401 || answer?.redirected) location.reload();
    if (!answer?.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const main = document.querySelector("main");
    if (fresh.innerHTML === main.innerHTML) return;
    const focused = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
    main.replaceChildren(...fresh.childNodes);
    const again = [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused);
    again?.focus({ preventScroll: true });
  }, 5000);
}

if (log?.dataset.events) follow(log.dataset.events);
else if (!log) lookAgain();
