// Sites: the board with its map, and each site with its contacts.
// What has data-live=SECONDS is read anew while the page is looked at, and nobody works in it.
for (const part of document.querySelectorAll('[data-live]')) {
  const every = Math.max(5, Number(part.dataset.live) || 10) * 1000;
  let shown = part;
  const again = () => setTimeout(look, every);
  const look = () => {
    if (document.hidden || shown.contains(document.activeElement)) return again();
    const ask = new XMLHttpRequest();
    ask.responseType = 'document';
    ask.timeout = 20000;
    ask.onload = () => {
      const fresh = ask.status === 200 && ask.response && ask.response.getElementById(part.id);
      if (fresh) {
        const next = document.adoptNode(fresh);
        shown.replaceWith(next);
        shown = next;
        if (!('live' in next.dataset)) return;
      }
      again();
    };
    ask.onerror = ask.ontimeout = again;
    ask.open('GET', location.href);
    ask.send();
  };
  again();
}
