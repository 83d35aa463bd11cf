// Passkeys: a form of them shows where this browser has them, on pages of the host that they are bound to. It asks for a
// challenge, hands it to the browser, and sends what that answers.
(() => {
  const key = window.PublicKeyCredential;
  if (!key || !key.parseCreationOptionsFromJSON) return;
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    if (form.dataset.host !== location.hostname) continue;
    const failed = form.querySelector('[role=alert]');
    form.hidden = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      failed.hidden = true;
      try {
        const asked = await fetch(form.dataset.passkey, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
        const { options, detail } = await asked.json();
        if (!options) throw detail;
        const made = options.user
          ? await navigator.credentials.create({ publicKey: key.parseCreationOptionsFromJSON(options) })
          : await navigator.credentials.get({ publicKey: key.parseRequestOptionsFromJSON(options) });
        form.elements.credential.value = JSON.stringify(made);
        form.submit();
      } catch (error) {
        failed.textContent = typeof error === 'string' ? error : form.dataset.failed;
        failed.hidden = false;
      }
    });
  }
})();
