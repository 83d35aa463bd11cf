// Parts with data-live="NAME=NUMBER&…" are read anew when the stream says that one of the names has another number, and now
// and then for what moves by time alone. Where there is no stream they are read anew more often. Nobody's work is replaced.
(() => {
  const parts = () => [...document.querySelectorAll('[data-live]')];
  if (!parts().length) return;
  let stream, timer, asking, isStale, soonest = 0;
  const isTyped = (field) => (/^(checkbox|radio)$/.test(field.type) ? field.checked !== field.defaultChecked
    : field.type !== 'hidden' && field.value !== field.defaultValue);
  const typed = (within) => [...within.querySelectorAll('input, textarea')].some(isTyped);
  const busy = (part) => part.contains(document.activeElement) || typed(part);
  const follows = () => stream && stream.readyState === 1;
  const again = (ms) => { clearTimeout(timer); timer = setTimeout(look, ms || (follows() ? 60000 : 10000)); };
  const leave = () => { if (!typed(document)) location.reload(); };
  const tell = (shown) => document.querySelectorAll('[data-stale]').forEach((one) => { one.hidden = !shown; });
  const take = (page) => {
    let left = false;
    for (const part of parts()) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      if (busy(part)) left = true;
      else part.replaceWith(document.adoptNode(fresh));
    }
    if (left && isStale) tell(true);
    else { isStale = false; tell(false); }
  };
  const changed = () => { isStale = true; again(Math.max(1, soonest - Date.now())); };
  function look() {
    if (document.hidden || asking) return again();
    if (parts().every(busy)) { tell(isStale); return again(5000); }
    const ask = new XMLHttpRequest();
    const began = Date.now();
    const done = () => {
      asking = false;
      soonest = Date.now() + Math.max(1000, 8 * (Date.now() - began));
      again();
    };
    asking = true;
    ask.responseType = 'document';
    ask.timeout = 30000;
    ask.onload = () => {
      done();
      if (ask.responseURL.includes('/console/sign-in')) return leave();
      if (ask.status !== 200 || !ask.response) return;
      take(ask.response);
      if (parts().length) return;
      clearTimeout(timer);
      if (stream) stream.close();
    };
    ask.onerror = ask.ontimeout = done;
    ask.open('GET', location.href);
    ask.setRequestHeader('wadi-unattended', '1');
    ask.send();
  }
  const follow = () => {
    if (document.hidden || !parts().length || (stream && stream.readyState < 2)) return;
    const numbers = new URLSearchParams(parts().map((part) => part.dataset.live).join('&'));
    stream = new EventSource('/console/live?' + new URLSearchParams(Object.fromEntries(numbers)));
    stream.addEventListener('changed', changed);
    stream.addEventListener('ended', () => { stream.close(); leave(); });
    stream.addEventListener('error', () => { if (stream.readyState === 2) setTimeout(follow, 60000); again(); });
  };
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { if (stream) stream.close(); return; }
    follow();
    changed();
  });
  follow();
  again();
})();
