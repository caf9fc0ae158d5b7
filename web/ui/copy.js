// Addresses to read and to copy: a button with data-copy="ID" copies the text of
// the element with that id.

// showAddress writes an address that may be broken into lines after its slashes.
export function showAddress(id, address) {
  const parts = address.split(/(?<=[^/]\/)(?=[^/])/);
  document.getElementById(id).replaceChildren(...parts.flatMap((part, i) => (i ? [document.createElement('wbr'), part] : [part])));
}

export function copyButtons() {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-copy]');
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const copied = await copy(source.textContent, button.parentElement);
    if (!copied) getSelection().selectAllChildren(source); // one key press away
    button.textContent = copied ? 'Copied' : 'Selected';
    const label = button.label ??= button.getAttribute('aria-label');
    button.setAttribute('aria-label', button.textContent); // it has the focus: the new name is read out
    button.classList.toggle('done', copied);
    clearTimeout(button.reset);
    button.reset = setTimeout(() => {
      button.textContent = 'Copy';
      button.setAttribute('aria-label', label);
      button.classList.remove('done');
    }, 1600);
  });
}

// The clipboard API exists on https and localhost only; a server in the next
// room is usually plain http, where the old command still works.
// at is where: what is outside of an open dialog can't be selected.
async function copy(text, at) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    at.append(area);
    const focused = document.activeElement;
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    focused?.focus();
    return copied;
  }
}
