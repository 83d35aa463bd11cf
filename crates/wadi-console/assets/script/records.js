// Records: the list of entries to look at a record as of becomes a slider.
(() => {
  const form = document.querySelector('[data-steps]');
  const list = form && form.querySelector('select');
  if (!list || list.length < 2) return;
  const slider = document.createElement('input');
  slider.type = 'range';
  slider.min = 0;
  slider.max = list.length - 1;
  slider.value = list.selectedIndex;
  slider.setAttribute('aria-label', form.querySelector('label').textContent);
  const tell = () => {
    list.selectedIndex = slider.value;
    slider.setAttribute('aria-valuetext', list.options[list.selectedIndex].text);
  };
  slider.addEventListener('input', tell);
  slider.addEventListener('change', () => form.requestSubmit());
  tell();
  form.before(slider);
})();
