// Passkeys: asks the server for the question, the browser for the answer, and sends the form.

async function answer(kind, options) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    throw new Error("This browser is too old for passkeys here; use another way.");
  }
  const parsed = kind === "create"
    ? PublicKeyCredential.parseCreationOptionsFromJSON(options)
    : PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials[kind]({ publicKey: parsed });
  return JSON.stringify(credential.toJSON());
}

async function begin(button) {
  const form = button.form;
  const error = form.querySelector("[data-passkey-error]");
  error.hidden = true;
  button.disabled = true;
  try {
    const token = form.elements.csrf.value;
    const response = await fetch(button.dataset.options, { method: "POST", headers: { "X-CSRF-Token": token, "Content-Type": "application/x-www-form-urlencoded" } });
    if (!response.headers.get("content-type")?.startsWith("application/json")) {
      throw new Error("The server did not answer; load the page again.");
    }
    form.elements.passkey.value = await answer(button.dataset.passkey, await response.json());
    form.requestSubmit();
  } catch (problem) {
    error.textContent = problem.name === "NotAllowedError" ? "No passkey was shown. Try again, or use another way." : problem.message;
    error.hidden = false;
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-passkey]");
  if (button) begin(button);
});
