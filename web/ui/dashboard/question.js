// A question before something is done that can't be taken back.

import { $, el } from './dom.js';
import { Fault, ask } from './api.js';

const dialog = $('ask');
let act = null;

// question asks. choice is {label, options: [[value, text]…]}; done gets what was chosen,
// and does it: where that fails, the dialog stays and says why.
export function question({ title, text, yes, dangerous, choice, done }) {
  $('ask-title').textContent = title;
  $('ask-text').textContent = text;
  $('ask-yes').textContent = yes;
  $('ask-yes').className = dangerous ? 'danger' : 'primary';
  $('ask-yes').disabled = false;
  $('ask-fault').hidden = true;
  $('ask-choice').hidden = !choice;
  if (choice) {
    $('ask-label').textContent = choice.label;
    $('ask-select').replaceChildren(...choice.options.map(([value, words]) => el('option', { value }, words)));
  }
  act = done;
  dialog.showModal();
  $('ask-no').focus();
}

$('ask-no').addEventListener('click', () => dialog.close());
$('ask-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('ask-yes').disabled = true;
  try {
    await act($('ask-select').value);
    dialog.close();
  } catch (error) {
    $('ask-fault').textContent = error instanceof Fault ? `The server says: ${error.message}.` : 'The server did not answer. Nothing may have happened.';
    $('ask-fault').hidden = false;
    $('ask-yes').disabled = false;
  }
});

// say shows a sentence for a while.
export function say(text) {
  $('toast').textContent = text;
  $('toast').classList.add('seen');
  clearTimeout(say.timer);
  say.timer = setTimeout(() => $('toast').classList.remove('seen'), 6000);
}

// tell does something that needs no question.
export async function tell(path, method, sentence) {
  try {
    await ask(path, { method });
    say(sentence);
  } catch (error) {
    say(error instanceof Fault ? `The server says: ${error.message}.` : 'The server did not answer. Nothing may have happened.');
  }
  document.dispatchEvent(new Event('again'));
}
