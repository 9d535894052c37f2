// Passkeys: a form with [data-passkey] asks the desk for a challenge, the browser's device for the answer, and sends it.

import { post } from "./base.js";

const able = typeof window.PublicKeyCredential === "function" && window.isSecureContext;

/** Return the bytes of base64url text. */
function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

/** Return bytes as base64url text. */
function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const described = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

/** Have the device make a passkey, or use one; return what the desk checks. */
async function ask(options, make) {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (make) {
    publicKey.user = { ...options.user, id: bytes(options.user.id) };
    publicKey.excludeCredentials = described(options.excludeCredentials);
    const made = await navigator.credentials.create({ publicKey });
    return answerOf(made, {
      attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    });
  }
  publicKey.allowCredentials = described(options.allowCredentials);
  const used = await navigator.credentials.get({ publicKey });
  return answerOf(used, {
    authenticatorData: text(used.response.authenticatorData),
    signature: text(used.response.signature),
    userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
  });
}

function answerOf(credential, response) {
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: { ...response, clientDataJSON: text(credential.response.clientDataJSON) },
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

/** Show one sentence below the button. */
function say(form, sentence) {
  const box = form.querySelector("[data-passkey-problem]");
  box.textContent = sentence;
  box.hidden = !sentence;
}

async function run(form) {
  say(form, "");
  const asked = await post(form.dataset.options, { for: form.dataset.for ?? "" });
  if (asked.status === 403 && form.dataset.confirmUrl) {
    location.assign(form.dataset.confirmUrl);
    return;
  }
  const given = await asked.json();
  if (!asked.ok) {
    say(form, given.error?.message ?? form.dataset.failed);
    return;
  }
  form.elements.answer.value = await ask(given.options, form.dataset.passkey === "make");
  form.elements.challenge.value = given.challenge;
  if (!form.dataset.then) {
    form.submit();
    return;
  }
  const { challenge, answer } = form.elements;
  const confirmed = await post(form.action, { challenge: challenge.value, answer: answer.value });
  if (confirmed.ok) document.getElementById(form.dataset.then).submit();
  else say(form, (await confirmed.json()).error?.message ?? form.dataset.failed);
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!able) {
    for (const part of document.querySelectorAll("[data-needs-passkeys]")) part.hidden = false;
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    try {
      await run(form);
    } catch (problem) {
      // Closed by the person, too slow, or a device that knows this desk already.
      const known = problem instanceof DOMException && problem.name === "InvalidStateError";
      say(form, known ? form.dataset.known ?? form.dataset.failed : form.dataset.failed);
    } finally {
      setTimeout(() => { button.disabled = false; }, 50);
    }
  });
}
