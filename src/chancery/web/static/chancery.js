// What every page needs: menus, dialogs, copying, the theme.  Each works on what htmx brings, too.

const root = document.documentElement;

// The navigation on a phone.
document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-sidebar-toggle]");
  if (!toggle) return;
  const open = document.querySelector("[data-sidebar]").classList.toggle("open");
  toggle.setAttribute("aria-expanded", String(open));
});

// Menus close when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Dialogs, for browsers that do not open them by themselves (invoker commands).
if (!("command" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    event.target.closest("[data-closes]")?.closest("dialog")?.close();
  });
}

// Copying.
const say = document.createElement("div");
say.className = "visually-hidden";
say.setAttribute("role", "status");
document.body.append(say);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const text = button.dataset.copy ?? button.parentElement.querySelector(button.dataset.copyFrom).innerText;
  try {
    await navigator.clipboard.writeText(text);
    say.textContent = "Copied";
  } catch {
    say.textContent = "This browser does not let us copy";
    return;
  }
  button.classList.add("copied");
  setTimeout(() => { button.classList.remove("copied"); say.textContent = ""; }, 1500);
});

// The theme.
function showTheme() {
  for (const button of document.querySelectorAll("[data-theme-choices] [data-scheme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.scheme === root.dataset.themeChoice));
  }
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-choices] [data-scheme]");
  if (!button) return;
  try { localStorage.setItem("chancery-theme", button.dataset.scheme); } catch { /* until the next page */ }
  dispatchEvent(new Event("chancery:theme"));
  showTheme();
});
showTheme();

// A form that is sent is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => { delete form.dataset.sent; }, 5000);
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A form that a fresh proof of identity had held up goes on by itself.
document.querySelector("form[data-auto-submit]")?.requestSubmit();

// htmx: its requests carry the token of the session.
const token = document.querySelector("meta[name=csrf-token]")?.content;
document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  if (token && request.method !== "GET") request.headers["X-CSRF-Token"] = token;
});
