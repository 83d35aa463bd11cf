// A crossing's own day: what passed, what is held, and forms to record by hand.
for (const form of document.querySelectorAll('form[data-once]')) {
  // The server takes a form twice as once; whoever clicks twice need not wait for it twice.
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  });
  window.addEventListener('pageshow', () => { delete form.dataset.sent; });
}
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => window.print());
}
