// Findings by keyboard: j and k go through the rows, each other key does what the button with it does.
(() => {
  const rows = () => [...document.querySelectorAll('tr[data-row] .row-link')];
  const kept = 'wadi-finding-row';
  const at = () => rows().findIndex((link) => link.closest('tr').contains(document.activeElement));
  const go = (place) => {
    const all = rows();
    const link = all[Math.max(0, Math.min(place, all.length - 1))];
    if (link) { link.focus(); link.scrollIntoView({ block: 'nearest' }); }
  };
  const remember = () => { if (at() >= 0) sessionStorage.setItem(kept, location.pathname + ' ' + at()); };
  const typing = (e) => e.target.closest('textarea, select, input:not([type=checkbox]):not([type=radio])');
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
    const key = e.key === '\u061f' ? '?' : /^Key[A-Z]$/.test(e.code) ? e.code[3].toLowerCase() : e.key;
    if (rows().length && (key === 'j' || key === 'k')) {
      e.preventDefault();
      return go(at() < 0 ? 0 : at() + (key === 'j' ? 1 : -1));
    }
    if (!/^[a-z?]$/.test(key)) return;
    const row = document.activeElement.closest('tr[data-row]');
    const found = (row && row.querySelector(`[data-key="${key}"]`))
      || [...document.querySelectorAll(`[data-key="${key}"]`)].find((one) => !one.closest('tr[data-row]'));
    if (!found) return;
    e.preventDefault();
    remember();
    if (found.matches('textarea, input[type=radio]')) found.focus();
    else found.click();
  });
  const [path, place] = (sessionStorage.getItem(kept) || '').split(' ');
  if (path === location.pathname && rows().length) {
    sessionStorage.removeItem(kept);
    go(Number(place));
  }
  document.addEventListener('click', remember);
})();
