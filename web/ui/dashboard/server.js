// The server itself.

import { el, put, table, unless } from './dom.js';
import { ask } from './api.js';
import { question, say, tell } from './question.js';
import { relays } from './relays.js';
import { day, lasting, since } from './words.js';

const levels = { debug: 'debug: all', info: 'info: what happens', warn: 'warn: what may be wrong', error: 'error: what is wrong here' };

export class ServerPage {
  title = 'Server';
  every = 5000;

  constructor(view) {
    this.about = el('section', { class: 'panel' });
    this.drain = el('section', { class: 'panel' });
    this.relays = el('section', { class: 'panel', hidden: true });
    this.settings = el('section', { class: 'panel' });
    this.level = el('select', { id: 'level', onchange: () => tell(`log/level?level=${this.level.value}`, 'PUT', `The log has ${this.level.value} and worse, until the server ends.`) },
      Object.entries(levels).map(([value, words]) => el('option', { value }, words)));
    put(view, el('h1', {}, 'Server'),
      el('div', { class: 'two' }, this.about, el('div', { class: 'stack' }, this.drain,
        el('section', { class: 'panel' }, el('h2', {}, 'Log and configuration'),
          el('p', { class: 'field' }, el('label', { for: 'level' }, 'How much is logged'), this.level),
          el('p', { class: 'field' }, el('button', { type: 'button', onclick: () => this.askReload() }, 'Read the configuration again…'))))),
      this.relays, this.settings);
  }

  async look(signal, server) {
    const [{ level }, { settings }, passed] = await Promise.all([ask('log/level', { signal }), ask('config', { signal }), ask('relays', { signal })]);
    if (document.activeElement !== this.level) this.level.value = level;
    const port = (n) => (n ? String(n) : 'none');
    put(this.about, el('h2', {}, 'About'), el('dl', { class: 'facts' }, [
      ['Version', server.version], ['Runs for', lasting(since(server.began))], ['Began', day(server.began)],
      ['RTMP', port(server.ports.rtmp)], ['RTMPS', port(server.ports.rtmps)], ['HTTP', port(server.ports.http)], ['HTTPS', port(server.ports.https)],
      ['Encoders show', server.needs.length ? server.needs.join(', or ') : 'nothing: their network decides'],
    ].map(([term, text]) => el('div', {}, el('dt', {}, term), el('dd', {}, text)))));
    unless(this.drain, [server.draining, server.ready], () => put(this.drain, el('h2', {}, 'Publishers'),
      el('p', {}, server.draining ? 'Drained: the server takes no new publishers, and tells load balancers that it is not ready. Those that publish go on.' : server.ready ? 'The server takes publishers.' : 'The server is stopping.'),
      el('p', { class: 'field' }, server.draining
        ? el('button', { type: 'button', 'data-focus': 'drain', class: 'primary', onclick: () => tell('drain', 'DELETE', 'Publishers are let in again.') }, 'Let publishers in again')
        : el('button', { type: 'button', 'data-focus': 'drain', class: 'danger', onclick: () => this.askDrain() }, 'Drain…'))));
    this.relays.hidden = !passed.relays.length;
    unless(this.relays, passed, () => put(this.relays, el('h2', {}, 'Relays'), relays(passed.relays, true)));
    unless(this.settings, settings, () => put(this.settings, el('details', {},
      el('summary', {}, el('h2', {}, `Configuration in force: ${settings.length} settings`)),
      table('Configuration', ['Setting', 'Value'], settings.map(({ path, value, secret }) => [el('code', {}, path), value && !secret ? value : el('span', { class: 'dim' }, value || 'empty')])))));
  }

  askDrain() {
    question({
      title: 'Drain the server?',
      text: 'It takes no new publishers, and /readyz says that it is not ready. Those that publish go on. It can be taken back.',
      yes: 'Drain', dangerous: true,
      done: async () => {
        await ask('drain', { method: 'PUT' });
        say('The server is drained.');
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  askReload() {
    question({
      title: 'Read the configuration again?',
      text: 'Who may publish and watch is then as the file says. Who publishes already goes on. Where the file has a fault, all stays as it is.',
      yes: 'Read it',
      done: async () => {
        await ask('reload', { method: 'POST' });
        say('The configuration was read again.');
        document.dispatchEvent(new Event('again'));
      },
    });
  }

  end() {}
}
