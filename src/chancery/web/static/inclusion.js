// Checks that a record is in the log: its hash, the way to the root (RFC 9162 §2.1.3.2), and the
// signature on the checkpoint (C2SP signed note, Ed25519).  Nothing is asked of the server.

const given = JSON.parse(document.querySelector("[data-proof]").textContent);
const list = document.querySelector("[data-checks]");
const button = document.querySelector("[data-verify]");
const text = new TextEncoder();

const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
const fromBase64 = (packed) => Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));

async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

const node = (left, right) => sha256(Uint8Array.of(1), left, right);

async function rootOf(leafHash, seq, size, proof) {
  let index = BigInt(seq);
  let last = BigInt(size) - 1n;
  let hash = leafHash;
  for (const sibling of proof.map(fromHex)) {
    if (last === 0n) throw new Error("the proof is too long");
    if (index & 1n || index === last) {
      hash = await node(sibling, hash);
      while (index !== 0n && !(index & 1n)) {
        index >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    index >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new Error("the proof is too short");
  return hash;
}

async function signed() {
  const [body, signatures] = given.checkpoint.split("\n\n");
  const [, size, root] = body.split("\n");
  const same = Number(size) === given.size && toHex(fromBase64(root)) === given.root;
  if (!same) return false;
  const key = await crypto.subtle.importKey("raw", fromHex(given.key), "Ed25519", false, ["verify"]);
  for (const line of signatures.split("\n")) {
    const [, name, packed] = line.split(" ");
    if (name !== given.key_name) continue;
    if (await crypto.subtle.verify("Ed25519", key, fromBase64(packed).slice(4), text.encode(`${body}\n`))) return true;
  }
  return false;
}

async function tell(words, check) {
  const item = list.appendChild(document.createElement("li"));
  let good = false;
  let why = "";
  try {
    good = await check();
  } catch (error) {
    why = `: ${error.message}`;
  }
  item.className = good ? "check-good" : "check-bad";
  item.textContent = `${words}: ${good ? "yes" : `no${why}`}`;
  return good;
}

button.hidden = false;
button.addEventListener("click", async () => {
  list.replaceChildren();
  const leaf = await sha256(Uint8Array.of(0), text.encode(given.leaf));
  const all = [
    await tell("The leaf has the hash that is shown", async () => toHex(leaf) === given.leaf_hash),
    await tell("The proof leads to the root", async () => toHex(await rootOf(leaf, given.seq, given.size, given.proof)) === given.root),
    await tell("The log's key signed this root", signed),
  ];
  list.dataset.verified = String(all.every(Boolean));
});
