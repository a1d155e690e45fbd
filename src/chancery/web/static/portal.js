// The portal: files by drag and drop, a word before a private key leaves, proof of work.

// Until the event at hand is over: in the middle of one, a form takes no other, and nothing is drawn.
const turn = () => new Promise((done) => { setTimeout(done); });
const SECRET = /-----BEGIN [^\r\n-]{0,40}PRIVATE KEY/;

// Files: what was chosen is named, what is dropped is chosen.
for (const zone of document.querySelectorAll("[data-dropzone]")) {
  const files = zone.querySelector("input[type=file]");
  const told = zone.querySelector("[data-chosen]");
  const usual = told.textContent;
  const name = () => {
    const chosen = [...files.files].map((file) => file.name);
    told.textContent = chosen.length > 3 ? `${chosen.length} files` : chosen.join(", ") || usual;
  };
  files.addEventListener("change", name);
  let depth = 0;
  zone.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) zone.classList.remove("over"); });
  zone.addEventListener("dragover", (event) => event.preventDefault());
  zone.addEventListener("drop", (event) => {
    depth = 0;
    zone.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    const all = new DataTransfer();
    for (const file of [...files.files, ...event.dataTransfer.files]) all.items.add(file);
    files.files = all.files;
    name();
  });
  name();
}

// A private key is stopped before it is sent.
const bring = document.getElementById("bring");
bring?.addEventListener("submit", async (event) => {
  if (bring.dataset.looked) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const files = [...bring.querySelector("input[type=file]").files];
  const texts = [bring.querySelector("textarea").value, ...await Promise.all(files.map((file) => file.slice(0, 65536).text()))];
  const secret = bring.querySelector("[data-secret]");
  secret.hidden = !texts.some((text) => SECRET.test(text));
  if (!secret.hidden) return;
  await turn();
  bring.dataset.looked = "yes";
  bring.requestSubmit();
  delete bring.dataset.looked;
}, true);

// Proof of work: a counter that makes the SHA-256 of the stamp begin with so many zero bits.
const hex = (octets) => [...new Uint8Array(octets)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
const digest = (octets) => crypto.subtle.digest("SHA-256", octets);
const der = (pem) => Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, "")), (c) => c.charCodeAt(0));

async function work(requests, bits) {
  const parts = requests.map(der);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { all.set(part, at); return at + part.length; }, 0);
  const start = `1:${Math.floor(Date.now() / 1000)}:${hex(await digest(all))}:`;
  const encoder = new TextEncoder();
  for (let counter = 0; ; counter += 512) {
    await turn();
    const tries = await Promise.all(Array.from({length: 512}, (_, n) => digest(encoder.encode(start + (counter + n)))));
    const found = tries.findIndex((octets) => Math.clz32(new DataView(octets).getUint32(0)) >= bits);
    if (found >= 0) return start + (counter + found);
  }
}

const stamp = document.querySelector("[data-stamp]");
stamp?.form.addEventListener("submit", async (event) => {
  if (stamp.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const form = stamp.form;
  const button = form.querySelector("button[type=submit]");
  form.querySelector("[data-stamp-progress]").hidden = false;
  button.disabled = true;
  stamp.value = await work([...form.querySelectorAll("input[name=csr]")].map((field) => field.value), Number(stamp.dataset.stamp));
  button.disabled = false;
  form.requestSubmit(button);
}, true);
